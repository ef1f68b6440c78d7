#!/usr/bin/python3
"""What the bytes of a target's program are spent on: tests/benchmarks/sizes.py [TARGET...]

Without arguments, of all targets that are built. Each is linked once more, without optimisation across files: then the
linker's map tells which object each byte came from. `make figures` shows the same for this machine's target.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "tests/benchmarks")]

from tables import KB, show  # noqa: E402

ROOMS = ["base", "oci", "http", "registry", "net", "cli"]
OTHERS = ["mbedTLS", "libc"]
IN_MEMORY = re.compile(r"\.(text|rodata|data|init|fini|got|tdata|sdata|eh_frame|ARM|MIPS|reginfo)")
LINE = re.compile(r"^ (\.\S+)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S.*)$")
NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?\\n(\d+) bytes')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')


def make(target, tls, out, *settings):
    goal = ["make", "-s", f"TARGET={target}", f"TLS={int(tls)}", "CROSS_COMPILE=", f"OUT={out}"]
    subprocess.run([*goal, *settings], cwd=TOP, check=True, stdout=subprocess.DEVNULL)


def built():
    names = sorted(path.stem for path in (TOP / "toolchains").glob("*.mk"))
    return [name for name in names if (TOP / f"build/{name}/regtag").exists()]


def room_of(source):
    """The room of an object's name in the map."""
    if "mbedtls" in source:
        return "mbedTLS"
    inside = re.search(r"libregtag\.a\((\w+)\.o\)", source)
    if inside:
        found = list((TOP / "src").glob(f"*/{inside[1]}.c"))
        return found[0].parent.name if found else "libc"
    inside = re.search(r"obj/src/(\w+)/", source)
    return inside[1] if inside else "libc"


def by_room(map_file):
    """Bytes of what is in memory, by the room that they are of."""
    text = map_file.read_text()
    text = text[text.index("Linker script and memory map") :]
    counts = Counter()
    output = name = ""
    for line in text.splitlines():
        if re.match(r"[.\w]", line):
            output = line.split()[0]
        if re.match(r" \.\S+$", line):
            name = line.strip()
            continue
        found = LINE.match(line)
        if found and int(found[2], 16) and IN_MEMORY.match(output) and not found[4].startswith("load"):
            counts[room_of(found[4])] += int(found[3], 16)
        name = ""
    return counts


def deepest(folder):
    """The most stack that direct calls take within each other, and the chain; recursion is counted once."""
    frames, calls = {}, {}
    for file in folder.glob("**/*.ci"):
        text = file.read_text()
        frames.update((name, int(size)) for name, size in NODE.findall(text))
        for caller, callee in EDGE.findall(text):
            calls.setdefault(caller, set()).add(callee)
    known = {}

    def depth(name, above=()):
        if name in above:
            return 0, ()
        if name not in known:
            below = [depth(one, (*above, name)) for one in calls.get(name, ())]
            most = max(below, default=(0, ()))
            known[name] = (frames.get(name, 0) + most[0], (name, *most[1]))
        return known[name]

    sys.setrecursionlimit(10_000)
    return max((depth(name) for name in frames), default=(0, ()))


def measure(target, tls):
    name = target if tls else f"{target}-plain"
    out = f"build/sizes/{name}"
    make(target, tls, f"build/{name}")
    flags = "-fno-lto -fcallgraph-info=su"
    make(target, tls, out, f"CFLAGS={flags}", f"LDFLAGS=-Wl,-Map={out}/map")
    sizes = subprocess.run(
        ["size", f"build/{name}/unstripped", f"{out}/unstripped"],
        **{"cwd": TOP, "stdout": subprocess.PIPE, "text": True, "check": True},
    ).stdout.splitlines()[1:]
    text, data, bss = map(int, sizes[0].split()[:3])
    apart = sum(map(int, sizes[1].split()[:2]))
    rooms = by_room(TOP / out / "map")
    stack, chain = deepest(TOP / out / "obj")
    return {
        "name": name,
        "stripped": os.stat(TOP / f"build/{name}/regtag").st_size,
        "memory": text + data,
        "bss": bss,
        "rooms": rooms,
        "saved": apart - text - data,
        "stack": stack,
        "chain": [one.rpartition(":")[2] for one in chain],
    }


def kilobytes(value):
    return f"{value / KB:,.1f}"


def table(targets):
    found = [measure(target, tls) for target in targets for tls in (False, True)]
    rows = [
        [one["name"]]
        + [kilobytes(one[key]) for key in ("stripped", "memory", "bss")]
        + [kilobytes(one["rooms"][room]) for room in ROOMS + OTHERS]
        + [kilobytes(-one["saved"]), kilobytes(one["stack"])]
        for one in found
    ]
    columns = ["KB of 1000 bytes", "file,\nstripped", "text\n+ data", "bss"]
    columns += [f"of it:\n{ROOMS[0]}", *ROOMS[1:], *OTHERS, "by\nLTO", "stack"]
    show(
        "Size of the static programs",
        columns,
        rows,
        "By room of src/, by what is linked in: of a link without LTO, whose parts add up to more; the column of LTO "
        "is what it changes of the sum. A string that two objects have is counted where it comes first. bss is "
        "address space: only what is touched becomes memory. Stack: the deepest chain of direct calls of our code "
        "and mbedTLS's by -fcallgraph-info, of the link without LTO; calls through pointers, and the C library's "
        "frames, are not in it.",
    )
    for one in found:
        if one["name"].startswith(targets[-1]):
            print(f"\nThe deepest chain of {one['name']}: {' > '.join(one['chain'])}")


if __name__ == "__main__":
    table(sys.argv[1:] or built())
