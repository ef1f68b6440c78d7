"""Each system call of a run fails once, at each occurrence, with each error that it is known for; or does only a part."""

import errno

from traced import QUIET, calls_of, missing, with_fault

TITLE = "system calls"
SCENES = [
    *("tag", "tag-tls", "tag-token", "tag-journal", "tag-lookup", "tag-from", "undo", "watch"),
    *("copy", "copy-token", "fetch", "save", "load", "verify"),
]

# What each call fails with: what its manual page names, as far as it may happen to whoever calls it rightly.
NO_FILE = "EACCES EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR"
NEW_FILE = "EDQUOT EEXIST ENOSPC EROFS EPERM"
DISK = "EDQUOT EFBIG EIO ENOSPC"
LOST = "ECONNREFUSED ECONNRESET EHOSTUNREACH ENETDOWN ENETUNREACH ENOTCONN ETIMEDOUT"
FAULTS = {
    "access": NO_FILE,
    "clone": "EAGAIN ENOMEM ENOSYS",
    "close": "EINTR EIO ENOSPC EDQUOT",
    "connect": f"{LOST} EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EINTR ENOBUFS ENOMEM EPERM",
    "dup2": "EBUSY EINTR EMFILE",
    "execve": f"{NO_FILE} E2BIG EMFILE ENFILE EPERM ETXTBSY",
    "fchmod": "EIO EPERM EROFS",
    "fcntl": "EBADF EINVAL EPERM",
    "fcntl to lock": "EACCES EAGAIN EBADF EDEADLK EINTR ENOLCK",
    "fsync": "EDQUOT EINTR EINVAL EIO ENOSPC EROFS",
    "ftruncate": "EFBIG EINTR EINVAL EIO ENOSPC EPERM EROFS",
    "getdents64": "EINTR EIO ENOENT ENOMEM",
    "getrandom": "EAGAIN EINTR EIO ENOSYS EPERM",
    "getsockopt": "ENOBUFS ENOMEM ENOTCONN",
    "ioctl": "EINVAL EIO ENOTTY",
    "kill": "EPERM ESRCH",
    "lseek": "EINVAL EIO EOVERFLOW ESPIPE",
    "mkdirat": f"{NO_FILE} {NEW_FILE} EMLINK",
    "newfstatat": f"{NO_FILE} EOVERFLOW",
    "openat": f"{NO_FILE} {NEW_FILE} EBUSY EINTR EISDIR EMFILE ENFILE ENODEV ENXIO EOVERFLOW ETXTBSY",
    "pipe2": "EMFILE ENFILE ENOMEM",
    "poll": "EINTR EAGAIN EINVAL ENOMEM",
    "prctl": "EINVAL EPERM",
    "pread64": "EAGAIN EINTR EIO EISDIR ENOMEM ESPIPE",
    "prlimit64": "EINVAL EPERM",
    "read": "EAGAIN EINTR EIO EISDIR ENOMEM ESTALE",
    "recvfrom": f"{LOST} EAGAIN EINTR EIO ENOBUFS ENOMEM EPIPE",
    "renameat": f"{NO_FILE} {NEW_FILE} EBUSY EISDIR EMLINK EXDEV",
    "sendto": f"{LOST} EACCES EAGAIN EINTR EIO EMSGSIZE ENOBUFS ENOMEM EPERM EPIPE",
    "setpgid": "EACCES EPERM ESRCH",
    "setsockopt": "ENOBUFS ENOMEM ENOPROTOOPT",
    "socket": "EACCES EAFNOSUPPORT EMFILE ENFILE ENOBUFS ENOMEM EPERM EPROTONOSUPPORT",
    "unlinkat": f"{NO_FILE} EBUSY EPERM EROFS",
    "wait4": "ECHILD EINTR",
    "waitid": "ECHILD EINTR",
    "write": f"{DISK} EAGAIN EINTR EPERM EPIPE",
}
# They cannot fail, or another row lets them: the heap's are those of `memory`.
NEVER = "brk exit exit_group getpid getppid mmap mprotect munmap rt_sigaction rt_sigprocmask rt_sigreturn set_robust_list".split()
PARTLY = {"pread64", "read", "recvfrom", "sendto", "write"}

# What goes on as if nothing had happened. Nothing interrupts what opens or cuts a file but where it is somebody's program
# that has it: that fails like everything else.
HARMLESS = {
    "EINTR": PARTLY | {"connect", "fcntl", "fsync", "getrandom", "poll", "wait4", "waitid"},
    "EAGAIN": {"poll", "recvfrom", "sendto"},
    "short": PARTLY,
}
# The statuses that other failures lead to, by what the call is about. What is not here is a file or folder that is read
# or written: 1.
STATUSES = {
    **{"net": {5, 18}, "stdout": {1}, "stderr": set(), "null": set(), "sh": {126, 127}},
    **{"password": {16}, "config.json": {16}, "key.pem": {2}, "lines": {1, 2}},
}


def allowed(scene, call, fault):
    process, name, _, what, _ = call
    if name in HARMLESS.get(fault, ()):
        return set()
    if process == 1 and what == "null":
        return {126}  # the command's, that cannot be run
    if what in ("-", "pipe"):
        return {1, 5} if scene.name == "tag-lookup" else {1, 126}
    if what.endswith(".crt"):
        return {2, 7} if name == "access" else {2}
    if name == "poll":  # how often there is something to wait for is chance: it may be another one
        return {1, 5, 18}
    if (name, what) == ("newfstatat", "."):
        return {1, 2}  # fetch does not know that this is a folder, but that there are several layers
    return STATUSES.get(what, {1})


def faults(call):
    locks = call.name == "fcntl" and call.what in ("moves", "partial", "image.tar")
    found = FAULTS.get("fcntl to lock" if locks else call.name, "").split()
    return [*found, "short"] if call.name in PARTLY else found


def cases(stage, whole):
    if missing(stage):
        return
    for name in SCENES if whole else SCENES[::2]:
        for call in calls_of(stage, stage.scene(name)):
            if call.name not in NEVER:
                for fault in faults(call):
                    yield name, *call, fault


def attempt(stage, case):
    name, *call, fault = case
    number = getattr(errno, fault, fault)
    scene = stage.scene(name)
    return stage.play(scene, allowed=allowed(scene, call, fault), before=with_fault(call, number), env=QUIET)
