"""Servers that answer before they were asked anything: with TLS 1.2 in one piece with the end of
the handshake, without TLS as soon as the connection is there. That answers no request.
"""

import pytest
from fake import CLOSE, END_OF_HEAD, answer, errors, with_fields
from fronts import needs_tls
from images import OCI_MANIFEST, compact, digest_of, oci_manifest
from token_server import Gate, Tokens, bearer_challenge

pytest_plugins = ["tls_fixtures"]

FORGED = compact(oci_manifest(annotations={"which": "forged"}))
REFUSALS = {403: 4, 500: 17}  # the program's status for each


def manifest(document):
    fields = [f"Content-Type: {OCI_MANIFEST}", f"Docker-Content-Digest: {digest_of(document)}"]
    return answer(200, document, *fields)


def forgeries(document):
    """What one request or another would take for its success, or for the truth."""
    confirmed = answer(201, b"", f"Docker-Content-Digest: {digest_of(document)}")
    found = manifest(document)
    return {
        "an upload": confirmed,
        "an upload behind an empty line": b"\r\n" + confirmed,
        "an upload behind 100": b"HTTP/1.1 100 Continue\r\n\r\n" + confirmed,
        "a deletion": answer(202),
        "a manifest": manifest(FORGED),
        "a look": found[: found.index(END_OF_HEAD) + len(END_OF_HEAD)],
        "absence": answer(404),
        "a refusal": answer(403),
        "a timeout": answer(408, b"", "Connection: close"),
    }


FORGERIES = list(forgeries(b""))
VERBS = {
    "tag": ["tag", "repo:old", "new"],
    "delete": ["delete", "repo:old"],
    "digest": ["digest", "repo:old"],
    "manifest": ["manifest", "repo:old"],
}


def refuse(shelf, status):
    """Whatever would change something."""
    for method in ("PUT", "DELETE"):
        shelf.instead[method] = lambda request: errors(status, "DENIED", "no")


def one_answer(shelf):
    """Says that it closes, so that nothing is sent on a connection that is about to be closed."""
    return lambda request: [with_fields(shelf(request), ["Connection: close"]), CLOSE]


class Course:
    """What has come of a run, and what the registry was asked for."""

    def __init__(self, server, result, host):
        self.lines = list(server.request_lines)
        self.status = result.status
        self.out = result.out.replace(host.encode(), b"HOST")

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __repr__(self):
        return repr(vars(self))


# ---- TLS -----------------------------------------------------------------------------------------


@pytest.fixture
def go(regtag, root, serve_tls, shelf):
    """Runs a verb against a shelf behind TLS that closes each connection after its first answer."""

    def go(verb, greeting=lambda number: b""):
        kept = dict(shelf.manifests)
        site = serve_tls(respond=one_answer(shelf), version="1.2", greeting=greeting)
        name, image, *rest = VERBS[verb]
        settings = ["--cacert", root.file, "--timeout", "20", *site.options]
        result = regtag(name, *settings, f"{site.host}/{image}", *rest)
        site.server.settle()
        changed, shelf.manifests = shelf.manifests, kept
        return Course(site.server, result, site.host), len(site.front.settled()), changed

    return go


def only(number, greeting):
    return lambda connection: greeting if connection == number else b""


@pytest.mark.slow
@needs_tls
@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_session_that_begins_with_an_answer_is_not_used(go, document, verb, forgery):
    usual, sessions, changed = go(verb)
    assert usual.status == 0
    for number in range(1, sessions + 1):
        course, more, also_changed = go(verb, only(number, forgeries(document)[forgery]))

        assert course == usual, number
        assert also_changed == changed, number
        assert more == sessions + 1, number


@needs_tls
@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("verb", ["tag", "delete"])
def test_what_the_registry_refuses_is_refused_whatever_a_session_begins_with(
    go, shelf, document, verb, status
):
    refuse(shelf, status)
    usual, sessions, _ = go(verb)
    assert usual.status == REFUSALS[status]
    for number in range(1, sessions + 1):
        for forgery, greeting in forgeries(document).items():
            course, _, changed = go(verb, only(number, greeting))

            assert course == usual, (number, forgery)
            assert changed == shelf.manifests, (number, forgery)


@needs_tls
@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_server_whose_sessions_all_begin_with_an_answer_is_given_up(
    go, shelf, document, verb, forgery
):
    course, sessions, changed = go(verb, lambda number: forgeries(document)[forgery])

    assert course.status != 0
    assert course.lines == []
    assert changed == shelf.manifests
    assert sessions <= (9 if verb == "delete" else 3)  # which looks before and behind
    for word in (b"created", b"moved", b"set", b"deleted", b"unchanged"):
        assert b"\t" + word + b"\t" not in course.out
    assert verb not in ("digest", "manifest") or course.out == b""


@needs_tls
def test_a_session_that_begins_with_an_empty_line_is_used(go):
    usual, sessions, changed = go("tag")

    course, also, also_changed = go("tag", lambda number: b"\r\n")

    assert (course, also, also_changed) == (usual, sessions, changed)


@needs_tls
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_what_belongs_to_tls_is_not_taken_for_an_answer(regtag, root, serve_tls, version):
    """Session tickets come behind the handshake of TLS 1.3."""
    site = serve_tls(version=version)

    result = regtag("tag", "--cacert", root.file, *site.options, site.image, "new")

    assert (result.status, result.err) == (0, b""), result
    assert len(site.front.settled()) == 1


@needs_tls
@pytest.mark.parametrize("number", [1, None], ids=["once", "always"])
def test_a_token_is_not_taken_from_the_beginning_of_a_session(
    regtag, root, serve_tls, shelf, document, number
):
    forged = answer(200, b'{"token":"forged"}', "Content-Type: application/json")
    tokens = Tokens()
    tokens.grant = lambda user, actions: actions
    server = serve_tls(
        respond=tokens,
        version="1.2",
        greeting=lambda connection: forged if number in (None, connection) else b"",
        name="127.0.0.1",
    )
    gate = Gate(shelf, tokens.allows, bearer_challenge(f"https://{server.host}/token"))
    site = serve_tls(respond=gate, version="1.2", name="127.0.0.1")

    result = regtag("tag", "--cacert", root.file, *site.options, site.image, "new")

    for request in site.server.requests:
        assert "forged" not in (request.value("Authorization") or "")
    if number:
        assert (result.status, result.err) == (0, b""), result
        assert shelf.document("repo", "new") == document
        assert len(server.front.settled()) == 2
    else:
        assert result.status != 0
        assert shelf.document("repo", "new") is None
        assert len(server.front.settled()) <= 3


# ---- Without TLS ---------------------------------------------------------------------------------


@pytest.fixture
def go_plain(strace, serve, shelf):
    """The same without TLS. The program gets the connection of this number only when the server has
    had time to say something on it. If the server was too slow all the same, the run shows nothing,
    and there is another one.
    """

    def once(verb, number, greeting):
        kept = dict(shelf.manifests)
        server = serve(
            one_answer(shelf),
            greeting=lambda connection: greeting if connection == number else b"",
        )
        name, image, *rest = VERBS[verb]
        held = ["-e", "trace=connect", "-e", f"inject=connect:delay_exit=500000:when={number}"]
        result, _ = strace(held if greeting else [], [name, f"{server.host}/{image}", *rest])
        server.settle()
        changed, shelf.manifests = shelf.manifests, kept
        return server, Course(server, result, server.host), changed

    def go(verb, number=0, greeting=b""):
        for _ in range(5):
            server, course, changed = once(verb, number, greeting)
            if not server.beaten:
                return course, server.connections, changed
        pytest.fail("the program was always faster than the server")

    return go


@pytest.mark.parametrize("verb", VERBS)
def test_a_connection_that_begins_with_an_answer_is_not_used(go_plain, document, verb):
    wrong = dict(zip(VERBS, ["an upload", "a deletion", "a look", "a manifest"]))
    usual, connections, changed = go_plain(verb)
    assert usual.status == 0
    for number in range(1, connections + 1):
        course, more, also_changed = go_plain(verb, number, forgeries(document)[wrong[verb]])

        assert course == usual, number
        assert also_changed == changed, number
        assert more == connections + 1, number


@pytest.mark.parametrize("status", REFUSALS)
def test_what_the_registry_refuses_is_refused_whatever_a_connection_begins_with(
    go_plain, shelf, document, status
):
    refuse(shelf, status)
    usual, connections, _ = go_plain("tag")
    assert usual.status == REFUSALS[status]
    for number in range(1, connections + 1):
        course, _, changed = go_plain("tag", number, forgeries(document)["an upload"])

        assert course == usual, number
        assert changed == shelf.manifests, number
