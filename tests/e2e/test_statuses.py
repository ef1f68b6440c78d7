"""The exit status says what went wrong, and one line on stderr says where."""

import os
import re
import socket
import subprocess
import time

import pytest
from fake import STALL, Drip, Pause, answer, bodiless, errors
from images import OCI_MANIFEST
from recorder import Recorder

REFUSALS = {
    "404_unknown_manifest": (errors(404, "MANIFEST_UNKNOWN", "manifest unknown"), 3),
    "404_unknown_name": (errors(404, "NAME_UNKNOWN", "repository not known"), 3),
    "404_in_plain_text": (answer(404, b"404 page not found\n", "Content-Type: text/plain"), 3),
    "404_without_body": (answer(404), 3),
    "401_with_a_challenge": (
        errors(401, "UNAUTHORIZED", "", 'WWW-Authenticate: Basic realm="a registry"'),
        4,
    ),
    "401_without_a_challenge": (errors(401, "UNAUTHORIZED"), 4),
    "403": (errors(403, "DENIED", "requested access to the resource is denied"), 4),
    "403_in_html": (answer(403, b"<html>Forbidden</html>", "Content-Type: text/html"), 4),
    "429": (errors(429, "TOOMANYREQUESTS", "slow down", "Retry-After: 60"), 14),
    "500": (errors(500, "UNKNOWN", "something broke"), 17),
    "502_in_html": (answer(502, b"<html>Bad Gateway</html>", "Content-Type: text/html"), 17),
    "503": (answer(503, b"", "Retry-After: 60"), 17),
    "504": (answer(504), 17),
    "402": (errors(402, "DENIED", "the plan has ended"), 4),
    "410": (errors(410, "NAME_UNKNOWN", "moved out"), 3),
    "412_of_a_policy": (errors(412, "PROJECTPOLICYVIOLATION", "5 vulnerabilities"), 4),
    "423": (errors(423, "LOCKED", "under maintenance"), 4),
    "451": (errors(451, "DENIED", "not in this country"), 4),
    "501": (errors(501, "UNSUPPORTED", "The operation is unsupported."), 1),
    "522_of_cloudflare": (answer(522, b"error code: 522"), 17),
    "a_status_nobody_knows": (answer(599, b"", reason="Odd"), 17),
    "418": (answer(418), 9),
}

VERBS = {
    "tag": lambda host: ["tag", f"{host}/repo:old", "new"],
    "digest": lambda host: ["digest", f"{host}/repo:old"],
    "manifest": lambda host: ["manifest", f"{host}/repo:old"],
    "ls": lambda host: ["ls", f"{host}/repo"],
}


@pytest.mark.parametrize("what", REFUSALS)
@pytest.mark.parametrize("verb", VERBS)
def test_a_refused_question_has_its_status(regtag, serve, verb, what):
    refusal, status = REFUSALS[what]
    server = serve(lambda request: bodiless(refusal) if request.method == "HEAD" else refusal)

    result = regtag(*VERBS[verb](server.host), "--timeout", "3")

    assert result.status == status, result
    result.complaint(f"{server.host}/repo")
    assert "PUT" not in [request.method for request in server.requests]
    if verb != "tag":
        assert result.out == b""


REFUSED_UPLOADS = {
    "405_read_only": (answer(405, b"405 method not allowed\n", "Content-Type: text/plain"), 13),
    "409_immutable": (errors(409, "TAG_IMMUTABLE", "tag is immutable"), 13),
    "412_immutable": (errors(412, "PRECONDITION", "configured as immutable"), 13),
    "400_immutable": (
        errors(
            400,
            "TAG_INVALID",
            "The image tag 'new' already exists in the 'repo' repository and cannot be overwritten"
            " because the repository is immutable.",
        ),
        13,
    ),
    "400_of_nexus": (
        b"".join(
            [
                b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n",
                b"Content-Length: 138\r\n\r\n",
                b'{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"blob upload invalid",',
                b'"detail":"Repository does not allow updating assets: docker"}]}\n ',
            ]
        ),
        13,
    ),
    "400_of_a_blob": (errors(400, "BLOB_UPLOAD_INVALID", "blob upload invalid"), 1),
    "401": (errors(401, "UNAUTHORIZED"), 4),
    "402": (errors(402, "DENIED", "the plan has ended"), 4),
    "403": (errors(403, "DENIED"), 4),
    "403_protected": (errors(403, "DENIED", "Tag new is protected"), 13),
    "403_protected_tag": (errors(403, "DENIED", "cannot push to a protected tag"), 13),
    "403_immutable": (errors(403, "TAG_IMMUTABLE", ""), 13),
    "403_of_a_protected_resource": (errors(403, "DENIED", "the resource is protected"), 4),
    "403_of_a_page": (answer(403, b"<html><title>Forbidden</title>protected tag</html>"), 4),
    "404": (errors(404, "NAME_UNKNOWN"), 3),
    "410": (errors(410, "NAME_UNKNOWN"), 3),
    "423_locked": (errors(423, "LOCKED", "the tag is locked"), 13),
    "451": (errors(451, "DENIED"), 4),
    "501_of_gitea": (errors(501, "UNSUPPORTED", "The operation is unsupported."), 13),
    "520_of_cloudflare": (answer(520), 17),
    "429": (errors(429, "TOOMANYREQUESTS", "", "Retry-After: 60"), 14),
    "500": (errors(500, "UNKNOWN"), 17),
    "503": (answer(503), 17),
}


@pytest.mark.parametrize("what", REFUSED_UPLOADS)
def test_a_refused_upload_has_its_status(regtag, serve, shelf, what):
    refusal, status = REFUSED_UPLOADS[what]
    shelf.instead["PUT"] = lambda request: refusal
    server = serve(shelf)

    result = regtag("tag", "--timeout", "3", f"{server.host}/repo:old", "new")

    assert result.status == status, result
    result.complaint(f"{server.host}/repo:new")
    assert [row[0] for row in result.rows] == [f"{server.host}/repo:new"]
    assert [row[2] for row in result.rows] == ["failed"]
    assert shelf.document("repo", "new") is None


@pytest.mark.parametrize("status", [409, 412])
def test_an_immutable_tag_that_points_there_already_is_no_failure(regtag, serve, shelf, status):
    document = shelf.document("repo", "old")
    shelf.put("repo", "new", *shelf.manifests["repo", "old"])
    shelf.instead["PUT"] = lambda request: errors(status, "TAG_IMMUTABLE")
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 0, result
    assert [row[2] for row in result.rows] == ["unchanged"]
    assert server.uploads == []
    assert shelf.document("repo", "new") == document


REASONS = {
    "402": (errors(402, "DENIED", "the plan has ended"), "payment", "the plan has ended"),
    "410": (errors(410, "NAME_UNKNOWN", "moved out"), "no such", "moved out"),
    "412": (
        errors(412, "PROJECTPOLICYVIOLATION", "image with 5 vulnerabilities cannot be pulled"),
        *["policy", "PROJECTPOLICYVIOLATION", "5 vulnerabilities"],
    ),
    "423": (errors(423, "LOCKED", "under maintenance"), "locked", "under maintenance"),
    "451": (errors(451, "DENIED", "not in this country"), "legal", "not in this country"),
    "501": (errors(501, "UNSUPPORTED", "not here"), "does not support", "not here"),
    "a_detail": (
        answer(403, b'{"errors":[{"code":"DENIED","message":"no","detail":"ask the owner"}]}'),
        *["DENIED: no: ask the owner"],
    ),
    "no_list": (answer(403, b'{"code":"DENIED","message":"no way"}'), "DENIED: no way"),
}


@pytest.mark.parametrize("what", REASONS)
@pytest.mark.parametrize("verb", ["digest", "manifest"])
def test_the_reason_is_told(regtag, serve, verb, what):
    """To a HEAD it has no words: a GET fetches them."""
    refusal, *words = REASONS[what]
    server = serve(lambda request: bodiless(refusal) if request.method == "HEAD" else refusal)

    result = regtag(*VERBS[verb](server.host))

    assert "try again later" not in result.complaint(*words)


@pytest.mark.parametrize("what", ["400_of_nexus", "501_of_gitea", "403_immutable"])
def test_the_reason_of_a_refused_upload_is_told(regtag, serve, shelf, what):
    shelf.instead["PUT"] = lambda request: REFUSED_UPLOADS[what][0]
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    words = {
        "400_of_nexus": "does not allow updating assets: docker",
        "501_of_gitea": "does not support",
        "403_immutable": "TAG_IMMUTABLE",
    }
    assert "try again later" not in result.complaint(words[what])
    assert len(server.uploads) == 1


@pytest.mark.parametrize("status", [520, 521, 522, 523, 524, 530])
def test_what_cloudflare_says_of_a_registry_may_pass(regtag, serve, shelf, document, status):
    def once(request):
        first = [one.method for one in server.requests].count(request.method) == 1
        return bodiless(answer(status)) if first else shelf.usual(request)

    shelf.instead = {method: once for method in ("GET", "HEAD", "PUT")}
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new", retries=2)

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document


@pytest.mark.parametrize("status", [525, 526, 527])
def test_what_will_not_pass_is_not_asked_again(regtag, serve, shelf, status):
    shelf.instead["GET"] = lambda request: answer(status)
    server = serve(shelf)

    result = regtag("manifest", f"{server.host}/repo:old", retries=2)

    assert result.status == 17, result
    assert len(server.requests) == 1


def test_a_server_that_fails_once_may_be_asked_again(regtag, serve, shelf, document):
    def once(request):
        if len(server.uploads) == 1:
            return errors(503, "UNAVAILABLE")
        return shelf.usual(request)

    shelf.instead["PUT"] = once
    server = serve(shelf)

    result = regtag("tag", "--timeout", "30", f"{server.host}/repo:old", "new")

    # Asking again is allowed, not demanded. What counts is that the status tells the truth.
    assert result.status in (0, 17)
    assert (shelf.document("repo", "new") == document) == (result.status == 0)


def test_a_registry_that_is_read_only_is_told(regtag, start_registry, tmp_path, document):
    writer = start_registry(tmp_path)
    digest = writer.push_image("repo", "old", OCI_MANIFEST, document)
    reader = start_registry(tmp_path, read_only=True)

    result = regtag("tag", f"{reader.host}/repo:old", "new")

    assert result.status == 13, result
    result.complaint(f"{reader.host}/repo:new")
    assert result.rows == [(f"{reader.host}/repo:new", digest, "failed", "-")]
    assert reader.digest("repo", "new") is None


@pytest.mark.parametrize("verb", VERBS)
def test_a_port_where_nobody_listens_is_told(regtag, dead_port, verb):
    host = f"127.0.0.1:{dead_port}"

    result = regtag(*VERBS[verb](host))

    assert result.status == 5
    result.complaint(host)


def test_a_registry_that_is_down_fails_every_name(regtag, dead_port):
    host = f"127.0.0.1:{dead_port}"

    result = regtag("tag", f"{host}/repo:old", "one", "two")

    assert result.status == 5
    result.complaint(host)
    assert result.rows == [(f"{host}/repo:{name}", "-", "failed", "-") for name in ("one", "two")]


def stall(request):
    return [STALL]


def half_a_head(request):
    return [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n", STALL]


def half_a_body(request):
    return [answer(200, b"{" * 100, f"Content-Type: {OCI_MANIFEST}")[:-50], STALL]


def a_byte_now_and_then(request):
    return [Drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: " + b"x" * 1000, pause=0.3)]


def interim_answers_now_and_then(request):
    for _ in range(1000):
        yield b"HTTP/1.1 102 Processing\r\n\r\n"
        yield Pause(0.3)


@pytest.mark.parametrize(
    "server_does",
    [stall, half_a_head, half_a_body, a_byte_now_and_then, interim_answers_now_and_then],
    ids=lambda one: one.__name__,
)
def test_a_server_that_is_too_slow_is_left_at_the_deadline(regtag, serve, server_does):
    server = serve(server_does)
    before = time.monotonic()

    result = regtag("tag", "--timeout", "1", f"{server.host}/repo:old", "new", limit=60)

    passed = time.monotonic() - before
    assert result.status == 6, result
    result.complaint(server.host)
    assert 0.9 < passed < 20
    assert server.uploads == []
    assert result.rows == [(f"{server.host}/repo:new", "-", "failed", "-")]


def test_the_deadline_is_one_for_all_tags(regtag, serve, shelf):
    def put(request):
        return shelf.usual(request) if request.path.endswith("/t0") else [STALL]

    shelf.instead["PUT"] = put
    server = serve(shelf)
    before = time.monotonic()

    result = regtag(
        "tag", "--timeout", "1", f"{server.host}/repo:old", *[f"t{n}" for n in range(100)]
    )

    assert time.monotonic() - before < 20
    assert result.status in (6, 18), result
    happened = [row[2] for row in result.rows]
    assert len(happened) == 100
    assert happened[-1] == "failed"
    assert set(happened) <= {"created", "uncertain", "failed"}
    for row in result.rows:
        if row[2] == "created":
            assert shelf.document("repo", row[0].rpartition(":")[2]) is not None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate and its key, made on the spot."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.mark.parametrize("verb", VERBS)
def test_a_registry_that_speaks_tls_on_that_port_is_told(
    regtag, start_registry, tmp_path_factory, certificate, verb
):
    folder = tmp_path_factory.mktemp("registry-tls")
    registry = start_registry(folder, tls=certificate)

    result = regtag(*VERBS[verb](registry.host))

    assert result.status == 9, result
    result.complaint(registry.host, "TLS")


@pytest.mark.parametrize("verb", VERBS)
def test_a_tls_server_that_answers_with_an_alert_is_told(regtag, serve, verb):
    unexpected_message = b"\x15\x03\x03\x00\x02\x02\x0a"
    server = serve(lambda request: [unexpected_message])

    result = regtag(*VERBS[verb](server.host), "--timeout", "5")

    assert result.status == 9, result
    result.complaint(server.host, "TLS")


def test_a_tls_server_that_hangs_up_is_told(regtag, certificate):
    certificate, key = certificate
    with subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            port = next(
                int(found[1])
                for line in server.stdout
                if (found := re.match(r"ACCEPT .*:(\d+)$", line.strip()))
            )
            with Recorder(port) as recorder:
                result = regtag("digest", f"{recorder.host}/repo:old", "--timeout", "10")
        finally:
            server.kill()

    assert result.status in (5, 9), result
    result.complaint(recorder.host)


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_of_something_else_is_told(regtag, serve, verb):
    page = b"<!doctype html>\n<title>Router</title>\n<form>password</form>\n"
    whole = answer(200, page, "Content-Type: text/html")
    server = serve(lambda request: bodiless(whole) if request.method == "HEAD" else whole)

    result = regtag(*VERBS[verb](server.host))

    assert result.status == 9, result
    result.complaint(server.host)
    assert b"<" not in result.out


@pytest.mark.skipif(os.environ.get("TLS") != "0", reason="this build speaks TLS")
@pytest.mark.parametrize("verb", VERBS)
def test_an_address_that_needs_tls_is_told_in_a_build_without(regtag, verb):
    result = regtag(*VERBS[verb]("registry.invalid"), "--timeout", "20")

    assert result.status != 0
    result.complaint("registry.invalid", "TLS", "--plain-http")


def test_a_server_that_accepts_but_never_reads_is_left_at_the_deadline(regtag):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        before = time.monotonic()

        result = regtag("digest", "--timeout", "1", f"{host}/repo:old", limit=60)

    assert result.status == 6
    result.complaint(host)
    assert time.monotonic() - before < 20
