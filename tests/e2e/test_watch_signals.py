"""`watch` and signals: SIGTERM wherever it is, SIGHUP in every kind of wait, SIGINT."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
from conftest import OTHER_DOCUMENT
from device import Device
from fake import STALL, Pause, answer, errors
from fronts import needs_tls
from namespaces import changed_root
from program import full_pipe
from tls_server import Raw
from watcher import NEW, OLD, RARELY, is_alive, point, shell, until

pytest_plugins = ["watch_fixtures", "account_fixtures"]

ENDS = {signal.SIGTERM: 0, signal.SIGINT: -signal.SIGINT}


@pytest.fixture(params=ENDS, ids=lambda number: number.name)
def ending(request):
    """A signal, and what it makes of watch."""

    def end(watcher):
        before = time.monotonic()
        assert watcher.end(request.param) == ENDS[request.param]
        assert time.monotonic() - before < 15  # every deadline in here is longer

    return end


# ---- What ends it, wherever it is


def test_ended_in_a_wait(server, watched, watch, ending):
    watcher = watch(watched, *RARELY)
    watcher.err.next("watching")

    ending(watcher)

    assert (watcher.moves(), len(watcher.err.all())) == ([], 1)


def test_ended_while_the_registry_does_not_answer(serve, watch, ending):
    server = serve(lambda request: [STALL])
    watcher = watch(f"{server.host}/repo:old", *RARELY, "--stall", "0")
    until(lambda: server.requests, "a request")

    ending(watcher)


def test_ended_between_two_attempts(serve, watch, ending):
    server = serve(lambda request: answer(503, b""))
    watcher = watch(f"{server.host}/repo:old", *RARELY, "-v")
    watcher.err.next("attempt 1 of 3 failed")

    ending(watcher)


def listen(client):
    while client.recv(65536):
        pass


@needs_tls
def test_ended_in_a_handshake(watch, ending):
    with Raw(listen) as silent:
        watcher = watch("--tls", f"{silent.host}/repo:old", *RARELY, "-v")
        watcher.err.next("connected to")

        ending(watcher)


def test_ended_while_it_connects(watch, ending):
    with socket.socket() as full:  # one that accepts nothing, and whose queue is full
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        host = f"127.0.0.1:{full.getsockname()[1]}"
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        watcher = watch(f"{host}/repo:old", *RARELY, "-v")
        watcher.err.next("* checking")

        ending(watcher)
        for one in waiting:
            one.close()


def test_ended_while_it_looks_a_name_up(regtag, watch, tmp_path, ending):
    """The file of the hosts is a pipe that nobody writes to: a look-up waits for ever."""
    device = Device(regtag, tmp_path / "device")
    device.prepare()
    device.put("/etc/nsswitch.conf", "hosts: files\n")
    os.mkfifo(device.folder / "etc/hosts")
    changed = changed_root(device.folder)
    watcher = watch(
        "--plain-http", "registry.test/repo:old", *RARELY, before=changed, program="/regtag"
    )
    child = until(watcher.children, "a look-up")[0]

    ending(watcher)

    until(lambda: not is_alive(child), "the end of the look-up")


def test_ended_while_a_helper_is_asked(account, watch, ending):
    account.helper("slow", "exec sleep 1000")
    account.docker_config({"credHelpers": {"127.0.0.1:1": "slow"}})
    watcher = watch("127.0.0.1:1/repo:old", *RARELY, "-v", env=account.env)
    until(watcher.children, "the helper")
    helper = watcher.children()[0]

    ending(watcher)

    until(lambda: not is_alive(helper), "the end of the helper")


def test_ended_while_nobody_reads_its_output(server, shelf, watched, watch, ending):
    with full_pipe() as (_, writer):
        watcher = watch(watched, *RARELY, "--from", "absent", stdout=writer)
        watcher.err.next("watching")

        ending(watcher)


def test_ended_while_command_runs_it_takes_command_along(server, watched, watch, ending):
    script = "sh -c 'echo $$; exec sleep 1000' & echo $$; wait"
    watcher = watch(watched, *RARELY, "--from", "absent", command=shell(script))
    watcher.out.next("\t")
    group = [int(watcher.out.next("")) for _ in range(2)]

    ending(watcher)

    for one in group:
        until(lambda one=one: not is_alive(one), "the end of COMMAND")
    assert "COMMAND was told to end" in watcher.err.all()[-1]


def test_a_command_that_has_left_its_process_group_is_ended_too(server, watched, watch, ending):
    join = "os.setpgid(0, os.getpgid(os.getppid()))"
    code = f"import os, time; {join}; print(os.getpid(), flush=True); time.sleep(1000)"
    watcher = watch(watched, *RARELY, "--from", "absent", command=[sys.executable, "-c", code])
    watcher.out.next("\t")
    command = int(watcher.out.next(""))

    ending(watcher)

    until(lambda: not is_alive(command), "the end of COMMAND")


def test_a_command_may_end_in_its_own_time(server, watched, watch, tmp_path):
    done = tmp_path / "done"
    script = f"trap 'sleep 0.5; touch {done}; exit' TERM; echo ready; while :; do sleep 0.1; done"
    watcher = watch(watched, *RARELY, "--from", "absent", command=shell(script))
    watcher.out.next("ready")

    assert watcher.end() == 0

    until(done.exists, "what COMMAND does at its end")


def test_a_command_that_is_stopped_ends_too(server, watched, watch):
    script = "echo $$; kill -STOP $$; sleep 1000"
    watcher = watch(watched, *RARELY, "--from", "absent", command=shell(script))
    watcher.out.next("\t")
    command = int(watcher.out.next(""))
    until(lambda: " T " in Path(f"/proc/{command}/stat").read_text(encoding="ascii"), "the stop")

    assert watcher.end() == 0

    until(lambda: not is_alive(command), "the end of COMMAND")


def test_a_background_process_of_an_earlier_command_is_left_alone(server, shelf, watched, watch):
    script = "sleep 1000 >/dev/null 2>&1 & echo $!"
    watcher = watch(watched, *RARELY, "--from", "absent", command=shell(script))
    watcher.out.next("\t")
    left = int(watcher.out.next(""))
    try:
        until(lambda: watcher.children() == [], "the end of COMMAND")

        assert watcher.end() == 0
        assert is_alive(left)
    finally:
        os.kill(left, signal.SIGKILL)


def test_sigint_that_is_ignored_stays_so(server, watched, watch):
    """As a shell starts what it puts in the background."""

    def ignore():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    watcher = watch(watched, *RARELY, preexec_fn=ignore)
    watcher.err.next("watching")
    watcher.process.send_signal(signal.SIGINT)
    watcher.ask_now()
    until(lambda: len(server.requests) >= 2, "a request")

    assert watcher.end() == 0


# ---- SIGHUP


def test_sighup_ends_a_wait(server, watched, watch):
    watcher = watch(watched, *RARELY)
    for count in range(1, 5):
        until(lambda count=count: len(server.requests) == count, "a request")
        watcher.ask_now()


def test_sighup_ends_the_wait_after_a_failure(serve, shelf, watch):
    down = errors(500, "UNKNOWN")
    shelf.instead["HEAD"] = lambda request: down[: down.index(b"\r\n\r\n") + 4]
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", *RARELY, "--retries", "0")
    watcher.err.next("500")
    del shelf.instead["HEAD"]

    watcher.ask_now()

    watcher.err.next("answers again, after 1 failure in 0 s")
    watcher.err.next("watching")


def test_sighup_ends_a_wait_that_the_registry_has_asked_for(serve, shelf, watch):
    shelf.instead["HEAD"] = lambda request: answer(429, b"", "Retry-After: 3600")
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", "--interval", "1", "--jitter", "0", "-v")
    watcher.err.next("checking again in 1 h")
    del shelf.instead["HEAD"]

    watcher.ask_now()

    watcher.err.next("watching")


def test_sighup_in_an_ask_makes_another_one(serve, shelf, watch):
    def slowly(request):
        return (
            [Pause(0.5), shelf.usual(request)]
            if len(server.requests) == 1
            else shelf.usual(request)
        )

    shelf.instead["HEAD"] = slowly
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", *RARELY)
    until(lambda: server.requests, "the first request")
    for _ in range(5):
        watcher.ask_now()

    until(lambda: len(server.requests) == 2, "the second request")
    watcher.end()

    assert len(server.requests) == 2


def test_sighup_in_command_asks_when_it_is_over(server, shelf, watched, watch, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    watcher = watch(
        watched, *RARELY, "--from", "absent", command=shell(f"echo ran; read -r x <{gate}")
    )
    watcher.out.next("ran")
    watcher.ask_now()
    point(shelf, OTHER_DOCUMENT)
    with open(gate, "w", encoding="ascii") as go:
        go.write("go\n")

    watcher.out.next(f"{OLD}\t{NEW}")
    watcher.out.next("ran")


def test_a_storm_of_sighup_harms_nothing(server, watched, watch):
    watcher = watch(watched, *RARELY, "--from", "absent", command=shell("echo ran; exit 1"))
    watcher.err.next("watching")
    for _ in range(2000):
        watcher.ask_now()
    watcher.out.next("ran")

    assert watcher.end() == 0
    assert len([line for line in watcher.err.all() if "status" in line]) <= 1
