"""stdin, stdout and stderr that are closed, full, or have nobody at the other end."""

import os
import re
import signal
import subprocess

import pytest
from images import digest_of
from program import environment, full_pipe

VERBS = {
    "tag": lambda image: ["tag", f"{image}:old", "new"],
    "tag_json": lambda image: ["tag", "--json", f"{image}:old", "new"],
    "ls": lambda image: ["ls", image],
    "digest": lambda image: ["digest", f"{image}:old"],
    "manifest": lambda image: ["manifest", f"{image}:old"],
}


def with_shell(regtag, redirection, *args):
    """Runs the program with streams that only a shell can make."""
    return regtag.run(["sh", "-c", f'exec "$@" {redirection}', "sh", *regtag.command(*args)])


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("redirection", [">&-", "<&- >&-"], ids=["stdout", "stdin_too"])
def test_a_closed_stdout_is_told(regtag, registry, recorder, repository, verb, redirection):
    args = VERBS[verb](f"{recorder.host}/{repository}")

    result = with_shell(regtag, redirection, *args)

    assert result.status == 1, result
    result.complaint("stdout")
    assert {request.method for request in recorder.requests} <= {"GET", "HEAD", "PUT"}
    assert registry.digest(repository, "new") in (None, registry.digest(repository, "old"))


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_stdout_is_told(regtag, registry, recorder, repository, verb):
    args = VERBS[verb](f"{recorder.host}/{repository}")

    result = with_shell(regtag, ">/dev/full", *args)

    assert result.status == 1, result
    assert ("stays done" in result.complaint("stdout", "incomplete")) == (args[0] == "tag")
    assert {request.method for request in recorder.requests} <= {"GET", "HEAD", "PUT"}
    assert registry.digest(repository, "new") in (None, registry.digest(repository, "old"))


@pytest.mark.parametrize("verb", ["digest", "fetch", "save"])
def test_a_full_stdout_does_not_hide_what_has_failed_before(regtag, registry, repository, tmp_path, verb):
    image = f"{registry.host}/{repository}:nothing"
    output = [] if verb == "digest" else ["-o", tmp_path / "file"]

    result = with_shell(regtag, ">/dev/full", verb, "--json", image, *output)

    assert result.status == 3, result
    said, also = result.complaints
    assert f"{image}: no such image" in said and "cannot write to stdout" in also


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["help", "tag"]], ids=" ".join)
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"], ids=["closed", "full"])
def test_help_that_cannot_be_written_is_told(regtag, args, redirection):
    result = with_shell(regtag, redirection, *args)

    assert result.status == 1
    result.complaint("stdout")


@pytest.mark.parametrize("verb", VERBS)
def test_a_closed_stdin_does_not_matter(regtag, recorder, repository, verb):
    result = with_shell(regtag, "<&-", *VERBS[verb](f"{recorder.host}/{repository}"))

    assert (result.status, result.err) == (0, b"")
    assert result.out
    assert recorder.requests


@pytest.mark.parametrize("redirection", ["2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_words_for_a_closed_stderr_go_nowhere_else(regtag, registry, recorder, redirection):
    result = with_shell(regtag, redirection, "tag", "-v", f"{recorder.host}/no/such:image", "new")

    assert result.status in ((1, 3) if ">&- " in redirection else (3,)), result
    assert result.err == b""
    assert "PUT" not in [request.method for request in recorder.requests]


def test_a_closed_stderr_does_not_stop_a_tag(regtag, registry, recorder, repository):
    image = f"{recorder.host}/{repository}"

    result = with_shell(regtag, "2>&-", "tag", "-v", f"{image}:old", "new")

    assert result.status == 0, result
    assert result.rows == [(f"{image}:new", registry.digest(repository, "old"), "created", "-")]
    assert [request.method for request in recorder.requests] == ["GET", "HEAD", "PUT"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_reader_that_has_gone_is_not_success(regtag, registry, repository, verb):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = regtag.command(*VERBS[verb](f"{registry.host}/{repository}"))
        result = regtag.run(command, stdout=writer)
    finally:
        os.close(writer)

    assert result.status in (1, -signal.SIGPIPE)
    if result.status == 1:
        result.complaint("stdout")
    assert registry.digest(repository, "new") in (None, registry.digest(repository, "old"))


def test_stdin_is_left_alone(regtag, registry, repository):
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "wb") as sink:
        sink.write(b"for somebody else\n")
        sink.flush()
        result = regtag("tag", f"{registry.host}/{repository}:old", "new", stdin=source)
        sink.close()
        left = source.read()

    assert result.status == 0
    assert left == b"for somebody else\n"


def test_a_file_as_stdout_is_complete(regtag, registry, repository, tmp_path):
    target = tmp_path / "out"
    with open(target, "wb") as out:
        result = regtag("manifest", f"{registry.host}/{repository}:old", stdout=out)

    assert result.status == 0
    assert target.read_bytes() == registry.fetch(repository, "old")[2]


def test_a_reader_that_is_slow_gets_all(regtag, serve, shelf):
    names = [f"tag-number-{number}" for number in range(20000)]
    body = ('{"tags":["' + '","'.join(names) + '"]}').encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    server = serve(lambda request: head + body)
    with subprocess.Popen(
        [regtag.path, "ls", "--timeout", "100", f"{server.host}/repo"],
        stdout=subprocess.PIPE,
        env=environment({}),
    ) as process:
        out = b""
        while piece := os.read(process.stdout.fileno(), 100 if len(out) < 5000 else 65536):
            out += piece
        status = process.wait(60)

    assert status == 0
    assert out.decode().split() == names


# ---- Nobody reads


@pytest.fixture
def unread():
    """What somebody could read, but nobody does."""
    with full_pipe() as (_, writer):
        yield writer


SOON = ["--timeout", "1"]


def test_an_answer_that_nobody_reads_is_given_up_at_the_deadline(
    regtag, serve, shelf, tmp_path, unread, other
):
    """Of every verb, all at once; what has failed before keeps its own status."""
    host = serve(shelf).host
    moves = f"2026-11-23T12:31:28Z\t{host}/repo:mv\t{other}\t{digest_of(b'')}\tmoved\n"
    (tmp_path / "moves").write_text(moves)
    runs = {
        ("tag", f"{host}/repo:old", "new"): 1,
        ("tag", "--json", f"{host}/repo:old", "newer"): 1,
        ("tag", f"{host}/repo:nothing", "new"): 3,
        ("ls", f"{host}/repo"): 1,
        ("digest", f"{host}/repo:old"): 1,
        ("digest", "--json", f"{host}/repo:nothing"): 3,
        ("manifest", f"{host}/repo:old"): 1,
        ("delete", f"{host}/repo:nothing"): 3,
        ("watch", "--once", "--from", "absent", f"{host}/repo:old"): 1,
        ("undo", str(tmp_path / "moves")): 3,
        ("tag", "--help"): 1,
    }

    started = [
        subprocess.Popen(
            regtag.command(args[0], *SOON, *args[1:]), stdout=unread, stderr=subprocess.PIPE
        )
        for args in runs
    ]

    for (args, status), process in zip(runs.items(), started, strict=True):
        err = process.communicate(timeout=30)[1].decode()
        assert process.returncode == status, (args, err)
        assert re.search(r"stdout: nobody read .*--timeout", err), (args, err)


def test_an_answer_that_nobody_reads_keeps_nothing_from_being_done(regtag, serve, shelf, unread):
    server = serve(shelf)
    names = [f"tag{number}" for number in range(12)]

    result = regtag("tag", *SOON, f"{server.host}/repo:old", *names, stdout=unread)

    assert result.status == 1, result
    result.complaint("stdout", "stays done", "incomplete")
    assert all(shelf.document("repo", name) for name in names)


def test_words_that_nobody_reads_are_given_up(regtag, serve, shelf, unread, document):
    """And do not keep the rest from being done, nor are they waited for again and again."""
    host = serve(shelf).host
    runs = {
        ("digest", "-v", f"{host}/repo:old"): (0, digest_of(document) + "\n"),
        ("digest", f"{host}/repo:nothing"): (3, ""),
        ("digest", "--no-such-option"): (2, ""),
    }

    started = [
        subprocess.Popen(
            regtag.command(args[0], "--timeout", "4", *args[1:]),
            stdout=subprocess.PIPE,
            stderr=unread,
            text=True,
        )
        for args in runs
    ]

    for (args, wanted), process in zip(runs.items(), started, strict=True):
        out = process.communicate(timeout=30)[0]
        assert (process.returncode, out) == wanted, args
