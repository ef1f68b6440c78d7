"""Secrets are looked for everywhere, and found nowhere but where they belong."""

import base64
import json
import os
import re
import resource
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from accounts import answering, auths
from authority import LOOPBACK
from fake import answer, errors
from fronts import needs_tls
from program import Program
from proxies import NOBODY, Proxy
from token_server import (
    Gate,
    Tokens,
    bearer,
    bearer_challenge,
    password_gate,
    secret,
    token_gate,
    user_and_password,
)

pytest_plugins = ["account_fixtures", "tls_fixtures"]

USER = "somebody"


def traces(text):
    """What a secret looks like on its own and within Base64, wherever it begins there."""
    found = [text.encode()]
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + text.encode() + b"\0" * 3)
        found.append(encoded[4 if before else 0 : len(encoded) // 4 * 4 - 8])
    return found


def reveals(data, text):
    return any(trace in data for trace in traces(text))


def test_a_canary_is_heard():
    """What looks for secrets finds them, in each form in which they come."""
    text = secret("password")
    for user in ("", "a", "ab", "abc", "<token>"):
        pair = f"{user}:{text}"
        assert reveals(base64.b64encode(pair.encode()), text)
        assert reveals(f"x{pair}x".encode(), text)
    assert not reveals(base64.b64encode(f"ab:{secret('password')}".encode()), text)


def processes(what):
    """What /proc tells of every process."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield folder.name, (folder / what).read_bytes()
            except OSError:
                continue  # it has ended, or is somebody else's


class Canary:
    """Knows all secrets of a run, and who may have which."""

    def __init__(self, account):
        self._account = account
        self._known = {}  # secret: who may have it
        self._seen = []
        self._in_environment = False

    def secret(self, kind):
        made = secret(kind)
        self._known[made] = []
        return made

    def give(self, text, *servers):
        """These servers may have it."""
        self._known.setdefault(text, []).extend(servers)

    def watch(self, respond):
        """Looks at all processes whenever a request has come: then the program is waiting."""

        def watching(request):
            self._look_at_processes()
            return respond(request)

        return watching

    def _look_at_processes(self):
        for what in ("cmdline", "environ"):
            for pid, text in processes(what):
                for one in self._known:
                    own = what == "environ" and self._in_environment
                    if reveals(text, one) and not own:
                        self._seen.append(f"{what} of process {pid}")

    def run(self, *args, servers=(), env=None, **options):
        """Runs it, and looks everywhere."""
        self._in_environment = any(reveals(str(env).encode(), one) for one in self._known)
        before = self._files()
        result = self._account(*args, env=env, **options)
        self._seen += [
            f"{path}: {one}"
            for path, data in self._files().items()
            for one in self._known
            if data != before.get(path) and reveals(data, one)
        ]
        for one, allowed in self._known.items():
            assert not reveals(result.out, one), ("stdout", one, result)
            assert not reveals(result.err, one), ("stderr", one, result)
            for server in servers:
                for request in server.requests:
                    found = reveals(request.head + request.body, one)
                    assert not found or server in allowed, (one, request)
                    assert one not in request.target, (one, request)
        assert self._seen == []
        return result

    def _files(self):
        folders = (self._account.home, self._account.work, self._account.bin)
        return {
            path: path.read_bytes()
            for folder in folders
            for path in folder.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def canary(account):
    return Canary(account)


@pytest.fixture
def password(canary):
    return canary.secret("password")


def tag(server, *more):
    return ["tag", "-v", f"{server.host}/repo:old", "new", *more]


# ---- Where they come from


def on_stdin(account, host, password):
    return {"args": ["--user", USER, "--password-stdin"], "secret": password}


def in_a_file(account, host, password):
    return {"args": ["--user", USER, "--password-file", account.write("password", password)]}


def in_the_environment(account, host, password):
    return {"env": {"REGTAG_USER": USER, "REGTAG_PASSWORD": password}}


def in_an_authfile(account, host, password):
    return {"args": ["--authfile", account.write("given.json", auths(host, USER, password))]}


def in_the_home(account, host, password):
    account.docker_config(auths(host, USER, password))
    return {}


def with_a_helper(account, host, password):
    """Which keeps what it sees of itself and of whoever runs it."""
    account.helper(
        "test",
        f"""
        exec 3>{account.work}/seen
        env >&3
        echo "$0 $*" >&3
        cat /proc/$PPID/cmdline >&3
        {answering(USER, password)}""",
    )
    account.docker_config({"credHelpers": {host: "test"}})
    return {}


SOURCES = [on_stdin, in_a_file, in_the_environment, in_an_authfile, in_the_home, with_a_helper]


def run_from(canary, account, source, server, password, servers):
    given = source(account, server.host, password)
    args = tag(server, *given.pop("args", []))
    return canary.run(*args, servers=servers, **given)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_a_password_for_the_registry(canary, account, serve, shelf, password, source):
    server = serve(canary.watch(password_gate(shelf, USER, password)))
    canary.give(password, server)

    result = run_from(canary, account, source, server, password, [server])

    assert result.status == 0, result
    assert b"Authorization: ***" in result.err
    if source is with_a_helper:
        assert "PATH=" in (account.work / "seen").read_text()


class Revealing(Tokens):
    """A token server that tells a canary about its tokens."""

    def __init__(self, canary, *registries):
        super().__init__(make=self._made)
        self._canary = canary
        self.registries = list(registries)

    def _made(self, *_):
        made = self._canary.secret("token")
        self._canary.give(made, *self.registries)
        return made


@pytest.fixture
def tokens(canary):
    return Revealing(canary)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_a_password_for_the_token_server(canary, account, serve, shelf, tokens, password, source):
    tokens.accounts[USER] = password
    auth = serve(canary.watch(tokens))
    server = serve(canary.watch(token_gate(shelf, tokens, auth)))
    tokens.registries.append(server)
    canary.give(password, auth)

    result = run_from(canary, account, source, server, password, [server, auth])

    assert result.status == 0, result
    assert len(tokens.issued) == 1


@pytest.mark.parametrize("post", [200, 404], ids=["post", "get"])
def test_an_identity_token(canary, account, serve, shelf, tokens, post):
    identity = canary.secret("identity")
    tokens.identities[identity] = USER
    tokens.post = post
    auth = serve(canary.watch(tokens))
    server = serve(canary.watch(token_gate(shelf, tokens, auth)))
    tokens.registries.append(server)
    canary.give(identity, auth)
    account.docker_config({"auths": {server.host: {"identitytoken": identity}}})

    result = canary.run(*tag(server), servers=[server, auth])

    assert result.status == 0, result
    assert [request.method for request in auth.requests][0] == "POST"


@pytest.mark.parametrize("where", ["environment", "file"])
@pytest.mark.parametrize("good", [True, False], ids=["good", "bad"])
def test_a_token_of_the_users(canary, account, serve, shelf, where, good):
    token = canary.secret("token")
    auth = serve(canary.watch(Tokens()))
    challenge = bearer_challenge(f"http://{auth.host}/token")
    server = serve(canary.watch(Gate(shelf, lambda proof, *_: good and bearer(proof), challenge)))
    canary.give(token, server)
    env = {"REGTAG_TOKEN": token} if where == "environment" else {}
    if not env:
        account.docker_config({"auths": {server.host: {"registrytoken": token}}})

    result = canary.run(*tag(server), servers=[server, auth], env=env)

    assert result.status == (0 if good else 4), result
    assert auth.connections == 0


# ---- Other origins


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_redirection(canary, account, serve, shelf, tokens, password, method, kind):
    def moved(request):
        if request.method == method:
            return answer(307, b"", f"Location: http://{elsewhere.host}{request.target}")
        return shelf(request)

    tokens.accounts[USER] = password
    elsewhere, auth = serve(shelf), serve(tokens)
    gate = password_gate(moved, USER, password)
    server = serve(gate if kind == "basic" else token_gate(moved, tokens, auth))
    tokens.registries.append(server)
    canary.give(password, server if kind == "basic" else auth)
    account.docker_config(auths(server.host, USER, password))

    result = canary.run(*tag(server), servers=[server, elsewhere, auth])

    assert result.status == 0, result
    assert elsewhere.requests


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_redirection_to_somebody_who_asks(canary, account, serve, tokens, password, kind):
    tokens.accounts[USER] = password
    auth = serve(tokens)
    challenge = (
        'Basic realm="x"' if kind == "basic" else bearer_challenge(f"http://{auth.host}/token")
    )
    greedy = serve(Gate(None, lambda *_: False, challenge))
    away = f"Location: http://{greedy.host}/v2/repo/manifests/old"
    server = serve(password_gate(lambda request: answer(302, b"", away), USER, password))
    canary.give(password, server)
    account.docker_config(auths(server.host, USER, password))

    result = canary.run(*tag(server), servers=[server, greedy, auth])

    assert result.status == 4, result
    assert greedy.requests and not auth.requests


@pytest.mark.parametrize("source", ["password", "identity"])
def test_a_realm_elsewhere(canary, account, serve, shelf, tokens, password, source):
    """The registry is called by a public name, and would have the password sent to this machine."""
    auth = serve(tokens)
    server = serve(token_gate(shelf, tokens, auth))
    host = f"registry.example:{server.port}"
    known = {"password": auths(host, USER, password)["auths"][host], "identity": None}
    account.docker_config({"auths": {host: known[source] or {"identitytoken": password}}})
    where = ["--plain-http", "--resolve", f"{host}:{LOOPBACK}"]

    result = canary.run("tag", "-v", *where, f"{host}/repo:old", "new", servers=[server, auth])

    assert result.status == 4, result
    assert auth.connections == 0


def test_a_next_page_elsewhere(canary, account, serve, password):
    elsewhere = serve(lambda request: answer(200, b'{"tags":["b"]}'))
    link = f'Link: <http://{elsewhere.host}/v2/repo/tags/list?page=2>; rel="next"'
    server = serve(password_gate(lambda _: answer(200, b'{"tags":["a"]}', link), USER, password))
    canary.give(password, server)
    account.docker_config(auths(server.host, USER, password))

    result = canary.run("ls", "-v", f"{server.host}/repo", servers=[server, elsewhere])

    assert result.status == 9, result
    assert elsewhere.connections == 0


# ---- Proxies


@pytest.fixture
def guarded_proxy(canary):
    made = canary.secret("proxy")
    with Proxy(password=(USER, made)) as one:
        one.secret = made
        one.url = f"http://{USER}:{made}@{one.host}"
        canary.give(made, one)
        yield one


@needs_tls
def test_a_tunnel(canary, account, serve_tls, shelf, root, guarded_proxy, password):
    site = serve_tls(respond=canary.watch(password_gate(shelf, USER, password)))
    canary.give(password, site.server)
    account.docker_config(auths(site.host, USER, password))

    result = canary.run(
        *["tag", "-v", "--cacert", root.file, site.image, "new"],
        servers=[site.server, guarded_proxy],
        env={"https_proxy": guarded_proxy.url},
    )

    assert result.status == 0, result
    assert guarded_proxy.tunnelled
    for one in (password, guarded_proxy.secret):
        assert not reveals(bytes(guarded_proxy.tunnelled), one)


def test_a_proxy_without_tls(canary, account, serve, shelf, guarded_proxy, password):
    """Which sees all that there is to see; but its own password stays with it."""
    server = serve(canary.watch(password_gate(shelf, USER, password)))
    canary.give(password, server, guarded_proxy)
    host = f"registry.test:{server.port}"
    account.docker_config(auths(host, USER, password))

    result = canary.run(
        *["tag", "-v", "--plain-http", f"{host}/repo:old", "new"],
        servers=[server, guarded_proxy],
        env={"http_proxy": guarded_proxy.url},
    )

    assert result.status == 0, result


@pytest.mark.parametrize("scheme", ["http", pytest.param("https", marks=needs_tls)])
def test_a_proxy_that_repeats_the_password(canary, account, dead_port, guarded_proxy, scheme):
    guarded_proxy.instead = lambda request: answer(
        407,
        f"no {request.value('Proxy-Authorization')} {guarded_proxy.secret}".encode(),
        "Content-Type: text/plain",
        f"X-Said: {request.value('Proxy-Authorization')}",
        reason=f"No {guarded_proxy.secret}",
    )
    options = ["--plain-http"] if scheme == "http" else ["--tls"]

    result = canary.run(
        *["digest", "-v", *options, f"registry.test:{dead_port}/repo:old"],
        servers=[guarded_proxy],
        env={f"{scheme}_proxy": guarded_proxy.url},
    )

    assert result.status == 4, result
    assert guarded_proxy.requests


@pytest.mark.parametrize(
    "url", ["ftp://u:{}@h:1", "http://u:{}@", "http://u:{}@h:x", "u:{}@h:1/path"]
)
def test_a_proxy_that_cannot_be_used(canary, url):
    made = canary.secret("proxy")

    result = canary.run(
        *["digest", "-v", "--plain-http", "registry.test:1/repo:old"],
        env={"http_proxy": url.format(made)},
    )

    assert result.status == 2, result


# ---- When something goes wrong


@pytest.mark.parametrize("options", [[], ["-v"], ["--json"]], ids=["plain", "verbose", "json"])
@pytest.mark.parametrize("kind", ["basic", "bearer"])
@pytest.mark.parametrize("how", ["words", "json_words", "field", "reason"])
def test_a_registry_that_repeats_what_it_is_told(
    canary, account, serve, tokens, password, kind, how, options
):
    def repeat(request):
        proof = request.value("Authorization")
        if how == "field":
            return answer(403, b"", f"X-Said: {proof}")
        if how == "reason":
            return answer(403, b"", reason=f"No {proof}")
        if how == "json_words":
            return errors(403, "DENIED", f"{proof} is not enough")
        return answer(403, f"{proof} is not enough".encode(), "Content-Type: text/plain")

    tokens.accounts[USER] = password
    auth = serve(tokens)
    gate = password_gate(repeat, USER, password)
    server = serve(gate if kind == "basic" else token_gate(repeat, tokens, auth))
    tokens.registries.append(server)
    canary.give(password, server, auth)
    account.docker_config(auths(server.host, USER, password))

    result = canary.run("tag", *options, f"{server.host}/repo:old", "new", servers=[server, auth])

    assert result.status == 4, result
    assert server.requests[-1].value("Authorization")


@pytest.mark.parametrize("options", [[], ["-v"], ["--json"]], ids=["plain", "verbose", "json"])
@pytest.mark.parametrize("how", ["words", "json_words"])
def test_a_registry_that_repeats_a_key_of_several_lines(
    canary, account, serve, password, how, options
):
    key = f'{{\n  "type": "service_account",\n  "private_key": "{password}\\n"\n}}\n'

    def repeat(request):
        said = f"not {user_and_password(request.value('Authorization'))[1]}".replace("\n", " ")
        if how == "json_words":
            return errors(403, "DENIED", json.dumps(said)[1:-1])
        return answer(403, said.encode(), "Content-Type: text/plain")

    server = serve(password_gate(repeat, USER, key))
    canary.give(password, server)
    account.docker_config(auths(server.host, USER, key))

    result = canary.run("tag", *options, f"{server.host}/repo:old", "new", servers=[server])

    assert result.status == 4, result
    assert b"***" in result.err + result.out


@pytest.mark.parametrize("options", [[], ["-v"], ["--json"]], ids=["plain", "verbose", "json"])
@pytest.mark.parametrize("kind", ["password", "identity", "encoded", "encoded_in_small_letters"])
def test_a_token_server_that_repeats_what_it_is_told(
    canary, account, serve, shelf, tokens, password, kind, options
):
    """Identity tokens come in a form, percent-encoded."""
    identity = f"1//{password}+=" if kind.startswith("encoded") else password

    def repeat(request):
        named = user_and_password(request.value("Authorization"))
        form = request.body.decode()
        if kind == "encoded_in_small_letters":
            form = re.sub("%..", lambda found: found[0].lower(), form)
        said = f"{named} {request.value('Authorization')} {form}"
        return errors(401, "UNAUTHORIZED", said, f"X-Said: {said}")

    tokens.instead = repeat
    auth = serve(tokens)
    server = serve(token_gate(shelf, tokens, auth))
    canary.give(password, auth)
    known = auths(server.host, USER, password)
    if kind != "password":
        known = {"auths": {server.host: {"identitytoken": identity}}}
    account.docker_config(known)

    result = canary.run("tag", *options, f"{server.host}/repo:old", "new", servers=[server, auth])

    assert result.status == 4, result
    assert auth.requests
    if kind.startswith("encoded"):
        shown = re.findall(r"refresh_token=([^\s)]+)", (result.out + result.err).decode())
        assert shown and all(set(one) <= set("*\"}") for one in shown), shown


@pytest.mark.parametrize("where", ["location", "realm"])
def test_a_registry_that_has_what_it_is_told_sent_elsewhere(
    canary, account, serve, tokens, password, where
):
    """Which is its own doing; but nobody is shown it."""
    tokens.accounts[USER] = password
    known = canary.secret("token")

    def lead_away(request):
        url = f"http://{elsewhere.host}/{bearer(request.value('Authorization'))}/x?say=it"
        if where == "location":
            return answer(302, b"", f"Location: {url}")
        return errors(401, "UNAUTHORIZED", "no", f"WWW-Authenticate: {bearer_challenge(url)}")

    elsewhere = serve(lambda request: answer(404))
    server = serve(lead_away)
    result = canary.run(
        *["digest", "-v", f"{server.host}/repo:old"], env={"REGTAG_TOKEN": known}
    )

    assert result.status in (3, 4), result
    assert bool(elsewhere.requests) == (where == "location")


def test_the_proxy_of_a_redirection_that_repeats_the_password(canary, account, serve, guarded_proxy):
    """The registry itself, on this machine, has none."""
    guarded_proxy.instead = lambda request: answer(
        407,
        f"no {request.value('Proxy-Authorization')} {guarded_proxy.secret}".encode(),
        "Content-Type: text/plain",
        f"X-Said: {request.value('Proxy-Authorization')}",
    )
    server = serve(lambda request: answer(302, b"", "Location: http://storage.test/x"))

    result = canary.run(
        *["tag", "-v", f"{server.host}/repo:old", "new"],
        servers=[server, guarded_proxy],
        env={"http_proxy": guarded_proxy.url},
    )

    assert result.status == 4, result
    assert guarded_proxy.requests and b"***" in result.err


def test_a_signed_url(regtag, serve, shelf):
    """Whoever has it may read the blob: it is as good as a password. One of the registry's own is not signed."""
    made = secret("signature")

    def lead(request):
        if request.path.endswith("/old"):
            return answer(307, b"", f"Location: /v2/repo/manifests/new?plain={request.method}")
        return answer(307, b"", f"Location: http://{storage.host}/first?X-Signature={made}")

    def lead_on(request):
        if request.path == "/first":
            return answer(307, b"", f"Location: second?X-Signature={made}")
        return shelf(replace(request, target="/v2/repo/manifests/old"))

    storage, server = serve(lead_on), serve(lead)

    result = regtag("digest", "-v", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert made in storage.requests[-1].target
    said = result.err.decode()
    assert made not in said
    assert said.count("?plain=HEAD") == 2
    assert f"http://{storage.host}/first?***\n" in said and "Location: second?***\n" in said
    assert "> HEAD /first?***\n" in said and "> HEAD /second?***\n" in said


def test_a_helper_that_shows_what_it_answers(canary, account, serve, shelf, password):
    """Nor may what it says do anything to a terminal."""
    server = serve(password_gate(shelf, USER, password))
    canary.give(password, server)
    account.helper(
        "test",
        f"""
        printf '\\033[31mfound: %s\\n' '{password}' >&2
        printf '%s' '{USER}:{password}' | base64 -w 0 >&2
        {answering(USER, password)} | tee /dev/stderr""",
    )
    account.docker_config({"credHelpers": {server.host: "test"}})

    result = canary.run(*tag(server), servers=[server])

    assert result.status == 0, result
    assert b"docker-credential-test: \\x1b[31mfound: ***" in result.err
    assert b"\x1b" not in result.err


@pytest.mark.parametrize(
    "body", ['{{"token":"{}\\n"}}', '{{"token":"{}"', '{{"token":["{}"]}}', "{}"]
)
def test_an_answer_with_a_token_that_cannot_be_used(canary, account, serve, shelf, tokens, body):
    made = canary.secret("token")
    tokens.instead = lambda request: answer(200, body.format(made).encode())
    auth = serve(tokens)
    server = serve(token_gate(shelf, tokens, auth))

    result = canary.run(*tag(server), servers=[server, auth])

    assert result.status == 9, result


BROKEN = {
    "no_json": "{}",
    "half": '{{"auths":{{"{host}":{{"auth":"{}',
    "no_base64": '{{"auths":{{"{host}":{{"auth":"*{}"}}}}}}',
    "no_colon": '{{"auths":{{"{host}":{{"auth":"{}"}}}}}}',
    "a_token_with_a_space": '{{"auths":{{"{host}":{{"registrytoken":"{} x"}}}}}}',
    "twice": '{{"auths":{{"{host}":{{"auth":"{}","auth":"{}"}}}}}}',
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_cannot_be_understood(canary, account, serve, shelf, kind):
    server = serve(password_gate(shelf, USER, "x"))
    made = canary.secret("password")
    account.docker_config(BROKEN[kind].format(made, made, host=server.host))

    result = canary.run(*tag(server), servers=[server])

    assert result.status == 16, result


@pytest.mark.parametrize("text", ["{}\0", "{}\0more", "{}" + "x" * 17000, "x" * 17000 + "{}"], ids=range(4))
def test_a_password_that_cannot_be_used(canary, account, serve, shelf, password, text):
    server = serve(password_gate(shelf, USER, password))
    path = account.write("password", text.format(password))

    result = canary.run(*tag(server), "--user", USER, "--password-file", path, servers=[server])

    assert result.status in (4, 16), result


HELPERS = {
    "fails_with_an_answer": answering(USER, "{}") + "; exit 1",
    "answers_half": 'printf \'{{"Username":"somebody","Secret":"{}"\'',
    "answers_a_list": "echo '[\"{}\"]'",
    "answers_with_a_nul": 'printf \'%s\' \'{{"Username":"a","Secret":"{}\\u0000"}}\'',
    "talks_without_end": "while echo {}; do :; done",
}


@pytest.mark.parametrize("kind", HELPERS)
def test_a_helper_that_cannot_be_used(canary, account, serve, shelf, password, kind):
    server = serve(password_gate(shelf, USER, "x"))
    script = HELPERS[kind]
    if kind == "fails_with_an_answer":
        script = answering(USER, password) + "; exit 1"
    else:
        script = script.format(password)
    account.helper("test", script)
    account.docker_config({"credHelpers": {server.host: "test"}})

    result = canary.run(*tag(server), servers=[server])

    assert result.status == 16, result


def test_a_connection_that_is_refused(canary, dead_port):
    token = canary.secret("token")

    result = canary.run(
        "digest", "-v", f"127.0.0.1:{dead_port}/repo:old", env={"REGTAG_TOKEN": token}
    )

    assert result.status == 5, result


def test_no_core_is_left(canary, account, serve, shelf, password):
    """Even where the system is set up to keep them."""
    limits = []

    def look(request):
        for pid, text in processes("cmdline"):
            if text.startswith(account.path.encode() + b"\0") and server.host.encode() in text:
                limits.append(Path(f"/proc/{pid}/limits").read_text())
        return shelf(request)

    server = serve(password_gate(look, USER, password))
    canary.give(password, server)
    account.docker_config(auths(server.host, USER, password))
    _, most = resource.getrlimit(resource.RLIMIT_CORE)

    result = canary.run(
        "digest",
        f"{server.host}/repo:old",
        servers=[server],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (most, most)),
    )

    assert result.status == 0, result
    assert len(limits) == 1
    assert re.search(r"^Max core file size +0 ", limits[0], re.MULTILINE), limits


@pytest.fixture
def plain_user(account):
    """Runs the program as somebody who is not root, in an empty home; the home, and who that is."""
    root = os.geteuid() == 0
    home = Path(tempfile.mkdtemp())
    regtag = Program(shutil.copy(account.path, home / "regtag"))
    home.chmod(0o755)

    def run(*args, **env):
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if root else {}
        return regtag(*args, env={"HOME": str(home), **env}, cwd=home, **who)

    run.home = home
    run.user = NOBODY if root else os.geteuid()
    yield run
    shutil.rmtree(home)


def nothing_to_hide(home, host):
    return [], {}


def nothing_for_the_user(home, host):
    return ["--anonymous"], {"REGTAG_TOKEN": "a-token", "DOCKER_AUTH_CONFIG": "{}"}


def a_token(home, host):
    return [], {"REGTAG_TOKEN": "a-token"}


def a_variable(home, host):
    return [], {"DOCKER_AUTH_CONFIG": json.dumps(auths(host, USER, "a-password"))}


def a_file(home, host):
    file = home / "config.json"
    file.write_text(json.dumps(auths(host, USER, "a-password")))
    return ["--authfile", file], {}


def a_key(home, host):
    return ["--cert", home / "certificate"], {}


@pytest.mark.parametrize("hidden", [nothing_to_hide, nothing_for_the_user, a_token, a_variable, a_file, a_key])
def test_only_who_has_secrets_cannot_be_traced(plain_user, serve, shelf, hidden):
    """What cannot be traced, and leaves no core to anybody, has its files in /proc owned by root."""
    owners = []

    def look(request):
        for pid, text in processes("cmdline"):
            if text.startswith(bytes(plain_user.home)) and server.host.encode() in text:
                owners.append(os.stat(f"/proc/{pid}/environ").st_uid)
        return shelf(request)

    server = serve(look)
    args, env = hidden(plain_user.home, server.host)

    result = plain_user("digest", f"{server.host}/repo:old", *args, **env)

    assert result.status == 0, result
    root_owns_it = hidden not in (nothing_to_hide, nothing_for_the_user)
    assert owners == [0 if root_owns_it else plain_user.user]
