"""`regtag watch` at work: started, listened to line by line, and ended by its process ID."""

import os
import queue
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import OCI_DOCUMENT, OTHER_DOCUMENT
from ending import end
from images import OCI_MANIFEST, compact, digest_of
from program import environment, usual_signals

THIRD_DOCUMENT = compact({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "third": True})
OLD, NEW, THIRD = (digest_of(one) for one in (OCI_DOCUMENT, OTHER_DOCUMENT, THIRD_DOCUMENT))
RARELY = ["--interval", "86400", "--jitter", "0"]  # only when it is told to
PATIENCE = 60  # seconds: a thing that has not happened by then does not happen
CHILDREN_OF = re.compile(r"^PPid:\t(\d+)$", re.MULTILINE)


def point(shelf, document):
    """Moves the tag `repo:old`; None deletes it."""
    if document is None:
        del shelf.manifests["repo", "old"]
    else:
        shelf.put("repo", "old", OCI_MANIFEST, document)


def shell(script):
    return ["sh", "-c", script]


def until(condition, what, patience=PATIENCE):
    """Waits for something to become true; what is true, then."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    return pytest.fail(f"{what} did not come within {patience} seconds")


class Lines:
    """What a stream says, read as it comes."""

    def __init__(self, stream, name):
        self.seen = []
        self._name = name
        self._queue = queue.Queue()
        self._thread = threading.Thread(target=self._read, args=[stream], daemon=True)
        self._thread.start()

    def _read(self, stream):
        with stream:
            for line in stream:
                self.seen.append(line.decode().rstrip("\n"))
                self._queue.put(self.seen[-1])
        self._queue.put(None)

    def next(self, *words):
        """The next line that has these words in it."""
        skipped = []
        while True:
            try:
                line = self._queue.get(timeout=PATIENCE)
            except queue.Empty:
                pytest.fail(f"{self._name}: no line with {words} came, but {skipped}")
            if line is None:
                pytest.fail(f"{self._name} ended without a line with {words}: {skipped}")
            if all(word in line for word in words):
                return line
            skipped.append(line)

    def all(self):
        """All lines, when the stream has ended."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"{self._name} is still open"
        return self.seen


class Watcher:
    def __init__(self, command, env=None, stdout=subprocess.PIPE, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("preexec_fn", usual_signals)
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=environment(env or {}),
            start_new_session=True,
            **options,
        )
        self.pid = self.process.pid
        self.out = Lines(self.process.stdout, "stdout") if stdout == subprocess.PIPE else None
        self.err = Lines(self.process.stderr, "stderr")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            end(self.process, PATIENCE)  # and with it a COMMAND that is still running
        for found in ("Sanitizer", "runtime error: "):
            assert not any(found in line for line in self.err.seen), self.err.seen

    def ask_now(self):
        self.process.send_signal(signal.SIGHUP)

    def end(self, number=signal.SIGTERM):
        """Sends it a signal that ends it; its status."""
        self.process.send_signal(number)
        return self.status()

    def status(self):
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return pytest.fail("watch did not end")

    def moves(self):
        """All lines of stdout, when it is over: pairs of the old and the new digest."""
        return [tuple(line.split("\t")) for line in self.out.all()]

    def children(self):
        return children(self.pid)

    def figure(self, name):
        """A figure of /proc/PID/status."""
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1])

    def descriptors(self):
        return sorted(os.listdir(f"/proc/{self.pid}/fd"), key=int)


def children(parent):
    """The processes that it has started and not waited for, the dead ones as well."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            match = CHILDREN_OF.search((folder / "status").read_text(encoding="ascii"))
        except OSError:
            continue
        if match and int(match[1]) == parent:
            found.append(int(folder.name))
    return found


def is_alive(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except OSError:
        return False
