"""The services in src/examples, at what they are for: busybox and systemd."""

import re
import shlex
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import OTHER_DOCUMENT, TOP
from fronts import unpacked
from watcher import NEW, OLD, Watcher, point, until

pytest_plugins = ["watch_fixtures"]

EXAMPLES = TOP / "src/examples"
UNIT = EXAMPLES / "regtag-watch.service"
APPLETS = ["sh", "cat", "echo", "mkdir", "mv", "sync"]


@pytest.fixture(scope="module")
def busybox():
    """Debian's, unpacked where it is not installed."""
    return shutil.which("busybox") or unpacked("busybox-static", "**/bin/busybox")


class Board:
    """A small device: busybox, regtag, the scripts, and nothing else in PATH."""

    def __init__(self, folder, busybox, regtag, image):
        self.busybox = busybox
        self.state = folder / "state"
        self.refuses = folder / "refuses"  # while this is there, nothing can be installed
        self._installed = folder / "installed"
        self._folder = folder
        self._programs = folder / "bin"
        self._programs.mkdir()
        for name in APPLETS:
            (self._programs / name).symlink_to(busybox)
        (self._programs / "regtag").symlink_to(regtag.path)
        install = f'[ ! -e "{self.refuses}" ] || exit 3\necho "$1" >>"{self._installed}"\n'
        self.install = self._script("install-image", "#!/bin/sh\n" + install)
        self.moved = self._script("regtag-moved", (EXAMPLES / "regtag-moved").read_text())
        self.watch = self._script("regtag-watch", (EXAMPLES / "regtag-watch").read_text())
        self.config = folder / "conf"
        self.config.write_text(f'IMAGE={image}\nOPTIONS="--interval 1 --jitter 0"\n')

    def _script(self, name, text):
        path = self._programs / name
        assert text.startswith("#!/bin/sh\n")
        path.write_text(text.replace("#!/bin/sh", f"#!{self.busybox} ash", 1))
        path.chmod(0o755)
        return path

    @property
    def env(self):
        return {"PATH": str(self._programs), "INSTALL": str(self.install)}

    @property
    def installed(self):
        return self._installed.read_text().splitlines() if self._installed.exists() else []

    @property
    def here(self):
        file = self.state / "here"
        return file.read_text() if file.exists() else None

    def start(self):
        """As init does it."""
        return Watcher([self.watch, self.config, self.state, self.moved], env=self.env)


@pytest.fixture
def board(regtag, busybox, watched, tmp_path):
    return Board(tmp_path, busybox, regtag, watched)


@pytest.fixture
def service(board):
    """Starts the service, and ends it at the end."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(board.start())


def test_the_busybox_service_installs_what_the_tag_points_at(board, service, server, shelf):
    watcher = service()
    until(lambda: board.here == f"HERE={OLD}\n", "the first image")
    point(shelf, OTHER_DOCUMENT)
    until(lambda: board.here == f"HERE={NEW}\n", "the second image")

    assert watcher.end() == 0
    assert board.installed == [f"{server.host}/repo@{OLD}", f"{server.host}/repo@{NEW}"]


def test_the_busybox_service_knows_after_a_start_what_is_here(board, service, server, shelf):
    first = service()
    until(lambda: board.here == f"HERE={OLD}\n", "the first image")
    first.end()
    asked = len(server.requests)
    second = service()
    until(lambda: len(server.requests) >= asked + 2, "two asks")
    assert len(board.installed) == 1
    second.end()

    point(shelf, OTHER_DOCUMENT)
    service()
    until(lambda: board.here == f"HERE={NEW}\n", "what has moved meanwhile")

    assert len(board.installed) == 2


def test_the_busybox_service_tries_again_what_could_not_be_installed(board, service):
    board.refuses.touch()
    watcher = service()
    watcher.err.next("regtag-moved ended with status 3; it is run again")
    assert board.here is None
    board.refuses.unlink()

    until(lambda: board.here == f"HERE={OLD}\n", "the image")

    watcher.err.next("ended well")


def test_the_busybox_service_keeps_what_is_installed_when_the_tag_is_gone(board, service, shelf):
    watcher = service()
    until(lambda: board.here, "the first image")
    point(shelf, None)
    watcher.out.next(f"{OLD}\t-")

    assert watcher.end() == 0
    assert board.here == f"HERE={OLD}\n"
    assert len(board.installed) == 1
    assert len(watcher.err.all()) <= 2


IMAGES = {
    "repo": "repo",
    "repo:tag": "repo",
    "a/b:tag": "a/b",
    "host:5000/repo": "host:5000/repo",
    "host:5000/a/b:tag": "host:5000/a/b",
    "[::1]:5000/repo:tag": "[::1]:5000/repo",
}


@pytest.mark.parametrize("image", IMAGES)
def test_the_image_is_installed_by_its_digest(board, image):
    board.state.mkdir()
    run = {"REGTAG_IMAGE": image, "REGTAG_OLD": "", "REGTAG_NEW": NEW}

    subprocess.run(
        [board.moved], env={**board.env, **run, "STATE_DIRECTORY": str(board.state)}, check=True
    )

    assert board.installed == [f"{IMAGES[image]}@{NEW}"]


# ---- systemd


def unit(regtag, board):
    """The unit, with the programs under test in it."""
    text = UNIT.read_text()
    for installed, here in (
        ("/usr/local/bin/regtag", regtag.path),
        ("/usr/local/libexec/regtag-moved", board.moved),
    ):
        assert installed in text
        text = text.replace(installed, str(here))
    return text


def test_systemd_takes_the_unit(regtag, board, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze")
    file = tmp_path / "regtag-watch.service"
    # the manual is looked for where it would be installed
    file.write_text(re.sub("^Documentation=.*$", "", unit(regtag, board), flags=re.MULTILINE))

    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", file],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )

    assert (found.returncode, found.stdout) == (0, b"")


def test_what_systemd_would_start_does_its_work(regtag, board, watched, shelf):
    """ExecStart with the variables of the unit and its files, as systemd puts them in."""
    text = unit(regtag, board)
    line = re.search("^ExecStart=(.*)$", text, re.MULTILINE)[1]
    known = {"IMAGE": watched, **dict(re.findall("^Environment=([A-Z]+)=(.*)$", text, re.MULTILINE))}
    command = [
        re.sub(r"\$\{(\w+)\}", lambda name: known[name[1]], word) for word in shlex.split(line)
    ]
    board.state.mkdir()
    env = {**board.env, "STATE_DIRECTORY": str(board.state)}

    with Watcher(command, env=env) as watcher:
        until(lambda: board.here == f"HERE={OLD}\n", "the image")
        assert watcher.end() == 0
