"""Bearer tokens: how one is asked for, what of, and where nothing is sent."""

import json
from urllib.parse import parse_qs

import pytest
from accounts import answering, auths, entry
from conftest import OCI_DOCUMENT
from fake import CLOSE, STALL, Pause, answer, errors, with_fields
from guarded import TokenRegistry
from images import OCI_MANIFEST, digest_of
from recorder import Recorder
from token_server import (
    SERVICE,
    Gate,
    Signer,
    Tokens,
    basic,
    bearer_challenge,
    parameters,
    secret,
    token_gate,
    user_and_password,
)

pytest_plugins = ["account_fixtures"]
USER = "somebody"
KIB = 1024


@pytest.fixture
def tokens():
    return Tokens()


@pytest.fixture
def auth(serve, tokens):
    """The token server."""
    return serve(tokens)


@pytest.fixture
def server(serve, shelf, tokens, auth):
    """The registry that wants its tokens."""
    return serve(token_gate(shelf, tokens, auth))


@pytest.fixture
def password(tokens):
    tokens.accounts[USER] = secret("password")
    return tokens.accounts[USER]


@pytest.fixture
def identity(tokens):
    token = secret("identity") + "+/=&"
    tokens.identities[token] = USER
    return token


@pytest.fixture
def known(account, server, password):
    """The user, with a password for the registry."""
    account.docker_config(auths(server.host, USER, password))
    return account


def proofs(server):
    return [request.value("Authorization") for request in server.requests]


def scopes(server):
    return [parameters(request.query)["scope"] for request in server.requests]


def methods(server):
    return [request.method for request in server.requests]


# ---- A real registry


@pytest.fixture(scope="module")
def signed(registry_binary, tmp_path_factory):
    """A docker-registry that takes the tokens of the second, which is how they are made."""
    folder = tmp_path_factory.mktemp("tokens")
    return registry_binary, folder, Signer(folder)


@pytest.fixture(scope="module")
def signing(signed):
    return Tokens(signed[2])


@pytest.fixture(scope="module")
def real(signed, signing):
    from fake import Fake  # pylint: disable=import-outside-toplevel

    binary, folder, signer = signed
    with Fake(signing) as auth:
        with TokenRegistry(binary, folder, f"http://{auth.host}/token", signer) as registry:
            registry.push_image("team/repo", "old", OCI_MANIFEST, OCI_DOCUMENT)
            registry.auth = auth
            yield registry


@pytest.fixture
def relay(real, signing):
    signing.size = 0
    real.auth.requests.clear()
    with Recorder(real.port) as recorder:
        yield recorder


def test_a_cold_tag_takes_five_requests(account, real, signing, relay):
    signing.accounts[USER] = secret("password")
    account.docker_config(auths(relay.host, USER, signing.accounts[USER]))

    result = account("tag", f"{relay.host}/team/repo:old", "new")

    digest = real.digest("team/repo", "old")
    assert result.rows == [(f"{relay.host}/team/repo:new", digest, "created", "-")], result
    assert (result.status, result.err) == (0, b"")
    assert real.digest("team/repo", "new") == digest
    assert relay.request_lines == [
        "GET /v2/team/repo/manifests/old",
        "GET /v2/team/repo/manifests/old",
        "HEAD /v2/team/repo/manifests/new",
        "PUT /v2/team/repo/manifests/new",
    ]
    [asked] = real.auth.requests
    assert (asked.method, asked.path) == ("GET", "/token")
    assert parameters(asked.query) == {
        "service": SERVICE,
        "scope": "repository:team/repo:pull,push",
    }
    assert user_and_password(asked.value("Authorization")) == (USER, signing.accounts[USER])
    first, *others = proofs(relay)
    assert first is None
    assert len(set(others)) == 1 and others[0].startswith("Bearer ey")


def test_without_credentials_an_anonymous_token_reads(account, real, relay):
    document = real.fetch("team/repo", "old")[2]

    result = account("manifest", f"{relay.host}/team/repo:old")

    assert (result.status, result.out, result.err) == (0, document, b""), result
    [asked] = real.auth.requests
    assert asked.value("Authorization") is None
    assert parameters(asked.query)["scope"] == "repository:team/repo:pull"


def test_an_anonymous_token_does_not_write(account, real, relay):
    result = account("tag", f"{relay.host}/team/repo:old", "anonymous")

    assert result.status == 4, result
    result.complaint(f"{relay.host}/team/repo")
    assert real.digest("team/repo", "anonymous") is None
    assert len(relay.requests) + len(real.auth.requests) <= 8


def test_a_token_of_16_kib_is_fine_with_a_real_registry(account, real, signing, relay):
    signing.size = 16 * KIB

    result = account("digest", f"{relay.host}/team/repo:old")

    assert (result.status, result.lines) == (0, [real.digest("team/repo", "old")]), result
    assert len(relay.requests[-1].value("Authorization")) > 16000


def test_a_real_identity_token_writes(account, real, signing, relay):
    token = secret("identity")
    signing.identities[token] = USER
    account.docker_config({"auths": {relay.host: {"identitytoken": token}}})

    result = account("tag", f"{relay.host}/team/repo:old", "by-identity")

    assert result.status == 0, result
    assert real.digest("team/repo", "by-identity") == real.digest("team/repo", "old")
    assert methods(real.auth) == ["POST"]


def test_a_registry_may_state_its_challenge_only_where_it_is_asked_for_one(
    account, serve, shelf, tokens, auth, document
):
    """Its other refusals are bare; GET of /v2/ is there to find out."""
    challenging = token_gate(shelf, tokens, auth)
    bare = Gate(shelf, tokens.allows)
    server = serve(lambda request: (challenging if request.path == "/v2/" else bare)(request))

    result = account("digest", f"{server.host}/repo:old")

    assert (result.status, result.lines) == (0, [digest_of(document)]), result
    assert [f"{one.method} {one.path}" for one in server.requests] == [
        "HEAD /v2/repo/manifests/old",
        "GET /v2/",
        "HEAD /v2/repo/manifests/old",
    ]
    assert scopes(auth) == ["repository:repo:pull"]


# ---- What is asked for


@pytest.mark.parametrize(
    "args, scope",
    [
        (["tag", "{host}/repo:old", "new"], "repository:repo:pull,push"),
        (["tag", "{host}/repo:old", "a", "b", "c"], "repository:repo:pull,push"),
        (["digest", "{host}/repo:old"], "repository:repo:pull"),
        (["manifest", "{host}/repo:old"], "repository:repo:pull"),
        (["ls", "{host}/repo"], "repository:repo:pull"),
    ],
    ids=["tag", "tags", "digest", "manifest", "ls"],
)
def test_one_token_does_for_all(known, shelf, auth, server, args, scope):
    shelf.instead["GET"] = lambda request: (
        answer(200, b'{"tags":["old"]}') if "tags/list" in request.path else shelf.usual(request)
    )

    result = known(*(word.format(host=server.host) for word in args))

    assert (result.status, result.err) == (0, b""), result
    assert scopes(auth) == [scope]
    first, *others = proofs(server)
    assert first is None
    assert len(set(others)) == 1 and others[0].startswith("Bearer ")


@pytest.mark.parametrize(
    "placeholder", ["repository:user/image:pull", "repository:repo:pull", "", "*"]
)
def test_the_scope_of_the_challenge_is_not_echoed(
    known, serve, shelf, tokens, auth, password, placeholder
):
    server = serve(token_gate(shelf, tokens, auth, scope=placeholder))
    known.docker_config(auths(server.host, USER, password))

    result = known("tag", f"{server.host}/repo:old", "new")

    assert result.status == 0, result
    assert scopes(auth) == ["repository:repo:pull,push"]


SERVICES = ["registry.test", "a&scope=b", "a b+c", "100%25", 'with "quotes" and \\', "#/?=;,"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_service_arrives_as_it_was_told(account, serve, shelf, tokens, auth, service):
    tokens.service = service
    server = serve(token_gate(shelf, tokens, auth, service=service))

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 0, result
    [asked] = auth.requests
    assert parameters(asked.query) == {"service": service, "scope": "repository:repo:pull"}


def test_a_service_that_is_not_told_is_not_sent(account, serve, shelf, tokens, auth):
    tokens.service = None
    server = serve(token_gate(shelf, tokens, auth, service=None))

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert parameters(auth.requests[0].query) == {"scope": "repository:repo:pull"}


REALMS = {
    "with_a_path": ("http://{auth}/a/b/token", "/a/b/token", {}),
    "without_a_path": ("http://{auth}", "/", {}),
    "with_a_query": ("http://{auth}/token?account=x&y", "/token", {"account": "x"}),
    "with_an_empty_query": ("http://{auth}/token?", "/token", {}),
    "in_upper_case": ("HTTP://{auth}/Token", "/Token", {}),
    "with_an_encoded_path": ("http://{auth}/a%2Fb", "/a%2Fb", {}),
}


@pytest.mark.parametrize("kind", REALMS)
def test_a_realm_may_be(account, serve, shelf, tokens, auth, kind):
    realm, path, more = REALMS[kind]
    challenge = bearer_challenge(realm.format(auth=auth.host))
    server = serve(Gate(shelf, tokens.allows, challenge))
    tokens.instead = lambda request: tokens.give_whatever()

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 0, result
    [asked] = auth.requests
    assert asked.path == path
    query = parameters(asked.query.replace("&y&", "&").lstrip("&"))
    assert query == {**more, "service": SERVICE, "scope": "repository:repo:pull"}


UNQUOTED = {
    "commas": "Bearer realm=http://{auth}/token?account=x,service=here",
    "semicolons": "Bearer realm=http://{auth}/token?account=x; service=here",
    "spaces": "Bearer realm=http://{auth}/token?account=x service=here",
    "another_that_is_broken": 'Basic realm="x"y, Bearer realm=http://{auth}/token?account=x,service=here',
}


@pytest.mark.parametrize("kind", UNQUOTED)
def test_a_realm_may_be_without_quotation_marks(account, serve, shelf, tokens, auth, kind):
    server = serve(Gate(shelf, tokens.allows, UNQUOTED[kind].format(auth=auth.host)))
    tokens.instead = lambda request: tokens.give_whatever()

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 0, result
    [asked] = auth.requests
    assert asked.path == "/token"
    query = parameters(asked.query)
    assert query == {"account": "x", "service": "here", "scope": "repository:repo:pull"}


@pytest.mark.parametrize("realm", ["/token", "token", "//{host}/token", "?service-of=x"])
def test_a_realm_may_be_relative(account, serve, shelf, tokens, realm):
    def respond(request):
        here = realm.format(host=server.host)
        gate = Gate(shelf, tokens.allows, bearer_challenge(here))
        asks = "scope=" in request.query
        return tokens.give_whatever() if asks else gate(request)

    server = serve(respond)

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert methods(server) == ["HEAD", "GET", "HEAD"]


UNUSABLE_REALMS = {
    "none": None,
    "an_empty_one": "",
    "ftp": "ftp://{auth}/token",
    "a_file": "file:///etc/passwd",
    "no_host": "http://",
    "no_host_but_a_path": "http:///token",
    "no_host_but_a_port": "http://:80/token",
    "a_port_too_large": "http://127.0.0.1:65536/token",
    "a_port_of_letters": "http://127.0.0.1:port/token",
    "a_space": "http://{auth}/to ken",
    "a_space_in_the_host": "http://127.0.0.1 .test/token",
    "a_control_character": "http://{auth}/to\x01ken",
    "a_user": "http://{auth}@{auth}/token",
    "a_user_and_password": "http://some:body@{auth}/token",
    "a_backslash": "http://{auth}\\@elsewhere.test/token",
    "an_endless_one": "http://{auth}/" + "x" * 20_000,
}


@pytest.mark.parametrize("kind", UNUSABLE_REALMS)
def test_an_unusable_realm_is_not_asked(account, serve, shelf, auth, tokens, kind):
    realm = UNUSABLE_REALMS[kind]
    challenge = bearer_challenge(realm and realm.format(auth=auth.host))
    server = serve(Gate(shelf, tokens.allows, challenge))

    result = account("digest", f"{server.host}/repo:old")

    assert result.status in (4, 9), result
    result.complaint(server.host)
    assert auth.connections == 0
    assert set(proofs(server)) == {None}


@pytest.mark.parametrize("first", ["Basic", "Bearer"])
@pytest.mark.parametrize("apart", [True, False], ids=["two_fields", "one_field"])
def test_one_of_two_challenges_is_answered(
    account, serve, shelf, tokens, auth, password, first, apart
):
    def allows(authorization, repository, action):
        return tokens.allows(authorization, repository, action) or authorization == basic(
            USER, password
        )

    challenges = ['Basic realm="x"', bearer_challenge(f"http://{auth.host}/token")]
    challenges.sort(key=lambda one: not one.startswith(first))
    server = serve(Gate(shelf, allows, *(challenges if apart else [", ".join(challenges)])))
    account.docker_config(auths(server.host, USER, password))

    result = account("tag", f"{server.host}/repo:old", "new")

    assert result.status == 0, result


# ---- What comes back


@pytest.mark.parametrize(
    "fields", [("token",), ("access_token",), ("token", "access_token")], ids=str
)
@pytest.mark.parametrize(
    "expires_in", [None, 0, 1, 300, -1, 2**31, 10**30, 1.5, "300"], ids=str
)
def test_an_answer_may_say(known, shelf, document, tokens, auth, server, fields, expires_in):
    tokens.fields = fields
    tokens.expires_in = expires_in

    result = known("tag", f"{server.host}/repo:old", "new")

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document
    assert methods(server) == ["GET", "GET", "HEAD", "PUT"]
    assert len(auth.requests) <= 2


@pytest.mark.parametrize("name", ["token", "access_token"])
@pytest.mark.parametrize("nothing", [None, ""], ids=["null", "empty"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_a_name_without_a_token_is_as_good_as_none(account, tokens, server, name, nothing, first):
    def respond(request):
        body = json.loads(tokens.give_whatever().split(b"\r\n\r\n", 1)[1])
        other = {"token": "access_token", "access_token": "token"}[name]
        given = [(name, nothing), (other, body["token"])]
        return told(dict(given if first else reversed(given)))

    tokens.instead = respond

    assert account("digest", f"{server.host}/repo:old").status == 0


@pytest.mark.parametrize("size", [4 * KIB, 16 * KIB])
def test_a_token_may_be_long(known, tokens, server, size):
    tokens.size = size

    result = known("tag", f"{server.host}/repo:old", "new")

    assert result.status == 0, result
    assert len(proofs(server)[-1]) == size + len("Bearer ")


def test_a_token_may_have_all_its_letters(account, tokens, server):
    token = "azAZ09-._~+/=="
    tokens.instead = lambda request: tokens.give_whatever(token)

    assert account("digest", f"{server.host}/repo:old").status == 0
    assert proofs(server)[-1] == f"Bearer {token}"


@pytest.mark.parametrize("status", [401, 403])
def test_a_helper_that_cannot_be_run_is_why_there_is_no_token(
    account, tokens, auth, server, status
):
    tokens.instead = lambda request: errors(status, "DENIED", "nobody is not let in")
    account.docker_config({"credsStore": "absent"})

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 16, result
    _, error = result.complaints
    assert "docker-credential-absent" in error and auth.host in error


def test_a_helper_that_cannot_be_run_leaves_what_anybody_may_read(account, server):
    account.docker_config({"credsStore": "absent"})

    assert account("digest", f"{server.host}/repo:old").status == 0
    assert account("tag", f"{server.host}/repo:old", "new").status == 16


def told(value):
    return answer(200, json.dumps(value).encode(), "Content-Type: application/json")


REFUSED = {
    "401": (errors(401, "UNAUTHORIZED", "wrong name or password"), {4}),
    "401_with_a_challenge": (
        errors(401, "UNAUTHORIZED", "", 'WWW-Authenticate: Basic realm="x"'),
        {4},
    ),
    "403": (errors(403, "DENIED"), {4}),
    "400": (errors(400, "UNSUPPORTED"), {4, 9}),
    "404": (answer(404, b"not here"), {4, 9}),
    "429": (errors(429, "TOOMANYREQUESTS", "", "Retry-After: 60"), {14}),
    "500": (errors(500, "UNKNOWN"), {17}),
    "503": (answer(503), {17}),
    "204": (answer(204, framed=False), {9}),
    "html": (answer(200, b"<html>Sign in</html>", "Content-Type: text/html"), {9}),
    "nothing": (answer(200), {9}),
    "half": (answer(200, b'{"token":"abc'), {9}),
    "two_things": (answer(200, b'{"token":"abc"}{"token":"def"}'), {9}),
    "a_list": (answer(200, b'["token"]'), {9}),
    "no_token": (answer(200, b"{}"), {9}),
    "an_empty_token": (told({"token": ""}), {9}),
    "a_number": (told({"token": 12345}), {9}),
    "an_object": (told({"token": {"token": "abc"}}), {9}),
    "a_space": (told({"token": "a b"}), {9}),
    "a_line_end": (told({"token": "a\r\nX-Injected: yes"}), {9}),
    "a_nul": (told({"token": "a\0b"}), {9}),
    "other_letters": (told({"token": "tökén"}), {9}),
    "a_raw_control": (answer(200, b'{"token":"a\nb"}'), {9}),
    "two_tokens": (answer(200, b'{"token":"abc","token":"def"}'), {9}),
    "more_than_16_kib": (told({"token": "x" * (16 * KIB + 1)}), {9}),
    "much_more": (told({"token": "x" * 1_000_000}), {9}),
    "deep": (answer(200, b'{"a":' * 5000), {9}),
    "nothing_and_closes": ([CLOSE], {5, 9}),
    "half_and_closes": ([answer(200, b'{"token":"abc"}')[:-4], CLOSE], {5, 9}),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_token_server_that_answers(known, shelf, password, tokens, auth, server, kind):
    given, statuses = REFUSED[kind]
    tokens.instead = lambda request: given

    result = known("tag", "--timeout", "5", f"{server.host}/repo:old", "new")

    assert result.status in statuses, result
    complaint = result.complaint(auth.host)
    assert password not in complaint
    assert "X-Injected" not in complaint
    assert set(proofs(server)) == {None}
    assert shelf.document("repo", "new") is None
    assert len(auth.requests) <= 4


def test_a_token_server_that_is_not_there(account, serve, shelf, dead_port):
    challenge = bearer_challenge(f"http://127.0.0.1:{dead_port}/token")
    server = serve(Gate(shelf, lambda *_: False, challenge))

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 5, result
    result.complaint(f"127.0.0.1:{dead_port}")


def test_a_token_server_that_stalls(account, tokens, auth, server):
    tokens.instead = lambda request: [STALL]

    result = account("digest", "--timeout", "2", f"{server.host}/repo:old")

    assert result.status == 6, result
    result.complaint(auth.host)


def test_a_token_that_is_refused_is_not_fetched_for_ever(known, serve, shelf, auth, password):
    challenge = bearer_challenge(f"http://{auth.host}/token")
    server = serve(Gate(shelf, lambda *_: False, challenge))
    known.docker_config(auths(server.host, USER, password))

    result = known("tag", f"{server.host}/repo:old", "a", "b", "c")

    assert result.status == 4, result
    result.complaint(f"{server.host}/repo:old")
    assert len(server.requests) <= 5
    assert len(auth.requests) <= 2
    assert server.uploads == []


def test_a_narrower_grant_shows_where_it_does_not_reach(known, tokens, auth, server):
    tokens.grant = lambda user, actions: {"pull"}

    result = known("tag", f"{server.host}/repo:old", "new")

    assert result.status == 4, result
    assert [row[2] for row in result.rows] == ["failed"]
    result.complaint(f"{server.host}/repo:new")
    assert len(server.uploads) <= 2 and len(auth.requests) <= 2


@pytest.mark.parametrize("expires_in", [None, 1, 300], ids=str)
def test_a_token_that_expires_on_the_way_is_renewed(
    known, serve, shelf, document, tokens, auth, password, expires_in
):
    names = [f"v{number}" for number in range(6)]
    gate = token_gate(shelf, tokens, auth)
    tokens.expires_in = expires_in

    def respond(request):
        if request.path.endswith("/v3") and not expired:
            expired.append(request)
            tokens.forget()
        return gate(request)

    expired = []
    server = serve(respond)
    known.docker_config(auths(server.host, USER, password))

    result = known("tag", f"{server.host}/repo:old", *names)

    assert (result.status, result.err) == (0, b""), result
    assert [(row[0], row[2]) for row in result.rows] == [
        (f"{server.host}/repo:{name}", "created") for name in names
    ]
    assert all(shelf.document("repo", name) == document for name in names)
    assert expired and len(auth.requests) >= 2
    assert len(server.uploads) <= 2 * len(names)
    assert methods(server).count("GET") == 2


def test_tokens_that_expire_more_than_once_are_renewed_each_time(
    known, serve, shelf, document, tokens, auth, password
):
    gate = token_gate(shelf, tokens, auth)
    expired = []

    def respond(request):
        last = request.method, request.path[-2:]
        if last in (("HEAD", "v1"), ("PUT", "v3")) and last not in expired:
            expired.append(last)
            tokens.forget()
        return gate(request)

    server = serve(respond)
    known.docker_config(auths(server.host, USER, password))
    names = [f"v{number}" for number in range(5)]

    result = known("tag", f"{server.host}/repo:old", *names)

    assert (result.status, result.err) == (0, b""), result
    assert all(shelf.document("repo", name) == document for name in names)
    assert len(auth.requests) == 3


def test_a_token_that_expires_between_pages_is_renewed(account, serve, tokens, auth):
    def pages(request):
        number = int(request.query.partition("page=")[2] or 1)
        links = [f'Link: </v2/repo/tags/list?page={number + 1}>; rel="next"'] if number < 4 else []
        return answer(200, json.dumps({"tags": [f"v{number}"]}).encode(), *links)

    gate = token_gate(pages, tokens, auth)

    def respond(request):
        if request.query == "page=3" and not expired:
            expired.append(request)
            tokens.forget()
        return gate(request)

    expired = []
    server = serve(respond)

    result = account("ls", f"{server.host}/repo")

    assert (result.status, result.lines) == (0, ["v1", "v2", "v3", "v4"]), result
    assert len(auth.requests) == 2


def test_a_refused_renewal_is_reported_once_for_the_name_that_needs_it(
    account, serve, shelf, tokens, auth, password
):
    """The first upload takes so long that the token is too old; then there is none, once."""
    tokens.expires_in = 1
    asked = []

    def give(request):
        asked.append("refused" if len(asked) == 1 else "granted")
        if asked[-1] == "refused":
            return errors(403, "DENIED", "not now")
        tokens.instead = None
        given = tokens(request)
        tokens.instead = give
        return given

    def put(request):
        """A registry may set tags of the query, too: this one the first of them."""
        told = shelf.usual(request)
        first = parse_qs(request.query).get("tag", [])[:1]
        for tag in first:
            shelf.put("repo", tag, request.value("Content-Type"), request.body)
        told = with_fields(told, [f"OCI-Tag: {tag}" for tag in first])
        if len(server.uploads) > 1:
            return told
        tokens.forget()
        return [Pause(1.2), told]

    tokens.instead = give
    shelf.fields = []
    shelf.instead["PUT"] = put
    server = serve(token_gate(shelf, tokens, auth))
    account.docker_config(auths(server.host, USER, password))

    result = account("tag", f"{server.host}/repo:old", "one", "two", "three", retries=0)

    # The first look at the second name may be what was refused, which is not the end of it.
    assert asked == ["granted", "refused", "granted"]
    told = [row[2] for row in result.rows]
    assert (told[0], told[2]) == ("created", "created"), result
    assert (told[1] in ("created", "set")) == (shelf.document("repo", "two") is not None), result
    if result.status:
        assert (result.status, told[1]) == (4, "failed"), result
        assert result.complaint(f"{server.host}/repo:two", "not now").count("no token from") == 1


# ---- Tokens that one has already


@pytest.fixture
def bearer_server(serve, shelf, auth):
    """A registry that takes one token, which its own token server does not give out."""
    token = secret("token")
    challenge = bearer_challenge(f"http://{auth.host}/token")
    server = serve(Gate(shelf, lambda field, *_: field == f"Bearer {token}", challenge))
    server.token = token
    return server


@pytest.mark.parametrize("source", ["environment", "file"])
def test_a_token_of_the_users_is_sent_as_it_is(
    account, shelf, document, auth, bearer_server, source
):
    env = {}
    if source == "environment":
        env["REGTAG_TOKEN"] = bearer_server.token
    else:
        account.docker_config(
            {"auths": {bearer_server.host: {"registrytoken": bearer_server.token}}}
        )

    result = account("tag", f"{bearer_server.host}/repo:old", "new", env=env)

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document
    assert methods(bearer_server)[-3:] == ["GET", "HEAD", "PUT"]
    assert len(bearer_server.requests) <= 4
    assert auth.connections == 0


@pytest.mark.parametrize("source", ["environment", "file"])
def test_a_refused_token_of_the_users_is_the_end(account, auth, bearer_server, source):
    wrong = secret("wrong")
    env = {}
    if source == "environment":
        env["REGTAG_TOKEN"] = wrong
    else:
        account.docker_config({"auths": {bearer_server.host: {"registrytoken": wrong}}})

    result = account("digest", f"{bearer_server.host}/repo:old", env=env)

    assert result.status == 4, result
    assert wrong not in result.complaint(bearer_server.host)
    assert len(bearer_server.requests) <= 2
    assert set(proofs(bearer_server)) <= {None, f"Bearer {wrong}"}
    assert auth.connections == 0


def test_a_token_is_no_password(account, serve, shelf):
    server = serve(Gate(shelf, lambda *_: False, 'Basic realm="x"'))
    token = secret("token")

    result = account("digest", f"{server.host}/repo:old", env={"REGTAG_TOKEN": token})

    assert result.status == 4, result
    assert set(proofs(server)) <= {None, f"Bearer {token}"}


def test_a_token_in_the_environment_is_for_the_registry_of_the_image(account, serve, shelf):
    server = serve(shelf)
    token = secret("token")

    result = account("digest", f"{server.host}/repo:old", env={"REGTAG_TOKEN": token})

    assert result.status == 0, result
    assert set(proofs(server)) <= {None, f"Bearer {token}"}


@pytest.mark.parametrize(
    "text", ["a\r\nX-Injected: yes", "a b", "a\n", "tökén", "x" * (16 * KIB + 1)]
)
def test_a_token_that_cannot_be_sent_is_refused(account, bearer_server, text):
    result = account("digest", f"{bearer_server.host}/repo:old", env={"REGTAG_TOKEN": text})

    assert result.status in (2, 16), result
    assert "X-Injected" not in result.complaint()
    assert set(proofs(bearer_server)) <= {None}


# ---- Identity tokens


def identity_in_a_file(account, server, identity):
    account.docker_config({"auths": {server.host: {"identitytoken": identity}}})


def identity_beside_a_name(account, server, identity):
    named = {**entry(USER, ""), "identitytoken": identity}
    account.docker_config({"auths": {server.host: named}})


def identity_of_a_helper(account, server, identity):
    account.helper("test", answering("<token>", identity))
    account.docker_config({"credHelpers": {server.host: "test"}})


IDENTITIES = [identity_in_a_file, identity_beside_a_name, identity_of_a_helper]


@pytest.mark.parametrize("source", IDENTITIES, ids=lambda source: source.__name__)
def test_an_identity_token_is_exchanged(account, shelf, document, auth, server, identity, source):
    source(account, server, identity)

    result = account("tag", f"{server.host}/repo:old", "new")

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document
    [asked] = auth.requests
    assert (asked.method, asked.target) == ("POST", "/token")
    form = parameters(asked.body.decode())
    assert form.pop("client_id")
    assert form == {
        "grant_type": "refresh_token",
        "service": SERVICE,
        "scope": "repository:repo:pull,push",
        "refresh_token": identity,
    }
    assert asked.value("Authorization") is None
    assert not any(identity in (proof or "") for proof in proofs(server))


@pytest.mark.parametrize("status", [404, 405, 415, 501])
@pytest.mark.parametrize("source", IDENTITIES, ids=lambda source: source.__name__)
def test_where_there_is_no_post_get_is_tried(
    account, shelf, tokens, auth, server, identity, source, status
):
    tokens.post = status
    source(account, server, identity)

    result = account("tag", f"{server.host}/repo:old", "new")

    assert (result.status, result.err) == (0, b""), result
    assert methods(auth) == ["POST", "GET"]
    assert scopes_asked(auth) == ["repository:repo:pull,push"] * 2
    assert identity not in auth.requests[-1].target


def scopes_asked(server):
    return [
        parameters(request.body.decode() if request.method == "POST" else request.query)["scope"]
        for request in server.requests
    ]


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_a_refused_identity_token_is_not_tried_otherwise(
    account, tokens, auth, server, identity, status
):
    tokens.instead = lambda request: errors(status, "NO")
    identity_in_a_file(account, server, identity)

    result = account("digest", f"{server.host}/repo:old")

    assert result.status in {400: (4, 9), 500: (17,)}.get(status, (4,)), result
    assert identity not in result.complaint(auth.host)
    assert set(methods(auth)) == {"POST"}
    assert set(proofs(auth)) == {None}


@pytest.mark.parametrize("post", [200, 404], ids=["post", "get"])
def test_an_identity_token_may_be_long(account, tokens, auth, server, post):
    identity = "x" * (16 * KIB)
    tokens.identities[identity] = USER
    tokens.post = post
    identity_in_a_file(account, server, identity)

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert methods(auth) == (["POST"] if post == 200 else ["POST", "GET"])


@pytest.mark.parametrize("post", [200, 404], ids=["post", "get"])
def test_an_identity_token_may_have_spaces(account, tokens, auth, server, post):
    identity = "an identity & 100%+ more~"
    tokens.identities[identity] = USER
    tokens.post = post
    identity_in_a_file(account, server, identity)

    assert account("digest", f"{server.host}/repo:old").status == 0


def test_a_password_for_a_token_server_may_be_long(account, tokens, server):
    tokens.accounts[USER] = "\n" * (16 * KIB)
    account.docker_config(auths(server.host, USER, tokens.accounts[USER]))

    result = account("tag", f"{server.host}/repo:old", "new")

    assert (result.status, result.err) == (0, b""), result


def test_an_identity_token_does_not_answer_basic(account, serve, shelf, identity):
    server = serve(Gate(shelf, lambda *_: False, 'Basic realm="x"'))
    identity_in_a_file(account, server, identity)

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 4, result
    assert set(proofs(server)) == {None}


# ---- Realms elsewhere: a registry with a public name, which is here all the same

PUBLIC = "registry.example"

HERE = ["127.0.0.1", "127.8.8.8", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"]
ODD = ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost.", "127.0.0.1."]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "[fe80::1]",
    "[fd12::1]",
    "[fc00::1]",
    "[::ffff:10.0.0.1]",
    "a.localhost",
    "ip6-localhost",
    "localhost.localdomain",
]


@pytest.fixture
def public(serve, shelf, tokens, password, account):
    """Tags an image of a registry with a public name, whose realm is this one."""

    def run(realm, *args):
        server = serve(Gate(shelf, tokens.allows, bearer_challenge(realm)))
        host = f"{PUBLIC}:{server.port}"
        account.docker_config(auths(host, USER, password))
        where = ["--plain-http", "--resolve", f"{host}:127.0.0.1", "--timeout", "5"]
        return account("tag", *where, *args, f"{host}/repo:old", "new")

    return run


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("address", HERE + ODD)
def test_a_realm_here_behind_a_public_registry_is_refused(public, auth, scheme, address):
    result = public(f"{scheme}://{address}:{auth.port}/token")

    assert result.status in ((4,) if address in HERE else (4, 5, 7, 9)), result
    result.complaint()
    assert auth.connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_realm_behind_a_public_registry_is_refused(public, scheme, address):
    result = public(f"{scheme}://{address}/token")

    assert result.status == 4, result
    result.complaint(address.strip("[]"), "allow-realm")


@pytest.mark.parametrize("allowed", ["127.0.0.1:{port}", "127.0.0.1"], ids=["port", "any_port"])
def test_a_realm_that_is_allowed_is_asked(public, auth, password, allowed):
    allowed = allowed.format(port=auth.port)

    result = public(f"http://{auth.host}/token", "--allow-realm", allowed)

    assert (result.status, result.err) == (0, b""), result
    assert proofs(auth) == [basic(USER, password)]


@pytest.mark.parametrize(
    "allowed", ["127.0.0.1:{other}", "127.0.0.2:{port}", "elsewhere.test", "127.0.0"]
)
def test_another_realm_that_is_allowed_does_not_matter(public, auth, allowed):
    allowed = allowed.format(port=auth.port, other=auth.port - 1)

    result = public(f"http://{auth.host}/token", "--allow-realm", allowed)

    assert result.status == 4, result
    assert auth.connections == 0


def test_the_realm_of_the_registry_itself_is_no_other(account, serve, shelf, tokens, password):
    def respond(request):
        if request.path == "/token":
            return tokens(request)
        gate = Gate(shelf, tokens.allows, bearer_challenge(f"http://{host}/token"))
        return gate(request)

    server = serve(respond)
    host = f"{PUBLIC}:{server.port}"
    account.docker_config(auths(host, USER, password))
    where = ["--plain-http", "--resolve", f"{host}:127.0.0.1"]

    result = account("tag", *where, f"{host}/repo:old", "new")

    assert result.status == 0, result
    assert methods(server) == ["GET", "GET", "GET", "HEAD", "PUT"]
