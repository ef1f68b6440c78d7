"""HTTP/1.1 as servers speak it, and as they should not."""

import pytest
from fake import (
    CLOSE,
    HALF_CLOSE,
    HANG_UP,
    READ_BODY,
    RESET,
    STALL,
    Drip,
    Pause,
    answer,
    bodiless,
    chunked,
    errors,
)
from images import LIMIT, OCI_MANIFEST, digest_of, oci_manifest, padded

KIB = 1024


def fields_of(document):
    return [f"Content-Type: {OCI_MANIFEST}", f"Docker-Content-Digest: {digest_of(document)}"]


def halves(document):
    middle = len(document) // 2
    return document[:middle], document[middle:]


def with_length(document):
    return [answer(200, document, *fields_of(document))]


def in_chunks(document):
    body = chunked(*halves(document))
    coding = "Transfer-Encoding: chunked"
    return [answer(200, body, *fields_of(document), coding, framed=False)]


def in_chunks_with_extensions_and_trailers(document):
    first, second = halves(document)
    body = chunked(
        (b';name="va\\"lue; \r\n"'.replace(b"\r\n", b"\t"), first),
        (b" ; a=b;c", second),
        trailer=b"X-Checked: yes\r\nX-More: a\r\n",
    )
    coding = "transfer-encoding: Chunked"
    return [answer(200, body, *fields_of(document), coding, framed=False)]


def in_chunks_of_one_byte(document):
    body = chunked(*(document[index : index + 1] for index in range(len(document))))
    coding = "Transfer-Encoding: chunked"
    return [answer(200, body, *fields_of(document), coding, framed=False)]


def until_close(document):
    return [answer(200, document, *fields_of(document), framed=False), CLOSE]


def until_close_from_http_1_0(document):
    whole = answer(200, document, *fields_of(document), framed=False)
    return [whole.replace(b"HTTP/1.1", b"HTTP/1.0"), CLOSE]


def with_length_from_http_1_0(document):
    return [with_length(document)[0].replace(b"HTTP/1.1", b"HTTP/1.0"), CLOSE]


def one_byte_at_a_time(document):
    return [Drip(with_length(document)[0])]


def one_byte_at_a_time_in_chunks(document):
    return [Drip(in_chunks_with_extensions_and_trailers(document)[0])]


def after_interim_answers(document):
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=x\r\n\r\n"
    return [interim, interim, Pause(0.05), *with_length(document)]


def with_the_same_length_twice(document):
    stated = f"Content-Length: {len(document)}"
    return [answer(200, document, *fields_of(document), stated)]


def without_a_reason(document):
    return [with_length(document)[0].replace(b"200 OK", b"200 ", 1)]


def with_31_kib_of_fields(document):
    filler = [f"X-Filler-{number}: {'x' * 1000}" for number in range(30)]
    return [answer(200, document, *fields_of(document), *filler)]


def with_one_field_of_31_kib(document):
    return [answer(200, document, *fields_of(document), "X-Filler: " + "x" * (31 * KIB - 400))]


def with_white_space_around_values(document):
    fields = [field.replace(": ", ":\t  ") + " \t " for field in fields_of(document)]
    return [answer(200, document, *fields)]


def with_connection_close(document):
    return [answer(200, document, *fields_of(document), "Connection: Close"), CLOSE]


UNDERSTOOD = [
    with_length,
    in_chunks,
    in_chunks_with_extensions_and_trailers,
    in_chunks_of_one_byte,
    until_close,
    until_close_from_http_1_0,
    with_length_from_http_1_0,
    one_byte_at_a_time,
    one_byte_at_a_time_in_chunks,
    after_interim_answers,
    with_the_same_length_twice,
    without_a_reason,
    with_31_kib_of_fields,
    with_one_field_of_31_kib,
    with_white_space_around_values,
    with_connection_close,
]


@pytest.mark.parametrize("form", UNDERSTOOD, ids=lambda form: form.__name__)
def test_an_answer_is_understood(regtag, serve, shelf, document, form):
    shelf.instead["GET"] = lambda request: form(document)
    server = serve(shelf)

    result = regtag("manifest", f"{server.host}/repo:old")

    assert result.err == b""
    assert (result.status, result.out) == (0, document)


@pytest.mark.parametrize("form", UNDERSTOOD, ids=lambda form: form.__name__)
def test_an_upload_follows_an_answer(regtag, serve, shelf, document, form):
    shelf.instead["GET"] = lambda request: form(document)
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 0, result
    assert shelf.document("repo", "new") == document
    ends = CLOSE in form(document)
    assert server.connections == (2 if ends else 1)
    assert [request.method for request in server.requests] == ["GET", "HEAD", "PUT"]


def raw(*lines, body=b""):
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


OK = ["HTTP/1.1 200 OK", f"Content-Type: {OCI_MANIFEST}"]
CHUNKED = [*OK, "Transfer-Encoding: chunked"]

BROKEN = {
    "length_and_chunks": lambda doc: raw(
        *CHUNKED, f"Content-Length: {len(doc)}", body=chunked(doc)
    ),
    "two_lengths": lambda doc: raw(
        *OK, f"Content-Length: {len(doc)}", f"Content-Length: {len(doc) - 1}", body=doc
    ),
    "two_lengths_in_a_list": lambda doc: raw(
        *OK, f"Content-Length: {len(doc)}, {len(doc) - 1}", body=doc
    ),
    "a_signed_length": lambda doc: raw(*OK, f"Content-Length: +{len(doc)}", body=doc),
    "a_negative_length": lambda doc: raw(*OK, "Content-Length: -1", body=doc),
    "an_endless_length": lambda doc: raw(*OK, "Content-Length: " + "9" * 30, body=doc),
    "a_hexadecimal_length": lambda doc: raw(*OK, f"Content-Length: {len(doc):#x}", body=doc),
    "no_length": lambda doc: raw(*OK, "Content-Length:", body=doc),
    "an_unknown_coding": lambda doc: raw(*OK, "Transfer-Encoding: gzip", body=doc),
    "chunks_in_another_coding": lambda doc: raw(
        *OK, "Transfer-Encoding: chunked, gzip", body=chunked(doc)
    ),
    "compressed_content": lambda doc: raw(
        *OK, "Content-Encoding: gzip", f"Content-Length: {len(doc)}", body=doc
    ),
    "a_chunk_size_that_is_none": lambda doc: raw(*CHUNKED, body=b"xyz\r\n" + doc),
    "an_empty_chunk_size": lambda doc: raw(*CHUNKED, body=b"\r\n" + doc),
    "a_negative_chunk_size": lambda doc: raw(*CHUNKED, body=b"-1\r\n" + doc),
    "an_overflowing_chunk_size": lambda doc: raw(*CHUNKED, body=b"1" + b"0" * 16 + b"\r\n" + doc),
    "a_chunk_without_its_end": lambda doc: raw(*CHUNKED, body=b"%x\r\n%sXX" % (len(doc), doc)),
    "chunks_that_stop": lambda doc: raw(*CHUNKED, body=b"%x\r\n%s\r\n" % (len(doc), doc)),
    "a_folded_line": lambda doc: raw(
        *OK, "X-Folded: a", "  b", f"Content-Length: {len(doc)}", body=doc
    ),
    "a_space_before_the_colon": lambda doc: raw(*OK, f"Content-Length : {len(doc)}", body=doc),
    "a_line_without_colon": lambda doc: raw(
        *OK, "Nonsense", f"Content-Length: {len(doc)}", body=doc
    ),
    "a_nul_in_a_field": lambda doc: raw(*OK, "X: a\0b", f"Content-Length: {len(doc)}", body=doc),
    "a_bare_cr": lambda doc: raw(*OK, "X: a\rY: b", f"Content-Length: {len(doc)}", body=doc),
    "33_kib_of_fields": lambda doc: raw(
        *OK, *[f"X-{n}: {'x' * 1000}" for n in range(33)], f"Content-Length: {len(doc)}", body=doc
    ),
    "one_field_of_33_kib": lambda doc: raw(
        *OK, "X: " + "x" * 33 * KIB, f"Content-Length: {len(doc)}", body=doc
    ),
    "fields_without_end": lambda doc: raw(*OK, *["X: " + "x" * 100] * 2000)[:-2],
    "another_version": lambda doc: raw("HTTP/2.0 200 OK", f"Content-Length: {len(doc)}", body=doc),
    "a_status_of_two_digits": lambda doc: raw(
        "HTTP/1.1 20 OK", f"Content-Length: {len(doc)}", body=doc
    ),
    "a_status_below_100": lambda doc: raw("HTTP/1.1 099 No", "Content-Length: 0"),
    "another_protocol": lambda doc: b"220 mail.test ESMTP ready\r\n",
    "an_answer_that_is_binary": lambda doc: bytes(range(256)) * 4,
    "a_body_without_head": lambda doc: doc,
    "half_a_head": lambda doc: b"HTTP/1.1 200 OK\r\nContent-Type: te",
    "a_switch_of_protocols": lambda doc: raw(
        "HTTP/1.1 101 Switching Protocols", "Upgrade: h2c", "Connection: Upgrade"
    ),
    "no_content_204": lambda doc: raw("HTTP/1.1 204 No Content"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_answer_is_refused_for(regtag, serve, shelf, document, what):
    shelf.instead["GET"] = lambda request: [BROKEN[what](document), CLOSE]
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 9, result
    result.complaint(server.host)
    assert server.uploads == []


def test_interim_answers_without_end_end(regtag, serve, shelf):
    def chatter(request):
        while True:
            yield b"HTTP/1.1 102 Processing\r\n\r\n"

    shelf.instead["GET"] = chatter
    server = serve(shelf)

    result = regtag("tag", "--timeout", "2", f"{server.host}/repo:old", "new")

    assert result.status in (6, 9)
    result.complaint(server.host)
    assert server.uploads == []


def test_a_connection_that_was_closed_between_requests_is_opened_anew(
    regtag, serve, shelf, document
):
    shelf.instead["GET"] = lambda request: [*with_length(document), CLOSE]
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert (result.status, result.err) == (0, b"")
    assert shelf.document("repo", "new") == document
    assert server.connections == 2
    assert server.request_lines == [
        "GET /v2/repo/manifests/old",
        "HEAD /v2/repo/manifests/new",
        "PUT /v2/repo/manifests/new",
    ]


def test_a_server_that_closes_after_every_answer_is_worked_with(regtag, serve, shelf, document):
    server = serve(lambda request: [shelf(request), CLOSE])

    result = regtag("tag", f"{server.host}/repo:old", "one", "two", "three")

    assert (result.status, result.err) == (0, b"")
    assert [shelf.document("repo", name) for name in ("one", "two", "three")] == [document] * 3
    # Whether the end is seen before a PUT is sent is a matter of luck; a PUT that meets it is resolved first.
    methods = [request.method for request in server.requests]
    assert methods[0] == "GET" and methods.count("HEAD") >= 3
    assert methods.count("PUT") == 3


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_connection_that_the_server_will_close_is_not_used_again(
    regtag, serve, shelf, document, version
):
    fields = ["Connection: close"] if version == "1.1" else []
    whole = answer(200, document, *fields_of(document), *fields)
    last = [whole.replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1), STALL]
    shelf.instead["GET"] = lambda request: last  # it takes its time to close
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new", "--timeout", "30")

    assert result.status == 0, result
    assert [(one.method, one.connection) for one in server.requests] == [
        ("GET", 1),
        ("HEAD", 2),
        ("PUT", 2),
    ]


def test_a_kept_connection_that_is_reset_is_opened_anew_once(regtag, serve, shelf, document):
    resets = []

    def reset_on_the_first_connection(request):
        if request.connection == 1:
            resets.append(request)
            return [RESET]
        return shelf.usual(request)

    shelf.instead["PUT"] = reset_on_the_first_connection
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 0, result
    assert shelf.document("repo", "new") == document
    assert len(resets) == 1
    assert len(server.uploads) == 2


def test_a_request_on_a_kept_connection_is_not_repeated_for_ever(regtag, serve, shelf):
    shelf.instead["PUT"] = lambda request: [CLOSE]
    server = serve(shelf)

    result = regtag("tag", "--timeout", "20", f"{server.host}/repo:old", "new")

    assert result.status == 18, result
    assert len(server.uploads) <= 2
    assert server.connections <= 4


def test_a_new_connection_that_is_closed_without_an_answer_is_told(regtag, serve):
    server = serve(lambda request: [CLOSE])

    result = regtag("digest", f"{server.host}/repo:old")

    assert result.status in (5, 9)
    result.complaint(server.host)
    assert len(server.requests) <= 2


BIG = padded(oci_manifest(), LIMIT)

EARLY = {
    "401": (errors(401, "UNAUTHORIZED", "authentication required"), 4),
    "403": (errors(403, "DENIED", "denied"), 4),
    "405": (errors(405, "UNSUPPORTED", "read-only"), 13),
    "500": (errors(500, "UNKNOWN", "out of space"), 17),
}


@pytest.mark.parametrize("code", EARLY)
@pytest.mark.parametrize("then", ["nothing_is_read", "hung_up", "closed", "body_is_read"])
def test_an_answer_that_comes_before_the_upload_is_written_is_heard(
    regtag, serve, shelf, code, then
):
    refusal, status = EARLY[code]
    steps = {
        "nothing_is_read": [refusal, STALL],
        "hung_up": [refusal, HANG_UP],  # which makes a reset, since there is more to read
        "closed": [refusal, HALF_CLOSE, READ_BODY, CLOSE],
        "body_is_read": [refusal, READ_BODY],
    }
    shelf.put("repo", "big", OCI_MANIFEST, BIG)
    shelf.instead["PUT"] = lambda request: steps[then]
    server = serve(shelf, early=lambda request: request.method == "PUT", receive_buffer=4096)

    result = regtag("tag", "--timeout", "30", f"{server.host}/repo:big", "new")

    assert result.status == status, result
    result.complaint(f"{server.host}/repo:new")
    assert [row[2] for row in result.rows] == ["failed"]


def test_an_upload_that_is_too_large_for_the_server_is_told(regtag, serve, shelf):
    shelf.put("repo", "big", OCI_MANIFEST, BIG)
    shelf.instead["PUT"] = lambda request: [answer(413), STALL]
    server = serve(shelf, early=lambda request: request.method == "PUT", receive_buffer=4096)

    result = regtag("tag", "--timeout", "30", f"{server.host}/repo:big", "new")

    assert result.status not in (0, 6, 18), result
    result.complaint(f"{server.host}/repo:new", "413")
    assert [row[2] for row in result.rows] == ["failed"]


def test_an_upload_goes_through_to_a_server_that_reads_slowly(regtag, serve, shelf):
    shelf.put("repo", "big", OCI_MANIFEST, BIG)
    steps = [Pause(0.3), READ_BODY]

    def put(request):
        yield from steps
        yield shelf.usual(request)

    shelf.instead["PUT"] = put
    server = serve(shelf, early=lambda request: request.method == "PUT", receive_buffer=4096)

    result = regtag("tag", f"{server.host}/repo:big", "new")

    assert result.status == 0, result
    assert shelf.document("repo", "new") == BIG


@pytest.mark.parametrize("length", [0, 4096, 8192])
def test_an_answer_that_nobody_asked_for_confirms_nothing(regtag, serve, shelf, document, length):
    """It comes in one piece with the two that were, behind so many bytes where a length is given."""
    missing = bodiless(errors(404, "MANIFEST_UNKNOWN"))
    if length:
        heads = len(with_length(padded(oci_manifest(), 1000))[0]) - 1000 + len(missing)
        document = padded(oci_manifest(), length - heads)
    asked_for = with_length(document)[0] + missing
    assert len(asked_for) == length or not length
    forged = answer(201, b"", f"Docker-Content-Digest: {digest_of(document)}")
    shelf.instead["GET"] = lambda request: asked_for + forged
    shelf.instead["HEAD"] = lambda request: []
    shelf.instead["PUT"] = lambda request: errors(403, "DENIED")
    server = serve(shelf)

    result = regtag("tag", "--stall", "1", f"{server.host}/repo:old", "new")

    assert result.status in (4, 9), result
    assert [row[2] for row in result.rows] == ["failed"]
