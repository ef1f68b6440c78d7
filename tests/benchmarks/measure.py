"""What a task costs: seconds, processor time, instructions, memory. A task is a list of commands."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from residence import at_end

LIMIT = 300  # seconds that a command may take


class Failed(Exception):
    """A program did not do what it was measured at."""


def brief(command):
    words = [os.path.basename(command[0]), *command[1:]]
    return " ".join(words[:8]) + (" ..." if len(words) > 8 else "")


class Cost(NamedTuple):
    seconds: float
    cpu: float  # user and system, of the programs alone, not of the server


def run(task, variables):
    """Runs the commands one after the other, with nothing between this process and theirs."""
    quiet = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    quiet += [(os.POSIX_SPAWN_OPEN, one, os.devnull, os.O_WRONLY, 0) for one in (1, 2)]
    cpu = 0
    start = time.perf_counter()
    for command in task:
        child = os.posix_spawn(command[0], command, variables, file_actions=quiet)
        _, status, used = os.wait4(child, 0)
        cpu += used.ru_utime + used.ru_stime
        if status != 0:
            raise Failed(brief(command))
    return Cost(time.perf_counter() - start, cpu)


def attempt(function, *args):
    """A figure, or nothing where a program fails; what went wrong is said on stderr."""
    try:
        return function(*args)
    except Failed as failure:
        print(f"figures: failed: {failure}", file=sys.stderr)
        return None


def rounds(tasks, count, variables, prepare):
    """Costs by name, in rounds: every program once, then every program again; prepare() before each."""
    costs = {name: [] for name in tasks}
    for task in tasks.values():
        prepare()
        attempt(run, task, variables)  # files into the cache
    for _ in range(count):
        for name, task in tasks.items():
            prepare()
            cost = attempt(run, task, variables)
            if cost:
                costs[name].append(cost)
    return costs


def memory(task, variables):
    """What is resident at the end, of the command that needs most."""
    found = []
    for command in task:
        status, residence = at_end(command, variables)
        if status != 0:
            raise Failed(brief(command))
        found.append(residence)
    return max(found, key=lambda one: one.total)


class Instructions(NamedTuple):
    """By the file whose code they are of."""

    program: int
    libraries: int
    loader: int

    @property
    def total(self):
        return sum(self)


def instructions(task, variables, whole=False):
    """Counts them from main on, or from the very start.

    The loader finds all symbols before main, not each at its first use: then it has none after that.
    Whatever the program forks is counted as well.
    """
    programs = libraries = loader = 0
    with tempfile.TemporaryDirectory() as folder:
        tool = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={folder}/%p"]
        tool += [] if whole else ["--toggle-collect=main"]
        for command in task:
            done = subprocess.run(
                [*tool, *command],
                env={**variables, "LD_BIND_NOW": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIMIT,
            )
            if done.returncode != 0:
                raise Failed(f"{brief(command)}: {done.stderr.decode(errors='replace')}")
        for file in Path(folder).iterdir():
            for name, count in _by_object(file.read_text()).items():
                if re.search(r"/ld-[^/]*\.so[.0-9]*$|/ld\.so[.0-9]*$", name):
                    loader += count
                elif ".so" in os.path.basename(name):
                    libraries += count
                else:
                    programs += count
    return Instructions(programs, libraries, loader)


def _by_object(profile):
    """The instructions of each program and library in a profile of callgrind's."""
    names, counts = {}, {}
    current = None
    of_callee = False  # the next line tells what a call cost: it is counted where it was spent
    for line in profile.splitlines():
        if line.startswith(("ob=", "cob=")):
            number, _, name = line.partition("=")[2].partition(" ")
            name = names.setdefault(number, name)
            if line.startswith("ob="):
                current = name
        elif line.startswith("calls="):
            of_callee = True
        elif re.match(r"[-+*0-9]", line):
            if not of_callee:
                counts[current] = counts.get(current, 0) + int(line.split()[1])
            of_callee = False
    stated = re.search(r"^(?:summary|totals): (\d+)", profile, re.MULTILINE)
    if stated and int(stated[1]) != sum(counts.values()):
        raise Failed(f"callgrind counts {stated[1]} instructions, by file {sum(counts.values())}")
    return counts
