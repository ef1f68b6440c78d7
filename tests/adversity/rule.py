"""What holds for every run, whatever fails: DESIGN.md's promises, as far as a single run can break one.

`judge` returns what is broken, in words. Status 0 means that all is done; else what is there is old or new, the status
is one that stands for such a failure, the messages can be read, and nothing is left behind. `play` runs a scene
with a fault, and once more without it.
"""

import time

SPARE = 1.0  # seconds beyond the deadline
PRINTABLE = frozenset(range(0x20, 0x7F)) | {0x0A}
STATUSES = frozenset(range(20)) - {2}  # the command line is right


def judge(scene, result, allowed=STATUSES, killed=False):
    """What a run has broken. `allowed` are the statuses that its fault may have, beside 0."""
    if killed and result.status == -9:
        yield from _judge_state(scene, done=False)
    elif result.status < 0:
        yield f"ended by signal {-result.status}"
    else:
        yield from _judge_state(scene, done=result.status == 0)
        yield from _judge_words(scene, result)
        if result.status and result.status not in allowed:
            yield f"status {result.status}: {_text(result.err)}"
    yield from scene.world.leaks()
    yield from _judge_secrets(scene, result)
    yield from _judge_folder(scene)


def _judge_state(scene, done):
    state = scene.state()
    if state not in ("old", "new", "mixed"):
        yield state
    elif done and state != "new":
        yield f"ended with 0, and what is there is {state}"


def _judge_words(scene, result):
    if b"Sanitizer" in result.err or b"runtime error" in result.err:
        yield _text(result.err)
    if not set(result.err) <= PRINTABLE or (result.err and not result.err.endswith(b"\n")):
        yield f"stderr is no text: {result.err[:200]!r}"
    if any(not line.startswith(b"regtag: ") for line in result.err.splitlines()):
        yield f"a message that does not say whose it is: {_text(result.err)}"
    if result.status and not result.err:
        yield f"status {result.status} without a word"
    try:
        complete = scene.complete(result)
    except (AssertionError, IndexError, ValueError):
        complete = False
    if result.status == 0 and not complete:
        yield f"ended with 0, and printed {_text(result.out)}"
    if result.status and scene.reads_only and not _is_part(scene, result.out):
        yield f"failed, and printed {_text(result.out)}"


def _is_part(scene, out):
    """Nothing that is wrong: where a document is printed, all of it or nothing; a digest that is not known is "-"."""
    if scene.whole:
        return out in (b"", scene.wanted)
    lines, wanted = out.splitlines(keepends=True), scene.wanted.splitlines(keepends=True)
    found = zip(lines, wanted)
    return len(lines) <= len(wanted) and all(one in (right, right.partition(b"\t")[0] + b"\t-\n") for one, right in found)


def _judge_secrets(scene, result):
    for secret in scene.world.secrets:
        if secret.encode() in result.out + result.err:
            yield "a secret was printed"


def _judge_folder(scene):
    meant = (*scene.meant, "password")
    left = [one.name for one in scene.world.folder.iterdir() if not one.name.startswith(meant)]
    if left:
        yield f"left behind: {', '.join(left)}"


def _text(data):
    return data[-300:].decode("utf-8", "backslashreplace").strip()


class Player:
    """Runs a scene: `program` is that of program.py; `within` its deadline, in seconds."""

    def __init__(self, program, within=30):
        self._program = program
        self.within = within

    def command(self, scene, before=(), more=(), retries=1, within=None):
        """`before` are words in front of the program, as strace's."""
        verb, *rest = scene.command
        words = [verb, "--timeout", within or self.within, "--retries", retries, *more, *rest]
        return [str(word) for word in (*before, self._program.path, *words)]

    def run(self, scene, env=None, within=None, **options):
        """One run. Returns the result and its seconds."""
        within = within or self.within
        command = self.command(scene, within=within, **options)
        variables = {**scene.world.confined, **(env or {})}
        began = time.monotonic()
        result = self._program.run(command, limit=within + 60, cwd=scene.world.folder, env=variables)
        return result, time.monotonic() - began

    def again(self, scene):
        """What is broken by a run without the fault."""
        scene.world.calm()
        result, _ = self.run(scene)
        if result.status not in scene.repeated or scene.state() != "new":
            yield f"the second run: status {result.status}, {scene.state()}: {_text(result.err)}"
        for one in judge(scene, result):
            yield f"the second run: {one}"

    def play(self, scene, allowed=STATUSES, killed=False, **options):
        """A run with the fault that has been arranged for, judged, and one without; what was broken."""
        result, seconds = self.run(scene, **options)
        broken = list(judge(scene, result, allowed, killed))
        broken += self.late(scene, seconds, options.get("within"))
        return broken + list(self.again(scene))

    def late(self, scene, seconds, within=None):
        """What is broken by a run that took so long."""
        if seconds > (within or self.within) + SPARE + scene.patience:
            yield f"took {seconds:.1f} seconds"
