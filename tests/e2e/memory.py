"""How much memory a program needs, exactly: looked up as it stops on its way out.

What the kernel tells of a child afterwards counts the memory of the parent before exec as well.
"""

import ctypes
import os
import re
import signal
import time
from typing import NamedTuple

import pytest

TRACE_ME, CONTINUE, SET_OPTIONS = 0, 7, 0x4200
TRACE_EXIT, EVENT_EXIT = 0x40, 6
LEAVE_OUT_OF_TRACE = {"ASAN_OPTIONS": "detect_leaks=0"}  # the leak checker cannot be traced

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Peak(NamedTuple):
    status: int
    own: int  # KiB at the end that are the process's alone; pages of files come and go by chance
    highest: int  # KiB at any time, as the kernel keeps count: it may be some pages off


def measure(command, stdout, variables, limit=120, stderr=None, cwd=None):
    """Runs the command with its output to a file, and that for errors to another, in a folder."""
    child = os.fork()
    if child == 0:
        _become(command, stdout, variables, stderr, cwd)
    try:
        return _follow(child, time.monotonic() + limit)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise


def _become(command, stdout, variables, stderr, cwd):
    try:
        os.dup2(stdout.fileno(), 1)
        if stderr:
            os.dup2(stderr.fileno(), 2)
        if cwd:
            os.chdir(cwd)
        if _libc.ptrace(TRACE_ME, 0, None, None) == 0:
            os.execve(command[0], command, variables)
    finally:
        os._exit(127)


def _wait(child, end):
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        time.sleep(0.002)
    pytest.fail("the program did not end in time")


def _follow(child, end):
    own = highest = 0
    status = _wait(child, end)
    if not os.WIFSTOPPED(status):
        pytest.skip("programs cannot be traced here")
    _trace(SET_OPTIONS, child, TRACE_EXIT)
    deliver = 0
    while True:
        _trace(CONTINUE, child, deliver)
        status = _wait(child, end)
        if not os.WIFSTOPPED(status):
            return Peak(os.waitstatus_to_exitcode(status), own, highest)
        deliver = 0
        if status >> 16 == EVENT_EXIT:
            own = _figure(f"/proc/{child}/smaps_rollup", "Anonymous")
            highest = _figure(f"/proc/{child}/status", "VmHWM")
        elif os.WSTOPSIG(status) != signal.SIGTRAP:
            deliver = os.WSTOPSIG(status)


def _trace(request, child, data):
    if _libc.ptrace(request, child, None, data) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _figure(path, name):
    with open(path, encoding="ascii") as lines:
        return int(re.search(rf"^{name}:\s+(\d+) kB", lines.read(), re.MULTILINE)[1])
