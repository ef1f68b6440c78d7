"""`watch`: what is a move, how it is told, and what COMMAND gets to know."""

import ctypes
import json
import os
import resource
import signal
import subprocess
from contextlib import suppress

import pytest
from conftest import OCI_DOCUMENT, OTHER_DOCUMENT
from images import DOCKER_MANIFEST, compact, digest_of, docker_manifest
from program import environment, full_pipe, usual_signals
from watcher import (
    NEW,
    OLD,
    RARELY,
    THIRD_DOCUMENT,
    is_alive,
    point,
    shell,
    until,
)

pytest_plugins = ["watch_fixtures"]
SET_CHILD_SUBREAPER = 36


# ---- What is refused before anything is asked

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "args, word",
    [
        [["127.0.0.1:1/repo@" + DIGEST], "never changes"],
        [["127.0.0.1:1/repo:tag@" + DIGEST], "never changes"],
        [["127.0.0.1:1/repo", "--from", "stable"], "--from"],
        [["127.0.0.1:1/repo", "--from", ""], "--from"],
        [["127.0.0.1:1/repo", "--from", "sha256:" + "A" * 64], "--from"],
        [["127.0.0.1:1/repo", "--from", DIGEST + "0"], "--from"],
        [["127.0.0.1:1/repo", "--interval", "0"], "--interval"],
        [["127.0.0.1:1/repo", "--jitter", "101%"], "--jitter"],
        [["127.0.0.1:1/repo", "--"], "no command"],
        [["127.0.0.1:1/Repo"], "Repo"],
        [["127.0.0.1:1"], "the repository is missing"],
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_what_makes_no_sense_ends_it_at_once(regtag, args, word):
    result = regtag("watch", *args)

    assert result.status == 2, result
    result.complaint(word)
    assert result.out == b""


# ---- Moves


def test_a_real_registry_moves_appears_and_disappears(start_registry, watch):
    registry = start_registry(delete=True)
    old = registry.push_image("team/app", "stable", DOCKER_MANIFEST, compact(docker_manifest()))
    image = f"{registry.host}/team/app:stable"
    watcher = watch(image, *RARELY)
    assert watcher.err.next("watching").endswith(f"watching {image}, now at {old}")

    new = registry.push(
        "team/app", "stable", DOCKER_MANIFEST, json.dumps(docker_manifest(), indent=5).encode()
    )
    watcher.ask_now()
    watcher.out.next(f"{old}\t{new}")
    registry.request("DELETE", f"/v2/team/app/manifests/{new}")
    watcher.ask_now()
    watcher.out.next(f"{new}\t-")
    registry.push("team/app", "stable", DOCKER_MANIFEST, compact(docker_manifest()))
    watcher.ask_now()
    watcher.out.next(f"-\t{old}")

    assert watcher.end() == 0
    assert watcher.moves() == [(old, new), (new, "-"), ("-", old)]
    assert len(watcher.err.all()) == 1


def test_what_does_not_move_is_not_told(server, watched, watch):
    watcher = watch(watched, *RARELY)
    for count in range(1, 6):
        until(lambda count=count: len(server.requests) >= count, "a request")
        watcher.ask_now()

    assert watcher.end() == 0
    assert watcher.moves() == []


def test_it_asks_by_itself(server, shelf, watched, watch):
    watcher = watch(watched, "--interval", "1")
    watcher.err.next("watching")

    point(shelf, OTHER_DOCUMENT)

    watcher.out.next(f"{OLD}\t{NEW}")


@pytest.mark.parametrize(
    "options, moves",
    [
        [[], []],
        [["--from", OLD], []],
        [["--from", NEW], [(NEW, OLD)]],
        [["--from", "absent"], [("-", OLD)]],
    ],
    ids=["nothing", "the_same", "another", "absent"],
)
def test_from_says_what_is_here(server, watched, watch, options, moves):
    watcher = watch(watched, *RARELY, *options)
    watcher.err.next(f"watching {watched}, now at {OLD}")
    watcher.ask_now()
    until(lambda: len(server.requests) >= 2, "the second request")

    watcher.end()

    assert watcher.moves() == moves


@pytest.mark.parametrize(
    "options, moves",
    [[[], []], [["--from", OLD], [(OLD, "-")]], [["--from", "absent"], []]],
    ids=["nothing", "another", "absent"],
)
def test_a_tag_that_is_not_there_at_first(server, shelf, watched, watch, options, moves):
    point(shelf, None)
    watcher = watch(watched, *RARELY, *options)
    assert watcher.err.next("watching").endswith("does not exist yet")
    point(shelf, OTHER_DOCUMENT)
    watcher.ask_now()
    watcher.out.next(f"-\t{NEW}")

    watcher.end()

    assert watcher.moves() == [*moves, ("-", NEW)]


def test_json(server, shelf, watched, watch):
    watcher = watch(watched, *RARELY, "--json", "--from", "absent")
    watcher.out.next("created")
    for document, word in ((OTHER_DOCUMENT, "moved"), (None, "deleted")):
        point(shelf, document)
        watcher.ask_now()
        watcher.out.next(word)

    watcher.end()

    common = {"reference": watched, "status": 0}
    assert [json.loads(line) for line in watcher.out.all()] == [
        {**common, "digest": OLD, "result": "created", "previous": None},
        {**common, "digest": NEW, "result": "moved", "previous": OLD},
        {**common, "digest": None, "result": "deleted", "previous": NEW},
    ]


def test_once_ends_with_the_first_move(server, shelf, watched, watch):
    watcher = watch(watched, *RARELY, "--once")
    watcher.err.next("watching")
    point(shelf, OTHER_DOCUMENT)
    watcher.ask_now()

    assert watcher.status() == 0
    assert watcher.moves() == [(OLD, NEW)]


def test_quiet_tells_moves_and_nothing_else(server, watched, watch):
    watcher = watch(watched, "-q", "--once", "--from", "absent")

    assert watcher.status() == 0
    assert (watcher.moves(), watcher.err.all()) == ([("-", OLD)], [])


def test_verbose_tells_each_ask(server, watched, watch):
    watcher = watch(watched, *RARELY, "-v")
    for _ in range(3):
        watcher.err.next("* checking")
        watcher.err.next("> HEAD /v2/repo/manifests/old")
        watcher.err.next("* checking again in 1 d")
        watcher.ask_now()
        watcher.err.next("* SIGHUP")


# ---- COMMAND


def test_command_gets_to_know_the_move(server, watched, watch, tmp_path):
    script = 'printf "%s\\n" "$REGTAG_IMAGE" "$REGTAG_OLD" "$REGTAG_NEW" "$0" "$@"'
    watcher = watch(
        watched, "--once", "--from", NEW, command=[*shell(script), "zero", "-v", "--", "b"]
    )

    assert watcher.status() == 0
    assert watcher.out.all() == [f"{NEW}\t{OLD}", watched, NEW, OLD, "zero", "-v", "--", "b"]


@pytest.mark.parametrize("appears", [True, False])
def test_nothing_is_empty_for_command(server, shelf, watched, watch, appears):
    if not appears:
        point(shelf, None)
    given = "absent" if appears else OLD
    script = 'echo "[$REGTAG_OLD] [$REGTAG_NEW]"'

    watcher = watch(watched, "--once", "--from", given, command=shell(script))

    assert watcher.status() == 0
    assert watcher.out.all()[1] == (f"[] [{OLD}]" if appears else f"[{OLD}] []")


def test_command_is_run_for_each_move_and_only_then(server, shelf, watched, watch):
    watcher = watch(watched, *RARELY, command=shell('echo "ran $REGTAG_OLD $REGTAG_NEW"'))
    watcher.err.next("watching")
    watcher.ask_now()
    until(lambda: len(server.requests) >= 2, "a request")
    for old, document in ((OLD, OTHER_DOCUMENT), (NEW, THIRD_DOCUMENT)):
        point(shelf, document)
        watcher.ask_now()
        watcher.out.next(f"ran {old} {digest_of(document)}")

    watcher.end()

    assert len(watcher.out.all()) == 4


SECRETS = {"REGTAG_USER": "somebody", "REGTAG_PASSWORD": "secret-1", "REGTAG_TOKEN": ""}


def test_command_gets_nothing_of_ours(server, watched, watch, tmp_path):
    script = "\n".join(
        [
            "env",
            "cat; echo end of stdin",
            "ls -l /proc/self/fd",
            "echo cores $(ulimit -S -c) $(ulimit -H -c)",
            "echo group $(cut -d' ' -f5 /proc/$$/stat) $$",
        ]
    )
    env = {**SECRETS, "ASAN_OPTIONS": "disable_coredump=0"}
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    soft, hard = (one if most == resource.RLIM_INFINITY else min(one, most // 512) for one in (1000, 2000))
    limits = ["sh", "-c", f'ulimit -S -c {soft}; ulimit -H -c {hard}; exec "$@"', "sh"]

    watcher = watch(
        watched, "--once", "--from", "absent", before=limits, command=shell(script), env=env
    )

    assert watcher.status() == 0
    said = watcher.out.all()
    assert not [line for line in said if line.startswith(tuple(SECRETS))]
    assert "secret-1" not in "\n".join(said)
    assert "end of stdin" in said
    files = [line for line in said if " -> " in line]
    assert len(files) == 4, files  # the fourth is the folder that is listed
    assert [line for line in files if line.endswith(" 0 -> /dev/null")]
    assert f"cores {soft} {hard}" in said
    group, pid = next(line for line in said if line.startswith("group ")).split()[1:]
    assert group == pid


def signals(lines):
    return [line for line in lines if line.startswith(("SigBlk", "SigIgn"))]


def test_signals_are_to_command_what_they_usually_are(server, watched, watch):
    command = ["cat", "/proc/self/status"]  # a shell would make it right by itself
    usual = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=usual_signals
    ).stdout

    watcher = watch(watched, "--once", "--from", "absent", command=command)

    assert watcher.status() == 0
    assert len(signals(usual.splitlines())) == 2
    assert signals(watcher.out.all()) == signals(usual.splitlines())


def test_a_reader_that_leaves_ends_command_as_usual(server, watched, watch):
    watcher = watch(watched, "--once", "--from", "absent", command=shell("yes | head -1"))

    assert watcher.status() == 0
    assert watcher.err.all() == [f"regtag: watching {watched}, now at {OLD}"]


def test_a_command_that_fails_is_told_once_and_run_again(server, shelf, watched, watch, tmp_path):
    works = tmp_path / "works"
    script = f'test -e {works} || s=9; echo "ran $REGTAG_OLD $REGTAG_NEW"; exit $s'
    watcher = watch(watched, *RARELY, "--from", "absent", command=shell(script))
    for _ in range(3):
        watcher.out.next(f"ran  {OLD}")
        watcher.ask_now()
    point(shelf, OTHER_DOCUMENT)
    watcher.ask_now()
    watcher.out.next(f"ran  {NEW}")
    works.touch()
    watcher.ask_now()
    watcher.out.next(f"ran  {NEW}")
    watcher.err.next("sh succeeded, after")
    point(shelf, OCI_DOCUMENT)
    watcher.ask_now()
    watcher.out.next(f"ran {NEW} {OLD}")

    watcher.end()

    lines = watcher.out.all()
    assert [line for line in lines if "\t" in line] == [
        f"-\t{OLD}",
        f"{OLD}\t{NEW}",
        f"{NEW}\t{OLD}",
    ]
    told = [line for line in watcher.err.all() if "status 9" in line]
    assert told == ["regtag: sh ended with status 9; it will be run again at the next check"] * 2


def test_a_move_back_to_what_is_here_needs_no_command(server, shelf, watched, watch):
    watcher = watch(watched, *RARELY, command=shell("echo ran; exit 1"))
    watcher.err.next("watching")
    point(shelf, OTHER_DOCUMENT)
    watcher.ask_now()
    watcher.out.next("ran")
    point(shelf, OCI_DOCUMENT)
    watcher.ask_now()
    watcher.out.next(f"{NEW}\t{OLD}")
    watcher.ask_now()
    until(lambda: len(server.requests) >= 4, "a request")

    watcher.end()

    assert watcher.out.all() == [f"{OLD}\t{NEW}", "ran", f"{NEW}\t{OLD}"]


@pytest.mark.parametrize(
    "command, status, word",
    [
        [["true"], 0, None],
        [shell("exit 7"), 7, "status 7"],
        [shell("exit 255"), 255, "status 255"],
        [shell("kill -TERM $$"), 128 + signal.SIGTERM, "signal 15"],
        [["/nowhere/at-all"], 127, "No such file"],
        [["no-program-has-this-name"], 127, "No such file"],
        [["/dev/null"], 126, "Permission denied"],
    ],
    ids=["well", "7", "255", "signal", "no_file", "not_in_path", "no_program"],
)
def test_with_once_the_status_of_command_is_ours(server, watched, watch, command, status, word):
    watcher = watch(watched, "-q", "--once", "--from", "absent", command=command)

    assert watcher.status() == status
    said = watcher.err.all()
    assert len(said) == (0 if word is None else 1), said
    assert word is None or (word in said[0] and command[0] in said[0])


def test_never_two_at_a_time(server, watched, watch, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    watcher = watch(
        watched,
        "--interval",
        "1",
        "--from",
        "absent",
        command=shell(f"echo ran; read -r x <{gate}; exit 1"),
    )
    watcher.out.next("ran")
    asked = len(server.requests)
    for _ in range(20):
        watcher.ask_now()
        assert len(watcher.children()) == 1
    assert len(server.requests) == asked

    with open(gate, "w", encoding="ascii") as go:
        go.write("go\n")
    watcher.out.next("ran")

    assert len(watcher.children()) == 1
    assert len(server.requests) == asked + 1


def test_what_command_leaves_in_the_background_is_not_waited_for(server, watched, watch, tmp_path):
    left = tmp_path / "left"
    script = f"sleep 1000 >/dev/null 2>&1 & echo $! >{left}"
    watcher = watch(watched, "--once", "--from", "absent", command=shell(script))
    try:
        assert watcher.status() == 0
        assert is_alive(int(left.read_text()))
    finally:
        os.kill(int(left.read_text()), signal.SIGKILL)


def test_no_zombies_are_left(server, watched, watch):
    watcher = watch(
        watched, *RARELY, "--from", "absent", command=shell("(exit 0) & echo ran; exit 1")
    )
    for _ in range(5):
        watcher.out.next("ran")
        watcher.ask_now()
    watcher.out.next("ran")

    until(lambda: watcher.children() == [], "the end of all children")


def test_what_is_left_to_it_leaves_no_zombies_either(server, watched, watch):
    """As the first process of a container, it gets everybody's orphans."""

    def adopt():
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    script = "sleep 1000 >/dev/null 2>&1 & echo $!"
    watcher = watch(watched, *RARELY, "--from", "absent", command=shell(script), preexec_fn=adopt)
    watcher.out.next("\t")
    orphan = int(watcher.out.next(""))
    until(lambda: watcher.children() == [orphan], "the orphan")
    os.kill(orphan, signal.SIGKILL)
    until(lambda: not is_alive(orphan), "its end")
    watcher.ask_now()

    until(lambda: watcher.children() == [], "the end of the orphan")


# ---- stdout


def test_without_command_nobody_to_tell_is_the_end(server, watched, watch):
    with open("/dev/full", "wb") as full:
        watcher = watch(watched, "-q", "--from", "absent", stdout=full)

        assert watcher.status() == 1
    assert len(watcher.err.all()) == 1 and "stdout" in watcher.err.seen[0]


def test_with_command_the_job_goes_on_though_nobody_can_be_told(
    server, shelf, watched, watch, tmp_path
):
    ran = tmp_path / "ran"
    with open("/dev/full", "wb") as full:
        watcher = watch(
            watched,
            *RARELY,
            "--from",
            "absent",
            stdout=full,
            command=shell(f'echo "$REGTAG_NEW" >>{ran}'),
        )
        watcher.err.next("stdout", "COMMAND is run")
        until(ran.exists, "COMMAND")
        point(shelf, OTHER_DOCUMENT)
        watcher.ask_now()
        until(lambda: ran.read_text().split() == [OLD, NEW], "COMMAND")

        assert watcher.end() == 0
    assert len([line for line in watcher.err.all() if "stdout" in line]) == 1


def test_a_command_whose_status_is_lost_has_not_succeeded(strace, watched):
    args = ["watch", "--once", "--from", "absent", watched, "--", "true"]
    _, trace = strace(["-e", "trace=wait4"], args)
    assert trace.count("wait4(") == 1

    result, _ = strace(["-e", "trace=wait4", "-e", "inject=wait4:error=ECHILD"], args)

    assert result.status == 126, result


def test_command_does_not_wait_for_the_reader_of_a_line(server, watched, watch, tmp_path):
    ran = tmp_path / "ran"
    told = bytearray()

    def read():
        with suppress(BlockingIOError):
            while piece := os.read(reader, 65536):
                told.extend(piece.replace(b"x", b""))
        return told.decode()

    with full_pipe() as (reader, writer):
        os.set_blocking(reader, False)
        args = [watched, *RARELY, "--timeout", "600", "--from", "absent"]
        watcher = watch(*args, stdout=writer, command=shell(f"touch {ran}"))
        until(ran.exists, "COMMAND")
        assert read() == ""
        watcher.ask_now()
        until(lambda: read() == f"-\t{OLD}\n", "the line")


def test_lines_come_at_once_into_a_file(server, watched, watch, tmp_path):
    with open(tmp_path / "out", "wb") as out:
        watcher = watch(watched, *RARELY, "--from", "absent", stdout=out)
        until(lambda: (tmp_path / "out").read_text() == f"-\t{OLD}\n", "the line")

        assert watcher.end() == 0


def test_inherited_signals_do_not_matter(server, watched, watch):
    """Whoever starts it may ignore or block them."""

    def hinder():
        for one in (signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(one, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD})

    watcher = watch(
        watched,
        *RARELY,
        "--from",
        "absent",
        command=shell("echo ran; exit 1"),
        preexec_fn=hinder,
    )
    watcher.out.next("ran")
    watcher.ask_now()
    watcher.out.next("ran")

    assert watcher.end() == 0


def test_watch_runs_from_a_script(regtag, server, watched):
    """As an update agent would write it."""
    script = 'here=absent; here=$("$1" watch -q --once --from "$here" "$2" | cut -f2); echo "$here"'

    said = subprocess.run(
        ["sh", "-c", script, "sh", regtag.path, watched],
        stdout=subprocess.PIPE,
        env=environment({}),
        timeout=60,
        check=True,
    )

    assert said.stdout.decode() == OLD + "\n"
