"""`watch` while registry, network and names go away and come back; and what it needs for ever."""

import os
import re

import pytest
from conftest import OCI_DOCUMENT, OTHER_DOCUMENT
from device import Device
from fake import CLOSE, STALL, answer, bodiless, errors
from images import OCI_MANIFEST
from namespaces import changed_root
from registry import Registry
from watcher import NEW, OLD, RARELY, point, shell, until

pytest_plugins = ["watch_fixtures"]

AT_ONCE = ["--retries", "0"]  # an ask that fails takes no time
ROUNDS = 2000


def ask(watcher, times=1):
    for _ in range(times):
        watcher.ask_now()
        watcher.err.next("* checking again in")


def told(watcher):
    """What it says to everyone, not only with -v."""
    return [line for line in watcher.err.all() if line.startswith("regtag: ")]


# ---- Away and back


def test_a_real_registry_goes_away_and_comes_back(registry_binary, tmp_path, watch):
    registry = Registry(registry_binary, tmp_path)
    with registry:
        old = registry.push_image("repo", "old", OCI_MANIFEST, OCI_DOCUMENT)
        image = f"{registry.host}/repo:old"
        watcher = watch(image, *RARELY, *AT_ONCE, "-v")
        watcher.err.next("* checking again in")
    for _ in range(5):
        ask(watcher)
    registry.come_back()
    try:
        new = registry.push("repo", "old", OCI_MANIFEST, OTHER_DOCUMENT)
        ask(watcher)
        watcher.out.next(f"{old}\t{new}")
        watcher.end()
    finally:
        registry.__exit__()

    assert [re.sub(r"in \d+ s$", "in N s", line) for line in told(watcher)] == [
        f"regtag: watching {image}, now at {old}",
        f"regtag: {image}: could not be reached: Connection refused; is the registry running, "
        "and is the port right? (trying again in 1 d)",
        f"regtag: {image} answers again, after 5 failures in N s",
    ]


def test_a_registry_that_is_away_at_first(registry_binary, tmp_path, watch):
    registry = Registry(registry_binary, tmp_path)
    with registry:
        registry.push_image("repo", "old", OCI_MANIFEST, OCI_DOCUMENT)
    image = f"{registry.host}/repo:old"
    watcher = watch(image, *RARELY, *AT_ONCE, "--from", "absent", "-v")
    watcher.err.next("* checking again in 15 s")
    [failure] = [line for line in watcher.err.seen if line.startswith("regtag: ")]
    assert failure.endswith(" (trying again in 15 s)")
    registry.come_back()
    try:
        watcher.ask_now()
        watcher.out.next(f"-\t{OLD}")
    finally:
        registry.__exit__()


def test_a_name_that_is_no_more_and_comes_back(regtag, server, watch, tmp_path):
    device = Device(regtag, tmp_path / "device")
    device.prepare()
    device.put("/etc/nsswitch.conf", "hosts: files\n")
    device.put("/etc/hosts", "127.0.0.1 registry.test\n")
    image = f"registry.test:{server.port}/repo:old"
    options = [*RARELY, *AT_ONCE, "--plain-http", "-v"]
    watcher = watch(image, *options, before=changed_root(device.folder), program="/regtag")
    watcher.err.next("* checking again in")
    device.put("/etc/hosts", "")
    ask(watcher, 3)
    device.put("/etc/hosts", "127.0.0.1 registry.test\n")
    ask(watcher)
    assert watcher.children() == []
    watcher.end()

    lines = told(watcher)
    assert len(lines) == 3, lines
    assert "host not found" in lines[1] or "no name server" in lines[1]
    assert lines[2].startswith(f"regtag: {image} answers again, after 3 failures")


def failing(status):
    return bodiless(errors(status, "UNKNOWN"))


TROUBLES = {
    4: failing(403),
    5: [CLOSE],
    6: [STALL],
    9: b"what is this\r\n\r\n",
    14: answer(429),
    17: failing(503),
}


def test_one_line_for_each_change_of_state(serve, shelf, watch):
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", *RARELY, *AT_ONCE, "--timeout", "1", "-v")
    watcher.err.next("* checking again in")
    for trouble in TROUBLES.values():
        shelf.instead["HEAD"] = shelf.instead["GET"] = lambda request, trouble=trouble: trouble
        ask(watcher, 1 if trouble == [STALL] else 3)
    del shelf.instead["HEAD"], shelf.instead["GET"]
    ask(watcher, 2)
    watcher.end()

    lines = told(watcher)
    assert len(lines) == len(TROUBLES) + 2, lines
    count = 3 * len(TROUBLES) - 2
    assert f"answers again, after {count} failures" in lines[-1]
    assert watcher.out.all() == []


@pytest.mark.parametrize("status", TROUBLES)
def test_nothing_that_a_registry_does_ends_it(serve, shelf, watch, status):
    shelf.instead["HEAD"] = shelf.instead["GET"] = lambda request: TROUBLES[status]
    server = serve(shelf)
    options = [*RARELY, *AT_ONCE, "--timeout", "1", "--from", "absent", "-v"]
    watcher = watch(f"{server.host}/repo:old", *options)
    watcher.err.next("* checking again in")
    shelf.instead.clear()

    watcher.ask_now()

    watcher.out.next(f"-\t{OLD}")


def test_a_failure_is_no_disappearance(serve, shelf, watched, server, watch):
    watcher = watch(watched, *RARELY, *AT_ONCE, "-v")
    watcher.err.next("* checking again in")
    for trouble in TROUBLES.values():
        if trouble != [STALL]:
            shelf.instead["HEAD"] = lambda request, trouble=trouble: trouble
            ask(watcher)

    watcher.end()

    assert watcher.out.all() == []


def test_once_outlives_failures(serve, shelf, watch):
    shelf.instead["HEAD"] = lambda request: failing(503)
    server = serve(shelf)
    image = f"{server.host}/repo:old"
    watcher = watch(image, *AT_ONCE, "--interval", "1", "--once", "--from", "absent")
    watcher.err.next("503")
    shelf.instead.clear()

    assert watcher.status() == 0
    assert watcher.moves() == [("-", OLD)]


def test_quiet_tells_failures_only(serve, shelf, watch):
    shelf.instead["HEAD"] = lambda request: failing(503)
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", *AT_ONCE, *RARELY, "-q")
    watcher.err.next("503")
    shelf.instead.clear()
    watcher.ask_now()
    until(lambda: len(server.requests) == 2, "the second request")
    watcher.ask_now()
    until(lambda: len(server.requests) == 3, "the third request")
    watcher.end()

    assert len(watcher.err.all()) == 1


def test_the_timeout_is_for_each_ask(serve, shelf, watch):
    server = serve(shelf)
    watcher = watch(
        f"{server.host}/repo:old", "--interval", "1", "--jitter", "0", "--timeout", "2", "-v"
    )
    for _ in range(5):
        watcher.err.next("* checking again in")
    watcher.end()

    assert len(told(watcher)) == 1


# ---- Waits


def waits(watcher, count):
    found = []
    for _ in range(count):
        found.append(watcher.err.next("* checking again in").partition("again in ")[2])
        watcher.ask_now()
    return found


def test_failures_are_waited_for_ever_longer(serve, shelf, watch):
    shelf.instead["HEAD"] = lambda request: failing(503)
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", *AT_ONCE, "--interval", "60", "--jitter", "0", "-v")

    assert waits(watcher, 8) == "15 s,30 s,1 min,2 min,4 min,8 min,15 min,15 min".split(",")
    shelf.instead.clear()
    assert waits(watcher, 3)[-1] == "1 min"
    shelf.instead["HEAD"] = lambda request: failing(503)
    found = waits(watcher, 8)
    assert found[found.index("2 min") - 1 :][:6] == "1 min,2 min,4 min,8 min,15 min,15 min".split(
        ","
    )


# ---- For ever


@pytest.mark.slow
def test_memory_and_files_do_not_grow(serve, shelf, watch):
    """The moves of a life, in short: answers, failures, moves, commands."""
    server = serve(shelf)
    command = shell('exit $(test -n "$REGTAG_NEW"; echo $?)')
    watcher = watch(f"{server.host}/repo:old", *AT_ONCE, "--interval", "60", "-v", command=command)
    watcher.err.next("* checking again in")
    states = [OCI_DOCUMENT, OTHER_DOCUMENT, None]

    def live(rounds):
        for number in range(rounds):
            if number % 50 == 0:
                shelf.put("repo", "old", OCI_MANIFEST, OCI_DOCUMENT)
                document = states[number // 50 % 3]
                point(shelf, document)
            down = number % 20 == 7
            shelf.instead = {"HEAD": lambda request: [CLOSE]} if down else {}
            ask(watcher)

    live(200)
    before = watcher.figure("VmRSS"), watcher.descriptors()
    live(ROUNDS)
    after = watcher.figure("VmRSS"), watcher.descriptors()

    if not os.environ.get("SAN"):  # a sanitizer holds back what was freed
        assert after[0] - before[0] <= 16, (before, after)  # KiB: a page of a stack may come late
    assert len(after[1]) <= len(before[1])
    assert watcher.children() == []
    assert NEW in "".join(watcher.out.seen)
