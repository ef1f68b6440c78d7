"""`copy` through a proxy: both sides without TLS, by the whole URL; with TLS, by a tunnel for each connection."""

import pytest
from artifacts import Store, file_layer
from authority import LOOPBACK
from copies import Pantry
from fronts import needs_tls
from images import CONFIG, digest_of
from proxies import Proxy, Squid
from token_server import secret

pytest_plugins = ["tls_fixtures"]

NAME = "registry.test"
BLOB = bytes(range(256)) * 2000


@pytest.fixture(scope="module")
def squid():
    one = Squid("somebody", secret("password"))
    with one:
        yield one
    one.close()


@pytest.fixture
def proxy():
    with Proxy() as one:
        yield one


@pytest.fixture(params=["proxy", "squid"])
def through(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def source():
    store = Store()
    store.put_layers("repo", "old", [(CONFIG, file_layer(CONFIG)), (BLOB, file_layer(BLOB))])
    return store


@pytest.fixture
def target():
    return Pantry()


def copied(result, source, target):
    assert (result.status, result.err) == (0, b""), result
    assert result.rows[0][2] == "created"
    assert target.blobs == source.blobs
    assert target.document("repo", "new") == source.document("repo", "old")


def test_without_tls_both_sides_are_asked_for_by_their_urls(regtag, serve, source, target, through):
    one, two = serve(source), serve(target)
    images = f"{NAME}:{one.port}/repo:old", f"{NAME}:{two.port}/repo:new"

    copied(regtag("copy", "--plain-http", "--proxy", through.url, *images), source, target)

    if isinstance(through, Proxy):
        asked = {(request.method, request.target.split("/v2/")[0]) for request in through.requests}
        sides = [f"http://{NAME}:{server.port}" for server in (one, two)]
        assert asked == {("GET", sides[0]), *((method, sides[1]) for method in ("HEAD", "POST", "PATCH", "PUT"))}


@needs_tls
def test_with_tls_each_connection_is_a_tunnel(regtag, serve_tls, source, target, root, through):
    one, two = serve_tls(respond=source), serve_tls(respond=target)
    images = f"{one.host}/repo:old", f"{two.host}/repo:new"
    target.blobs = {digest_of(CONFIG): CONFIG}

    copied(regtag("copy", "--cacert", root.file, "--proxy", through.url, *images), source, target)

    if isinstance(through, Proxy):
        assert set(through.request_lines) == {f"CONNECT {one.host}", f"CONNECT {two.host}"}


def test_a_proxy_may_be_left_out_for_one_side(regtag, serve, source, target, proxy):
    one, two = serve(source), serve(target)
    images = f"{LOOPBACK}:{one.port}/repo:old", f"{NAME}:{two.port}/repo:new"
    options = ["--plain-http", "--proxy", proxy.url, "--no-proxy", LOOPBACK]

    copied(regtag("copy", *options, *images), source, target)

    assert {request.target.split("/v2/")[0] for request in proxy.requests} == {f"http://{NAME}:{two.port}"}
