"""Memory runs short: each allocation of the C library's and of mbedTLS's fails once, and each limit is a bit too low."""

from program import Program
from rule import Player, judge
from traced import QUIET, tool

TITLE = "memory"
# What allocates, and where.
ALLOCATES = {"heap": ["tag-lookup", "tag-ca-folder", "fetch", "save"], "arena": ["tag-tls", "tag-signed"]}
# What there is a limit for: the most that a run here may need, how far below that a run is tried once more, what a
# message says, and where. The arena has blocks of 16 bytes.
LIMITS = {
    "arena": (48 * 1024, 64, ["tag-tls", "tag-signed"]),
    "manifest": (16384, 16, ["tag", "copy", "fetch", "save", "load", "manifest", "tag-signed", "watch", "undo"]),
    "tokens": (256, 2, ["tag", "copy", "fetch", "save", "load", "tag-signed"]),
}
UNITS = {"arena": 16}
# Bytes by which a handshake may need more than another one: its numbers differ.
SLACK = {"arena": 512}
KEY = {2}  # of --verify-key, in the arena
STATUSES = {"heap": {1, 2, 5}, "arena": {1}, "manifest": {10}, "tokens": {10}}
WORDS = {
    "arena": ["memory for TLS are not enough", "there is not enough memory"],
    "manifest": [
        "larger than the limit of {} bytes",
        "no memory is left to look for its signature",
        "bytes that are left for it",
    ],
    "tokens": ["more than {} JSON values and keys"],
}


def player():
    return Player(Program(tool("regtag")))


def cases(stage, whole):
    if not tool("regtag").exists():
        return
    for kind, scenes in ALLOCATES.items():
        for name in scenes:
            for number in range(1, allocations(stage.scene(name), kind) + 1):
                yield kind, name, "fails", number
    for kind, (most, step, scenes) in LIMITS.items():
        for name in scenes if whole else scenes[:1]:
            least, unit = find_least(stage, kind, name, most), UNITS.get(kind, 1)
            yield kind, name, "fits", least + SLACK.get(kind, 0)
            for size in sorted({*range(unit, least, step), least - unit} - {0}):
                yield kind, name, "short", size


def allocations(scene, kind):
    log = scene.world.top / "allocations"
    log.unlink(missing_ok=True)
    result, _ = player().run(scene, env={**QUIET, "ADVERSITY_FAILS": kind, "ADVERSITY_LOG": log})
    assert result.status == 0, result
    return int.from_bytes(log.read_bytes(), "little") if log.exists() else 0


def find_least(stage, kind, name, most):
    """The lowest limit that a run is done with."""
    low, high, unit = 0, most, UNITS.get(kind, 1)
    while high - low > unit:
        middle = (low + high) // 2 // unit * unit
        result, _ = player().run(stage.scene(name), env=limit(kind, middle))
        low, high = (low, middle) if result.status == 0 else (middle, high)
    return high


def limit(kind, size):
    return {**QUIET, f"ADVERSITY_{kind.upper()}": str(size)}


def attempt(stage, case):
    kind, name, way, number = case
    scene = stage.scene(name)
    allowed = STATUSES[kind] | (KEY if (kind, name) == ("arena", "tag-signed") else set())
    if way == "fails":
        log = scene.world.top / "allocations"
        log.unlink(missing_ok=True)
        env = {"ADVERSITY_FAILS": kind, "ADVERSITY_LOG": log, "ADVERSITY_NUMBER": str(number)}
        return player().play(scene, allowed, env={**QUIET, **env})
    result, _ = player().run(scene, env=limit(kind, number))
    broken = list(judge(scene, result, allowed if way == "short" else ()))
    if way == "short" and result.status == 0 and kind not in SLACK:
        broken.append("did not need it")
    if result.status and not any(one.format(number).encode() in result.err for one in WORDS[kind]):
        broken.append(f"does not say what is too small: {result.err.decode(errors='replace')}")
    return broken + list(player().again(scene))
