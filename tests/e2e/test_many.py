"""A hundred names and more at once: over several connections, with many requests in flight on each.

What becomes of them where answers break, are late or do not match is in tests/unit/test_pipelines.c.
"""

import contextlib
import os
import signal
import threading
import time

import pytest
from fake import CLOSE, answer, errors
from fronts import Nginx, needs_tls, reached
from images import DOCKER_MANIFEST, OCI_MANIFEST, compact, digest_of, docker_manifest
from program import environment
from proxies import Squid
from races import end, start
from token_server import secret

pytest_plugins = ["account_fixtures", "tls_fixtures"]

MANY = [f"v{number:03}" for number in range(100)]
ELSEWHERE, THERE, ABSENT = 0, 1, 2  # where every third of them is before
WORDS = ["moved", "unchanged", "created"]
JOBS_MAX = 17
NAME = "registry.test"


def third(name):
    return int(name[1:]) % 3


@pytest.fixture
def many(shelf, document, other_document):
    for name in MANY:
        if third(name) != ABSENT:
            there = document if third(name) == THERE else other_document
            shelf.put("repo", name, OCI_MANIFEST, there)
    return shelf


def expect_all(result, host, document, other, names=MANY):
    """A line each in the order given, and all of it true."""
    assert (result.status, result.err) == (0, b""), result
    past = [digest_of(other), digest_of(document), "-"]
    assert result.rows == [
        (f"{host}:{name}", digest_of(document), WORDS[third(name)], past[third(name)]) for name in names
    ]


# ---- Names


@pytest.mark.parametrize("jobs", [1, 4, JOBS_MAX])
def test_a_hundred_names_are_set(regtag, serve, many, document, other_document, jobs):
    server = serve(many)

    result = regtag("tag", "--jobs", jobs, f"{server.host}/repo:old", *MANY)

    expect_all(result, f"{server.host}/repo", document, other_document)
    assert all(many.document("repo", name) == document for name in MANY)
    assert sorted(server.request_lines) == sorted(
        ["GET /v2/repo/manifests/old"]
        + [f"HEAD /v2/repo/manifests/{name}" for name in MANY]
        + [f"PUT /v2/repo/manifests/{name}" for name in MANY if third(name) != THERE]
    )
    assert server.connections == jobs


@pytest.mark.parametrize("jobs", [1, 4, JOBS_MAX])
def test_a_registry_takes_a_hundred_names(regtag, registry, repository, jobs):
    other = compact({**docker_manifest(), "annotations": {"which": "the other"}})
    document = registry.fetch(repository, "old")[2]
    for name in MANY:
        if third(name) != ABSENT:
            there = document if third(name) == THERE else other
            registry.push(repository, name, DOCKER_MANIFEST, there)
    image = f"{registry.host}/{repository}"

    # docker-registry has 500 for a manifest that is being written under another tag.
    result = regtag("tag", "--jobs", jobs, f"{image}:old", *MANY, retries=20)

    expect_all(result, image, document, other)
    assert {registry.digest(repository, name) for name in MANY} == {digest_of(document)}


@pytest.mark.parametrize("jobs", ["18", "0", "-1", "x", "4x", "", "99999999999999999999"])
@pytest.mark.parametrize("verb", ["tag", "ls"])
def test_there_are_only_so_many_connections(regtag, serve, shelf, verb, jobs):
    server = serve(shelf)
    more = [f"{server.host}/repo:old", "new"] if verb == "tag" else [f"{server.host}/repo"]

    result = regtag(verb, "--jobs", jobs, *more)

    assert result.status == 2, result
    result.complaint("--jobs")
    assert server.requests == []


def test_one_name_takes_one_connection(regtag, serve, shelf):
    server = serve(shelf)

    assert regtag("tag", f"{server.host}/repo:old", "new").status == 0

    assert [line.split()[0] for line in server.request_lines] == ["GET", "HEAD", "PUT"]
    assert server.connections == 1


def test_the_status_is_that_of_the_first_that_failed(regtag, serve, many, document):
    """In the order given, though it fails last of all; all others are set."""
    refusals = {"v009": answer(401), "v030": errors(403, "DENIED"), "v060": errors(400, "TAG_INVALID")}

    def put(request):
        name = request.path.rpartition("/")[2]
        if name == "v009":
            time.sleep(0.3)
            return errors(413, "TOO_LARGE")
        return refusals.get(name) or many.usual(request)

    many.instead["PUT"] = put
    server = serve(many)

    result = regtag("tag", f"{server.host}/repo:old", *MANY)

    first = regtag("tag", f"{server.host}/repo:old", "v009")
    assert result.status == first.status != 0, (result, first)
    failed = [row[0].rpartition(":")[2] for row in result.rows if row[2] == "failed"]
    assert failed == ["v009", "v030", "v060"]
    assert [row[0].rpartition(":")[2] for row in result.rows] == MANY
    assert len(result.complaints) == 3
    for name in set(MANY) - set(failed):
        assert many.document("repo", name) == document


def test_lines_come_as_soon_as_they_are_in_turn(regtag, serve, many):
    """The last upload waits until the first line has been read."""
    told = threading.Event()

    def put(request):
        if request.path.endswith("/v099"):
            told.wait(20)
        return many.usual(request)

    many.instead["PUT"] = put
    server = serve(many)
    process = start(regtag.command("tag", f"{server.host}/repo:old", *MANY), env=environment({}))
    with contextlib.ExitStack() as stack:
        stack.callback(process.kill)
        line = process.stdout.readline()
        told.set()
        out, err = process.stdout.read(), process.stderr.read()
        process.wait(60)

    assert line.startswith(f"{server.host}/repo:v000\t".encode())
    assert (process.returncode, err, len(out.splitlines())) == (0, b"", 99)


@pytest.mark.parametrize("after", [1, 2, 7, 16, 40])
def test_a_registry_that_closes_now_and_then(regtag, serve, many, document, other_document, after):
    """Without a word, whatever has been sent behind that."""
    count = {}

    def respond(request):
        count[request.connection] = count.get(request.connection, 0) + 1
        usual = many(request)
        return [usual, CLOSE] if count[request.connection] == after else usual

    server = serve(respond)

    result = regtag("tag", f"{server.host}/repo:old", *MANY)

    expect_all(result, f"{server.host}/repo", document, other_document)


# ---- Digests

TAGS = [f"v{number:03}" for number in range(150)]


@pytest.fixture
def tags(shelf, document, other_document):
    for name in TAGS:
        shelf.put("repo", name, OCI_MANIFEST, other_document if third(name) else document)
    return shelf


def lines_of(shelf, **instead):
    found = {tag: digest_of(shelf.document("repo", tag)) for tag in shelf.tags("repo")}
    return [f"{tag}\t{digest}" for tag, digest in {**found, **instead}.items()]


@pytest.mark.parametrize("jobs", [1, 4, JOBS_MAX])
def test_the_digests_of_all_tags(regtag, serve, tags, jobs):
    server = serve(tags)

    result = regtag("ls", "--digests", "--jobs", jobs, f"{server.host}/repo")

    assert (result.status, result.err) == (0, b""), result
    assert result.lines == lines_of(tags)
    heads = [f"HEAD /v2/repo/manifests/{tag}" for tag in tags.tags("repo")]
    assert sorted(server.request_lines[1:]) == sorted(heads)
    assert server.connections <= jobs


def test_the_digests_of_a_registry(regtag, registry, repository):
    for name in TAGS:
        one = compact({**docker_manifest(), "annotations": {"which": str(third(name))}})
        registry.push(repository, name, DOCKER_MANIFEST, one)

    result = regtag("ls", "--digests", f"{registry.host}/{repository}")

    assert (result.status, result.err) == (0, b""), result
    told = dict(line.split("\t") for line in result.lines)
    assert list(told) == regtag("ls", f"{registry.host}/{repository}").lines
    assert sorted(told) == sorted([*TAGS, "old"])
    for name in ("old", "v000", "v001", "v074", "v149"):
        assert told[name] == registry.digest(repository, name)


def test_digests_in_json(regtag, serve, tags):
    tags.hide("v007", errors(404, "MANIFEST_UNKNOWN"))
    server = serve(tags)

    result = regtag("ls", "--digests", "--json", f"{server.host}/repo")

    assert result.status == 0, result
    expected = [line.split("\t") for line in lines_of(tags, v007="")]
    assert [(one["reference"], one["tag"], one["digest"] or "") for one in result.objects] == [
        (f"{server.host}/repo:{tag}", tag, digest) for tag, digest in expected
    ]


def test_a_tag_that_has_vanished_is_no_failure(regtag, serve, tags):
    listed = tags.tags("repo")

    def get(request):
        found = tags.usual(request)
        if request.path.endswith("/tags/list"):
            tags.remove("repo", "v042")
        return found

    tags.instead["GET"] = get
    server = serve(tags)

    result = regtag("ls", "--digests", f"{server.host}/repo")

    assert (result.status, result.err) == (0, b""), result
    told = dict(line.split("\t") for line in result.lines)
    assert list(told) == listed
    assert [tag for tag, digest in told.items() if digest == "-"] == ["v042"]


@pytest.mark.parametrize("first, second", [("v020", "v050"), ("v013", "v014")])
def test_tags_that_cannot_be_looked_up_set_the_status(regtag, serve, tags, first, second):
    """That of the first in the list, with a line each on stderr; two of them are answered together."""
    tags.hide(second, errors(500, "UNKNOWN"))
    tags.hide(first, errors(403, "DENIED"))
    server = serve(tags)

    result = regtag("ls", "--digests", f"{server.host}/repo")

    assert result.status == 4, result
    assert result.lines == lines_of(tags, **{first: "-", second: "-"})
    for line, tag, code in zip(result.complaints, [first, second], ["DENIED", "500"], strict=True):
        assert f"{server.host}/repo:{tag}" in line
        assert code in line


@pytest.mark.parametrize("limit", [1, 16, 17, 149])
def test_only_so_many_digests(regtag, serve, tags, limit):
    server = serve(tags)

    result = regtag("ls", "--digests", "--limit", limit, f"{server.host}/repo")

    assert result.status == 0, result
    assert result.lines == lines_of(tags)[:limit]
    assert len(server.requests) == 1 + limit


# ---- Killed

def journal_of(path):
    """Reference, old and new digest and outcome of each line."""
    text = path.read_text() if path.exists() else ""
    assert not text or text.endswith("\n")
    return [tuple(line.split("\t")[1:]) for line in text.splitlines()]


@pytest.mark.parametrize("puts", [0, 1, 5, 20, 40, 66])
def test_a_run_that_is_killed_can_be_undone(
    regtag, serve, many, document, other_document, tmp_path, puts
):
    """The registry kills it when so many names are set; the others are in flight then."""
    journal = tmp_path / "moves"
    before = {name: many.document("repo", name) for name in MANY}
    process = []
    ready = threading.Event()
    lock = threading.Lock()
    count = [0]

    def put(request):
        ready.wait(20)
        with lock:
            count[0] += 1
            if count[0] == puts + 1:
                process[0].kill()
            if count[0] % 5 == 0:
                time.sleep(0.001)
        return many.usual(request)

    def delete(request):
        found = many.manifests.pop(("repo", request.path.rpartition("/")[2]), None)
        return answer(202) if found else errors(404, "MANIFEST_UNKNOWN")

    many.instead["PUT"] = put
    many.instead["DELETE"] = delete
    server = serve(many)
    command = regtag.command("tag", "--journal", journal, f"{server.host}/repo:old", *MANY)
    process.append(start(command, env=environment({})))
    ready.set()
    [(status, _, _)] = end(process, 60)
    server.settle()

    changed = [name for name in MANY if many.document("repo", name) != before[name]]
    rows = journal_of(journal)
    assert status in (-signal.SIGKILL, 0)
    if puts < 60:
        assert status == -signal.SIGKILL
    announced = {row[0].rpartition(":")[2]: row[1] for row in rows if row[3] == "moving"}
    assert set(changed) <= set(announced), "every name that was set was written down before"
    for name, old in announced.items():
        assert old == (digest_of(before[name]) if before[name] else "absent")

    many.instead["PUT"] = many.usual
    result = regtag("undo", journal)

    assert result.status == 0, result
    assert all(many.document("repo", name) == before[name] for name in MANY)
    assert regtag("undo", journal).out == b""


# ---- In between


@needs_tls
@pytest.mark.parametrize("requests", [1, 2, 5, 33])
def test_nginx_ends_connections_now_and_then(
    account, registry, repository, certificate, root, tmp_path, requests
):
    chain = tmp_path / "chain.pem"
    chain.write_text(certificate.chain)
    settings = [
        f"ssl_certificate {chain};",
        f"ssl_certificate_key {certificate.key};",
        f"keepalive_requests {requests};",
        f"location / {{ proxy_pass http://127.0.0.1:{registry.port}; }}",
    ]
    with Nginx(tmp_path, settings) as nginx:
        host = f"{NAME}:{nginx.port}"
        options = ["--cacert", root.file, *reached(host)]

        result = account("tag", *options, f"{host}/{repository}:old", *MANY[:50])

        assert (result.status, result.err) == (0, b""), result
        assert [row[0] for row in result.rows] == [f"{host}/{repository}:{one}" for one in MANY[:50]]
        assert {row[2] for row in result.rows} == {"created"}
    digest = registry.digest(repository, "old")
    assert {registry.digest(repository, name) for name in MANY[:50]} == {digest}


@pytest.fixture(scope="module")
def squid():
    one = Squid("somebody", secret("password"))
    with one:
        yield one
    one.close()


def test_squid_passes_a_hundred_names_on(regtag, registry, repository, squid):
    image = f"{NAME}:{registry.port}/{repository}"

    result = regtag("tag", "--plain-http", "--proxy", squid.url, f"{image}:old", *MANY)

    assert (result.status, result.err) == (0, b""), result
    assert [row[0] for row in result.rows] == [f"{image}:{name}" for name in MANY]
    assert {row[2] for row in result.rows} == {"created"}
    digest = registry.digest(repository, "old")
    assert {registry.digest(repository, name) for name in MANY} == {digest}


# ---- Many at once

CROWD = 10 if os.environ.get("SAN") else 50


def test_a_crowd_moves_the_same_tags(regtag, serve, shelf, document):
    """Each says of every name what it has seen and done: one of them has created it."""
    names = MANY[:20]
    lock = threading.Lock()
    puts = {name: 0 for name in names}

    def put(request):
        with lock:
            puts[request.path.rpartition("/")[2]] += 1
            return shelf.usual(request)

    shelf.instead["PUT"] = put
    server = serve(shelf)
    command = regtag.command("tag", "--jobs", 2, f"{server.host}/repo:old", *names)

    results = end([start(command, env=environment({})) for _ in range(CROWD)], 100)

    said = {name: [] for name in names}
    for status, out, err in results:
        assert (status, err) == (0, b""), (status, out, err)
        rows = [line.split("\t") for line in out.decode().splitlines()]
        assert [row[0].rpartition(":")[2] for row in rows] == names
        for row in rows:
            assert row[2:] in (["created", "-"], ["unchanged", digest_of(document)])
            said[row[0].rpartition(":")[2]].append(row[2])
    for name in names:
        assert shelf.document("repo", name) == document
        assert said[name].count("created") == puts[name] >= 1
