"""The update agent as a script, where there is nothing but busybox and regtag."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
from fronts import unpacked
from images import OCI_MANIFEST, compact, oci_manifest
from program import environment

TOP = Path(__file__).resolve().parent.parent.parent
SCRIPT = TOP / "src/examples/agent.sh"
PATIENCE = 20  # seconds

FIRST = compact(oci_manifest())
SECOND = compact(oci_manifest(annotations={"which": "second"}))


@pytest.fixture(scope="module")
def board(regtag, tmp_path_factory):
    """A folder with all the programs that there are."""
    folder = tmp_path_factory.mktemp("board")
    busybox = unpacked("busybox-static", "**/bin/busybox")
    subprocess.run([busybox, "--install", "-s", folder], check=True)
    (folder / "regtag").symlink_to(regtag.path)
    return folder


class Agent:
    def __init__(self, board, folder, image, interval=1):
        self.state = folder / "state/installed"
        self.state.parent.mkdir(exist_ok=True)
        self.log = folder / "install.log"
        self.refusal = folder / "refusal"
        install = folder / "install"
        install.write_text(
            f'#!{board}/ash\n[ ! -e {self.refusal} ] || exit 1\necho "$1" >>{self.log}\n'
        )
        install.chmod(0o755)
        variables = {"PATH": str(board), "STATE": str(self.state), "INSTALL": str(install)}
        self._errors = open(folder / "errors", "ab+")
        self._process = subprocess.Popen(
            [board / "ash", SCRIPT, image, "device7", "--timeout", "5"],
            stdin=subprocess.DEVNULL,
            stderr=self._errors,
            env={**environment({}), **variables, "INTERVAL": str(interval)},
        )

    @property
    def installed(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    @property
    def errors(self):
        self._errors.seek(0)
        return self._errors.read().decode()

    def wait_for(self, holds):
        end = time.monotonic() + PATIENCE
        while not holds():
            assert self._process.poll() is None and time.monotonic() < end, self.errors
            time.sleep(0.02)

    def status(self):
        return self._process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE)
        self._errors.close()


def test_it_installs_remembers_and_says_so(board, registry, repository, tmp_path):
    image = f"{registry.host}/{repository}:stable"
    first = registry.push_image(repository, "stable", OCI_MANIFEST, FIRST)

    def marked():
        return registry.digest(repository, "device7-installed")

    with Agent(board, tmp_path, image) as agent:
        agent.wait_for(lambda: marked() == first)
        assert agent.state.read_text() == f"{first}\n"
        agent.refusal.touch()
        second = registry.push(repository, "stable", OCI_MANIFEST, SECOND)
        agent.wait_for(lambda: f"{second} is not installed" in agent.errors)
        assert marked() == first and agent.state.read_text() == f"{first}\n"
        agent.refusal.unlink()
        agent.wait_for(lambda: marked() == second)
        assert agent.installed == [f"{image}@{first}", f"{image}@{second}"]
    with Agent(board, tmp_path, image) as agent:  # after a restart it knows
        time.sleep(0.3)
        assert len(agent.installed) == 2
    assert sorted(one.name for one in agent.state.parent.iterdir()) == [
        "installed",
        "installed.marked",
    ]


def test_it_waits_for_what_may_pass(board, registry, repository, dead_port, tmp_path):
    with Agent(board, tmp_path, f"127.0.0.1:{dead_port}/a:b") as agent:
        agent.wait_for(lambda: agent.errors.count("refused") >= 2)
    with Agent(board, tmp_path, f"{registry.host}/{repository}:later") as agent:
        agent.wait_for(lambda: "there is no such image" in agent.errors)
        digest = registry.push(repository, "later", OCI_MANIFEST, FIRST)
        agent.wait_for(lambda: registry.digest(repository, "device7-installed") == digest)


def test_what_wants_a_person_ends_it(board, registry, repository, tmp_path):
    with Agent(board, tmp_path, "no image") as agent:
        assert agent.status() == 2
    (tmp_path / "state/installed.new").mkdir(parents=True)
    with Agent(board, tmp_path, f"{registry.host}/{repository}:old") as agent:
        assert agent.status() == 1
