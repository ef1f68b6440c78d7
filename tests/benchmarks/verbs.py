#!/usr/bin/python3
"""What each verb costs, in bytes of a target's program: tests/benchmarks/verbs.py [TARGET...]

Without arguments, of all targets that are built. Each program is linked once more for each verb, without it, and once
for each beside digest alone. `make figures` shows the same, of this machine's processor.
"""

import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "tests/benchmarks")]

from sizes import built, make  # noqa: E402
from tables import number, show  # noqa: E402

ALONE = "digest"


def all_verbs():
    """In the order of the help."""
    listed = subprocess.run(["make", "-s", "verbs"], cwd=TOP, check=True, stdout=subprocess.PIPE, text=True)
    return listed.stdout.split()


def weigh(target, tls, verbs):
    """Text and data of the program with these verbs. The archives of the full program are linked in."""
    name = target if tls else f"{target}-plain"
    out = f"build/verbs/{name}"
    make(target, tls, out, f"archives=build/{name}", f"VERBS={' '.join(verbs)}")
    return in_memory(out)


def in_memory(out):
    """Text and data of the program in this folder."""
    sizes = subprocess.run(
        ["size", f"{out}/unstripped"], cwd=TOP, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines()[1]
    return sum(map(int, sizes.split()[:2]))


def measure(target, tls, verbs):
    make(target, tls, f"build/{target}" if tls else f"build/{target}-plain")
    full, alone = weigh(target, tls, verbs), weigh(target, tls, [ALONE])
    without, beside = [], []
    for verb in verbs:
        others = [one for one in verbs if one != verb]
        without.append(full - weigh(target, tls, others))
        beside.append(None if verb == ALONE else weigh(target, tls, [ALONE, verb]) - alone)
    name = target if tls else f"{target}-plain"
    return [name, full, *without], [name, alone, *beside]


def by_verify(target):
    plain, able = f"build/{target}-plain", f"build/{target}-plain-verify"
    make(target, False, plain)
    make(target, False, able, "VERIFY=1")
    return in_memory(plain), in_memory(able) - in_memory(plain)


def table(targets):
    verbs = all_verbs()
    found = [measure(target, tls, verbs) for target in targets for tls in (False, True)]
    note = "Bytes of text and data of the static programs, as linked with LTO. "
    titles = [
        ("Verbs: what leaving out one saves", "all verbs", "What a verb shares with another stays."),
        (f"Verbs: what one adds to {ALONE} alone", ALONE, "With what it shares with others."),
    ]
    for index, (title, column, words) in enumerate(titles):
        rows = [[one[index][0], *map(number, one[index][1:])] for one in found]
        show(title, ["bytes", column, *verbs], rows, note + words)
    show(
        "TLS=0 VERIFY=1",
        ["bytes", "TLS=0", "VERIFY=1\nadds"],
        [[target, *map(number, by_verify(target))] for target in targets],
        note + "What it adds is the part of mbedTLS that verifies signatures, with its heap.",
    )


if __name__ == "__main__":
    table(sys.argv[1:] or built())
