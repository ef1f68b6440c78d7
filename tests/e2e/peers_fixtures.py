"""The tools that regtag is measured against, as Debian ships them: they push images, and read them back."""

import glob
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from ending import end
from fronts import TOP


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


def unpacked_here(name, *libraries):
    """A program of this release, and the folders of libraries that are not installed; those that there are."""
    found = [
        subprocess.run(
            [TOP / "third_party/unpack", package],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ).stdout.strip()
        for package in (name, *libraries)
    ]
    folders = [one for folder in found if folder for one in glob.glob(f"{folder}/usr/lib/*-linux-*")]
    path, env = f"{found[0]}/usr/bin/{name}", {"LD_LIBRARY_PATH": ":".join(folders)}
    try:
        done = subprocess.run([path, "--version"], env={**os.environ, **env}, capture_output=True, text=True)
    except OSError:
        pytest.skip(f"Debian's {name} is not to be had from this mirror")
    if done.returncode != 0:
        pytest.skip(f"Debian's {name} does not run: {done.stderr.strip()}")
    return path, env


class Peer:
    """Runs a tool: peer("digest", …) is what it prints. It finds no credentials."""

    def __init__(self, path, home, env=None):
        self.path = path
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), **(env or {})}

    def __call__(self, *args, cwd=None, env=None):
        done = subprocess.run(
            [str(word) for word in (self.path, *args)],
            cwd=cwd,
            env={**self._env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done
        return done.stdout.strip()


@pytest.fixture(scope="session")
def crane(tmp_path_factory):
    return Peer(unpacked("crane"), tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def oras_tool(tmp_path_factory):
    return Peer(unpacked("oras"), tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def umoci_tool(tmp_path_factory):
    path, env = unpacked_here("umoci")
    return Peer(path, tmp_path_factory.mktemp("home"), env)


@pytest.fixture(scope="session")
def skopeo_tool(tmp_path_factory):
    """It has a policy that accepts everything."""
    bookworm = "bookworm" in Path("/etc/os-release").read_text()
    libraries = ["libgpgme11", "libassuan0"] if bookworm else ["libgpgme11t64", "libassuan9", "libgpg-error0"]
    path, env = unpacked_here("skopeo", *libraries)
    home = tmp_path_factory.mktemp("home")
    policy = home / ".config/containers/policy.json"
    policy.parent.mkdir(parents=True)
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    return Peer(path, home, env)


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


@pytest.fixture(scope="session")
def cosign(tmp_path_factory):
    return Peer(unpacked("cosign"), tmp_path_factory.mktemp("home"))
