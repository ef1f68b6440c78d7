"""Registries behind gateways and file servers that do not state a manifest's media type."""

import pytest
from fake import answer
from images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    compact,
    descriptor,
    digest_of,
    docker_manifest,
    oci_index,
    oci_manifest,
)


def silent(document):
    return {name: value for name, value in document.items() if name != "mediaType"}


GOOD = compact(oci_manifest())
DOCUMENTS = {
    "oci": (OCI_MANIFEST, GOOD),
    "index": (OCI_INDEX, compact(oci_index(GOOD))),
    "docker": (DOCKER_MANIFEST, compact(docker_manifest())),
    "list": (DOCKER_LIST, compact({**oci_index(GOOD), "mediaType": DOCKER_LIST})),
    "oci_that_does_not_say": (OCI_MANIFEST, compact(silent(oci_manifest()))),
    "index_that_does_not_say": (OCI_INDEX, compact(silent(oci_index(GOOD)))),
}
SERVED = {
    "json": ["Content-Type: application/json"],
    "json_with_a_charset": ["Content-Type: application/json; charset=utf-8"],
    "bytes": ["Content-Type: application/octet-stream"],
    "text": ["Content-Type: text/plain"],
    "nothing": [],
    "twice": ["Content-Type: application/json", "Content-Type: application/json"],
}


@pytest.fixture
def gateway(serve, shelf):
    """Serves a document, whatever is asked for by GET, with these fields."""

    def begin(document, *fields):
        shelf.instead["GET"] = lambda request: answer(200, document, *fields)
        return serve(shelf)

    return begin


@pytest.mark.parametrize("served", SERVED)
@pytest.mark.parametrize("what", DOCUMENTS)
def test_the_document_says_what_it_is(regtag, gateway, shelf, what, served):
    media_type, document = DOCUMENTS[what]
    server = gateway(document, *SERVED[served])

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.rows == [(f"{server.host}/repo:new", digest_of(document), "created", "-")], result
    assert (result.status, result.err) == (0, b"")
    assert shelf.manifests["repo", "new"] == (media_type, document)


@pytest.mark.parametrize("served", SERVED)
def test_the_digest_and_the_bytes_are_told(regtag, gateway, shelf, served):
    server = gateway(GOOD, *SERVED[served])
    shelf.instead["HEAD"] = lambda request: answer(405)

    assert regtag("digest", f"{server.host}/repo:old").lines == [digest_of(GOOD)]
    assert regtag("manifest", f"{server.host}/repo:old").out == GOOD


def test_an_index_and_its_child_say_what_they_are(regtag, serve, shelf):
    platform = {"os": "linux", "architecture": "amd64"}
    index = {**oci_index(), "manifests": [descriptor(OCI_MANIFEST, GOOD, platform=platform)]}
    shelf.put("repo", "many", "application/json", compact(index))
    shelf.put("repo", digest_of(GOOD), "text/plain", GOOD)
    server = serve(shelf)

    result = regtag("tag", "--platform", "linux/amd64", f"{server.host}/repo:many", "new")

    assert (result.status, result.err) == (0, b""), result
    assert shelf.manifests["repo", "new"] == (OCI_MANIFEST, GOOD)


def test_where_a_tag_points_is_seen_by_get(regtag, serve, shelf, other_document):
    """HEAD is of no use, and what GET brings has a digest, but no media type."""
    shelf.put("repo", "new", "application/octet-stream", other_document)
    shelf.hide(None, answer(405), methods=["HEAD"])
    server = serve(shelf)

    [row] = regtag("tag", f"{server.host}/repo:old", "new").rows

    assert row[2:] == ("moved", digest_of(other_document))


# What is refused: (fields, document, status, words)
REFUSED = {
    "a_page": (["Content-Type: text/plain"], b"Please sign in", 9, "text/plain"),
    "bytes": (["Content-Type: application/octet-stream"], b"\0\1\2", 9, "octet-stream"),
    "an_error": (["Content-Type: application/json"], b'{"errors":[]}', 10, "what kind"),
    "nothing_at_all": ([], b"{}", 10, "what kind"),
    "no_json": ([], b"hello", 10, "JSON"),
    "another_media_type": (
        ["Content-Type: application/json"],
        compact(oci_manifest(mediaType="application/vnd.example+json")),
        10,
        "application/vnd.example+json",
    ),
    "two_kinds_in_one": (
        ["Content-Type: application/json"],
        compact({**silent(oci_manifest()), "manifests": []}),
        10,
        "ambiguous",
    ),
    "two_media_types": (
        ["Content-Type: " + OCI_MANIFEST, "Content-Type: " + OCI_INDEX],
        GOOD,
        10,
        "several media types",
    ),
    "the_wrong_media_type": (["Content-Type: " + OCI_INDEX], GOOD, 10, "ambiguous"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_says_nothing_clear_is_refused(regtag, gateway, what):
    fields, document, status, words = REFUSED[what]
    server = gateway(document, *fields)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == status, result
    result.complaint(f"{server.host}/repo:old", words)
    assert server.uploads == []
