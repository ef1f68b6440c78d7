"""A board: a root file system with nothing but busybox and regtag, that nobody can write to."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from fronts import unpacked
from namespaces import own_namespaces

HERE = Path(__file__).resolve().parent
NOBODY = 65534
PLAIN = NOBODY if os.geteuid() == 0 else 0  # in a namespace of their own, a plain user is called root
CLOSED = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-"}
APPLETS = ["ash", "cat", "chmod", "echo", "find", "mv", "sh", "sleep", "sync"]

# In a mount namespace of its own. The state is what the board can write to: a partition.
SETUP = """
    root=$1 state=$2
    shift 2
    mount --bind "$root" "$root"
    mount -o remount,bind,ro "$root"
    [ -z "$state" ] || mount --bind "$state" "$root/state"
    exec "$@"
"""


def emulator():
    """What runs the program on this machine: nothing, or qemu and its options."""
    return shlex.split(os.environ.get("EMULATOR", ""))


def static_program(path):
    """The program without what it is started by, if it is static; None: it is not."""
    path = Path(os.environ.get("STATIC") or path).resolve()
    headers = subprocess.run(
        ["readelf", "-lW", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return path if headers.returncode == 0 and "INTERP" not in headers.stdout else None


class Board:
    """board("ls", ...) runs the program there; board.shell(...) a script of busybox ash."""

    def __init__(self, regtag, program, folder):
        prefix = emulator()
        self._regtag = regtag
        self.folder = folder / "board"
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        self.state.chmod(0o777)
        self.program = ["/regtag"]
        self._copy(program, "regtag")
        self._copy(unpacked("busybox-static", "**/bin/busybox"), "bin/busybox")
        for name in APPLETS:
            (self.folder / "bin" / name).symlink_to("busybox")
        if prefix:
            binary, *options = prefix
            self._copy(shutil.which(binary), "emulator")
            self.program = ["/emulator", *options, "/regtag"]
        (self.folder / "state").mkdir()

    def _copy(self, source, name):
        self.put(name, b"")
        shutil.copyfile(source, self.folder / name)
        (self.folder / name).chmod(0o755)

    def put(self, path, content, mode=0o644):
        """Makes a file, as whoever builds the root file system does."""
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content)
        file.chmod(mode)

    def command(self, *words, user=0, writable=False, memory=None, closed=()):
        """The command line that runs one there: `memory` is in KiB, `closed` are standard streams."""
        start = f"ulimit -v {memory} && " if memory else ""
        start += 'exec "$@" ' + " ".join(CLOSED[name] for name in closed)
        changed = ["chroot", *([f"--userspec=+{user}:+{user}", "--groups="] if user else [])]
        return [
            *["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            *own_namespaces("--mount"),
            *["sh", "-ec", SETUP, "sh", self.folder, self.state if writable else ""],
            *[*changed, self.folder, "/bin/sh", "-c", start, "sh"],
            *words,
        ]

    def shell(self, script, *arguments, limit=120, **options):
        return self._regtag.run(self.command("/bin/sh", "-c", script, "sh", *arguments, **options), limit)

    def start(self, script, *arguments, **options):
        command = self.command("/bin/sh", "-c", script, "sh", *arguments, writable=True, **options)
        return _Running(command, self.folder.parent)

    def __call__(self, *args, before=(), limit=120, stdin=subprocess.DEVNULL, **options):
        """`before`: what runs all that, a tracer."""
        command = self.command(*self.program, *args, **options)
        result = self._regtag.run([*before, *command], limit, stdin=stdin)
        assert result.status >= 0 and result.status < 128, result
        return result


class _Running:
    """A script that goes on, until the test ends it."""

    PATIENCE = 40  # seconds

    def __init__(self, command, folder):
        self._log = folder / "errors"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def errors(self):
        return self._log.read_text(errors="replace")

    def wait_for(self, holds):
        end = time.monotonic() + self.PATIENCE
        while not holds():
            assert self._process.poll() is None and time.monotonic() < end, self.errors()
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(self.PATIENCE)


def by_clock(seconds):
    """What a command is put behind to be shown another clock, in seconds since 1970."""
    return [sys.executable, HERE / "clock.py", seconds]
