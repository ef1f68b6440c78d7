"""What regtag makes of the answer to an upload: only what the registry confirms is done."""

import pytest
from fake import CLOSE, RESET, STALL, answer, bodiless, chunked, errors
from images import OCI_MANIFEST, digest_of


def tag_new(regtag, server, *options):
    return regtag("tag", *options, f"{server.host}/repo:old", "new")


def stored(shelf, request):
    """Keeps what was uploaded, whatever the answer will be."""
    shelf.usual(request)


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("body", [b"", b"OK", b"<html>done</html>"], ids=["empty", "ok", "html"])
def test_an_upload_is_done_with(regtag, serve, shelf, document, status, body):
    digest = digest_of(document)

    def put(request):
        stored(shelf, request)
        return answer(status, body, f"Docker-Content-Digest: {digest}")

    shelf.instead["PUT"] = put
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert result.rows == [(f"{server.host}/repo:new", digest, "created", "-")]
    assert (result.status, result.err) == (0, b"")
    assert [request.method for request in server.requests] == ["GET", "HEAD", "PUT"]


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_confirmed_digest_that_is_another_is_told(regtag, serve, shelf, other_document, status):
    other = digest_of(other_document)
    shelf.instead["PUT"] = lambda request: answer(status, b"", f"Docker-Content-Digest: {other}")
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert result.status == 15
    result.complaint(f"{server.host}/repo:new")
    assert [row[2] for row in result.rows] == ["failed"]


def test_an_answer_without_a_digest_is_looked_at_again(regtag, serve, shelf, document):
    def put(request):
        stored(shelf, request)
        return answer(201)

    shelf.instead["PUT"] = put
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert result.rows == [(f"{server.host}/repo:new", digest_of(document), "created", "-")]
    assert result.status == 0
    assert server.request_lines == [
        "GET /v2/repo/manifests/old",
        "HEAD /v2/repo/manifests/new",
        "PUT /v2/repo/manifests/new",
        "HEAD /v2/repo/manifests/new",
    ]
    assert server.connections == 1


def test_a_second_look_that_finds_another_digest_is_told(regtag, serve, shelf, other_document):
    shelf.put("repo", "new", OCI_MANIFEST, other_document)
    shelf.instead["PUT"] = lambda request: answer(201)
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert result.status == 15
    result.complaint(f"{server.host}/repo:new")
    assert [row[2] for row in result.rows] == ["failed"]


NO_SECOND_LOOK = {
    "a_server_error": lambda request: bodiless(errors(500, "UNKNOWN")),
    "not_found": lambda request: bodiless(errors(404, "MANIFEST_UNKNOWN")),
    "no_digest": lambda request: bodiless(answer(200, b"x" * 10)),
    "a_closed_connection": lambda request: [CLOSE],
    "a_reset": lambda request: [RESET],
    "no_http": lambda request: [b"220 mail.test ESMTP\r\n", CLOSE],
}


@pytest.mark.parametrize("what", NO_SECOND_LOOK)
def test_an_upload_is_uncertain_after_a_second_look_with(regtag, serve, shelf, document, what):
    shelf.instead["PUT"] = lambda request: answer(201)
    shelf.afterwards["HEAD"] = NO_SECOND_LOOK[what]
    digest = digest_of(document)
    if what == "no_digest":
        # It may then ask with GET: that tells nothing either.
        get = shelf.usual
        shelf.instead["GET"] = lambda request: (
            get(request) if request.path.endswith("/old") else errors(500, "UNKNOWN")
        )
    server = serve(shelf)

    result = tag_new(regtag, server, "--timeout", "10")

    assert result.status == 18
    result.complaint(f"{server.host}/repo:new")
    assert result.rows == [(f"{server.host}/repo:new", digest, "uncertain", "-")]


def test_an_uncertain_upload_is_one_in_json(regtag, serve, shelf, document):
    shelf.instead["PUT"] = lambda request: answer(201)
    shelf.afterwards["HEAD"] = lambda request: bodiless(errors(500, "UNKNOWN"))
    server = serve(shelf)

    [told] = tag_new(regtag, server, "--json").objects

    assert (told["result"], told["status"]) == ("uncertain", 18)
    assert told["digest"] == digest_of(document)
    assert told["error"]


def test_a_second_look_that_never_ends_is_uncertain(regtag, serve, shelf):
    shelf.instead["PUT"] = lambda request: answer(201)
    shelf.afterwards["HEAD"] = lambda request: [STALL]
    server = serve(shelf)

    result = tag_new(regtag, server, "--timeout", "1")

    assert result.status == 18
    assert [row[2] for row in result.rows] == ["uncertain"]


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["closed", "reset"])
@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 201 Cre"], ids=["no_answer", "half_an_answer"])
def test_an_upload_that_was_stored_but_not_answered_is_found_out(
    regtag, serve, shelf, document, end, part
):
    def put(request):
        stored(shelf, request)
        return [part, end]

    shelf.instead["PUT"] = put
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert result.rows == [(f"{server.host}/repo:new", digest_of(document), "created", "-")]
    assert result.status == 0
    assert server.request_lines[-1] == "HEAD /v2/repo/manifests/new"
    assert 1 <= len(server.uploads) <= 2


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["closed", "reset"])
def test_an_upload_that_was_neither_stored_nor_answered_is_not_called_done(
    regtag, serve, shelf, end
):
    shelf.instead["PUT"] = lambda request: [end]
    server = serve(shelf)

    result = tag_new(regtag, server, "--timeout", "10")

    assert result.status == 18
    result.complaint(f"{server.host}/repo:new")
    assert [row[2] for row in result.rows] == ["uncertain"]
    look = "/v2/repo/manifests/new"
    assert server.request_lines[-2:] == [f"HEAD {look}", f"GET {look}"]
    assert 1 <= len(server.uploads) <= 2


def test_an_upload_that_is_never_answered_is_uncertain(regtag, serve, shelf):
    shelf.instead["PUT"] = lambda request: [STALL]
    server = serve(shelf)

    result = tag_new(regtag, server, "--timeout", "1")

    assert result.status == 18
    result.complaint(f"{server.host}/repo:new")
    assert [row[2] for row in result.rows] == ["uncertain"]


def test_an_upload_that_was_stored_but_stalls_is_found_out(regtag, serve, shelf, document):
    def put(request):
        stored(shelf, request)
        return [STALL]

    shelf.instead["PUT"] = put
    server = serve(shelf)

    result = tag_new(regtag, server, "--timeout", "4")

    assert result.rows == [(f"{server.host}/repo:new", digest_of(document), "created", "-")]
    assert result.status == 0
    assert server.request_lines[-1] == "HEAD /v2/repo/manifests/new"
    assert server.connections == 2


def test_an_answer_in_chunks_confirms_as_well(regtag, serve, shelf, document):
    def put(request):
        stored(shelf, request)
        digest = f"Docker-Content-Digest: {digest_of(request.body)}"
        return answer(201, chunked(b"O", b"K"), digest, "Transfer-Encoding: chunked", framed=False)

    shelf.instead["PUT"] = put
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "one", "two")

    assert result.status == 0
    assert [row[1:3] for row in result.rows] == [(digest_of(document), "created")] * 2
    assert server.connections == 1


@pytest.mark.parametrize(
    "stated", ["sha256:abc", "sha256:" + "G" * 64, "gibberish", "md5:" + "0" * 32, ""]
)
def test_a_digest_that_is_none_confirms_nothing(regtag, serve, shelf, stated):
    shelf.instead["PUT"] = lambda request: answer(201, b"", f"Docker-Content-Digest: {stated}")
    server = serve(shelf)

    result = tag_new(regtag, server, "--timeout", "10")

    assert result.status in (9, 15, 18), result
    assert [row[2] for row in result.rows] in (["failed"], ["uncertain"])


FORBIDDEN = errors(403, "DENIED", "not this tag")


def only(name, shelf, otherwise):
    """Answers uploads as usual, but this one otherwise."""
    return lambda request: (
        otherwise if request.path.endswith("/" + name) else shelf.usual(request)
    )


def test_a_tag_that_fails_does_not_stop_the_others(regtag, serve, shelf, document):
    shelf.instead["PUT"] = only("two", shelf, FORBIDDEN)
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "one", "two", "three")

    digest = digest_of(document)
    assert result.status == 4
    result.complaint(f"{server.host}/repo:two")
    assert result.rows == [
        (f"{server.host}/repo:one", digest, "created", "-"),
        (f"{server.host}/repo:two", digest, "failed", "-"),
        (f"{server.host}/repo:three", digest, "created", "-"),
    ]
    assert shelf.document("repo", "three") == document
    assert server.connections == 1


def test_the_status_is_that_of_the_first_failure(regtag, serve, shelf, other_document):
    lie = answer(201, b"", f"Docker-Content-Digest: {digest_of(other_document)}")
    failures = {"b": errors(409, "TAG_IMMUTABLE"), "c": FORBIDDEN, "d": lie}
    shelf.instead["PUT"] = lambda request: failures.get(
        request.path.rsplit("/")[-1]
    ) or shelf.usual(request)
    server = serve(shelf)

    result = regtag("tag", "--json", f"{server.host}/repo:old", "a", "b", "c", "d", "e")

    assert [told["status"] for told in result.objects] == [0, 13, 4, 15, 0]
    assert result.status == 13
    assert len(result.complaints) == 3


def test_a_server_that_goes_away_fails_the_rest(regtag, serve, shelf, document):
    shelf.instead["PUT"] = only("two", shelf, [CLOSE])
    server = serve(shelf)

    result = regtag("tag", "--timeout", "10", f"{server.host}/repo:old", "one", "two", "three")

    digest = digest_of(document)
    assert result.status == 18
    assert result.rows[:2] == [
        (f"{server.host}/repo:one", digest, "created", "-"),
        (f"{server.host}/repo:two", digest, "uncertain", "-"),
    ]
    [(reference, _, happened, _)] = result.rows[2:]
    assert reference == f"{server.host}/repo:three"
    assert (happened == "created") == (shelf.document("repo", "three") == document)
