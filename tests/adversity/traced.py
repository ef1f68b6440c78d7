"""The system calls of a run, and a run in which one of them goes wrong: see tools/fault.c.

A call counts from the program's first fcntl on: what comes before it is the loader's. Those of a child do, until it has
become another program.
"""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from conftest import TOP
from memory import LEAVE_OUT_OF_TRACE

LINE = re.compile(r"^(\d+) +\[ *(\d+)\] ([a-z0-9_]+)\((.*)")
TEXT = re.compile(r'"([^"]*)"')
DESCRIPTOR = re.compile(r"(\d+)<([^>]*)>")
STANDARD = {"0": "stdin", "1": "stdout", "2": "stderr"}
KINDS = {"socket": "net", "TCP": "net", "pipe": "pipe"}
BY_NAME = {"access", "execve", "faccessat2", "mkdirat", "newfstatat", "openat", "readlinkat", "renameat", "unlinkat"}
QUIET = {**LEAVE_OUT_OF_TRACE, "REGTAG_TRANSITIONS": ""}


class Call(NamedTuple):
    process: int  # 0: the program; 1: its first child
    name: str
    number: int  # of all that have this name in this process, from 1
    what: str  # that it is about: "net", "stdout", the name of a file
    kind: int  # the number that the kernel knows it by


def tool(name):
    return TOP / os.environ.get("BUILD", "build") / "adversity/tools" / name


def missing(stage):
    """Whether nothing can be traced here."""
    if not stage.has("strace") or not tool("fault").exists():
        return True
    return subprocess.run([tool("fault"), "0", "0", "1", "kill", "/bin/true"], check=False).returncode != 0


def subject(name, arguments):
    """The file that it is about, by the last part of its name, or what its descriptor leads to."""
    if name in BY_NAME and (texts := [one for one in TEXT.findall(arguments) if one]):
        file = Path(texts[0]).name or "."
        return "partial" if file.startswith(".regtag-") else file
    if not (match := DESCRIPTOR.search(arguments)):
        return "-"
    descriptor, place = match.groups()
    file = Path(place).name
    named = "partial" if file.startswith(".regtag-") else file
    return STANDARD.get(descriptor) or KINDS.get(place.split(":")[0]) or named


def calls_of(stage, scene, more=()):
    """Those of a run without a fault, in their order."""
    log = scene.world.top / "trace"
    before = ["strace", "-f", "-n", "-y", "-qq", "-o", log]
    result, _ = stage.player.run(scene, before=before, more=more, env=QUIET)
    assert result.status == 0, result
    return list(parse(log.read_text(errors="replace")))


def parse(trace):
    processes = {}  # by their ids, what has been counted
    gone = set()
    for line in trace.splitlines():
        match = LINE.match(line)
        if not match or match[1] in gone:
            continue
        process, kind, name, arguments = match.groups()
        if not processes and name != "fcntl":
            continue
        count = processes.setdefault(process, Counter())
        count[name] += 1
        place = list(processes).index(process)
        yield Call(place, name, count[name], subject(name, arguments), int(kind))
        if name == "execve" and "= -1" not in arguments:
            gone.add(process)


def with_fault(call, fault):
    """The words in front of the program."""
    process, _, number, _, kind = call
    return [tool("fault"), process, kind, number, fault]
