"""As process 1, the init of a container, which no default action of a signal ends."""

import os
import signal
import subprocess

import pytest
from fake import STALL
from namespaces import own_namespaces
from watcher import RARELY, Watcher, children, is_alive, shell, until

pytest_plugins = ["watch_fixtures", "account_fixtures"]

FATAL = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM]


@pytest.fixture(scope="module")
def alone():
    """What runs a command as process 1."""
    words = own_namespaces("--pid", "--fork", "--kill-child")
    tried = subprocess.run([*words, "true"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no process 1 of one's own here: {tried.stderr.strip()}")
    return words


def send(watcher, number):
    """To process 1, not to unshare, which exits as it does."""
    [init] = watcher.children()
    os.kill(init, number)


@pytest.fixture
def stalled(serve):
    """A registry that does not answer."""
    return serve(lambda request: [STALL])


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_watch_ends(alone, server, watched, watch, number, status):
    watcher = watch(watched, *RARELY, before=alone)
    watcher.err.next("watching")

    send(watcher, number)

    assert watcher.status() == status


def test_watch_takes_command_along(alone, server, watched, watch):
    command = shell("echo running; exec sleep 1000")
    watcher = watch(watched, *RARELY, "--from", "absent", before=alone, command=command)
    watcher.out.next("\t")
    watcher.out.next("running")

    send(watcher, signal.SIGINT)

    assert watcher.status() == 130
    assert "COMMAND was told to end" in watcher.err.all()[-1]


@pytest.mark.parametrize("number", FATAL, ids=lambda number: number.name)
def test_others_end(alone, stalled, regtag, number):
    with Watcher([*alone, *regtag.command("digest", f"{stalled.host}/repo:old")]) as running:
        until(lambda: stalled.requests, "a request")

        send(running, number)

        assert running.status() == 128 + number


def test_what_is_ignored_stays_so(alone, stalled, regtag):
    def ignore():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    command = [*alone, *regtag.command("digest", f"{stalled.host}/repo:old")]
    with Watcher(command, preexec_fn=ignore) as running:
        until(lambda: stalled.requests, "a request")

        send(running, signal.SIGINT)
        send(running, signal.SIGTERM)

        assert running.status() == 128 + signal.SIGTERM


def test_a_helper_ends_as_well(alone, account):
    account.helper("slow", "exec sleep 1000")
    account.docker_config({"credHelpers": {"127.0.0.1:1": "slow"}})
    command = [*alone, account.path, "digest", "127.0.0.1:1/repo:old"]
    with Watcher(command, env=account.env) as running:
        init = until(running.children, "process 1")[0]
        helper = until(lambda: children(init), "the helper")[0]

        send(running, signal.SIGTERM)

        assert running.status() == 128 + signal.SIGTERM
        until(lambda: not is_alive(helper), "the end of the helper")
