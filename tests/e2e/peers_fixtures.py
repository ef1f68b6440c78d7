"""The tools that regtag is measured against, as Debian ships them: they push images, and read them back."""

import glob
import os
import re
import subprocess
import time

import pytest
from ending import end
from fronts import TOP
from proxies import missing_libraries


def unpacked(package):
    """A program of Debian forky's; older releases have none or only one of them."""
    command = [TOP / "third_party/unpack", package, "forky"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    found = glob.glob(f"{done.stdout.strip()}/usr/bin/{package}")
    if done.returncode != 0 or not found:
        pytest.skip(f"Debian forky's {package} is not to be had from this mirror")
    if subprocess.run([found[0], "version"], capture_output=True).returncode != 0:
        pytest.skip(f"Debian forky's {package} does not run on this release")
    return found[0]


class Peer:
    """Runs a tool: peer("digest", …) is what it prints. It finds no credentials."""

    def __init__(self, path, home, env=None, options=()):
        self.path = path
        self._options = options
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), **(env or {})}

    def __call__(self, *args, cwd=None, env=None):
        done = subprocess.run(
            [str(word) for word in (self.path, *self._options, *args)],
            cwd=cwd,
            env={**self._env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done
        return done.stdout.strip()


def _of_this_release(package):
    """A program, and where it finds its libraries. What is newer may need a newer C library."""
    command = [TOP / "third_party/unpack", package]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    found = glob.glob(f"{done.stdout.strip()}/usr/bin/{package}")
    if done.returncode != 0 or not found:
        pytest.skip(f"{package} is not to be had from this mirror")
    folders = {os.path.dirname(one) for one in missing_libraries(found[0])}
    env = {"LD_LIBRARY_PATH": ":".join(sorted(folders))}
    if subprocess.run([found[0], "--version"], capture_output=True, env=env).returncode != 0:
        pytest.skip(f"{package} does not run here")
    return found[0], env


@pytest.fixture(scope="session")
def skopeo(tmp_path_factory):
    path, env = _of_this_release("skopeo")
    return Peer(path, tmp_path_factory.mktemp("home"), env, ["--insecure-policy"])


@pytest.fixture(scope="session")
def umoci(tmp_path_factory):
    path, env = _of_this_release("umoci")
    return Peer(path, tmp_path_factory.mktemp("home"), env)


@pytest.fixture(scope="session")
def crane(tmp_path_factory):
    return Peer(unpacked("crane"), tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def oras_tool(tmp_path_factory):
    return Peer(unpacked("oras"), tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def start_crane_registry(tmp_path_factory):
    """Starts a `crane registry serve`, in memory, that runs to the end of all tests; HOST:PORT."""
    running = []

    def start():
        log = tmp_path_factory.mktemp("crane") / "log"
        with open(log, "wb") as out:
            running.append(
                subprocess.Popen(
                    [unpacked("crane"), "registry", "serve", "--address", "127.0.0.1:0"],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                )
            )
        for _ in range(600):
            if found := re.search(r"serving on port (\d+)", log.read_text()):
                return f"127.0.0.1:{found[1]}"
            time.sleep(0.02)
        raise RuntimeError(f"crane serves no registry: {log.read_text()}")

    yield start
    for process in running:
        end(process)
