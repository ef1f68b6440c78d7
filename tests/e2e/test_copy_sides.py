"""`copy` has two registries: each is reached in its own way, and gets nothing that is for the other."""

import pytest
from authority import NAME
from copies import CopyGate, behind, push_index
from fronts import needs_tls, reached
from tls_server import insist
from token_server import Tokens, basic, bearer_challenge, secret, user_and_password

pytest_plugins = ["account_fixtures", "tls_fixtures"]

USAGE, DENIED, UNTRUSTED = 2, 4, 7
SOURCE, TARGET = "source", "target"


@pytest.fixture(scope="module")
def elsewhere(start_registry):
    """Another registry, which begins empty."""
    return start_registry()


class Login:
    """A name, and a password that nobody else has, in a file and for a server that wants them."""

    def __init__(self, folder, side):
        self.user = f"{side}-user"
        self.password = secret(side)
        self.file = folder / f"{side}-password"
        self.file.write_text(self.password)
        self.file.chmod(0o600)

    def given_as(self, prefix):
        return [f"--{prefix}user", self.user, f"--{prefix}password-file", self.file]

    def allows(self, authorization, *_):
        return user_and_password(authorization) == (self.user, self.password)

    def traces(self):
        return [self.password, basic(self.user, self.password)]


@pytest.fixture
def logins(tmp_path):
    return [Login(tmp_path, side) for side in (SOURCE, TARGET)]


@pytest.fixture
def gates(serve, registry, elsewhere, repository, logins):
    """The registries, each behind a password of its own."""
    challenge = 'Basic realm="the tests"'
    return [
        serve(CopyGate(behind(one), login.allows, challenge))
        for one, login in zip((registry, elsewhere), logins)
    ]


def said_to(server):
    """All that was sent to it."""
    return b"".join(one.head + one.body for one in server.requests).decode("latin-1")


def expect_discretion(servers, traces):
    """Each server was told the secret of its own side, not that of the other."""
    for server, own, other in zip(servers, traces, reversed(traces)):
        said = said_to(server)
        assert any(one in said for one in own)
        assert not any(one in said for one in other)


def test_each_side_gets_its_own_password(account, gates, logins, repository):
    result = account(
        "copy",
        *logins[0].given_as("from-"),
        *logins[1].given_as("to-"),
        f"{gates[0].host}/{repository}:old",
        f"{gates[1].host}/{repository}",
    )

    assert result.rows[0][2] == "created", result
    expect_discretion(gates, [one.traces() for one in logins])


def test_each_side_gets_what_a_file_has_for_its_registry(account, gates, logins, repository):
    auths = {
        gate.host: {"auth": basic(one.user, one.password).split()[1]} for gate, one in zip(gates, logins)
    }
    account.docker_config({"auths": auths})

    result = account("copy", f"{gates[0].host}/{repository}:old", f"{gates[1].host}/{repository}")

    assert result.rows[0][2] == "created", result
    expect_discretion(gates, [one.traces() for one in logins])


@pytest.mark.parametrize("other", ["--from-anonymous", "--from-user"])
def test_the_environment_is_for_the_side_that_has_nothing_else(account, gates, logins, repository, other):
    source, target = logins
    env = {"REGTAG_USER": target.user, "REGTAG_PASSWORD": target.password}
    options = source.given_as("from-") if other == "--from-user" else [other]

    result = account(
        "copy", *options, f"{gates[0].host}/{repository}:old", f"{gates[1].host}/{repository}", env=env
    )

    assert result.status == (0 if other == "--from-user" else DENIED), result
    assert target.traces()[1] not in said_to(gates[0])


def test_a_password_on_stdin_is_for_the_side_that_is_named(account, gates, logins, repository):
    result = account(
        "copy",
        *logins[0].given_as("from-"),
        "--to-password-stdin",
        f"--to-user={logins[1].user}",
        f"{gates[0].host}/{repository}:old",
        f"{gates[1].host}/{repository}",
        secret=logins[1].password,
    )

    assert result.rows[0][2] == "created", result
    expect_discretion(gates, [one.traces() for one in logins])


@pytest.mark.parametrize("how", ["--password-file", "--password-stdin"])
def test_one_registry_has_one_login(account, gates, logins, repository, how):
    login = logins[0]
    options = login.given_as("") if how == "--password-file" else [f"--user={login.user}", how]
    host = gates[0].host

    result = account(
        "copy", *options, f"{host}/{repository}:old", f"{host}/{repository}/two", secret=login.password
    )

    assert result.rows[0][2] == "created", result


# ---- Tokens ----------------------------------------------------------------------------------------


def token_registries(serve, registries, logins):
    """Each with a token server of its own: the fronts, and the token servers."""
    fronts, servers = [], []
    for registry, login in zip(registries, logins):
        tokens = Tokens()
        tokens.accounts[login.user] = login.password
        server = serve(tokens)
        challenge = bearer_challenge(f"http://{server.host}/token")
        fronts.append(serve(CopyGate(behind(registry), tokens.allows, challenge)))
        fronts[-1].tokens = tokens
        servers.append(server)
    return fronts, servers


def test_each_side_has_tokens_of_its_own(account, serve, registry, elsewhere, repository, logins):
    fronts, servers = token_registries(serve, [registry, elsewhere], logins)
    push_index(registry, repository, "index")

    result = account(
        "copy",
        *logins[0].given_as("from-"),
        *logins[1].given_as("to-"),
        f"{fronts[0].host}/{repository}:index",
        f"{fronts[1].host}/{repository}",
    )

    assert result.rows[0][2] == "created", result
    traces = [list(front.tokens.issued) for front in fronts]
    expect_discretion(fronts, traces)
    expect_discretion(servers, [one.traces() for one in logins])
    assert all(login.password not in said_to(front) for login in logins for front in fronts)
    assert {issued.access[0]["actions"][-1] for issued in fronts[0].tokens.issued.values()} == {"pull"}


def test_a_mount_has_a_token_for_both_repositories(account, serve, registry, repository, logins):
    (front,), _ = token_registries(serve, [registry], logins)

    result = account(
        "copy", *logins[0].given_as(""), f"{front.host}/{repository}:old", f"{front.host}/{repository}/two"
    )

    assert result.rows[0][2] == "created", result
    assert not [one for one in front.requests if one.method == "PATCH"]


# ---- TLS -------------------------------------------------------------------------------------------


@pytest.fixture
def secure(serve_tls, registry, elsewhere, repository, workshop, certificate, other_root):
    """The registries behind TLS, each with a certificate from another authority."""

    def start(**options):
        shown = [certificate, workshop.server(other_root)]
        return [
            serve_tls(shown=one, respond=behind(registry, tls=True), **options)
            for one, registry in zip(shown, (registry, elsewhere))
        ]

    return start


@needs_tls
def test_each_side_has_its_own_authority(regtag, secure, repository, root, other_root):
    source, target = secure()
    images = [f"{source.host}/{repository}:old", f"{target.host}/{repository}"]
    names = [*source.options, *target.options]

    def copy(*options):
        return regtag("copy", *names, *options, *images)

    assert copy("--from-cacert", root.file, "--to-cacert", other_root.file).rows[0][2] == "created"
    assert copy("--cacert", root.file, "--to-cacert", other_root.file).rows[0][2] == "unchanged"
    for options in (
        ["--from-cacert", other_root.file, "--to-cacert", root.file],
        ["--cacert", root.file],
        ["--from-cacert", root.file],
    ):
        assert copy(*options).status == UNTRUSTED


@needs_tls
def test_plain_http_may_be_for_one_side(regtag, secure, elsewhere, repository, root):
    source, _ = secure()
    host = f"{NAME}:{elsewhere.port}"
    options = [*source.options, *reached(host), "--cacert", root.file, "--to-plain-http"]

    result = regtag("copy", *options, f"{source.host}/{repository}:old", f"{host}/{repository}")

    assert result.rows[0][2] == "created", result


@needs_tls
def test_what_is_insecure_on_one_side_is_not_on_the_other(regtag, secure, repository, root, other_root):
    source, target = secure()
    images = [f"{source.host}/{repository}:old", f"{target.host}/{repository}"]
    names = [*source.options, *target.options]

    result = regtag("copy", *names, "--from-insecure", *images, "--to-cacert", other_root.file)
    assert result.rows[0][2] in ("created", "unchanged")
    result = regtag("copy", *names, "--from-insecure", "--cacert", root.file, *images)
    assert result.status == UNTRUSTED
    result = regtag("copy", *names, "--to-insecure", "--cacert", root.file, *images)
    assert result.rows[0][2] in ("created", "unchanged")


@needs_tls
def test_a_pin_is_for_one_side(regtag, secure, repository, root, other_root):
    source, target = secure()
    names = [*source.options, *target.options, "--cacert", root.file, "--to-cacert", other_root.file]
    images = [f"{source.host}/{repository}:old", f"{target.host}/{repository}"]
    wrong = "sha256//" + "A" * 43 + "="

    assert regtag("copy", *names, "--from-pin", wrong, *images).status == UNTRUSTED
    assert regtag("copy", *names, "--to-pin", wrong, *images).status == UNTRUSTED
    assert target.uploads == []


@needs_tls
def test_a_certificate_is_shown_to_its_own_side_only(
    regtag, serve_tls, registry, elsewhere, repository, root, workshop, client_certificate
):
    both = [client_certificate, workshop.client(root)]
    sites = [
        serve_tls(respond=behind(one, tls=True), prepare=insist(root)) for one in (registry, elsewhere)
    ]
    images = [f"{sites[0].host}/{repository}:old", f"{sites[1].host}/{repository}"]
    names = [*sites[0].options, *sites[1].options, "--cacert", root.file]

    def shown(prefix, certificate):
        return [f"--{prefix}-cert", certificate.file, f"--{prefix}-key", certificate.key]

    result = regtag("copy", *names, *shown("from", both[0]), *shown("to", both[1]), *images)

    assert result.rows[0][2] == "created", result
    seen = [{one.shown for one in site.front.settled()} for site in sites]
    assert all(len(one) == 1 for one in seen) and seen[0] != seen[1] and None not in seen[0] | seen[1]
    assert regtag("copy", *names, *shown("from", both[0]), *images).status != 0
    assert regtag("copy", *names, *shown("to", both[1]), *images).status != 0


# ---- Usage -----------------------------------------------------------------------------------------

SIDELESS = {
    "user": ["--user=me", "--password-file=/dev/null"],
    "cert": ["--cert=/dev/null"],
    "key": ["--from-cert=/dev/null", "--to-cert=/dev/null", "--key=/dev/null"],
    "pin": ["--pin=sha256//" + "A" * 43 + "="],
    "pin-only": ["--from-pin=sha256//" + "A" * 43 + "=", "--to-pin=sha256//" + "A" * 43 + "=", "--pin-only"],
    "insecure": ["--insecure", "-q"],
}


@pytest.mark.parametrize("name", SIDELESS)
def test_what_is_for_one_registry_must_name_it(regtag, serve, shelf, name):
    servers = [serve(shelf), serve(shelf)]

    result = regtag("copy", *SIDELESS[name], *(f"{one.host}/repo:old" for one in servers))

    assert (result.status, result.out) == (USAGE, b"")
    last = result.complaints[-1]
    wanted = "password-file" if name == "user" else name
    assert f"--from-{wanted} or --to-{wanted}" in last
    assert all(one.host in last and not one.requests for one in servers)


def test_the_environment_must_be_for_one_registry(account, serve, shelf):
    servers = [serve(shelf), serve(shelf)]
    env = {"REGTAG_TOKEN": "secret"}

    result = account("copy", *(f"{one.host}/repo:old" for one in servers), env=env)

    assert (result.status, result.out) == (USAGE, b"")
    result.complaint("REGTAG_TOKEN", "--from-anonymous")
    assert not servers[0].requests and not servers[1].requests


@pytest.mark.parametrize(
    "options, words",
    [
        (["--from-user=a", "--from-password-stdin", "--to-user=b", "--to-password-stdin"], ["stdin"]),
        (["--from-user=a"], ["--from-user needs --from-password-stdin"]),
        (["--to-user=a"], ["--to-user needs --to-password-stdin or --to-password-file FILE"]),
        (["--user=a"], ["--user needs --password-stdin"]),
        (["--to-password-stdin"], ["--to-user NAME"]),
        (["--to-anonymous", "--to-user=b", "--to-password-stdin"], ["--to-anonymous", "--to-password-..."]),
        (["--from-plain-http", "--from-tls"], ["--plain-http", "--tls"]),
        (["--from-cert"], ["--cert", "needs a value"]),
        (["--from-resolve", "a:1:127.0.0.1"], ["unknown option", "--from-resolve"]),
    ],
)
def test_unusable_options_of_a_side_are_refused(regtag, options, words):
    result = regtag("copy", "a.test/x", "b.test/x", *options)

    assert (result.status, result.out) == (USAGE, b"")
    result.complaint(*words)


def test_other_commands_have_no_sides(regtag):
    result = regtag("tag", "--from-user", "a", "a.test/x", "y")

    assert result.status == USAGE
    result.complaint("unknown option")
