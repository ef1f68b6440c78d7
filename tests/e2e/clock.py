"""Runs a command by a clock that says something else: clock.py SECONDS COMMAND..., since 1970.

For static programs, which LD_PRELOAD does not reach, and for those of other processors under qemu. A time namespace shifts
no clock that tells the date, and most programs ask the kernel's page of code (vdso) for it, where strace sees nothing. So
that page is hidden from the program, each time that it has become another one, and what the kernel answers is changed.
"""

import ctypes
import os
import signal
import struct
import sys
import time

TRACE_ME, POKE_USER, SYSCALL, SET_OPTIONS, GET_SYSCALL_INFO = 0, 6, 24, 0x4200, 0x420E
TRACE_SYSCALL, TRACE_EXEC, EXIT_KILL = 0x1, 0x10, 0x100000
EVENT_EXEC, SYSCALL_STOP = 4, signal.SIGTRAP | 0x80
ENTRY = 1  # of a call; the other stop is its end

MACHINE = os.uname().machine
CLOCK_GETTIME = {"x86_64": 228}.get(MACHINE, 113)
TIME = {"x86_64": 201}.get(MACHINE)  # newer machines have no such call
RAX = 80  # where x86_64 has a result
VDSO, NOTHING, END = 33, 1, 0  # kinds of entries of the auxiliary vector


class SyscallInfo(ctypes.Structure):
    _fields_ = [
        ("stop", ctypes.c_uint8),
        ("architecture", ctypes.c_uint32),
        ("instruction", ctypes.c_uint64),
        ("stack", ctypes.c_uint64),
        ("number", ctypes.c_int64),  # at the end: the result
        ("arguments", ctypes.c_uint64 * 6),
        ("more", ctypes.c_uint64),
    ]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request, process, address=None, data=None):
    result = _libc.ptrace(request, process, address, data)
    if result < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    return result


class Clock:
    """A process, and the clock that it is shown."""

    def __init__(self, process, shift):
        self._process = process
        self._shift = shift
        self._asked = 0  # where the answer to clock_gettime will be
        self._asked_time = False

    def _memory(self):
        return open(f"/proc/{self._process}/mem", "r+b", buffering=0)

    def _info(self):
        info = SyscallInfo()
        _ptrace(GET_SYSCALL_INFO, self._process, ctypes.sizeof(info), ctypes.addressof(info))
        return info

    def hide_vdso(self):
        """The stack of a new program: the number of arguments, they, NULL, the environment, NULL, the vector."""
        place = self._info().stack
        with self._memory() as memory:

            def word(number):
                memory.seek(place + 8 * number)
                return struct.unpack("=Q", memory.read(8))[0]

            entry = word(0) + 2
            while word(entry):
                entry += 1
            entry += 1
            while word(entry) not in (VDSO, END):
                entry += 2
            if word(entry) == VDSO:
                memory.seek(place + 8 * entry)
                memory.write(struct.pack("=Q", NOTHING))

    def syscall(self):
        info = self._info()
        if info.stop == ENTRY:
            real = info.arguments[0] & 0xFFFFFFFF == time.CLOCK_REALTIME
            self._asked = info.arguments[1] if info.number == CLOCK_GETTIME and real else 0
            self._asked_time = info.number == TIME
        elif self._asked and info.number == 0:
            with self._memory() as memory:
                memory.seek(self._asked)
                seconds = struct.unpack("=q", memory.read(8))[0]
                memory.seek(self._asked)
                memory.write(struct.pack("=q", self._shifted(seconds)))
        elif self._asked_time:
            _ptrace(POKE_USER, self._process, RAX, self._shifted(info.number))

    def _shifted(self, seconds):
        return max(seconds + self._shift, 0)

    def run(self):
        """To the end of the process; its status as waitpid's."""
        os.waitpid(self._process, 0)  # it has become the command
        _ptrace(SET_OPTIONS, self._process, None, TRACE_SYSCALL | TRACE_EXEC | EXIT_KILL)
        self.hide_vdso()
        passed_on = 0
        while True:
            _ptrace(SYSCALL, self._process, None, passed_on)
            _, status = os.waitpid(self._process, 0)
            if not os.WIFSTOPPED(status):
                return status
            passed_on = 0
            if os.WSTOPSIG(status) == SYSCALL_STOP:
                self.syscall()
            elif status >> 16 == EVENT_EXEC:
                self.hide_vdso()
            elif os.WSTOPSIG(status) != signal.SIGTRAP:
                passed_on = os.WSTOPSIG(status)


def main(seconds, *command):
    shift = int(seconds) - int(time.time())
    process = os.fork()
    if process == 0:
        try:
            _ptrace(TRACE_ME, 0)
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    status = Clock(process, shift).run()
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    return os.WEXITSTATUS(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
