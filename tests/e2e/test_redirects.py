"""Redirections: which are followed, and that nothing secret goes along to another origin."""

import ssl
from contextlib import ExitStack
from dataclasses import replace

import pytest
from accounts import auths
from conftest import OCI_DOCUMENT, OTHER_DOCUMENT
from fake import STALL, answer, bodiless
from fronts import needs_tls, reached
from images import OCI_MANIFEST, digest_of
from tls_server import Front, server_context
from token_server import (
    Gate,
    Tokens,
    basic,
    bearer_challenge,
    password_gate,
    secret,
    token_gate,
)
from watcher import NEW, OLD, RARELY, point

pytest_plugins = ["account_fixtures", "tls_fixtures", "watch_fixtures"]
USER = "somebody"
FOLLOWED = [301, 302, 303, 307, 308]
VERBS = {
    "tag": ["tag", "{host}/repo:old", "new"],
    "digest": ["digest", "{host}/repo:old"],
    "manifest": ["manifest", "{host}/repo:old"],
    "ls": ["ls", "{host}/repo"],
}


def called(verb, host):
    return [word.format(host=host) for word in VERBS[verb]]


def redirect(request, status, location, *fields):
    fields = [f"Location: {location}", *fields] if location is not None else fields
    whole = answer(status, b"over there\n", "Content-Type: text/plain", *fields)
    return bodiless(whole) if request.method == "HEAD" else whole


def proofs(server):
    return [request.value("Authorization") for request in server.requests]


@pytest.fixture
def listing(shelf):
    """The shelf, which has a list of tags as well."""

    def respond(request):
        if request.path.endswith("/tags/list"):
            return answer(200, b'{"name":"repo","tags":["old"]}')
        return shelf(request)

    return respond


class Moved:
    """Sends questions on to another place, which has the same under /moved; uploads stay."""

    def __init__(self, registry, status=307, where="", methods=("GET", "HEAD")):
        self.registry = registry
        self.status = status
        self.where = where  # the origin, or nothing
        self.methods = methods

    def __call__(self, request):
        if request.target.startswith("/moved/"):
            return self.registry(replace(request, target=request.target.removeprefix("/moved")))
        if request.method not in self.methods:
            return self.registry(request)
        return redirect(request, self.status, f"{self.where}/moved{request.target}")


@pytest.fixture
def elsewhere(serve, listing):
    """The other place, which asks for nothing."""
    return serve(Moved(listing, methods=()))


# ---- What is followed


@pytest.mark.parametrize("status", FOLLOWED)
@pytest.mark.parametrize("verb", VERBS)
def test_a_question_is_asked_again_elsewhere(regtag, serve, shelf, document, listing, verb, status):
    server = serve(Moved(listing, status))

    result = regtag(*called(verb, server.host))

    assert (result.status, result.err) == (0, b""), result
    asked = [line for line in server.request_lines if not line.startswith("PUT ")]
    again = [line for line in asked if " /moved/" in line]
    assert len(again) == (2 if verb == "tag" else 1)
    assert {line.replace(" /moved/", " /") for line in again} == {*asked} - {*again}
    if verb == "tag":
        assert server.request_lines[-1] == "PUT /v2/repo/manifests/new"
        assert shelf.document("repo", "new") == document


@pytest.mark.parametrize("verb", VERBS)
def test_a_question_is_asked_again_at_another_host(regtag, serve, listing, elsewhere, verb):
    server = serve(Moved(listing, where=f"http://{elsewhere.host}"))

    result = regtag(*called(verb, server.host))

    assert (result.status, result.err) == (0, b""), result
    assert {request.value("Host") for request in elsewhere.requests} == {elsewhere.host}
    assert len(elsewhere.requests) == (2 if verb == "tag" else 1)
    assert elsewhere.uploads == []
    assert len(server.uploads) == (1 if verb == "tag" else 0)


LOCATIONS = [
    "/moved{target}",
    "http://{host}/moved{target}",
    "HTTP://{host}/moved{target}",
    "//{host}/moved{target}",
    "../../../moved{target}",
    "/moved{target}?a=b&c=%2F",
    "/moved{target}#part",
    "/other/../moved{target}",
]


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_may_be(regtag, serve, shelf, document, location):
    moved = Moved(shelf, methods=())

    def respond(request):
        if request.target.startswith("/moved"):
            return moved(replace(request, target=request.path))
        where = location.format(host=server.host, target=request.target)
        return redirect(request, 307, where)

    server = serve(respond)

    result = regtag("manifest", f"{server.host}/repo:old")

    assert (result.status, result.out) == (0, document), result
    assert "#" not in server.requests[-1].target


def chain(shelf, length):
    """Redirects so many times before it answers."""

    def respond(request):
        hops = int(request.query or 0)
        if hops == length or request.method == "PUT":
            return shelf(replace(request, target=request.path))
        return redirect(request, 302, f"{request.path}?{hops + 1}")

    return respond


@pytest.mark.parametrize("verb", ["tag", "digest", "manifest"])
def test_five_redirections_are_followed(regtag, serve, shelf, verb):
    server = serve(chain(shelf, 5))

    result = regtag(*called(verb, server.host))

    assert result.status == 0, result


@pytest.mark.parametrize("length", [6, 10**9], ids=["six", "endless"])
@pytest.mark.parametrize("verb", ["tag", "digest", "manifest"])
def test_more_than_five_are_not(regtag, serve, shelf, verb, length):
    server = serve(chain(shelf, length))

    result = regtag(*called(verb, server.host))

    assert result.status == 9, result
    result.complaint(server.host)
    [*methods] = [request.method for request in server.requests]
    assert methods.count(methods[0]) == 6
    assert server.uploads == []


def test_a_redirection_to_itself_ends(regtag, serve):
    server = serve(lambda request: redirect(request, 302, request.target))

    result = regtag("digest", f"{server.host}/repo:old")

    assert result.status == 9, result
    assert len(server.requests) <= 6


UNUSABLE = {
    "none": None,
    "no_host": "http://",
    "another_scheme": "ftp://{host}/moved{target}",
    "a_file": "file:///etc/passwd",
    "a_user": "http://some:body@{host}/moved{target}",
    "a_port_too_large": "http://127.0.0.1:65536/moved{target}",
    "a_space": "/moved {target}",
    "a_tab_in_the_host": "http://127.0.0.1\t.test/",
    "an_endless_one": "/moved{target}?" + "x" * 20_000,
}


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_location_is_not_followed(regtag, serve, shelf, kind, method):
    def away(request):
        location = UNUSABLE[kind]
        where = location and location.format(host=server.host, target=request.target)
        return redirect(request, 307, where)

    shelf.instead[method] = away
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 9, result
    complaint = result.complaint(server.host)
    shown = UNUSABLE[kind] and kind not in ("an_endless_one", "a_tab_in_the_host")
    if shown:
        where = UNUSABLE[kind].format(host=server.host, target="")
        assert f'is not a URL: "{where}' in complaint
    assert [one.method for one in server.requests].count(method) == 1
    assert server.uploads == [] or method == "PUT"


def test_a_location_of_a_server_is_shown_escaped(regtag, serve):
    server = serve(lambda request: redirect(request, 307, "ftp://\x9b2J\xe9/"))

    result = regtag("manifest", f"{server.host}/repo:old")

    assert result.status == 9, result
    result.complaint(r'is not a URL: "ftp://\x9b2J\xe9/" (HTTP 307)')


@pytest.mark.parametrize("status", [300, 304, 305, 306, 399])
def test_what_is_no_redirection_is_not_followed(regtag, serve, listing, status):
    server = serve(Moved(listing, status))

    result = regtag("manifest", f"{server.host}/repo:old")

    assert (result.status, result.out) == (9, b""), result
    assert len(server.requests) == 1


def test_the_digest_is_checked_after_a_redirection(regtag, serve, shelf, elsewhere, other_document):
    other = elsewhere
    server = serve(Moved(shelf, where=f"http://{other.host}"))
    pin = digest_of(other_document)

    result = regtag("tag", f"{server.host}/repo:old@{pin}", "new")

    assert result.status in (3, 10), result
    assert server.uploads == []


def test_a_target_that_is_not_there_is_named(regtag, serve, listing, dead_port):
    server = serve(Moved(listing, where=f"http://127.0.0.1:{dead_port}"))

    result = regtag("digest", f"{server.host}/repo:old")

    assert result.status == 5, result
    result.complaint(f"127.0.0.1:{dead_port}")


def test_a_target_that_stalls_is_left_at_the_deadline(regtag, serve, listing):
    stalling = serve(lambda request: [STALL])
    server = serve(Moved(listing, where=f"http://{stalling.host}"))

    result = regtag("digest", "--timeout", "2", f"{server.host}/repo:old")

    assert result.status == 6, result
    result.complaint(stalling.host)


# ---- URLs that are signed for GET only


class Signed:
    """Sends questions on to a store, as clouds have it, that refuses a HEAD with this status."""

    def __init__(self, serve, shelf, status, refusal, fields):
        self.shelf = shelf
        self.refusal = bodiless(answer(refusal, b"<Error/>"))
        self.fields = fields  # that the store has for a manifest
        self.store = serve(self.stored)
        self.server = serve(lambda request: self.redirected(request, status))
        self.host = self.server.host

    def stored(self, request):
        if request.method == "HEAD":
            return self.refusal
        found = self.shelf(replace(request, target=request.path))
        return answer(200, found.partition(b"\r\n\r\n")[2], *self.fields)

    def redirected(self, request, status):
        if request.method == "PUT":
            return self.shelf(request)
        there = f"http://{self.store.host}{request.target}?X-Signature={request.method}"
        return redirect(request, status, there)


STORED = {
    "typed": [f"Content-Type: {OCI_MANIFEST}"],
    "binary": ["Content-Type: binary/octet-stream", 'ETag: "d41d8cd98f00b204e9800998ecf8427e"'],
    "untyped": [],
}


@pytest.fixture(params=[302, 307])
def signed(request, serve, shelf, other_document):
    shelf.put("repo", "new", OCI_MANIFEST, other_document)
    return lambda refusal, fields: Signed(serve, shelf, request.param, refusal, fields)


REFUSALS = pytest.mark.parametrize("refusal", [400, 403, 404, 405, 409, 411, 501])
EVERY_STORE = pytest.mark.parametrize("store", STORED)


@REFUSALS
@EVERY_STORE
def test_where_a_head_is_not_signed_for_the_digest_is_got(
    regtag, signed, other_document, refusal, store
):
    registry = signed(refusal, STORED[store])

    result = regtag("digest", f"{registry.host}/repo:new")

    assert (result.status, result.err) == (0, b""), result
    assert result.lines == [digest_of(other_document)]
    assert [one.method for one in registry.store.requests] == ["HEAD", "GET"]


@pytest.mark.parametrize("refusal", [400, 403, 405, 409, 411, 501])
@EVERY_STORE
@pytest.mark.parametrize("guarded", [False, True])
def test_where_a_head_is_not_signed_for_a_tag_is_moved(
    regtag, signed, document, other_document, refusal, store, guarded
):
    registry = signed(refusal, STORED[store])
    old = digest_of(other_document)
    guard = ["--expect", old] if guarded else []

    result = regtag("tag", *guard, f"{registry.host}/repo:old", "new")

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{registry.host}/repo:new", digest_of(document), "moved", old)]
    assert [one.method for one in registry.store.requests] == ["GET", "HEAD", "GET"]


@EVERY_STORE
@pytest.mark.parametrize("guard", ["absent", "sha256:" + 64 * "0"])
def test_where_a_head_is_not_signed_for_a_guard_holds(
    regtag, signed, other_document, store, guard
):
    registry = signed(403, STORED[store])

    result = regtag("tag", "--expect", guard, f"{registry.host}/repo:old", "new")

    assert result.status == 12, result
    assert [row[2:] for row in result.rows] == [("failed", digest_of(other_document))]
    assert registry.server.uploads == []


@EVERY_STORE
def test_where_a_head_is_not_signed_for_watch_sees_moves(signed, shelf, watch, store):
    registry = signed(403, STORED[store])
    watcher = watch(f"{registry.host}/repo:old", *RARELY)
    watcher.err.next("watching")
    for before, after in [(OLD, NEW), (NEW, OLD), (OLD, NEW)]:
        point(shelf, OTHER_DOCUMENT if after == NEW else OCI_DOCUMENT)
        watcher.ask_now()
        watcher.out.next(f"{before}\t{after}")

    assert watcher.end() == 0


DOCUMENTS = {
    "of_schema_1": b'{"schemaVersion":1,"fsLayers":[],"history":[]}',
    "of_errors": b'{"errors":[{"schemaVersion":2}]}',
    "of_text": b"2",
    "cut_off": b'{"schemaVersion":2',
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_no_manifest_has_no_digest(regtag, signed, shelf, name):
    shelf.put("repo", "new", OCI_MANIFEST, DOCUMENTS[name])
    registry = signed(403, STORED["untyped"])

    result = regtag("tag", f"{registry.host}/repo:old", "new")

    assert [row[2:] for row in result.rows] == [("set", "-")], result


# ---- Uploads


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("away", [False, True], ids=["here", "elsewhere"])
def test_an_upload_is_sent_again_elsewhere(
    regtag, serve, shelf, document, listing, elsewhere, status, away
):
    where = f"http://{elsewhere.host}" if away else ""
    server = serve(Moved(listing, status, where, methods=("PUT",)))

    result = regtag("tag", f"{server.host}/repo:old", "new", "more")

    assert (result.status, result.err) == (0, b""), result
    assert [row[2] for row in result.rows] == ["created", "created"]
    assert shelf.manifests["repo", "new"] == (OCI_MANIFEST, document)
    assert shelf.document("repo", "more") == document
    target = elsewhere if away else server
    sent = [put for put in target.uploads if put.body and put.value("Host") == target.host]
    assert [put.body for put in sent][-2:] == [document, document]


@pytest.mark.parametrize("status", [301, 302, 303])
def test_an_upload_never_becomes_a_question(regtag, serve, shelf, listing, status):
    server = serve(Moved(listing, status, methods=("PUT",)))

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 9, result
    result.complaint(f"{server.host}/repo:new")
    assert [row[2] for row in result.rows] == ["failed"]
    assert server.request_lines == [
        "GET /v2/repo/manifests/old",
        "HEAD /v2/repo/manifests/new",
        "PUT /v2/repo/manifests/new",
    ]
    assert shelf.document("repo", "new") is None


def test_an_upload_is_not_sent_on_for_ever(regtag, serve, shelf):
    shelf.instead["PUT"] = lambda request: redirect(request, 308, request.target)
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 9, result
    assert len(server.uploads) <= 6


# ---- Secrets


@pytest.fixture
def password():
    return secret("password")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_what_is_proven_to_one_is_not_to_another(
    account, serve, shelf, listing, elsewhere, password, kind, method
):
    moved = Moved(listing, where=f"http://{elsewhere.host}", methods=(method,))
    tokens = Tokens()
    tokens.accounts[USER] = password
    auth = serve(tokens)
    gate = (
        password_gate(moved, USER, password) if kind == "basic" else token_gate(moved, tokens, auth)
    )
    server = serve(gate)
    account.docker_config(auths(server.host, USER, password))

    result = account(*called("digest" if method == "HEAD" else "tag", server.host))

    assert (result.status, result.err) == (0, b""), result
    assert elsewhere.requests and set(proofs(elsewhere)) == {None}
    for request in elsewhere.requests:
        assert password.encode() not in request.head
        assert request.value("Cookie") is None and request.value("Referer") is None
    assert shelf.document("repo", "new") is not None or method == "HEAD"


def test_another_name_of_the_same_server_is_another_origin(account, serve, shelf, password):
    def respond(request):
        if request.value("Host") == other:
            return shelf(request)
        if request.method == "GET" and request.value("Authorization"):
            return redirect(request, 307, f"http://{other}{request.target}")
        return password_gate(shelf, USER, password)(request)

    server = serve(respond)
    host, other = f"registry.test:{server.port}", f"registry2.test:{server.port}"
    account.docker_config(auths(host, USER, password))

    result = account(
        "tag", "--plain-http", *reached(host), *reached(other), f"{host}/repo:old", "new"
    )

    assert result.status == 0, result
    seen = [
        (request.method, request.value("Host"), request.value("Authorization"))
        for request in server.requests
    ]
    assert seen[0] == ("GET", host, None)
    assert set(seen[1:]) == {
        ("GET", host, basic(USER, password)),
        ("GET", other, None),
        ("HEAD", host, basic(USER, password)),
        ("PUT", host, basic(USER, password)),
    }


def test_what_is_proven_stays_on_the_same_origin(account, serve, listing, password):
    server = serve(password_gate(Moved(listing), USER, password))
    account.docker_config(auths(server.host, USER, password))

    result = account("tag", f"{server.host}/repo:old", "new")

    assert result.status == 0, result
    moved = [one for one in server.requests if one.target.startswith("/moved/")]
    assert {one.method for one in moved} == {"GET", "HEAD"}
    assert {one.value("Authorization") for one in moved} == {basic(USER, password)}


def test_a_token_may_expire_behind_a_redirection(account, serve, shelf, document, password):
    def respond(request):
        if request.target == "/moved/v2/repo/manifests/b" and not expired:
            expired.append(request)
            tokens.forget()
        if tokens.allows(request.value("Authorization"), "repo", "push"):
            return moved(request)
        return gate.refusal(request)

    expired = []
    tokens = Tokens()
    tokens.accounts[USER] = password
    auth = serve(tokens)
    moved = Moved(shelf, methods=("PUT",))
    gate = token_gate(moved, tokens, auth)
    server = serve(respond)
    account.docker_config(auths(server.host, USER, password))

    result = account("tag", f"{server.host}/repo:old", "a", "b", "c")

    assert (result.status, result.err) == (0, b""), result
    assert all(shelf.document("repo", name) == document for name in "abc")
    assert expired and len(auth.requests) == 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("kind", ["basic", "bearer"])
@pytest.mark.parametrize("proven", [False, True], ids=["open_registry", "closed_registry"])
def test_whoever_one_is_sent_to_gets_no_proof(
    account, serve, listing, password, kind, method, proven
):
    tokens = Tokens()
    tokens.accounts[USER] = password
    auth = serve(tokens)
    challenge = (
        'Basic realm="x"' if kind == "basic" else bearer_challenge(f"http://{auth.host}/token")
    )
    greedy = serve(Gate(listing, lambda *_: False, challenge))
    moved = Moved(listing, where=f"http://{greedy.host}", methods=(method,))
    server = serve(password_gate(moved, USER, password) if proven else moved)
    account.docker_config(auths(server.host, USER, password))

    result = account(*called("digest" if method == "HEAD" else "tag", server.host))

    assert result.status == 4, result
    result.complaint()
    assert greedy.requests and set(proofs(greedy)) == {None}
    assert auth.connections == 0


def test_whoever_refuses_is_named(regtag, serve, listing):
    greedy = serve(Gate(listing, lambda *_: False, 'Basic realm="x"'))
    server = serve(Moved(listing, where=f"http://{greedy.host}"))

    result = regtag("digest", f"{server.host}/repo:old")

    assert result.status == 4, result
    result.complaint(f"{server.host}/repo:old", greedy.host)


def test_credentials_of_the_other_are_not_looked_up(account, serve, listing, password):
    """The file knows the other host too; but nobody has asked for anything from there."""
    greedy = serve(password_gate(listing, USER, password))
    server = serve(Moved(listing, where=f"http://{greedy.host}"))
    account.docker_config(auths(greedy.host, USER, password))

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 4, result
    assert set(proofs(greedy)) == {None}


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("kind", ["password", "identity"])
def test_a_token_server_that_has_moved_takes_nothing_along(
    account, serve, shelf, password, status, kind
):
    tokens = Tokens()
    auth, thief = serve(tokens), serve(Tokens())
    tokens.instead = lambda request: redirect(request, status, f"http://{thief.host}/token")
    server = serve(token_gate(shelf, tokens, auth))
    if kind == "password":
        account.docker_config(auths(server.host, USER, password))
    else:
        account.docker_config({"auths": {server.host: {"identitytoken": password}}})

    result = account("digest", f"{server.host}/repo:old")

    assert result.status in (4, 9), result
    assert set(proofs(thief)) <= {None}
    for request in thief.requests:
        assert password.encode() not in request.head + request.body


# ---- TLS


@needs_tls
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_tls_is_never_left(account, serve_tls, listing, root, elsewhere, method):
    moved = Moved(listing, where=f"http://{elsewhere.host}", methods=(method,))
    site = serve_tls(respond=moved)

    result = account(
        *called("digest" if method == "HEAD" else "tag", site.host),
        *["--cacert", root.file, *site.options],
    )

    assert result.status in (4, 9), result
    result.complaint("http")
    assert elsewhere.connections == 0


@needs_tls
def test_tls_is_not_left_on_a_way_round(account, serve, serve_tls, listing, root, elsewhere):
    """From plain to TLS, and back to plain."""
    site = serve_tls(
        respond=lambda request: redirect(request, 307, f"http://{elsewhere.host}{request.target}")
    )
    server = serve(Moved(listing, where=f"https://{site.host}"))

    result = account(
        "digest", "--cacert", root.file, *reached(site.host), f"{server.host}/repo:old"
    )

    assert result.status in (4, 9), result
    assert elsewhere.connections == 0


@needs_tls
def test_tls_may_be_entered_without_a_proof(account, serve, serve_tls, listing, root, password):
    site = serve_tls(respond=Moved(listing, methods=()))
    moved = Moved(listing, where=f"https://{site.host}")
    server = serve(password_gate(moved, USER, password))
    account.docker_config(auths(server.host, USER, password))

    result = account(
        "digest", "--cacert", root.file, *reached(site.host), f"{server.host}/repo:old"
    )

    assert result.status == 0, result
    assert set(proofs(site.server)) == {None}


@pytest.fixture
def asking(serve, listing, tmp_path, root):
    """Starts a server behind TLS that asks for a certificate, and does without one."""
    with ExitStack() as stack:

        def start(shown, respond):
            context = server_context(tmp_path, shown)
            context.load_verify_locations(root.file)
            context.verify_mode = ssl.CERT_OPTIONAL
            server = serve(respond)
            front = stack.enter_context(Front(server.port, context))
            front.talks = []
            context.sni_callback = lambda session, *_: front.talks.append(session)
            front.server = server
            return front

        yield start


@needs_tls
def test_the_certificate_of_the_client_is_for_the_registry(
    account, listing, workshop, root, client_certificate, asking
):
    shown = workshop.server(root, names=["DNS:registry.test", "DNS:elsewhere.test"])
    other = asking(shown, Moved(listing, methods=()))
    host = f"elsewhere.test:{other.port}"
    front = asking(shown, Moved(listing, where=f"https://{host}"))
    registry = f"registry.test:{front.port}"

    result = account(
        *["tag", "--cacert", root.file, *reached(registry), *reached(host)],
        *["--cert", client_certificate.file, "--key", client_certificate.key],
        *[f"{registry}/repo:old", "new"],
    )

    assert result.status == 0, result
    front.settled(), other.settled()
    assert [bool(talk.getpeercert()) for talk in front.talks] == [True] * len(front.talks)
    assert {bool(talk.getpeercert()) for talk in other.talks} == {False}


@needs_tls
@pytest.mark.parametrize("option", ["--insecure", "--pin", "--pin-only"])
def test_what_is_said_of_the_registry_is_not_said_of_others(
    account, listing, workshop, root, other_root, serve_tls, option
):
    shown = workshop.server(root)
    stranger = workshop.server(other_root, names=["DNS:elsewhere.test"])
    other = serve_tls(stranger, Moved(listing, methods=()), name="elsewhere.test")
    site = serve_tls(shown, Moved(listing, where=f"https://{other.host}"))
    options = {
        "--insecure": ["--cacert", root.file, "--insecure"],
        "--pin": ["--cacert", root.file, "--pin", shown.pin],
        "--pin-only": ["--cacert", root.file, "--pin-only", "--pin", shown.pin],
    }[option]

    result = account("tag", *options, *site.options, *other.options, site.image, "new")

    assert result.status == 7, result
    assert other.is_untouched
    assert site.uploads == []


@needs_tls
def test_a_pin_of_the_registry_does_not_bind_others(account, listing, workshop, root, serve_tls):
    shown = workshop.server(root)
    trusted = workshop.server(root, names=["DNS:elsewhere.test"])
    other = serve_tls(trusted, Moved(listing, methods=()), name="elsewhere.test")
    site = serve_tls(shown, Moved(listing, where=f"https://{other.host}"))

    result = account(
        *["tag", "--cacert", root.file, "--pin", shown.pin],
        *[*site.options, *other.options, site.image, "new"],
    )

    assert result.status == 0, result
    assert [one.method for one in other.server.requests] == ["GET", "HEAD"]
