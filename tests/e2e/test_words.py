"""What is said on stderr: with -v, with -q, and of what a server had to say."""

import re

import pytest
from fake import answer, errors
from images import OCI_MANIFEST, digest_of
from proxies import Proxy

PRINTABLE_LINES = re.compile(rb"([\x20-\x7e]*\n)*")
NASTY = r"first\u001b[31mred\u0007\r\nsecond\u009b caf\u00e9 \u202e"


def test_success_is_silent(regtag, serve, shelf):
    server = serve(shelf)

    assert regtag("tag", f"{server.host}/repo:old", "new").err == b""


def test_verbose_shows_requests_answers_and_timings(regtag, serve, shelf):
    server = serve(shelf)

    result = regtag("tag", "-v", f"{server.host}/repo:old", "new")

    assert result.status == 0
    assert [row[2] for row in result.rows] == ["created"]
    said = result.err.decode()
    assert server.host in said
    order = [r"GET \S*/v2/repo/manifests/old", r"200\b", r"PUT \S*/v2/repo/manifests/new", r"201\b"]
    assert re.search(".*?".join(order), said, re.DOTALL), said
    assert re.search(r"\d ?m?s\b", said)
    assert PRINTABLE_LINES.fullmatch(result.err)


def test_verbose_does_not_change_stdout(regtag, serve, shelf):
    server = serve(shelf)
    for args in (["digest", f"{server.host}/repo:old"], ["manifest", f"{server.host}/repo:old"]):
        quiet, verbose = regtag(*args), regtag(*args, "-v")

        assert quiet.out and verbose.out == quiet.out
        assert (quiet.err, verbose.status) == (b"", 0)
        assert verbose.err


def test_verbose_and_an_error_make_one_error(regtag, serve, shelf):
    server = serve(shelf)

    result = regtag("digest", "-v", f"{server.host}/repo:nothing")

    assert result.status == 3
    assert PRINTABLE_LINES.fullmatch(result.err)
    last = result.err.decode().splitlines()[-1]
    assert last.startswith("regtag: ") and f"{server.host}/repo:nothing" in last


def test_quiet_leaves_out_a_remark(regtag, serve):
    server = serve(lambda request: answer(200, b'{"tags":["one","not a tag","two"]}'))

    loud = regtag("ls", f"{server.host}/repo")
    quiet = regtag("ls", "-q", f"{server.host}/repo")

    assert len(loud.complaints) == 1
    assert (quiet.status, quiet.lines, quiet.err) == (0, ["one", "two"], b"")


@pytest.mark.parametrize("verb", ["digest", "manifest"])
def test_quiet_still_answers(regtag, serve, shelf, document, verb):
    server = serve(shelf)

    result = regtag(verb, "-q", f"{server.host}/repo:old")

    expected = {"digest": digest_of(document).encode() + b"\n", "manifest": document}[verb]
    assert (result.status, result.out, result.err) == (0, expected, b"")


def test_quiet_still_tells_an_error(regtag, serve, shelf):
    server = serve(shelf)

    result = regtag("digest", "-q", f"{server.host}/repo:nothing")

    assert result.status == 3
    result.complaint(f"{server.host}/repo:nothing")


def test_the_words_of_a_server_are_passed_on_escaped(regtag, serve):
    refusal = errors(403, "DENIED", "not on Sundays, " + NASTY)
    server = serve(lambda request: refusal)

    result = regtag("manifest", f"{server.host}/repo:old")

    assert result.status == 4
    complaint = result.complaint(f"{server.host}/repo:old", "not on Sundays")
    for escaped in (r"\x1b[31mred\x07", r"\x0d\x0a", r"\xc2\x9b", r"\xc3\xa9"):
        assert escaped in complaint


@pytest.mark.parametrize(
    "body",
    [
        b"\x1b]0;title\x07 plain \x00 text\r\n and more\xff\xfe",
        b'{"errors":[{"code":"\\u001b[2J","message":"\\ud83d\\ude00"}]}',
        b'{"errors":"\x1b[2J"}',
        b'{"errors":[' + b"[" * 1000,
        b'{"errors":[{"message":"' + b"long " * 100000 + b'"}]}',
        b"{}",
    ],
    ids=["plain_text", "json", "bad_json", "deep_json", "long_json", "empty_json"],
)
@pytest.mark.parametrize("options", [[], ["-v"]], ids=["plain", "verbose"])
def test_an_error_body_of_any_kind_makes_one_printable_line(regtag, serve, body, options):
    server = serve(lambda request: answer(403, body, "X-Shown: \x9b2J caf\xe9"))

    result = regtag("manifest", *options, f"{server.host}/repo:old")

    assert (result.status, result.out) == (4, b"")
    assert PRINTABLE_LINES.fullmatch(result.err)
    last = result.err.decode().splitlines()[-1]
    assert last.startswith("regtag: ") and f"{server.host}/repo" in last
    assert len(last) < 2000
    if not options:
        result.complaint()


def challenged(request):
    return errors(401, "UNAUTHORIZED", "", 'WWW-Authenticate: Basic realm="x"')


def refused(request):
    return errors(403, "DENIED", "no")


MISTYPED = {
    "tag": ["myhost/busybox", "new"],
    "ls": ["myhost/busybox"],
    "manifest": ["myhost/busybox"],
    "digest": ["myhost/busybox"],
    "delete": ["myhost/busybox:old"],
}


@pytest.mark.parametrize("respond", [challenged, refused])
@pytest.mark.parametrize("verb", MISTYPED)
def test_a_host_that_was_refused_by_docker_hub_is_told(regtag, verb, respond):
    """A proxy answers, so that nothing really goes there."""
    with Proxy(instead=respond) as proxy:
        result = regtag(verb, "--plain-http", "--proxy", proxy.url, *MISTYPED[verb])

    assert result.status == 4, result
    result.complaint("myhost/busybox", '"myhost" was taken for', "Docker Hub", '"myhost:443/..."')
    assert proxy.requests[0].target.startswith("http://registry-1.docker.io/v2/myhost/busybox/")


@pytest.mark.parametrize("verb", MISTYPED)
def test_a_host_is_told_if_docker_hub_is_not_reached(regtag, dead_port, verb):
    proxy = f"http://127.0.0.1:{dead_port}"

    result = regtag(verb, "--plain-http", "--proxy", proxy, *MISTYPED[verb])

    assert result.status == 5, result
    told = result.complaint("myhost/busybox", '"myhost" was taken for', '"myhost:443/..."')
    assert "--resolve" not in told


@pytest.mark.parametrize("image", ["busybox", "docker.io/some/body", "my.host/busybox"])
def test_nothing_is_told_of_docker_hub_where_it_is_meant(regtag, dead_port, image):
    proxy = f"http://127.0.0.1:{dead_port}"

    result = regtag("digest", "--plain-http", "--proxy", proxy, image)

    assert result.status == 5, result
    assert "Docker Hub" not in result.complaint()


@pytest.mark.parametrize("verb", ["digest", "tag", "ls"])
def test_the_host_of_a_reference_is_named_once(regtag, dead_port, verb):
    name = "" if verb == "ls" else ":latest"
    new = ["new"] if verb == "tag" else []

    told = regtag(verb, f"127.0.0.1:{dead_port}/repo", *new).complaint()

    assert told.startswith(f"regtag: 127.0.0.1:{dead_port}/repo{name}: could not be reached")
    assert told.count(f":{dead_port}") == 1


def test_the_port_is_named_where_the_reference_does_not(regtag, dead_port):
    proxy = f"http://127.0.0.1:{dead_port}"

    told = regtag("digest", "--proxy", proxy, "my.host/repo").complaint()

    assert told.startswith(f"regtag: my.host/repo:latest: port 443: the proxy 127.0.0.1:{dead_port}: ")


def test_docker_hub_is_named(regtag, dead_port):
    told = regtag("digest", "--proxy", f"http://127.0.0.1:{dead_port}", "busybox").complaint()

    assert told.startswith("regtag: busybox:latest: registry-1.docker.io:443: ")


def test_where_there_is_no_image_its_repository_can_be_listed(regtag, serve, shelf):
    server = serve(shelf)
    for image in f"{server.host}/repo:nothing", f"{server.host}/repo@sha256:{'0' * 64}":
        assert regtag("manifest", image).complaint().endswith(
            f'; "regtag ls {server.host}/repo" lists the tags'
        )


def test_how_to_give_credentials_is_told_where_there_are_none(regtag, serve):
    server = serve(challenged)

    told = regtag("digest", f"{server.host}/repo").complaint("none were found")

    assert "--user NAME" in told and "--authfile" in told


def test_an_error_is_quoted_in_json(regtag, serve, shelf):
    shelf.instead["PUT"] = lambda request: errors(403, "DENIED", r"say \"no\" \\ \u001b " + NASTY)
    server = serve(shelf)

    result = regtag("tag", "--json", f"{server.host}/repo:old", "new")

    [told] = result.objects
    assert (told["result"], told["status"]) == ("failed", 4)
    assert re.fullmatch(r"[ -~]+", told["error"])
    assert result.out.count(b"\n") == 1


def test_a_media_type_of_a_server_is_shown_escaped(regtag, serve, document):
    server = serve(lambda request: answer(200, document, "Content-Type: \x9b31m; \xff"))

    result = regtag("manifest", f"{server.host}/repo:old")

    assert (result.status, result.out) in ((9, b""), (10, b""))
    result.complaint(f"{server.host}/repo:old")


def test_an_uploaded_tag_is_not_told_on_stderr_when_another_fails(regtag, serve, shelf):
    def put(request):
        return errors(403, "DENIED") if request.path.endswith("two") else shelf.usual(request)

    shelf.instead["PUT"] = put
    server = serve(shelf)

    complaint = regtag("tag", f"{server.host}/repo:old", "one", "two").complaint()

    assert f"{server.host}/repo:two" in complaint and "repo:one" not in complaint
    assert shelf.manifests["repo", "one"][0] == OCI_MANIFEST
