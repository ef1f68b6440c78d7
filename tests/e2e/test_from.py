"""tag --from: a line for each image, checked before the first request, on as few connections as can be."""

import os
import signal
import subprocess
import threading
from collections import Counter

import pytest
from accounts import auths
from conftest import OCI_DOCUMENT
from fake import CLOSE, STALL, Shelf, answer
from images import OCI_MANIFEST, compact, digest_of, oci_manifest
from memory import LEAVE_OUT_OF_TRACE, measure
from program import LONG, environment
from recorder import Recorder
from test_memory import ROOM
from token_server import Tokens, parameters, password_gate, secret, token_gate

pytest_plugins = ["account_fixtures"]
USER = "somebody"
KEPT = 64 * 1024
LINE = 4096
REMEMBERED = 3840  # targets
DOCUMENTS = [compact(oci_manifest(annotations={"which": str(number)})) for number in range(3)]


@pytest.fixture
def write(tmp_path):
    """Writes lines into a file, and returns its path."""

    def to_file(*lines, end="\n", name="list"):
        path = tmp_path / name
        path.write_bytes("".join(line + end for line in lines).encode())
        return path

    return to_file


@pytest.fixture
def rich(shelf):
    """A shelf with several repositories, team/0 to team/2, each with an image "old"."""
    for number, one in enumerate(DOCUMENTS):
        shelf.put(f"team/{number}", "old", OCI_MANIFEST, one)
    return shelf


@pytest.fixture
def server(serve, rich):
    return serve(rich)


def told(result):
    """The tags and what became of them, in order."""
    return [(row[0].partition("/")[2], row[2]) for row in result.rows]


# ---- A real registry


def test_lines_are_done_in_order_on_one_connection(regtag, registry, write):
    with Recorder(registry.port) as recorder:
        for number, one in enumerate(DOCUMENTS):
            registry.push_image(f"from/{number}", "old", OCI_MANIFEST, one)
        path = write(
            "# image    tags",
            f"{recorder.host}/from/0:old stable 2026-11",
            "",
            f"\t{recorder.host}/from/1:old\tstable  # and no other",
            f"{recorder.host}/from/2@{digest_of(DOCUMENTS[2])} stable",
            f"{recorder.host}/from/0:stable last",
        )

        result = regtag("tag", "--from", path)

        digests = [digest_of(one) for one in DOCUMENTS]
        names = ["0:stable", "0:2026-11", "1:stable", "2:stable", "0:last"]
        assert result.rows == [
            (f"{recorder.host}/from/{name}", digests[int(name[0])], "created", "-") for name in names
        ]
        assert (result.status, result.err) == (0, b"")
        assert recorder.connections == 1
        assert [registry.digest("from/" + name.split(":")[0], name.split(":")[1]) for name in names] == [
            digests[int(name[0])] for name in names
        ]


def test_a_failed_line_does_not_stop_the_next_ones(regtag, registry, repository, write):
    with Recorder(registry.port) as recorder:
        image = f"{recorder.host}/{repository}"
        path = write(f"{image}:missing a", f"{image}:old b", f"{recorder.host}/none:1 c d", f"{image}:old e")

        result = regtag("tag", "--from", path)

        assert result.status == 3
        assert [row[2] for row in result.rows] == ["failed", "created", "failed", "failed", "created"]
        assert [row[0].rpartition(":")[2] for row in result.rows] == list("abcde")
        assert recorder.connections == 1


def test_the_status_is_that_of_the_first_failed_name(regtag, server, other, write):
    host = server.host
    path = write(f"{host}/team/0:old a", f"{host}/team/1:old old", f"{host}/none:1 b")

    result = regtag("tag", "--from", path, "--expect", f"old={other}")

    assert result.status == 12
    assert told(result) == [("team/0:a", "created"), ("team/1:old", "failed"), ("none:b", "failed")]


# ---- The wire


def test_tokens_last_as_long_as_the_repository_is_the_same(account, serve, rich, write):
    tokens = Tokens()
    auth = serve(tokens)
    server = serve(token_gate(rich, tokens, auth))
    tokens.accounts[USER] = secret("password")
    account.docker_config(auths(server.host, USER, tokens.accounts[USER]))
    lines = [f"{server.host}/team/{number}:old {name}" for number, name in zip("0001102", "abcdefg")]

    result = account("tag", "--from", write(*lines))

    assert (result.status, result.err) == (0, b"")
    scopes = [parameters(request.query)["scope"] for request in auth.requests]
    assert scopes == [f"repository:team/{number}:pull,push" for number in "0102"]
    assert server.connections == auth.connections == 1
    for request in server.requests:
        assert request.value("Authorization") is None or tokens.allows(
            request.value("Authorization"), request.path.split("/manifests/")[0][4:], "push"
        )


def test_a_password_is_for_its_own_registry(account, serve, rich, write):
    passwords = [secret("password"), secret("password")]
    servers = [serve(password_gate(rich, USER, password)) for password in passwords]
    first, second = (one.host for one in servers)
    entries = {host: auths(host, USER, password)["auths"][host] for host, password in zip((first, second), passwords)}
    account.docker_config({"auths": entries})
    lines = [f"{first}/team/0:old a", f"{second}/team/0:old b", f"{first}/team/0:old c", f"{second}/team/1:old d"]

    result = account("tag", "--from", write(*lines))

    assert (result.status, result.err) == (0, b"")
    assert [one.connections for one in servers] == [2, 2]
    sent = [{request.value("Authorization") for request in one.requests} - {None} for one in servers]
    assert len(sent[0]) == len(sent[1]) == 1 and sent[0] != sent[1]


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_a_wrong_password_is_not_sent_with_each_line(account, serve, rich, write, kind):
    tokens = Tokens()
    auth = serve(tokens)
    gate = password_gate(rich, USER, secret("password")) if kind == "basic" else token_gate(rich, tokens, auth)
    server = serve(gate)
    account.docker_config(auths(server.host, USER, secret("wrong")))

    result = account("tag", "--from", write(*(f"{server.host}/team/0:old v{number}" for number in range(20))))

    assert result.status == 4
    assert [row[2] for row in result.rows] == ["failed"] * 20
    tried = server.requests if kind == "basic" else auth.requests
    # As often as by a single line, which may look for its tag at the same time.
    assert len([one for one in tried if one.value("Authorization")]) in (1, 2)


def test_a_connection_that_was_closed_meanwhile_is_opened_again(regtag, serve, rich, write):
    """The registry closes each connection behind its third answer, and does not say so before."""
    answers = Counter()

    def respond(request):
        answers[request.connection] += 1
        return [rich(request), *([] if answers[request.connection] % 3 else [CLOSE])]

    server = serve(respond)
    path = write(*(f"{server.host}/team/0:old v{number}" for number in range(10)))

    result = regtag("tag", "--from", path)

    assert (result.status, result.err) == (0, b"")
    assert len(server.uploads) == 10


def test_a_registry_that_cannot_be_reached_is_tried_once(regtag, server, dead_port, write):
    dead = f"127.0.0.1:{dead_port}"
    path = write(f"{dead}/a:1 b", f"{dead}/a:1 c", f"{dead}/d:1 e", f"{server.host}/team/0:old f", f"{dead}/a:1 g")

    result = regtag("tag", "--from", path)

    assert result.status == 5
    assert [row[2] for row in result.rows] == ["failed"] * 3 + ["created", "failed"]
    connecting, again, later = result.complaints
    assert f"{dead} was not tried again" in again
    assert connecting.partition("/")[2] != later and "refused" in connecting and "refused" in later


# ---- The file


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("how", ["file", "stdin", "fifo"])
def test_where_lines_come_from(regtag, server, write, tmp_path, end, how):
    path = write(f"{server.host}/team/0:old a", "", f"{server.host}/team/1:old b", end=end)
    path.write_bytes(path.read_bytes().rstrip())  # the last line has no end
    args = ["tag", "--from", path if how == "file" else "-"]
    if how == "fifo":
        os.mkfifo(tmp_path / "fifo")
        writer = threading.Thread(target=(tmp_path / "fifo").write_bytes, args=[path.read_bytes()])
        writer.start()
        args[2] = tmp_path / "fifo"

    with open(path, "rb") as lines:
        result = regtag(*args, stdin=lines)

    if how == "fifo":
        writer.join()
    assert (result.status, result.err) == (0, b"")
    assert told(result) == [("team/0:a", "created"), ("team/1:b", "created")]


def test_64_kib_of_standard_input_are_kept(regtag, server):
    line = f"{server.host}/team/0:old a\n"
    text = "#\n" * ((KEPT - len(line)) // 2)
    text += "\n" * (KEPT - len(line) - len(text)) + line

    whole = piped(regtag, text)
    more = piped(regtag, "\n" + text)

    assert (whole.status, told(whole)) == (0, [("team/0:a", "created")])
    assert (more.status, more.out) == (2, b"")
    more.complaint("--from -: more than 64 KiB", "use a file")


def piped(regtag, text, *args, **options):
    with subprocess.Popen(["printf", "%s", text], stdout=subprocess.PIPE) as source:
        return regtag("tag", "--from", "-", *args, stdin=source.stdout, **options)


@pytest.mark.parametrize(
    "bad, words",
    [
        ("HOST/team/0:old", "a tag must follow the image"),
        ("HOST/team/0:old a -b", '"-b" is not a tag'),
        ("HOST/team/0:old a/b", "leave out the repository"),
        ("HOST/TEAM:old a", "TEAM"),
        ("HOST/team/0:old a\0b", "NUL"),
        ("HOST/team/0:old a\rb", "not a tag"),
        ("HOST/team/0@sha512:" + 128 * "0" + " a", "sha256"),
        ("HOST/team/0:old " + "a" * LINE, "4096 bytes"),
        ("HOST/team/0:old good", "team/0:good is to be set more than once"),
        ("HOST/team/0:other good", "team/0:good is to be set more than once"),
        ("HOST/team/0:old a b a", "team/0:a is to be set more than once"),
    ],
)
def test_a_bad_line_is_named_before_anything_is_sent(regtag, server, write, bad, words):
    path = write(f"{server.host}/team/0:old good", "# fine", bad.replace("HOST", server.host), "x y")

    result = regtag("tag", "--from", path)

    assert (result.status, result.out) == (2, b"")
    result.complaint(f"{path}:3: ", words)
    assert server.connections == 0


def test_a_line_of_standard_input_is_named_as_well(regtag):
    result = piped(regtag, "a b\nc")

    assert result.status == 2
    result.complaint("standard input:2: a tag must follow the image")


def test_the_longest_line(regtag, server, write):
    image = f"{server.host}/team/0:old"
    names = [f"v{number:03}" for number in range((LINE - len(image)) // 5)]
    line = " ".join([image, *names])
    line += "#" * (LINE - len(line))

    result = regtag("tag", "--from", write(line))

    assert result.status == 0
    assert told(result) == [(f"team/0:{name}", "created") for name in names]


@pytest.mark.parametrize("lines", [[], ["", "# nothing", "  "]], ids=["empty", "comments"])
def test_no_lines_are_nothing_to_do(regtag, write, lines):
    path = write(*lines)

    result = regtag("tag", "--from", path, "--expect", "stable=absent")

    assert (result.status, result.out) == (0, b"")
    result.complaint(f"{path} has no lines; nothing was done")
    assert regtag("tag", "-q", "--from", path).err == b""


@pytest.mark.parametrize("what", ["missing", "folder", "argument", "both_read_stdin", "empty"])
def test_what_cannot_be_read(regtag, tmp_path, write, what):
    args, words = {
        "missing": ([tmp_path / "none"], "no such file"),
        "folder": ([tmp_path], "not a file"),
        "argument": ([write("a b"), "c:1", "d"], "in the file, not among the arguments"),
        "both_read_stdin": (["-", "--user", "me", "--password-stdin"], "both read stdin"),
        "empty": ([""], "--from is empty"),
    }[what]

    result = regtag("tag", "--from", *args)

    assert (result.status, result.out) == (2, b"")
    result.complaint(words)


def test_a_file_that_was_changed_ends_the_run(regtag, serve, rich, write):
    lines = [f"HOST/team/0:old v{number}" for number in range(9)]

    def respond(request):
        if request.path.endswith("/v3"):
            path.write_bytes(path.read_bytes() + b"and more\n")
        return rich(request)

    server = serve(respond)
    path = write(*(line.replace("HOST", server.host) for line in lines))

    result = regtag("tag", "--from", path)

    assert result.status == 1
    assert told(result) == [(f"team/0:v{number}", "created") for number in range(4)]
    result.complaint(f"{path}:5: the file was changed meanwhile; this line and the next ones were not run")


# ---- Guards, journal, and what else tag can do


def test_a_guard_is_for_its_name_in_every_line(regtag, server, rich, write):
    rich.put("team/1", "stable", OCI_MANIFEST, OCI_DOCUMENT)
    path = write(*(f"{server.host}/team/{number}:old stable new" for number in range(3)))

    result = regtag("tag", "--from", path, "--expect", "stable=absent")

    assert result.status == 12
    outcomes = ["created", "created", "failed", "created", "created", "created"]
    assert [row[2] for row in result.rows] == outcomes
    assert rich.document("team/1", "stable") == OCI_DOCUMENT


@pytest.mark.parametrize(
    "guard, words", [("c=absent", "no line has this tag"), ("a=wrong", "must be DIGEST")]
)
def test_a_guard_that_cannot_hold_is_refused_at_once(regtag, server, write, guard, words):
    result = regtag("tag", "--from", write(f"{server.host}/team/0:old a"), "--expect", guard)

    assert (result.status, server.connections) == (2, 0)
    assert str(write()) not in result.complaint(guard, words)


def test_no_line_moves_a_tag_with_no_clobber(regtag, server, write):
    path = write(f"{server.host}/team/0:old old new", f"{server.host}/team/1:old new")

    result = regtag("tag", "--no-clobber", "--json", "--from", path)

    assert result.status == 12
    assert [one["result"] for one in result.objects] == ["failed", "created", "created"]


def test_one_password_is_not_sent_to_two_registries(account, serve, rich, write):
    servers = [serve(rich), serve(rich)]
    path = write(*(f"{one.host}/team/0:old a" for one in servers))

    result = account("tag", "--from", path, env={"REGTAG_USER": USER, "REGTAG_PASSWORD": secret("password")})

    assert result.status == 2
    result.complaint(f"{path}:2: ", "one registry, not for both")
    assert [one.connections for one in servers] == [0, 0]


def test_a_dry_run_changes_nothing(regtag, server, write):
    path = write(f"{server.host}/team/0:old a", f"{server.host}/team/1:old b")

    result = regtag("tag", "--dry-run", "--from", path)

    assert told(result) == [("team/0:a", "created"), ("team/1:b", "created")]
    result.complaint("--dry-run: nothing was changed")
    assert server.uploads == []


def test_one_journal_for_all_lines_can_be_undone(regtag, server, rich, write, tmp_path):
    before = dict(rich.manifests)
    moves = tmp_path / "moves"
    rich.put("team/1", "a", OCI_MANIFEST, OCI_DOCUMENT)
    path = write(*(f"{server.host}/team/{number}:old a" for number in range(3)))

    assert regtag("tag", "--journal", moves, "--from", path).status == 0
    undone = regtag("undo", moves)

    assert [row[2] for row in undone.rows] == ["deleted", "moved", "deleted"]
    assert {key for key in rich.manifests if key[1] == "a"} == {("team/1", "a")}
    assert rich.document("team/1", "a") == OCI_DOCUMENT
    assert before.items() <= rich.manifests.items()


def test_a_run_that_is_ended_leaves_a_journal_of_what_was_done(regtag, serve, rich, write, tmp_path):
    asked = threading.Event()

    def respond(request):
        if request.method == "PUT" and "/team/2/" in request.path:
            asked.set()
            return [STALL]
        return rich(request)

    server = serve(respond)
    moves = tmp_path / "moves"
    path = write(*(f"{server.host}/team/{number}:old a" for number in range(3)))
    command = regtag.command("tag", "--journal", moves, "--from", path)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment({})) as process:
        assert asked.wait(60)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)

    assert process.returncode == -signal.SIGTERM
    assert [line.split(b"\t")[2] for line in out.splitlines()] == [b"created", b"created"]
    undone = regtag("undo", moves)
    assert undone.status == 0
    assert [row[2] for row in undone.rows] == ["unchanged", "deleted", "deleted"]


def test_every_line_is_told_when_time_is_up(regtag, serve, write):
    server = serve(lambda request: [STALL])
    path = write(*(f"{server.host}/team/0:old v{number}" for number in range(50)))

    result = regtag("tag", "--timeout", "1", "--from", path)

    assert result.status == 6
    assert [row[2] for row in result.rows] == ["failed"] * 50
    told = [f"{server.host}/team/0:old: ", "no time was left for any more tags"]
    for line, part in zip(result.complaints, told, strict=True):
        assert part in line


# ---- Many lines


def many(host, count):
    return [f"{host}/repo:old v{number}" for number in range(count)]


def test_a_target_named_twice_is_seen_among_the_first(regtag, write):
    lines = many("127.0.0.1:1", REMEMBERED)

    result = regtag("tag", "--from", write(*lines, lines[-1]))

    assert result.status == 2
    result.complaint(f":{REMEMBERED + 1}: ", f"v{REMEMBERED - 1} is to be set more than once")


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=LONG)])
def test_many_lines_need_no_more_memory_than_ten(regtag, serve, write, tmp_path, count):
    server = serve(NoMemory())
    peaks = []
    for number in (10, count):
        command = regtag.command("tag", "--from", write(*many(server.host, number)))
        with open(tmp_path / "out", "wb") as out:
            peaks.append(measure(command, out, environment(LEAVE_OUT_OF_TRACE)))
        assert peaks[-1].status == 0
        assert len((tmp_path / "out").read_text().splitlines()) == number

    assert peaks[1].own - peaks[0].own < ROOM, peaks
    assert server.connections == 2


class NoMemory(Shelf):
    """Every tag but "old" is always absent, so that each run does the same."""

    def __init__(self):
        super().__init__()
        self.put("repo", "old", OCI_MANIFEST, OCI_DOCUMENT)

    def usual(self, request):
        if request.method == "PUT":
            return answer(201, b"", f"Docker-Content-Digest: {digest_of(request.body)}")
        return super().usual(request)
