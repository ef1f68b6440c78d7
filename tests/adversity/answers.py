"""What rows about bytes share: every place in every answer of a run without a fault."""

import re
import time

from fake import END_OF_HEAD

# By what one run takes. Of the large ones, whose bytes are mostly alike, fewer are tried; bytes.c tries all of them.
SMALL = ["tag", "tag-8", "tag-token", "delete", "undo", "watch", "digest", "manifest", "ls"]
LARGE = ["tag-journal", "tag-signed", "copy", "load", "fetch", "save", "ls-digests", "verify", "referrers"]
COARSER = 4


def played(stage, name):
    """A scene after a run without a fault."""
    scene = stage.scene(name)
    result, _ = stage.player.run(scene)
    assert result.status == 0, result
    return scene


def answers(stage, name):
    """Those of a run without a fault."""
    return list(played(stage, name).world.passed)


def kind_of(passing):
    """What is asked for, of whom, and how it is answered."""
    path = passing.request.path
    return passing.server, passing.request.method, path.rsplit("/", 2)[-2], "uploads" in path, passing.whole[9:12]


def one_of_each_kind(stage, name):
    """The first answer of each kind."""
    found = {}
    for passing in answers(stage, name):
        found.setdefault(kind_of(passing), passing)
    return found.values()


def places(stage, small=1):
    """A scene, the number of an answer, and how many bytes are in front: each `small`-th of them."""
    for names, every in ((SMALL, small), (LARGE, small * COARSER)):
        for name in names:
            for passing in answers(stage, name):
                for at in range(passing.number % every, len(passing.whole), every):
                    yield name, passing, at


def only(number, change):
    """A way that changes this answer alone."""
    return lambda passing: change(passing.whole) if passing.number == number else passing.whole


def in_digest(whole, at):
    """Whether the byte is of a digest that a registry states: nobody else knows a better one."""
    head = whole[: whole.index(END_OF_HEAD)]
    found = re.search(rb"(?i)docker-content-digest: (\S+)", head)
    return bool(found) and found.start(1) <= at < found.end(1)


def length_of_session(stage, name):
    """How many bytes a TLS server sends on its first connection."""
    return played(stage, name).world.here.front.settled()[0].raw


def until_read(connection):
    """A step: goes on when the client has read all that was sent, or has gone."""
    ports = connection.getpeername()[1], connection.getsockname()[1]
    line = "0100007F:{:04X} 0100007F:{:04X}".format(*ports)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with open("/proc/net/tcp", encoding="ascii") as table:
            found = [one.split() for one in table if line in one]
        if not found or found[0][4].endswith(":00000000"):
            return
        time.sleep(0.0005)  # there is nothing to wait for


def silence(connection):
    """A step: nothing more is said, until the client has gone."""
    while connection.recv(65536):
        pass
    raise EOFError


def patiently(attempt):
    """What is broken, where the machine had time for the program: a run that takes too long does so each time."""
    for _ in range(3):
        broken = attempt()
        if not any(one.startswith("took ") for one in broken):
            break
    return broken
