"""Images of the time before Docker 1.10: told apart and explained, never uploaded."""

import pytest
from fake import answer, bodiless
from images import DOCKER_MANIFEST, SCHEMA1, SCHEMA1_SIGNED, digest_of, docker_manifest, docker_style
from recorder import Recorder


@pytest.fixture(scope="module")
def old_registry(start_registry):
    """A registry with an image that exists only as schema 1: `old/image:v1`."""
    registry = start_registry(schema1=True)
    document = docker_style(docker_manifest())
    registry.push_image("old/image", "modern", DOCKER_MANIFEST, document)
    # The registry itself converts and signs it, for a client that accepts nothing newer.
    media_type, _, signed = registry.fetch("old/image", "modern", accept=SCHEMA1_SIGNED)
    assert media_type == SCHEMA1_SIGNED and b'"signatures"' in signed
    registry.push("old/image", "v1", SCHEMA1_SIGNED, signed)
    return registry


@pytest.mark.parametrize("names", [["new"], ["one", "two"]], ids=["one_name", "two_names"])
def test_a_schema_1_image_is_explained_and_not_uploaded(regtag, old_registry, names):
    with Recorder(old_registry.port) as recorder:
        result = regtag("tag", f"{recorder.host}/old/image:v1", *names)
        requests = recorder.request_lines

    assert result.status == 11
    result.complaint(f"{recorder.host}/old/image:v1", "schema 1", "push")
    assert [row[2] for row in result.rows] == ["failed"] * len(names)
    assert requests[0] == "GET /v2/old/image/manifests/v1"
    assert not any(line.startswith("PUT ") for line in requests)
    assert old_registry.digest("old/image", names[0]) is None


def test_a_schema_1_image_has_its_status_in_json(regtag, old_registry):
    result = regtag("tag", "--json", f"{old_registry.host}/old/image:v1", "new")

    [told] = result.objects
    assert (result.status, told["status"], told["result"]) == (11, 11, "failed")
    assert "schema 1" in told["error"]


def test_an_image_that_also_exists_as_schema_2_is_not_converted(regtag, old_registry):
    digest = old_registry.digest("old/image", "modern")

    result = regtag("tag", f"{old_registry.host}/old/image:modern", "again")

    assert result.status == 0, result
    assert old_registry.digest("old/image", "again") == digest


def test_the_digest_of_a_schema_1_image_is_that_of_its_payload(regtag, old_registry):
    accept = f"{SCHEMA1_SIGNED}, {SCHEMA1}"
    first = old_registry.fetch("old/image", "v1", accept)
    second = old_registry.fetch("old/image", "v1", accept)
    assert first[1] == second[1] and first[2] != second[2]  # signed anew each time

    result = regtag("digest", f"{old_registry.host}/old/image:v1")

    assert (result.status, result.lines) == (0, [first[1]])


UNSIGNED = b"""{
   "schemaVersion": 1,
   "name": "repo",
   "tag": "old",
   "architecture": "amd64",
   "fsLayers": [{"blobSum": "sha256:%s"}],
   "history": [{"v1Compatibility": "{\\"id\\":\\"1\\"}"}]
}""" % (
    b"0" * 64
)


@pytest.mark.parametrize("media_type", [SCHEMA1, "application/json"])
def test_an_unsigned_schema_1_image_is_told_as_well(regtag, serve, shelf, media_type):
    shelf.put("repo", "old", media_type, UNSIGNED)
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 11, result
    result.complaint(f"{server.host}/repo:old", "schema 1")
    assert server.uploads == []


# ---- A registry that compares each line of Accept with one media type, as old ones did

CONVERTED = {
    "schema1": answer(
        200,
        UNSIGNED,
        f"Content-Type: {SCHEMA1}",
        f"Docker-Content-Digest: {digest_of(UNSIGNED)}",
    ),
    "schema1_as_json": answer(200, UNSIGNED, "Content-Type: application/json"),
    "406": answer(406),
}
LINE_READERS = pytest.mark.parametrize("what", CONVERTED)


@pytest.fixture
def modern(shelf):
    """With the image "modern", and one that it may be compared with."""
    shelf.put("repo", "modern", DOCKER_MANIFEST, docker_style(docker_manifest()))
    return shelf


@pytest.fixture
def line_reader(serve, modern):
    """line_reader(answer to all that do not have the media type on a line of its own)"""

    def start(converted):
        def respond(request):
            asks = request.method in ("GET", "HEAD") and request.path.endswith("/modern")
            if asks and DOCKER_MANIFEST not in request.values("Accept"):
                return bodiless(converted) if request.method == "HEAD" else converted
            return modern(request)

        return serve(respond)

    return start


def lines(server):
    """METHOD TAG of each request, and how many lines its Accept has."""
    return [
        f"{one.method} {one.path.rsplit('/')[-1]} {len(one.values('Accept'))}"
        for one in server.requests
    ]


@LINE_READERS
def test_accept_is_understood_on_several_lines(regtag, line_reader, modern, what):
    server = line_reader(CONVERTED[what])

    result = regtag("tag", f"{server.host}/repo:modern", "new")

    assert (result.status, result.err) == (0, b""), result
    assert modern.manifests["repo", "new"] == modern.manifests["repo", "modern"]
    asked = [line for line in lines(server) if line.startswith("GET modern")]
    assert asked == ["GET modern 1", "GET modern 7"]
    assert server.requests[-1].method == "PUT" and len(server.requests) == 4


@LINE_READERS
@pytest.mark.parametrize("verb", ["digest", "manifest"])
def test_it_is_read_as_well(regtag, line_reader, modern, what, verb):
    document = modern.document("repo", "modern")
    server = line_reader(CONVERTED[what])

    result = regtag(verb, f"{server.host}/repo:modern")

    assert (result.status, result.err) == (0, b""), result
    assert result.out == (document if verb == "manifest" else digest_of(document).encode() + b"\n")


def test_several_lines_are_kept_where_they_help(regtag, line_reader, modern):
    modern.put("repo", "new", *modern.manifests["repo", "old"])
    server = line_reader(CONVERTED["schema1"])
    server.requests.clear()

    result = regtag("tag", "--confirm", f"{server.host}/repo:modern", "new")

    assert (result.status, result.err) == (0, b""), result
    assert lines(server)[-1] == "HEAD new 7"


@pytest.mark.parametrize("what", CONVERTED)
def test_what_both_forms_fail_for_is_asked_for_twice(regtag, serve, shelf, what):
    converted = CONVERTED[what]
    shelf.instead["GET"] = lambda request: converted
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == (9 if what == "406" else 11), result
    asked = [line for line in lines(server) if line.startswith("GET")]
    assert asked == ["GET old 1", "GET old 7"]
    assert server.uploads == []
