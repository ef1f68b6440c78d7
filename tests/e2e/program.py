"""Runs the program under test, with an end to every run, and says what came of it."""

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

COLUMNS = 4
FOR_TESTS = "REGTAG_TRANSITIONS"
NOT_OURS = {
    "DOCKER_AUTH_CONFIG",
    "DOCKER_CONFIG",
    "REGISTRY_AUTH_FILE",
    "REQUEST_METHOD",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
}
NO_HOME = "/nonexistent"

# Takes minutes: only `make check-all` has the time.
LONG = pytest.mark.skipif(not os.environ.get("LONG"), reason="takes minutes; make check-all runs it")

VERBS = {"tag", "delete", "watch", "undo", "ls", "digest", "manifest", "copy", "fetch", "save", "load"}
VERBS |= {"verify", "referrers"}
PRINTABLE = set(range(0x20, 0x7F))


@dataclass
class Result:
    status: int  # negative: ended by that signal
    out: bytes
    err: bytes

    @property
    def rows(self):
        """The lines of `tag`: reference, digest, result, old digest."""
        rows = [tuple(line.split("\t")) for line in _lines(self.out)]
        assert all(len(row) == COLUMNS for row in rows), self
        return rows

    @property
    def lines(self):
        return _lines(self.out)

    @property
    def objects(self):
        """The lines of --json."""
        return [json.loads(line) for line in _lines(self.out)]

    @property
    def complaints(self):
        """The lines on stderr, each of which must be one that a person can read."""
        lines = _lines(self.err)
        for line in lines:
            assert line.startswith("regtag: "), self
            assert set(line.encode()) <= PRINTABLE, self
        return lines

    def complaint(self, *words):
        """The only line on stderr; it has these words in it."""
        lines = self.complaints
        assert len(lines) == 1, self
        for word in words:
            assert word.lower() in lines[0].lower(), (word, lines[0])
        return lines[0]


@contextmanager
def full_pipe():
    """Both ends of a pipe that takes nothing more until somebody reads it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 65536)
    except BlockingIOError:
        os.set_blocking(writer, True)
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def _lines(text):
    assert not text or text.endswith(b"\n"), text[-200:]
    return text.decode("utf-8").splitlines()


class Program:
    def __init__(self, path):
        self.path = str(path)

    def command(self, *args, retries=0):
        """The words to run it. What fails is not tried again, so that a test sees it at once:
        unless it says how often, or None for what the program does by itself.
        """
        if args and args[0] in VERBS and retries is not None and "--retries" not in args:
            args = [args[0], "--retries", retries, *args[1:]]
        return [str(word) for word in [self.path, *args]]

    def __call__(self, *args, limit=120, retries=0, **options):
        """Runs it; a run that does not end by the limit is a failure, and so is a crash."""
        result = self.run(self.command(*args, retries=retries), limit, **options)
        assert result.status >= 0, f"ended by signal {-result.status}: {result}"
        return result

    def run(self, command, limit=120, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options):
        """Runs a command line that has the program somewhere in it."""
        variables = environment(options.pop("env", {}))
        with subprocess.Popen(
            [str(word) for word in command],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=variables,
            start_new_session=True,
            **options,
        ) as process:
            try:
                out, err = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                pytest.fail(f"{command} did not end within {limit} seconds")
        for found in (b"Sanitizer", b"runtime error: "):
            assert found not in err, err.decode(errors="replace")
        return Result(process.returncode, out or b"", err)


def is_ours(name):
    """Whether whoever runs the tests may pass this variable on to the program."""
    foreign = name in NOT_OURS or name.lower().endswith("_proxy") or name.startswith("REGTAG_")
    return name == FOR_TESTS or not foreign


def environment(more):
    """That of the tests, without what the program reads of it: somebody's proxies, credentials and certificates."""
    kept = {name: value for name, value in os.environ.items() if is_ours(name)}
    return {**kept, "HOME": NO_HOME, **more}


def usual_signals():
    """In a new process. Under nohup and in the background of a shell some are ignored."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
