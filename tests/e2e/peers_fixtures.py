"""The tools that regtag is measured against, as Debian ships them: they push images, and read them back."""

import glob
import os
import re
import subprocess
import time

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


class Peer:
    """Runs a tool: peer("digest", …) is what it prints. It finds no credentials."""

    def __init__(self, name, home):
        self.path = unpacked(name)
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home)}

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
    return Peer("crane", tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def oras_tool(tmp_path_factory):
    return Peer("oras", tmp_path_factory.mktemp("home"))


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
    return Peer("cosign", tmp_path_factory.mktemp("home"))
