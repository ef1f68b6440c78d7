"""regtag manifest: exactly the bytes, and none of them before they have been checked."""

import pytest
from fake import CLOSE, answer
from images import LIMIT, OCI_MANIFEST, compact, digest_of, docker_style, oci_manifest, padded

DOCUMENTS = {
    "crlf_and_a_trailing_newline": docker_style(oci_manifest()).replace(b"\n", b"\r\n") + b"\r\n",
    "no_newline": compact(oci_manifest()),
    "4_mib": padded(oci_manifest(), LIMIT),
    "utf8": compact(oci_manifest())[:-1] + ',"annotations":{"a":"\u00ef\U0001f600"}}'.encode(),
}


@pytest.mark.parametrize("what", DOCUMENTS)
def test_the_bytes_of_a_manifest_are_printed(regtag, registry, recorder, what):
    repository = f"manifest/{what}"
    registry.push_image(repository, "old", OCI_MANIFEST, DOCUMENTS[what])

    result = regtag("manifest", f"{recorder.host}/{repository}:old")

    assert (result.status, result.err) == (0, b"")
    assert result.out == DOCUMENTS[what]
    assert recorder.request_lines == [f"GET /v2/{repository}/manifests/old"]


@pytest.mark.parametrize("tag", ["", ":other"])
def test_a_pinned_manifest_is_printed(regtag, registry, repository, document, tag):
    digest = registry.push(repository, "new", OCI_MANIFEST, document)

    result = regtag("manifest", f"{registry.host}/{repository}{tag}@{digest}")

    assert (result.status, result.out, result.err) == (0, document, b"")


BAD = {
    "json": b'{"schemaVersion":2,',
    "no_manifest": b"{}",
    "a_duplicate_key": compact(oci_manifest())[:-1] + b',"config":{}}',
    "ambiguous": compact(oci_manifest(manifests=[])),
    "too_large": padded(oci_manifest(), LIMIT + 1),
}


@pytest.mark.parametrize("what", BAD)
def test_nothing_is_printed_of_a_bad_manifest(regtag, serve, shelf, what):
    shelf.put("repo", "bad", OCI_MANIFEST, BAD[what])
    server = serve(shelf)

    result = regtag("manifest", f"{server.host}/repo:bad")

    assert (result.status, result.out) == (10, b"")
    result.complaint(f"{server.host}/repo:bad")


def test_nothing_is_printed_of_a_manifest_with_another_digest(regtag, serve, shelf, document):
    lie = f"Docker-Content-Digest: {digest_of(b'another')}"
    shelf.instead["GET"] = lambda request: answer(
        200, document, f"Content-Type: {OCI_MANIFEST}", lie
    )
    server = serve(shelf)

    result = regtag("manifest", f"{server.host}/repo:old")

    assert (result.status, result.out) == (10, b"")
    result.complaint(f"{server.host}/repo:old")


def test_nothing_is_printed_of_another_manifest_than_the_pinned(
    regtag, serve, shelf, document, other_document
):
    pin = digest_of(other_document)
    shelf.manifests["repo", pin] = (OCI_MANIFEST, document)
    server = serve(shelf)

    result = regtag("manifest", f"{server.host}/repo@{pin}")

    assert (result.status, result.out) == (10, b"")
    result.complaint(server.host)


def test_nothing_is_printed_of_a_manifest_that_was_cut(regtag, serve, shelf):
    shelf.instead["GET"] = lambda request: [shelf.usual(request)[:-1], CLOSE]
    server = serve(shelf)

    result = regtag("manifest", f"{server.host}/repo:old")

    assert (result.status, result.out) == (9, b"")
    result.complaint(server.host)


def test_a_manifest_that_is_not_there_is_told(regtag, registry, repository):
    result = regtag("manifest", f"{registry.host}/{repository}:nothing")

    assert (result.status, result.out) == (3, b"")
    result.complaint(f"{registry.host}/{repository}:nothing")
