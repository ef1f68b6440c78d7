"""Proxies: when one is asked, what it is told, and what becomes of it when it refuses."""

from dataclasses import replace
from urllib.parse import urljoin, urlsplit

import pytest
from accounts import auths
from authority import LOOPBACK
from fake import CLOSE, STALL, answer, bodiless
from fronts import SecureRegistry, needs_tls, reached
from images import OCI_MANIFEST, digest_of
from proxies import ESTABLISHED, Proxy, Squid, Tinyproxy
from token_server import (
    Gate,
    Tokens,
    basic,
    bearer_challenge,
    password_gate,
    secret,
    user_and_password,
)

pytest_plugins = ["account_fixtures", "tls_fixtures"]

USER = "somebody"
NAME = "registry.test"
VARIABLES = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]


@pytest.fixture
def proxy():
    with Proxy() as one:
        yield one


@pytest.fixture
def password():
    return secret("password")


@pytest.fixture
def guarded_proxy(password):
    """A proxy that wants a password, under a URL that has it."""
    with Proxy(password=(USER, password)) as one:
        one.url = f"http://{USER}:{password}@{one.host}"
        yield one


@pytest.fixture
def server(serve, shelf):
    return serve(shelf)


@pytest.fixture
def plain(account, server):
    """Runs the program for a registry without TLS that only a proxy can find."""

    def run(*args, verb="digest", host=f"{NAME}:{server.port}", names=(), **options):
        return account(verb, "--plain-http", *args, f"{host}/repo:old", *names, **options)

    return run


@pytest.fixture
def tls(account, serve_tls, root):
    """The same with TLS; `tls.site` is the registry."""
    site = serve_tls()

    def run(*args, verb="digest", names=(), **options):
        return account(verb, "--cacert", root.file, *args, site.image, *names, **options)

    run.site = site
    return run


# ---- What a proxy is told


def test_without_tls_the_proxy_is_asked_for_the_whole_url(plain, server, shelf, document, proxy):
    result = plain("--proxy", proxy.url, verb="tag", names=["new"])

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document
    host = f"{NAME}:{server.port}"
    assert proxy.request_lines == [
        f"GET http://{host}/v2/repo/manifests/old",
        f"HEAD http://{host}/v2/repo/manifests/new",
        f"PUT http://{host}/v2/repo/manifests/new",
    ]
    assert {request.value("Host") for request in proxy.requests} == {host}
    assert {request.value("Proxy-Authorization") for request in proxy.requests} == {None}
    assert proxy.connections == 1


@needs_tls
def test_with_tls_the_proxy_makes_a_tunnel(tls, shelf, document, proxy):
    result = tls("--proxy", proxy.url, verb="tag", names=["new"])

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document
    [asked] = proxy.requests
    assert (asked.method, asked.target) == ("CONNECT", tls.site.host)
    assert asked.value("Host") == tls.site.host
    assert asked.value("Proxy-Authorization") is None
    assert tls.site.front.names == [NAME]
    for request in tls.site.server.requests:
        assert request.target.startswith("/v2/repo/")
        assert not any(name.lower().startswith("proxy-") for name, _ in request.fields)


def test_a_password_goes_with_each_request_without_tls(plain, server, guarded_proxy, password):
    env = {"http_proxy": guarded_proxy.url}

    result = plain(verb="tag", names=["new"], env=env)

    assert (result.status, result.err) == (0, b""), result
    told = [request.value("Proxy-Authorization") for request in guarded_proxy.requests]
    assert told == [basic(USER, password)] * 3
    assert not any(request.value("Proxy-Authorization") for request in server.requests)


@needs_tls
def test_a_password_of_the_proxy_is_for_the_proxy(tls, guarded_proxy, password):
    result = tls(verb="tag", names=["new"], env={"https_proxy": guarded_proxy.url})

    assert (result.status, result.err) == (0, b""), result
    [asked] = guarded_proxy.requests
    assert asked.value("Proxy-Authorization") == basic(USER, password)
    for request in tls.site.server.requests:
        assert request.value("Proxy-Authorization") is None


@needs_tls
def test_a_password_of_the_registry_is_not_for_the_proxy(
    account, serve_tls, shelf, root, proxy, password
):
    site = serve_tls(respond=password_gate(shelf, USER, password))
    account.docker_config(auths(site.host, USER, password))

    result = account("tag", "--cacert", root.file, "--proxy", proxy.url, site.image, "new")

    assert (result.status, result.err) == (0, b""), result
    assert {request.method for request in proxy.requests} == {"CONNECT"}
    for request in proxy.requests:
        assert request.value("Authorization") is None
        assert request.value("Proxy-Authorization") is None
    assert site.server.requests[-1].value("Authorization") == basic(USER, password)


PASSWORDS = {
    "plain": ("some", "body", "some:body"),
    "encoded": ("some@body", "a:b/c%d e", "some%40body:a%3Ab%2Fc%25d%20e"),
    "with_a_colon": ("some", "a:b", "some:a:b"),
    "without_a_password": ("some", "", "some"),
    "with_an_empty_password": ("some", "", "some:"),
    "of_other_letters": ("sömé", "bödy", "s%C3%B6m%C3%A9:b%C3%B6dy"),
}


@pytest.mark.parametrize("kind", PASSWORDS)
def test_a_password_may_be_written(plain, proxy, kind):
    user, password, written = PASSWORDS[kind]

    result = plain(env={"http_proxy": f"http://{written}@{proxy.host}"})

    assert result.status == 0, result
    told = proxy.requests[0].value("Proxy-Authorization")
    assert user_and_password(told) == (user, password)


URLS = ["http://{host}", "http://{host}/", "HTTP://{host}", "{host}", "http://localhost:{port}"]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("where", ["option", "environment"])
def test_a_proxy_may_be_written(plain, proxy, where, url):
    url = url.format(host=proxy.host, port=proxy.port)
    option = ["--proxy", url] if where == "option" else []

    result = plain(*option, env={} if option else {"http_proxy": url})

    assert result.status == 0, result
    assert proxy.connections == 1


UNUSABLE = {
    "another_scheme": "ftp://{host}",
    "socks": "socks5://{host}",
    "tls": "https://{host}",
    "no_host": "http://",
    "no_host_but_a_port": "http://:{port}",
    "a_port_of_letters": "http://127.0.0.1:port",
    "a_port_too_large": "http://127.0.0.1:65536",
    "a_path": "http://{host}/path",
    "a_space": "http://127.0.0.1 :{port}",
    "a_broken_escape": "http://some:bo%dy@{host}",
    "a_line_end": "http://some:bo%0D%0Ady@{host}",
}


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.parametrize("where", ["option", "environment"])
def test_an_unusable_proxy_is_refused(plain, server, proxy, where, kind):
    url = UNUSABLE[kind].format(host=proxy.host, port=proxy.port)
    option = ["--proxy", url] if where == "option" else []

    result = plain(
        *option, *reached(f"{NAME}:{server.port}"), env={} if option else {"http_proxy": url}
    )

    assert (result.status, result.out) == (2, b""), result
    result.complaint("proxy")
    assert (proxy.connections, server.connections) == (0, 0)


def test_a_password_on_the_command_line_is_refused(plain, guarded_proxy, password):
    result = plain("--proxy", guarded_proxy.url)

    assert result.status == 2, result
    assert password not in result.complaint()
    assert guarded_proxy.connections == 0


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.parametrize("exempt", [[], ["--no-proxy", "*"]], ids=["here", "no_proxy"])
def test_an_unusable_option_is_refused_where_none_is_needed(account, server, proxy, kind, exempt):
    url = UNUSABLE[kind].format(host=proxy.host, port=proxy.port)

    result = account("digest", f"{server.host}/repo:old", "--proxy", url, *exempt)

    assert (result.status, result.out) == (2, b""), result
    result.complaint("--proxy")
    assert server.connections == 0


def test_an_unusable_proxy_does_not_matter_where_none_is_needed(account, server):
    result = account("digest", f"{server.host}/repo:old", env={"http_proxy": "ftp://nonsense"})

    assert (result.status, result.err) == (0, b""), result


# ---- When one is asked


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_variable_is_heeded_without_tls(plain, proxy, name):
    assert plain(env={name: proxy.url}).status == 0
    assert proxy.connections == 1


@needs_tls
@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_variable_is_heeded_with_tls(tls, proxy, name):
    assert tls(env={name: proxy.url}).status == 0
    assert proxy.request_lines == [f"CONNECT {tls.site.host}"]


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY"])
def test_the_proxy_for_tls_is_not_asked_without(plain, server, proxy, name):
    result = plain(*reached(f"{NAME}:{server.port}"), env={name: proxy.url})

    assert result.status == 0, result
    assert proxy.connections == 0


@needs_tls
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_the_proxy_without_tls_is_not_asked_with(tls, proxy, name):
    result = tls(*tls.site.options, env={name: proxy.url})

    assert result.status == 0, result
    assert proxy.connections == 0


@pytest.mark.parametrize(
    "first, second",
    [
        ("http_proxy", "HTTP_PROXY"),
        ("all_proxy", "ALL_PROXY"),
        ("http_proxy", "all_proxy"),
        ("HTTP_PROXY", "all_proxy"),
        ("--proxy", "http_proxy"),
        ("--proxy", "all_proxy"),
    ],
)
def test_one_goes_before_another(plain, proxy, dead_port, first, second):
    env = {first: proxy.url, second: f"http://127.0.0.1:{dead_port}"}
    option = ["--proxy", env.pop("--proxy")] if "--proxy" in env else []

    result = plain(*option, env=env)

    assert result.status == 0, result
    assert proxy.connections == 1


def test_an_empty_variable_is_none(plain, server, proxy):
    direct = plain(*reached(f"{NAME}:{server.port}"), env={name: "" for name in VARIABLES})

    assert direct.status == 0, direct
    assert proxy.connections == 0


def test_an_empty_option_means_none(plain, server, proxy):
    options = ["--proxy", "", *reached(f"{NAME}:{server.port}")]

    result = plain(*options, env={"http_proxy": proxy.url})

    assert result.status == 0, result
    assert proxy.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost", "127.0.0.5", "[::1]"])
@pytest.mark.parametrize("scheme", ["--plain-http", "--tls"])
@pytest.mark.parametrize("where", ["option", "environment"])
def test_a_proxy_is_never_asked_for_this_machine(account, proxy, dead_port, host, scheme, where):
    option = ["--proxy", proxy.url] if where == "option" else []
    env = {} if option else {name: proxy.url for name in VARIABLES}

    result = account("digest", scheme, *option, f"{host}:{dead_port}/repo:old", env=env)

    assert result.status in ((5,) if scheme == "--plain-http" else (5, 7)), result
    assert proxy.connections == 0


def test_who_the_proxy_is_is_looked_up_where_the_user_says(plain, proxy):
    host = f"proxy.example:{proxy.port}"

    result = plain("--proxy", f"http://{host}", *reached(host))

    assert result.status == 0, result
    assert proxy.connections == 1


EXCEPTIONS = {
    "the_name": ("registry.test", "registry.test", True),
    "the_name_in_other_letters": ("Registry.TEST", "registry.test", True),
    "the_domain": ("test", "registry.test", True),
    "the_domain_with_a_dot": (".test", "registry.test", True),
    "the_domain_with_a_star": ("*.test", "registry.test", True),
    "everything": ("*", "registry.test", True),
    "one_of_several": ("a.test, b.test ,registry.test", "registry.test", True),
    "one_of_several_without_spaces": ("a.test,,registry.test,", "registry.test", True),
    "one_of_several_with_spaces": ("a.test registry.test", "registry.test", True),
    "the_port": ("registry.test:{port}", "registry.test", True),
    "another_port": ("registry.test:1", "registry.test", False),
    "another_name": ("other.test", "registry.test", False),
    "half_a_label": ("istry.test", "registry.test", False),
    "half_a_domain": ("est", "registry.test", False),
    "a_longer_name": ("my.registry.test", "registry.test", False),
    "the_beginning": ("registry", "registry.test", False),
    "nothing": ("", "registry.test", False),
    "a_comma": (",", "registry.test", False),
    "the_address": ("192.0.2.7", "192.0.2.7", True),
    "another_address": ("192.0.2.8", "192.0.2.7", False),
    "the_end_of_the_address": ("2.7", "192.0.2.7", False),
    "the_beginning_of_the_address": ("192.0.2", "192.0.2.7", False),
    "a_block": ("192.0.2.0/24", "192.0.2.7", True),
    "a_block_of_one": ("192.0.2.7/32", "192.0.2.7", True),
    "a_block_of_all": ("0.0.0.0/0", "192.0.2.7", True),
    "a_block_at_its_end": ("192.0.2.0/29", "192.0.2.7", True),
    "a_block_beside": ("192.0.2.8/29", "192.0.2.7", False),
    "another_block": ("192.0.3.0/24", "192.0.2.7", False),
    "a_block_that_is_none": ("192.0.2.0/33", "192.0.2.7", False),
    "a_block_of_another_kind": ("::/0", "192.0.2.7", False),
    "a_block_and_a_name": ("192.0.2.0/24", "registry.test", False),
}


@pytest.mark.parametrize("kind", EXCEPTIONS)
@pytest.mark.parametrize("where", ["no_proxy", "NO_PROXY", "--no-proxy"])
def test_an_exception_is(plain, server, proxy, where, kind):
    text, name, direct = EXCEPTIONS[kind]
    host = f"{name}:{server.port}"
    text = text.format(port=server.port)
    option = [where, text] if where.startswith("--") else []
    env = {"http_proxy": proxy.url, **({} if option else {where: text})}

    result = plain(*option, *reached(host), "--timeout", "3", host=host, env=env)

    assert proxy.connections == (0 if direct else 1), result
    if not direct or name == NAME:
        assert result.status == 0, result


def test_the_option_for_exceptions_replaces_the_variable(plain, server, proxy):
    env = {"http_proxy": proxy.url, "no_proxy": "*"}

    result = plain("--no-proxy", "", *reached(f"{NAME}:{server.port}"), env=env)

    assert result.status == 0, result
    assert proxy.connections == 1


def test_exceptions_are_exceptions_of_the_option_too(plain, server, proxy):
    where = reached(f"{NAME}:{server.port}")

    result = plain("--proxy", proxy.url, *where, env={"no_proxy": NAME})

    assert result.status == 0, result
    assert proxy.connections == 0


# ---- When it refuses


@needs_tls
@pytest.mark.parametrize("status", [400, 403, 404, 500, 502, 503, 504])
def test_a_proxy_that_refuses_is_told_with_its_words(tls, proxy, status):
    words = b"not through this door, says rule 7"
    refusal = answer(status, words, "Content-Type: text/plain", reason="No Way")
    proxy.instead = lambda request: [refusal, CLOSE]

    result = tls("--proxy", proxy.url)

    assert (result.status, result.out) == (5, b""), result
    result.complaint(str(status), "No Way", words.decode(), proxy.host)
    assert tls.site.front.sessions == []


@needs_tls
def test_a_proxy_that_wants_a_password_is_told(tls, guarded_proxy):
    result = tls("--proxy", f"http://{guarded_proxy.host}")

    assert (result.status, result.out) == (4, b""), result
    result.complaint("407", guarded_proxy.host)
    assert len(guarded_proxy.requests) == 1


def test_a_proxy_that_wants_a_password_is_told_without_tls(plain, server, guarded_proxy):
    result = plain("--proxy", f"http://{guarded_proxy.host}")

    assert (result.status, result.out) == (4, b""), result
    result.complaint("407")
    assert len(guarded_proxy.requests) == 1
    assert server.connections == 0


OTHER_LOGINS = answer(
    407, b"No.\n", "Proxy-Authenticate: Negotiate", "Proxy-Authenticate: NTLM", "Content-Type: text/plain"
)


@pytest.mark.parametrize("scheme", ["plain", pytest.param("tls", marks=needs_tls)])
@pytest.mark.parametrize("known", [False, True], ids=["without", "with"])
def test_a_password_is_not_asked_for_where_it_would_not_help(request, proxy, scheme, known):
    proxy.instead = lambda request: [OTHER_LOGINS, CLOSE]
    url = f"http://{USER}:{secret('known')}@{proxy.host}" if known else proxy.url

    result = request.getfixturevalue(scheme)(env={"http_proxy": url, "https_proxy": url})

    assert (result.status, result.out) == (4, b""), result
    complaint = result.complaint("407", "NTLM", "not supported", "cntlm")
    assert "http_proxy" not in complaint and "rejects" not in complaint
    assert len(proxy.requests) == 1


@needs_tls
def test_a_wrong_password_is_told_once(tls, guarded_proxy):
    wrong = secret("wrong")

    result = tls(env={"https_proxy": f"http://{USER}:{wrong}@{guarded_proxy.host}"})

    assert (result.status, result.out) == (4, b""), result
    assert wrong not in result.complaint("407")
    assert len(guarded_proxy.requests) == 1


def test_a_wrong_password_is_told_once_without_tls(account, serve, shelf, guarded_proxy, password):
    """And what the registry is to know is not offered instead."""
    server = serve(password_gate(shelf, USER, password))
    host = f"{NAME}:{server.port}"
    account.docker_config(auths(host, USER, password))

    result = account(
        *["digest", "--plain-http", f"{host}/repo:old"],
        env={"http_proxy": f"http://{USER}:{secret('wrong')}@{guarded_proxy.host}"},
    )

    assert (result.status, result.out) == (4, b""), result
    [asked] = guarded_proxy.requests
    assert asked.value("Authorization") is None


def test_a_proxy_that_is_not_there_is_told(plain, dead_port):
    result = plain("--proxy", f"http://127.0.0.1:{dead_port}")

    assert result.status == 5, result
    result.complaint(f"127.0.0.1:{dead_port}")


@needs_tls
@pytest.mark.parametrize(
    "what",
    [
        b"SSH-2.0-dropbear\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\0" * 100,
        b"HTTP/1.1 200 OK\r\n:\r\n\r\n",
    ],
    ids=["ssh", "no_status", "nothing", "no_field"],
)
def test_what_is_no_proxy_is_told(tls, proxy, what):
    proxy.instead = lambda request: [what, CLOSE]

    result = tls("--proxy", proxy.url, "--timeout", "5")

    assert result.status in (5, 9), result
    result.complaint()
    assert tls.site.front.sessions == []


@needs_tls
@pytest.mark.parametrize("sent", [b"", ESTABLISHED[:-10], ESTABLISHED], ids=["none", "half", "all"])
def test_a_proxy_that_hangs_up_is_told(tls, proxy, sent):
    proxy.instead = lambda request: [sent, CLOSE]

    result = tls("--proxy", proxy.url, "--timeout", "10")

    assert result.status in (5, 9), result
    result.complaint()


@needs_tls
@pytest.mark.parametrize("sent", [b"", ESTABLISHED[:-10], ESTABLISHED], ids=["none", "half", "all"])
def test_a_proxy_that_stalls_is_left_at_the_deadline(tls, proxy, sent):
    proxy.instead = lambda request: [sent, STALL]

    result = tls("--proxy", proxy.url, "--timeout", "2")

    assert result.status in (5, 6), result
    result.complaint()


@needs_tls
@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_an_answer_of_any_length_makes_one_line(tls, proxy, size):
    words = b"long \x1b[31m\xff words " * (size // 16)
    refusal = answer(403, words, "Content-Type: text/plain")
    proxy.instead = lambda request: [refusal, CLOSE]

    result = tls("--proxy", proxy.url)

    assert result.status == 5, result
    assert len(result.complaint("403", "long")) < 2000


def through(tls, proxy, reply):
    """Lets the proxy answer so, and make the tunnel all the same."""
    tunnel = proxy._tunnel  # pylint: disable=protected-access

    def instead(client, upstream):
        client.sendall(reply.removesuffix(ESTABLISHED))
        tunnel(client, upstream)

    proxy._tunnel = instead  # pylint: disable=protected-access
    return tls("--proxy", proxy.url, verb="tag", names=["new"])


@needs_tls
def test_interim_answers_of_a_proxy_are_passed_over(tls, proxy):
    assert through(tls, proxy, b"HTTP/1.1 100 Continue\r\n\r\n" + ESTABLISHED).status == 0


@needs_tls
@pytest.mark.parametrize(
    "established",
    [
        b"HTTP/1.0 200 Connection established\r\n\r\n",
        b"HTTP/1.1 200 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nVia: 1.1 somewhere\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 8000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=[
        *["http_1_0", "no_reason", "a_coding", "a_length", "long_fields", "a_length_and_a_coding"],
        *["identity", "an_empty_length", "a_coding_in_http_1_0"],
    ],
)
def test_a_tunnel_begins_behind_the_head(tls, monkeypatch, proxy, established):
    monkeypatch.setattr("proxies.ESTABLISHED", established)

    result = tls("--proxy", proxy.url, verb="tag", names=["new"])

    assert result.status == 0, result


# ---- Other servers than the registry


@needs_tls
def test_the_token_server_is_reached_through_the_proxy_too(
    account, serve_tls, shelf, workshop, root, proxy, password
):
    tokens = Tokens()
    tokens.accounts[USER] = password
    shown = workshop.server(root, names=["DNS:auth.test"])
    auth = serve_tls(shown, respond=tokens, name="auth.test")
    gate = Gate(shelf, tokens.allows, bearer_challenge(f"https://{auth.host}/token"))
    site = serve_tls(respond=gate)
    account.docker_config(auths(site.host, USER, password))

    result = account("tag", "--cacert", root.file, "--proxy", proxy.url, site.image, "new")

    assert (result.status, result.err) == (0, b""), result
    assert {f"CONNECT {site.host}", f"CONNECT {auth.host}"} == set(proxy.request_lines)
    assert len(auth.server.requests) == 1


# ---- Redirects and pages: what is relative is so to the URL that was asked for, through a proxy as without


LOCATIONS = {
    "a_path": "/moved/there",
    "a_name": "there",
    "a_name_in_a_folder": "a/there",
    "a_folder_above": "../there",
    "this_folder": "./there",
    "a_query": "?there=1",
    "a_host": "//{host}/moved/there",
    "a_url": "http://{host}/moved/there",
}

MOVED = {
    "manifest": ("GET", "manifest", []),
    "upload": ("PUT", "tag", ["new"]),
    "look": ("HEAD", "digest", []),
    "deletion": ("DELETE", "delete", []),
}


class Moving:
    """Sends some requests on, to a URL relative to their own, and answers there what it would here."""

    def __init__(self, registry, location, *methods):
        self.registry = registry
        self.location = location
        self.methods = methods
        self.places = {}  # (method, URL) where a request was sent to: the target that it had before

    def __call__(self, request):
        url = f"http://{request.value('Host')}{request.target}"
        if (request.method, url) in self.places:
            return self.registry(replace(request, target=self.places[request.method, url]))
        if request.method not in self.methods:
            return self.registry(request)
        location = self.location.format(host=request.value("Host"))
        self.places[request.method, urljoin(url, location)] = request.target
        sent_on = answer(307, b"over there\n", f"Location: {location}")
        return bodiless(sent_on) if request.method == "HEAD" else sent_on


@pytest.mark.parametrize("what", MOVED)
@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_through_a_proxy_may_be(account, serve, shelf, document, proxy, location, what):
    method, verb, names = MOVED[what]
    moving = Moving(shelf, LOCATIONS[location], method)
    host = f"{NAME}:{serve(moving).port}"

    result = account(verb, "--plain-http", "--proxy", proxy.url, f"{host}/repo:old", *names)

    assert (result.status, result.err) == (0, b""), result
    [(_, place)] = moving.places
    assert f"{method} {place}" in proxy.request_lines
    assert all(urlsplit(line.split(" ")[1]).netloc == host for line in proxy.request_lines)
    assert {request.value("Host") for request in proxy.requests} == {host}
    if verb == "tag":
        assert shelf.document("repo", "new") == document
    if verb == "manifest":
        assert result.out == document


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_of_a_list_through_a_proxy_may_be(account, serve, shelf, proxy, location):
    moving = Moving(shelf, LOCATIONS[location], "GET")
    host = f"{NAME}:{serve(moving).port}"

    result = account("ls", "--plain-http", "--proxy", proxy.url, f"{host}/repo")

    assert (result.status, result.lines) == (0, ["old"]), result
    [(_, place)] = moving.places
    assert proxy.request_lines[1:] == [f"GET {place}"]


LINKS = {
    "a_path": "/v2/repo/tags/list?last=old",
    "a_query": "?last=old",
    "a_name": "list?last=old",
    "a_folder_above": "../tags/list?last=old",
    "a_host": "//{host}/v2/repo/tags/list?last=old",
    "a_url": "http://{host}/v2/repo/tags/list?last=old",
}


@pytest.mark.parametrize("link", LINKS)
def test_a_link_to_the_next_page_through_a_proxy_may_be(account, serve, proxy, link):
    def page(request):
        if request.query == "last=old":
            return answer(200, b'{"name":"repo","tags":["other"]}')
        where = LINKS[link].format(host=request.value("Host"))
        return answer(200, b'{"name":"repo","tags":["old"]}', f'Link: <{where}>; rel="next"')

    host = f"{NAME}:{serve(page).port}"

    result = account("ls", "--plain-http", "--proxy", proxy.url, f"{host}/repo")

    assert (result.status, result.lines) == (0, ["old", "other"]), result
    assert proxy.request_lines[1:] == [f"GET http://{host}/v2/repo/tags/list?last=old"]


@pytest.mark.parametrize("location", ["/v2/repo/manifests/new", "//{there}/v2/repo/manifests/new"])
def test_an_upload_through_a_proxy_may_be_sent_to_another_host(
    account, serve, shelf, document, guarded_proxy, password, location
):
    """The proxy's password goes along, since the proxy is the same; the other host does not see it."""
    other = serve(shelf)
    there = f"other.test:{other.port}"

    def moved(request):
        where = location.format(there=there) if "{there}" in location else f"http://{there}{location}"
        return answer(308, b"", f"Location: {where}")

    server = serve(lambda request: moved(request) if request.method == "PUT" else shelf(request))
    host = f"{NAME}:{server.port}"

    result = account(
        *["tag", "--plain-http", f"{host}/repo:old", "new"], env={"http_proxy": guarded_proxy.url}
    )

    assert (result.status, result.err) == (0, b""), result
    assert guarded_proxy.request_lines[-1] == f"PUT http://{there}/v2/repo/manifests/new"
    assert guarded_proxy.requests[-1].value("Host") == there
    assert guarded_proxy.requests[-1].value("Proxy-Authorization") == basic(USER, password)
    [put] = other.uploads
    assert (put.body, put.value("Proxy-Authorization")) == (document, None)


# ---- Real ones


@pytest.fixture(scope="module")
def squid_password():
    return secret("password")


@pytest.fixture(scope="module")
def squid(squid_password):
    one = Squid(USER, squid_password)
    with one:
        yield one
    one.close()


@pytest.fixture(scope="module")
def tinyproxy(tmp_path_factory):
    with Proxy() as behind, Tinyproxy(tmp_path_factory.mktemp("tinyproxy"), behind) as one:
        yield one


@pytest.fixture(scope="module")
def guarded_tinyproxy(tmp_path_factory, squid_password):
    folder = tmp_path_factory.mktemp("tinyproxy")
    with Proxy() as behind, Tinyproxy(folder, behind, (USER, squid_password)) as one:
        yield one


@pytest.fixture(params=["squid", "tinyproxy"])
def real(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["squid", "guarded_tinyproxy"])
def guarded(request, squid_password):
    """A proxy that wants a password for guarded.test; its URL with and without."""
    one = request.getfixturevalue(request.param)
    return one.url.replace("//", f"//{USER}:{squid_password}@"), one.url


@pytest.fixture(scope="module")
def secure(registry_binary, tmp_path_factory, workshop, root):
    """A docker-registry that speaks TLS itself."""
    from conftest import OCI_DOCUMENT  # pylint: disable=import-outside-toplevel

    names = [f"DNS:{name}" for name in Squid.NAMES]
    shown = workshop.server(root, names=[*names, f"IP:{LOOPBACK}"])
    folder = tmp_path_factory.mktemp("secure")
    with SecureRegistry(registry_binary, folder, shown, root) as one:
        one.push_image("team/repo", "old", OCI_MANIFEST, OCI_DOCUMENT)
        yield one


def test_a_real_proxy_without_tls(account, registry, repository, real):
    host = f"{NAME}:{registry.port}"

    result = account("tag", "--plain-http", "--proxy", real.url, f"{host}/{repository}:old", "new")

    digest = registry.digest(repository, "old")
    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{host}/{repository}:new", digest, "created", "-")]
    assert registry.digest(repository, "new") == digest


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_through_a_real_proxy(account, serve, shelf, document, real, location):
    moving = Moving(shelf, LOCATIONS[location], "GET", "PUT")
    host = f"{NAME}:{serve(moving).port}"

    result = account("tag", "--plain-http", "--proxy", real.url, f"{host}/repo:old", "new")

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document
    assert sorted(method for method, _ in moving.places) == ["GET", "PUT"]


@needs_tls
def test_a_real_proxy_with_tls(account, secure, root, real, request):
    host = f"{NAME}:{secure.port}"
    name = request.node.name.partition("[")[2].rstrip("]")

    result = account(
        *["tag", "--cacert", root.file, f"{host}/team/repo:old", name],
        env={"https_proxy": real.url},
    )

    digest = secure.digest("team/repo", "old")
    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{host}/team/repo:{name}", digest, "created", "-")]
    assert secure.digest("team/repo", name) == digest


@needs_tls
def test_a_real_proxy_with_a_password_and_tls(account, secure, root, guarded):
    with_password, without = guarded
    wrong = with_password.replace(f"{USER}:", f"{USER}:x")
    image = f"guarded.test:{secure.port}/team/repo:old"

    def run(url):
        return account("digest", "--cacert", root.file, image, env={"https_proxy": url})

    good, bad, none = run(with_password), run(wrong), run(without)

    assert (good.status, good.lines) == (0, [secure.digest("team/repo", "old")]), good
    assert (none.status, none.out) == (4, b""), none
    none.complaint("407")
    # tinyproxy says 401 where it should say 407.
    assert bad.status == (5 if ": 401" in bad.complaint() else 4), bad


def test_a_real_proxy_with_a_password_without_tls(account, registry, repository, guarded):
    with_password, without = guarded
    image = f"guarded.test:{registry.port}/{repository}:old"

    def run(url):
        return account("digest", "--plain-http", image, env={"http_proxy": url})

    good, bad = run(with_password), run(without)

    assert (good.status, good.lines) == (0, [registry.digest(repository, "old")]), good
    assert (bad.status, bad.out) == (4, b""), bad
    bad.complaint("407")


@needs_tls
def test_a_real_proxy_that_forbids(account, secure, root, squid):
    result = account(
        *["digest", "--cacert", root.file, "--proxy", squid.url],
        f"forbidden.test:{secure.port}/team/repo:old",
    )

    assert (result.status, result.out) == (5, b""), result
    result.complaint("403")


@needs_tls
def test_a_real_proxy_that_reaches_nobody(account, root, squid, dead_port):
    result = account(
        *["digest", "--cacert", root.file, "--proxy", squid.url],
        f"{NAME}:{dead_port}/team/repo:old",
    )

    assert (result.status, result.out) == (5, b""), result
    result.complaint("503")


def test_the_digest_of_a_document_from_a_proxy_is_checked(plain, proxy, document, other_document):
    lie = [
        f"Content-Type: {OCI_MANIFEST}",
        f"Docker-Content-Digest: {digest_of(document)}",
    ]
    proxy.instead = lambda request: answer(200, other_document, *lie)

    result = plain("--proxy", proxy.url, verb="tag", names=["new"])

    assert result.status == 10, result
    assert "PUT" not in [request.method for request in proxy.requests]
