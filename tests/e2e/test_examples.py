"""The services in src/examples, at what they are for: busybox and systemd."""

import re
import shlex
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from artifacts import Store
from conftest import OTHER_DOCUMENT, TOP
from fronts import unpacked
from images import digest_of
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
    watcher.err.next("regtag-moved ended with status 3; it will be run again")
    assert board.here is None
    board.refuses.unlink()

    until(lambda: board.here == f"HERE={OLD}\n", "the image")

    watcher.err.next("succeeded")


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


# ---- OpenWrt

# What rc.common and procd have for a script, as far as it is used here: a line for each word that is set.
PROCD = """
config_load() { :; }
config_foreach() { "$1" one; "$1" nothing; }
config_get() {
    case $2.$3 in
    one.image) value=$IMAGE ;;
    one.interval) value=1 ;;
    one.authfile) value=/etc/auth.json ;;
    *) value=${4:-} ;;
    esac
    eval "$1=\\$value"
}
config_list_foreach() { "$3" /etc/a.pub; "$3" /etc/b.pub; }
procd_open_instance() { echo "instance $1"; }
procd_close_instance() { echo end; }
procd_set_param() { for word; do echo "  $word"; done; }
procd_append_param() { shift; for word; do echo "  $word"; done; }
procd_add_reload_trigger() { echo "reload $1"; }
procd_add_raw_trigger() { echo "trigger $*"; }
procd_send_signal() { echo "signal $*"; }
. "$SCRIPT"
"""


def procd(board, tmp_path, function):
    """What the script tells procd, a word on each line."""
    script = tmp_path / "regtag-watch"
    text = (EXAMPLES / "regtag-watch.procd").read_text().replace("state=/etc/regtag ", f"state={tmp_path} ")
    script.write_text(text)
    done = subprocess.run(
        [board.busybox, "ash", "-e", "-c", f"{PROCD}\n{function}"],
        env={**board.env, "SCRIPT": str(script), "IMAGE": "registry.example/team/app:stable"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_procd_is_told_to_watch(board, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one/here").write_text(f"HERE={OLD}\n")

    told = [line.strip() for line in procd(board, tmp_path, "start_service")]

    begin = told.index("command")
    command = shlex.split(
        f"/usr/bin/regtag watch --interval 1 --from {OLD} --authfile /etc/auth.json --verify-key /etc/a.pub "
        "--verify-key /etc/b.pub registry.example/team/app:stable -- /usr/libexec/regtag-moved"
    )
    assert told[0] == "instance one" and told.count("instance one") == 1
    assert told[begin + 1 : begin + 1 + len(command)] == command
    assert f"STATE_DIRECTORY={tmp_path}/one" in told
    assert "reload_signal" not in told  # it would be all that a change of the options leads to
    assert "instance nothing" not in told  # it has no image


def test_procd_checks_at_once_when_an_interface_comes_up(board, tmp_path):
    assert procd(board, tmp_path, "service_triggers") == [
        "reload regtag",
        "trigger interface.*.up 2000 /etc/init.d/regtag-watch check",
    ]
    assert procd(board, tmp_path, "check; echo $EXTRA_COMMANDS") == ["signal regtag-watch * HUP", "check"]


# ---- Installers


INSTALLERS = {
    "install-rauc": ("update.raucb", "rauc", ["install", "{file}"], []),
    "install-swupdate": ("update.swu", "swupdate", ["-e", "stable,main", "-i", "{file}"], ["stable,main"]),
}


@pytest.mark.parametrize("name", INSTALLERS)
@pytest.mark.parametrize("status", [0, 7])
def test_an_installer_gets_the_file_of_the_image(regtag, serve, tmp_path, name, status):
    title, installer, expected, more = INSTALLERS[name]
    store = Store()
    store.put_files("repo", "new", {title: b"an update"})
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/regtag").symlink_to(regtag.path)
    stub = tmp_path / "bin" / installer
    stub.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/told\ncp {tmp_path}/update/* {tmp_path}/seen\nexit {status}\n')
    stub.chmod(0o755)
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "WORK": f"{tmp_path}/update", "OPTIONS": "--retries 0"}
    image = f"{serve(store).host}/repo@{digest_of(store.document('repo', 'new'))}"

    done = subprocess.run([EXAMPLES / name, image, *more], env=env, capture_output=True, check=False)

    assert done.returncode == status, done
    file = tmp_path / "update" / title
    assert (tmp_path / "told").read_text().splitlines() == [one.format(file=file) for one in expected]
    assert (tmp_path / "seen").read_bytes() == b"an update"
    assert file.exists() == bool(status)  # it need not be fetched again


@pytest.mark.parametrize("name", INSTALLERS)
def test_an_installer_is_not_run_for_what_cannot_be_fetched(regtag, serve, tmp_path, name):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/regtag").symlink_to(regtag.path)
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "WORK": f"{tmp_path}/update", "OPTIONS": "--retries 0"}
    image = f"{serve(Store()).host}/repo@{OLD}"

    done = subprocess.run([EXAMPLES / name, image], env=env, capture_output=True, check=False)

    assert done.returncode == 3, done
    assert list((tmp_path / "update").iterdir()) == []
