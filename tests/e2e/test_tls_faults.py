"""Servers and lines that go wrong in the middle of TLS."""

import contextlib
import os
import re
import subprocess
import threading
import time

import pytest
from authority import NAME
from fake import CLOSE, RESET, answer, chunked
from fronts import needs_tls, reached
from images import LIMIT, OCI_MANIFEST, digest_of, oci_manifest, padded
from program import environment
from recorder import Recorder
from tls_server import Ending, Raw

pytest_plugins = ["tls_fixtures"]
pytestmark = needs_tls

NO_CONNECTION, LATE, UNTRUSTED, PROTOCOL = 5, 6, 7, 9
VERSIONS = ["1.2", "1.3"]
ENDINGS = {"closed": Ending.CLOSE, "reset": Ending.RESET}


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def run(regtag, root):
    def run(site, verb="tag", *options, **more):
        names = ["new"] if verb == "tag" else []
        settings = ["--cacert", root.file, *options, *site.options]
        return regtag(verb, *settings, site.image, *names, **more)

    return run


def length_of_handshake(run, serve_tls, version):
    """How many bytes a server sends until the handshake is over, and how many in all."""
    site = serve_tls(version=version)
    assert run(site, "manifest").status == 0
    [session] = site.front.settled()
    return session.handshake, session.raw


# ---- In the handshake ----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_connection_that_is_lost_in_the_handshake(run, serve_tls, shelf, version, ending):
    handshake, _ = length_of_handshake(run, serve_tls, version)
    site = serve_tls(version=version, ending=ENDINGS[ending])
    end = handshake - 8  # signatures are not all of one length
    for most in [*range(0, 12), *range(12, end, 61), end]:
        site.front.most = most

        result = run(site, "tag", "--timeout", "20")

        assert result.status == NO_CONNECTION, (most, result)
        result.complaint(site.host)
    assert site.is_untouched
    assert shelf.document("repo", "new") is None


@pytest.mark.parametrize("share", [0, 0.1, 0.6, 0.99])
def test_a_handshake_that_stalls_is_left_at_the_deadline(run, serve_tls, version, share):
    handshake, _ = length_of_handshake(run, serve_tls, version)
    site = serve_tls(version=version, ending=Ending.STALL, most=int(handshake * share))
    before = time.monotonic()

    result = run(site, "tag", "--timeout", "1", limit=60)

    assert result.status == LATE, result
    result.complaint(site.host)
    assert time.monotonic() - before < 20
    assert site.is_untouched


def test_every_byte_by_itself(run, serve_tls, shelf, document, version):
    site = serve_tls(version=version, drip=True)

    result = run(site)

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document


# ---- Afterwards ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_upload_through_a_line_that_is_cut_anywhere(
    run, serve_tls, shelf, document, version, ending
):
    whole = serve_tls(version=version)
    assert run(whole).status == 0
    [session] = whole.front.settled()
    site = serve_tls(version=version, ending=ENDINGS[ending])
    for most in range(session.handshake, session.raw, 43):
        shelf.manifests.pop(("repo", "new"), None)
        site.front.most = most

        result = run(site, "tag", "--timeout", "20")

        assert shelf.document("repo", "new") in (None, document), most
        if result.status == 0:
            assert shelf.document("repo", "new") == document, most
        else:
            assert result.status in (NO_CONNECTION, UNTRUSTED, PROTOCOL, 18), (most, result)
            result.complaint(site.host)


def test_a_manifest_through_a_line_that_changes_a_byte(run, serve_tls, document, version):
    """What comes out is what it should be, or nothing."""
    _, raw = length_of_handshake(run, serve_tls, version)
    site = serve_tls(version=version)
    statuses = set()
    for spoil in range(0, raw, 37):
        site.front.spoil = spoil

        result = run(site, "manifest", "--timeout", "1", limit=60)

        assert result.out == (b"" if result.status else document), (spoil, result)
        assert result.status in (0, 1, 5, 6, 7, 9), (spoil, result)
        statuses.add(result.status)
    assert statuses & {7, 9}, statuses


def test_a_server_that_closes_after_each_answer(run, serve_tls, shelf, document, version):
    site = serve_tls(respond=lambda request: [shelf(request), CLOSE], version=version)

    result = run(site)

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document
    # A PUT that meets the end of the connection has the tag resolved, by HEAD and GET, before it is sent again.
    assert len(site.front.sessions) in (3, 5)


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["closed", "reset"])
def test_an_upload_whose_answer_is_lost_is_looked_at_again(
    run, serve_tls, shelf, document, version, end
):
    def put(request):
        shelf.usual(request)
        return [end]

    shelf.instead["PUT"] = put
    site = serve_tls(version=version)

    result = run(site)

    assert (result.status, result.err) == (0, b""), result
    assert [row[1:3] for row in result.rows] == [(digest_of(document), "created")]
    assert site.server.request_lines[-1] == "HEAD /v2/repo/manifests/new"


# ---- The end of an answer ------------------------------------------------------------------------


def until_closed(document):
    fields = [f"Content-Type: {OCI_MANIFEST}", f"Docker-Content-Digest: {digest_of(document)}"]
    return [answer(200, document, *fields, framed=False), CLOSE]


@pytest.mark.parametrize("verb", ["tag", "manifest"])
def test_an_answer_that_ends_with_the_session(run, serve_tls, shelf, document, version, verb):
    shelf.instead["GET"] = lambda request: until_closed(document)
    site = serve_tls(version=version)

    result = run(site, verb)

    assert (result.status, result.err) == (0, b""), result
    assert verb == "tag" or result.out == document


@pytest.mark.parametrize("verb", ["tag", "manifest"])
@pytest.mark.parametrize("digest", ["with", "without"])
def test_an_answer_that_is_cut_without_a_word_is_not_finished(
    run, serve_tls, shelf, document, version, verb, digest
):
    """Without close_notify anybody on the way may have closed the connection."""
    fields = [f"Docker-Content-Digest: {digest_of(document)}"] if digest == "with" else []
    whole = answer(200, document, f"Content-Type: {OCI_MANIFEST}", *fields, framed=False)
    shelf.instead["GET"] = lambda request: [whole, CLOSE]
    site = serve_tls(version=version, polite=False)

    result = run(site, verb, "--timeout", "20")

    assert result.status == PROTOCOL, result
    result.complaint(site.host)
    assert verb == "tag" or result.out == b""
    assert site.uploads == []


def test_a_list_that_is_cut_without_a_word_is_not_finished(regtag, serve_tls, root, version):
    body = b'{"name":"repo","tags":["one","two"]}'
    site = serve_tls(
        respond=lambda request: [answer(200, body, framed=False), CLOSE],
        version=version,
        polite=False,
    )

    result = regtag("ls", "--cacert", root.file, *site.options, f"{site.host}/repo")

    assert result.status == PROTOCOL, result
    result.complaint(site.host)


@pytest.mark.parametrize("form", ["with_a_length", "in_chunks"])
def test_an_answer_that_says_where_it_ends_is_finished(
    run, serve_tls, shelf, document, version, form
):
    fields = [f"Content-Type: {OCI_MANIFEST}"]
    if form == "in_chunks":
        body = chunked(document[:100], document[100:])
        whole = answer(200, body, *fields, "Transfer-Encoding: chunked", framed=False)
    else:
        whole = answer(200, document, *fields)
    shelf.instead["GET"] = lambda request: [whole, CLOSE]
    site = serve_tls(version=version, polite=False)

    result = run(site, "manifest")

    assert (result.status, result.out, result.err) == (0, document, b""), result


@pytest.mark.parametrize("form", ["with_a_length", "in_chunks"])
@pytest.mark.parametrize("polite", [True, False], ids=["with_a_word", "without_a_word"])
def test_an_answer_that_ends_too_early_is_not_finished(
    run, serve_tls, shelf, document, version, form, polite
):
    fields = [f"Content-Type: {OCI_MANIFEST}"]
    if form == "in_chunks":
        body = b"%x\r\n%s" % (len(document), document)
        whole = answer(200, body, *fields, "Transfer-Encoding: chunked", framed=False)
    else:
        whole = answer(200, document, *fields)[:-1]
    shelf.instead["GET"] = lambda request: [whole, CLOSE]
    site = serve_tls(version=version, polite=polite)

    result = run(site, "tag", "--timeout", "20")

    assert result.status in (NO_CONNECTION, PROTOCOL), result
    result.complaint(site.host)
    assert site.uploads == []


def test_the_largest_manifest_there_may_be(run, serve_tls, shelf, version):
    big = padded(oci_manifest(), LIMIT)
    shelf.put("repo", "old", OCI_MANIFEST, big)
    site = serve_tls(version=version)

    assert run(site).status == 0

    assert shelf.document("repo", "new") == big


# ---- What is no TLS ------------------------------------------------------------------------------


def played(regtag, root, play, *options, limit=60):
    """Speaks TLS to a server that plays something; the result and the host."""
    with Raw(play) as raw:
        host = f"{NAME}:{raw.port}"
        trust = ["--cacert", root.file, "--timeout", "10", *options, *reached(host)]
        result = regtag("digest", *trust, f"{host}/repo:old", limit=limit)
    assert raw.connections >= 1
    return result, host


def hello_and(*data):
    def play(client):
        client.recv(65536)
        for one in data:
            client.sendall(one)

    return play


def alert(number, level=2):
    return bytes([21, 3, 3, 0, 2, level, number])


ALERTS = {
    "handshake_failure": (40, "40"),
    "protocol_version": (70, "TLS"),
    "insufficient_security": (71, "71"),
    "internal_error": (80, "80"),
    "access_denied": (49, "49"),
    "unrecognized_name": (112, "name"),
    "certificate_required": (116, "--cert"),
    "one_that_nobody_knows": (200, "200"),
}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_told(regtag, root, name):
    number, word = ALERTS[name]

    result, host = played(regtag, root, hello_and(alert(number)))

    assert (result.status, result.out) == (UNTRUSTED, b""), result
    result.complaint(host, word)


NO_TLS = {
    "http": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "zeros": bytes(20_000),
    "all_bits": b"\xff" * 20_000,
    "random_bytes": os.urandom(20_000),
    "a_record_that_is_too_long": b"\x16\x03\x03\xff\xff" + bytes(70_000),
    "an_empty_record": b"\x16\x03\x03\x00\x00" * 100,
    "a_record_of_data": b"\x17\x03\x03\x00\x05hello",
    "ssl_2": b"\x80\x2e\x04\x00\x01\x00\x02" + bytes(60),
    "a_server_hello_that_is_cut": b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(32),
    "a_message_that_is_too_long": b"\x16\x03\x03\x00\x04\x02\xff\xff\xff" + bytes(100),
    "a_certificate_at_once": b"\x16\x03\x03\x00\x07\x0b\x00\x00\x03\x00\x00\x00",
}


@pytest.mark.parametrize("what", NO_TLS)
def test_what_is_no_tls_is_told(regtag, root, what):
    result, host = played(regtag, root, hello_and(NO_TLS[what]))

    assert result.status in (NO_CONNECTION, UNTRUSTED, PROTOCOL), result
    assert result.out == b""
    result.complaint(host)


def test_a_server_that_hangs_up_at_once(regtag, root):
    for play in (lambda client: None, hello_and(), hello_and(alert(0, 1))):
        result, host = played(regtag, root, play)

        assert result.status == NO_CONNECTION, result
        result.complaint(host)


def test_never_plain_http_instead(regtag, registry, root):
    with Recorder(registry.port) as recorder:
        host = f"{NAME}:{recorder.port}"
        options = ["--cacert", root.file, "--timeout", "10", *reached(host)]
        result = regtag("tag", *options, f"{host}/repo:old", "new")

    assert result.status in (NO_CONNECTION, UNTRUSTED, PROTOCOL), result
    result.complaint(host)
    assert recorder.conversations
    for talk in recorder.conversations:
        assert talk.sent.startswith(b"\x16\x03"), bytes(talk.sent[:100])
        assert b"HTTP/" not in talk.sent and b"/v2/" not in talk.sent


def test_tls_where_plain_http_is_meant(regtag, site):
    result = regtag("digest", "--plain-http", "--timeout", "20", *site.options, site.image)

    assert result.status in (NO_CONNECTION, PROTOCOL), result
    result.complaint(site.host)
    assert site.server.requests == []


FLOODS = {
    "warnings": alert(90, 1),
    "warnings_without_renegotiation": alert(100, 1),
    "changes_of_cipher": b"\x14\x03\x03\x00\x01\x01",
    "empty_records": b"\x16\x03\x03\x00\x00",
    "hello_requests": b"\x16\x03\x03\x00\x04\x00\x00\x00\x00",
    "parts_of_a_message": b"\x16\x03\x03\x00\x01\x02",
}


@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_ends(regtag, root, what):
    """Records without an end that do nothing, as fast as they are read."""
    many = FLOODS[what] * (1_000_000 // len(FLOODS[what]))
    end = time.monotonic() + 20

    def play(client):
        client.recv(65536)
        while time.monotonic() < end:
            client.sendall(many)

    before = time.monotonic()

    result, host = played(regtag, root, play, "--timeout", "2")

    assert result.status in (NO_CONNECTION, LATE, UNTRUSTED, PROTOCOL), result
    result.complaint(host)
    assert time.monotonic() - before < 15


# ---- What openssl's own server can do ------------------------------------------------------------


@contextlib.contextmanager
def s_server(certificate, *options, connections=1):
    """A server that is told on its stdin what to send: its port, and a function for that."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", *options]
    command += ["-naccept", str(connections)]
    with subprocess.Popen(
        [*command, "-cert", certificate.file, "-key", certificate.key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    ) as process:
        late = threading.Timer(60, process.kill)
        late.start()
        try:
            for line in process.stdout:
                if found := re.match(rb"ACCEPT .*:(\d+)$", line.strip()):
                    break
            yield int(found[1]), process
        finally:
            late.cancel()
            process.kill()


COMMANDS = {
    "renegotiation": ("1.2", b"r\n"),
    "renegotiation_with_a_certificate": ("1.2", b"R\n"),
    "other_keys": ("1.3", b"k\n"),
    "other_keys_on_both_sides": ("1.3", b"K\n"),
    "a_certificate_afterwards": ("1.3", b"c\n"),
}


def asking(regtag, root, port, seconds):
    """The command, on its way to a manifest."""
    host = f"{NAME}:{port}"
    options = ["--cacert", root.file, "--timeout", seconds, *reached(host)]
    return subprocess.Popen(
        [regtag.path, "manifest", *map(str, options), f"{host}/repo:old"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({}),
    )


def wait_for_request(process):
    for line in process.stdout:
        if line.startswith(b"Accept: "):
            return


@pytest.mark.parametrize("what", COMMANDS)
def test_a_server_that_wants_something_else_afterwards(regtag, root, certificate, document, what):
    version, command = COMMANDS[what]
    option = "-tls" + version.replace(".", "_")
    reply = answer(200, document, f"Content-Type: {OCI_MANIFEST}")
    with s_server(certificate, option) as (port, process):
        with asking(regtag, root, port, 10) as client:
            try:
                wait_for_request(process)
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(command)
                    time.sleep(0.3)  # a command is one only if it comes by itself
                    process.stdin.write(reply)
                out, err = client.communicate(timeout=60)
            finally:
                client.kill()

    assert client.returncode in (0, NO_CONNECTION, LATE, UNTRUSTED, PROTOCOL), err
    assert out == (b"" if client.returncode else document)
    assert client.returncode == 0 or err.startswith(b"regtag: ")


@pytest.mark.parametrize("command", [b"k\n", b"K\n"], ids=["its_own", "of_both_sides"])
def test_another_connection_where_the_server_wants_other_keys(
    regtag, root, certificate, document, command
):
    reply = answer(200, document, f"Content-Type: {OCI_MANIFEST}")
    with s_server(certificate, "-tls1_3", connections=2) as (port, process):
        with asking(regtag, root, port, 20) as client:
            try:
                for said in (command, reply):
                    wait_for_request(process)
                    process.stdin.write(said)
                out, err = client.communicate(timeout=60)
            finally:
                client.kill()

    assert (client.returncode, out, err) == (0, document, b"")


def test_a_server_that_always_wants_other_keys(regtag, root, certificate):
    with s_server(certificate, "-tls1_3") as (port, process):
        with asking(regtag, root, port, 20) as client:
            try:
                wait_for_request(process)
                process.stdin.write(b"k\n")
                out, err = client.communicate(timeout=60)
            finally:
                client.kill()

    assert (client.returncode, out) == (NO_CONNECTION, b""), err
    assert b"plain-http" not in err


# ---- System calls that fail ----------------------------------------------------------------------

FAULTS = {
    "recvfrom": ["EINTR", "EAGAIN", "ECONNRESET", "ENOMEM"],
    "sendto": ["EINTR", "EAGAIN", "EPIPE", "ENOBUFS"],
    "getrandom": ["EINTR", "ENOSYS"],
    "openat": ["EMFILE", "EINTR"],
    "read": ["EIO"],
    "poll": ["EINTR"],
}
HARMLESS = {
    ("recvfrom", "EINTR"),
    ("recvfrom", "EAGAIN"),
    ("sendto", "EINTR"),
    ("sendto", "EAGAIN"),
    ("getrandom", "EINTR"),
    ("getrandom", "ENOSYS"),
    ("poll", "EINTR"),
}
PAIRS = [(call, fault) for call, faults in FAULTS.items() for fault in faults]


def count_calls(trace, call):
    return len(re.findall(rf"^(?:\d+ +)?{call}\(", trace, re.MULTILINE))


@pytest.mark.parametrize("call,fault", PAIRS)
def test_a_failing_call_leaves_the_tag_old_or_new(
    strace, regtag, serve_tls, shelf, root, document, call, fault
):
    site = serve_tls()
    tag = ["tag", "--timeout", "20", "--cacert", root.file, *site.options, site.image, "new"]
    _, bare = strace(["-e", f"trace=?{call}"], ["--version"])
    result, trace = strace(["-e", f"trace=?{call}"], tag)
    assert result.status == 0, result
    first = count_calls(bare, call)  # what the loader does, before the program begins
    last = count_calls(trace, call)
    if last <= first:
        pytest.skip(f"no {call} here")

    for number in range(first + 1, last + 1):
        shelf.manifests.pop(("repo", "new"), None)

        before = time.monotonic()

        result, _ = strace(["-e", f"inject={call}:error={fault}:when={number}"], tag)

        assert time.monotonic() - before < 15, (number, result)
        assert result.status >= 0, (number, result)
        assert shelf.document("repo", "new") in (None, document)
        assert result.status != 0 or shelf.document("repo", "new") == document, (number, result)
        assert (call, fault) not in HARMLESS or result.status == 0, (number, result)


def test_without_the_call_for_randomness_there_is_the_file(strace, site, root, document):
    options = ["-e", "inject=getrandom:error=ENOSYS"]

    result, trace = strace(
        ["-e", "trace=getrandom,?open,openat", *options],
        ["digest", "--cacert", root.file, *site.options, site.image],
    )

    assert (result.status, result.lines) == (0, [digest_of(document)]), result
    assert "/dev/urandom" in trace


def test_without_any_randomness_nothing_is_sent(strace, site, root):
    digest = ["digest", "--cacert", root.file, *site.options, site.image]
    no_call = ["-e", "inject=getrandom:error=ENOSYS"]
    _, trace = strace(["-e", "trace=getrandom,?open,openat", *no_call], digest)
    [name] = {line.split("(")[0] for line in trace.splitlines() if "/dev/urandom" in line}  # as libc has it
    opened = [line for line in trace.splitlines() if line.startswith(f"{name}(")]
    first = next(number for number, line in enumerate(opened, 1) if "/dev/urandom" in line)
    assert len(site.front.settled()) == 1 and site.server.requests
    site.server.requests.clear()

    no_file = ["-e", f"inject={name}:error=ENOENT:when={first}+"]
    result, _ = strace(["-e", "trace=getrandom,?open,openat", *no_call, *no_file], digest)

    assert result.status == 1, result
    assert b"random" in result.err
    assert site.server.requests == []
    assert not any(one.sent for one in site.front.settled()[1:])
