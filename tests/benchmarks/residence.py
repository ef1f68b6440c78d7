"""What is resident of a program at its end, by what it is: read from the page tables, when the kernel
stops the program on its way out.

What the kernel tells of a child afterwards counts the memory of the parent before exec as well.
"""

import ctypes
import os
import re
import signal
from typing import NamedTuple

TRACE_ME, CONTINUE, SET_OPTIONS = 0, 7, 0x4200
TRACE_EXIT, EVENT_EXIT = 0x40, 6
KIB = 1024

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Residence(NamedTuple):
    """Bytes."""

    own: int = 0  # what it has written to: stack, bss, heap, data, and those of its libraries
    program: int = 0  # pages of its file, as they are on disk
    libraries: int = 0  # pages of other files
    highest: int = 0  # at any time, as the kernel keeps count: it may be some dozen pages off

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
        if _libc.ptrace(TRACE_ME, 0, None, None) == 0:
            os.execve(command[0], command, variables)
    finally:
        os._exit(127)


def _trace(request, child, data):
    if _libc.ptrace(request, child, None, data) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _read(process, program):
    own = files = of_program = 0
    name = ""
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
    with open(f"/proc/{process}/status", encoding="utf-8") as lines:
        highest = KIB * int(re.search(r"^VmHWM:\s+(\d+)", lines.read(), re.MULTILINE)[1])
    return Residence(own, of_program, files - of_program, highest)
