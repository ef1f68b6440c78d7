"""--resolve: names without a DNS, and hosts with several addresses of which some are dead."""

import contextlib
import errno
import socket
import time

import pytest
from fake import Fake
from images import digest_of

NAME = "registry.test"


def resolved(server, *addresses):
    """The options that say where the name is."""
    return ["--plain-http", "--resolve", f"{NAME}:{server.port}:{','.join(addresses)}"]


def test_a_name_is_looked_up_in_the_option(regtag, registry, recorder, repository):
    host = f"{NAME}:{recorder.port}"

    result = regtag("tag", *resolved(recorder, "127.0.0.1"), f"{host}/{repository}:old", "new")

    digest = registry.digest(repository, "old")
    assert (result.status, result.err) == (0, b"")
    assert result.rows == [(f"{host}/{repository}:new", digest, "created", "-")]
    assert registry.digest(repository, "new") == digest
    assert {request.value("Host") for request in recorder.requests} == {host}


def test_the_name_is_compared_without_case(regtag, serve, shelf):
    server = serve(shelf)

    result = regtag(
        "digest", *resolved(server, "127.0.0.1"), f"Registry.TEST:{server.port}/repo:old"
    )

    assert result.status == 0, result


@pytest.mark.parametrize("name", ["localhost", "LocalHost"])
def test_localhost_is_known_and_spoken_to_in_plain_http(regtag, serve, shelf, document, name):
    server = serve(shelf)

    result = regtag("digest", f"{name}:{server.port}/repo:old")

    assert (result.status, result.lines, result.err) == (0, [digest_of(document)], b"")


def test_another_port_of_the_name_is_not_meant(regtag, serve, shelf, document, dead_port):
    """This name is known without the option."""
    server = serve(shelf)
    options = ["--resolve", f"localhost:{dead_port}:127.0.0.2"]

    result = regtag("digest", *options, f"localhost:{server.port}/repo:old")

    assert (result.status, result.lines, result.err) == (0, [digest_of(document)], b"")


def test_one_of_several_names_is_taken(regtag, serve, shelf):
    server = serve(shelf)
    others = ["--resolve", f"other.test:{server.port}:192.0.2.1"]
    more = ["--resolve", f"{NAME}.example:{server.port}:192.0.2.1"]

    result = regtag(
        "digest",
        *others,
        *resolved(server, "127.0.0.1"),
        *more,
        f"{NAME}:{server.port}/repo:old",
    )

    assert result.status == 0, result


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.2", "127.0.0.1"],
        ["[::1]", "127.0.0.1"],
        ["127.0.0.1", "[::1]"],
        ["127.0.0.2", "127.0.0.3", "[::1]", "127.0.0.1"],
    ],
    ids=["a_refusing_one_first", "ipv6_first", "ipv6_last", "three_refusing_ones_first"],
)
def test_an_address_that_refuses_does_not_matter(regtag, serve, shelf, addresses):
    server = serve(shelf)

    result = regtag("tag", *resolved(server, *addresses), f"{NAME}:{server.port}/repo:old", "new")

    assert (result.status, result.err) == (0, b"")
    assert server.request_lines == [
        "GET /v2/repo/manifests/old",
        "HEAD /v2/repo/manifests/new",
        "PUT /v2/repo/manifests/new",
    ]


def test_all_addresses_refusing_is_told(regtag, dead_port):
    where = f"{NAME}:{dead_port}:127.0.0.1,127.0.0.2,[::1]"

    result = regtag("digest", "--plain-http", "--resolve", where, f"{NAME}:{dead_port}/repo:old")

    assert result.status == 5, result
    result.complaint(f"{NAME}:{dead_port}")


@contextlib.contextmanager
def black_hole(address, port):
    """An address where connecting neither works nor fails: its queue is full and stays so."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(64):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((address, port))
            time.sleep(0.02)
            if filler.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                with contextlib.suppress(OSError):
                    filler.getpeername()
                    continue
            break
        yield


@pytest.fixture
def half_dead(shelf):
    """A server on 127.0.0.1, with a black hole on the same port of 127.0.0.2."""
    for _ in range(20):
        server = Fake(shelf)
        try:
            with server, black_hole("127.0.0.2", server.port):
                yield server
                return
        except OSError as taken:
            if taken.errno != errno.EADDRINUSE:
                raise
    pytest.fail("no port is free on both addresses")


@pytest.mark.parametrize("dead", [1, 3])
def test_an_address_that_does_not_answer_costs_little(regtag, half_dead, dead):
    options = resolved(half_dead, *["127.0.0.2"] * dead, "127.0.0.1")
    before = time.monotonic()

    result = regtag("tag", *options, "--timeout", "60", f"{NAME}:{half_dead.port}/repo:old", "new")

    assert result.status == 0, result
    assert time.monotonic() - before < 20  # 250 ms for each dead one, and much for a slow machine
    assert half_dead.connections == 1


def test_a_host_that_never_answers_is_left_at_the_deadline(regtag, half_dead):
    before = time.monotonic()

    result = regtag(
        "digest",
        *resolved(half_dead, "127.0.0.2"),
        "--timeout",
        "1",
        f"{NAME}:{half_dead.port}/repo:old",
        limit=60,
    )

    assert result.status == 5, result
    result.complaint(f"{NAME}:{half_dead.port}")
    assert time.monotonic() - before < 20


def look_up_and(strace, what, timeout):
    """Looks a name up, while this is done to whoever opens the file of the hosts."""
    options = ["-f", "-P", "/etc/hosts", "-e", "trace=?open,openat"]
    args = ["digest", "--plain-http", "--timeout", timeout, "registry.invalid:5000/repo:old"]
    result, log = strace([*options, "-e", f"inject=?open,openat:{what}"], args)
    if "/etc/hosts" not in log:
        pytest.skip("names are looked up without /etc/hosts here")
    return result, log


def test_looking_up_a_name_ends_at_the_deadline(strace):
    result, log = look_up_and(strace, "delay_enter=5000000", "1")

    assert result.status == 5, result
    assert "registry.invalid:5000/repo:old: its name could not be looked up within 1 s" in result.err.decode()
    assert "killed by SIGKILL" in log


def test_a_look_up_that_is_killed_is_told(strace):
    result, _ = look_up_and(strace, "signal=KILL", "20")

    assert result.status == 5, result
    result.complaint("registry.invalid:5000")
