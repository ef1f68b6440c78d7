"""What is resident of a program at its end, by what it is: read from the page tables, when the kernel
stops the program on its way out.

What the kernel tells of a child afterwards counts the memory of the parent before exec as well.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
from functools import lru_cache
from typing import NamedTuple

TRACE_ME, CONTINUE, SET_OPTIONS = 0, 7, 0x4200
TRACE_EXIT, EVENT_EXIT = 0x40, 6
KIB = 1024
NOT_RANDOM = 0x0040000  # a personality: the stack begins at the same place in every run
WORD = ctypes.sizeof(ctypes.c_size_t)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Residence(NamedTuple):
    """Bytes."""

    own: int = 0  # what it has written to: stack, bss, heap, data, and those of its libraries
    program: int = 0  # pages of its file, as they are on disk
    libraries: int = 0  # pages of other files
    highest: int = 0  # at any time, as the kernel keeps count: it may be some dozen pages off
    stack: int = 0  # how deep it was at the most
    arena: int = None  # the most of TLS's own memory that was in use at a time; None: cannot be told

    @property
    def total(self):
        return self.own + self.program + self.libraries


def at_end(command, variables):
    """Runs the command; its status, and what was resident at its end. Its output is dropped."""
    child = os.fork()
    if child == 0:
        _become(command, variables)
    _, status = os.waitpid(child, 0)
    if not os.WIFSTOPPED(status):
        raise OSError("programs cannot be traced here")
    _trace(SET_OPTIONS, child, TRACE_EXIT)
    found = Residence()
    deliver = 0
    while os.WIFSTOPPED(status):
        _trace(CONTINUE, child, deliver)
        _, status = os.waitpid(child, 0)
        deliver = 0
        if status >> 16 == EVENT_EXIT:
            found = _read(child, command[0])
        elif os.WIFSTOPPED(status) and os.WSTOPSIG(status) != signal.SIGTRAP:
            deliver = os.WSTOPSIG(status)
    return os.waitstatus_to_exitcode(status), found


def _become(command, variables):
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        _libc.personality(NOT_RANDOM)  # where that is not allowed, a figure may be a page off
        if _libc.ptrace(TRACE_ME, 0, None, None) == 0:
            os.execve(command[0], command, variables)
    finally:
        os._exit(127)


def _trace(request, child, data):
    if _libc.ptrace(request, child, None, data) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def has_tls(program):
    """Whether it was built with TLS."""
    return _symbol(program, "tls_arena_calloc") is not None


@lru_cache(None)
def _symbol(program, name):
    """Where the linker has put something: an address in the file; None: it is not in there."""
    done = subprocess.run(
        ["nm", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    found = re.findall(rf"^([0-9a-f]+) \w {name}(?:\.[\w.]*)?$", done.stdout, re.MULTILINE)
    return int(found[0], 16) if len(found) == 1 else None


def _arena(process, program, start):
    """The variable in which tls_arena.c keeps it, out of the memory of a program that begins there."""
    where = has_tls(program) and _symbol(program, "peak")
    if not where:
        return None
    with open(program, "rb") as file:
        moved = start if file.read(17)[16] == 3 else 0  # ET_DYN: its addresses count from its start
    with open(f"/proc/{process}/mem", "rb") as memory:
        memory.seek(moved + where)
        return int.from_bytes(memory.read(WORD), sys.byteorder)


def _stack(process, region):
    """How far below its beginning something was written to the stack, which was zero at first."""
    with open(f"/proc/{process}/stat", encoding="utf-8") as file:
        begin = int(file.read().rpartition(")")[2].split()[25])
    lowest = int(region.partition("-")[0], 16)
    with open(f"/proc/{process}/mem", "rb") as memory:
        memory.seek(lowest)
        unused = memory.read(begin - lowest)
    return len(unused.lstrip(b"\0"))


def _read(process, program):
    own = files = of_program = stack = 0
    name = ""
    start = None
    with open(f"/proc/{process}/smaps", encoding="utf-8") as lines:
        for line in lines:
            field, *rest = line.split()
            if field == "Rss:":
                resident = KIB * int(rest[0])
            elif field == "Anonymous:":
                written = KIB * int(rest[0])
                own += written
                of_program += resident - written if name == program else 0
                files += resident - written
            elif not field.endswith(":"):
                name = line.split(maxsplit=5)[5].strip() if len(rest) > 4 else ""
                if name == "[stack]":
                    stack = _stack(process, field)
                if name == program and start is None:
                    start = int(field.partition("-")[0], 16)
    with open(f"/proc/{process}/status", encoding="utf-8") as lines:
        highest = KIB * int(re.search(r"^VmHWM:\s+(\d+)", lines.read(), re.MULTILINE)[1])
    arena = _arena(process, program, start)
    return Residence(own, of_program, files - of_program, highest, stack, arena)
