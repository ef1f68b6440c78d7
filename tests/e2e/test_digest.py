"""regtag digest: what a tag points at."""

import pytest
from fake import CLOSE, answer, bodiless, errors
from images import OCI_MANIFEST, digest_of


def head(*fields):
    return lambda request: bodiless(answer(200, b"x" * 100, *fields))


def test_the_digest_is_asked_for_with_head(regtag, registry, recorder, repository):
    result = regtag("digest", f"{recorder.host}/{repository}:old")

    assert (result.status, result.err) == (0, b"")
    assert result.lines == [registry.digest(repository, "old")]
    assert recorder.request_lines == [f"HEAD /v2/{repository}/manifests/old"]
    assert recorder.connections == 1


def test_json_has_the_reference_and_the_digest(regtag, registry, repository):
    result = regtag("digest", "--json", f"{registry.host}/{repository}:old")

    digest = registry.digest(repository, "old")
    assert result.objects == [
        {"reference": f"{registry.host}/{repository}:old", "digest": digest, "status": 0}
    ]
    assert (result.status, result.err) == (0, b"")


def test_json_tells_a_failure(regtag, registry, repository):
    result = regtag("digest", "--json", f"{registry.host}/{repository}:nothing")

    assert result.status == 3
    [told] = result.objects
    assert told["reference"] == f"{registry.host}/{repository}:nothing"
    assert told["status"] == 3
    assert told["digest"] in (None, "-")
    assert told["error"]


def test_json_tells_of_a_login_that_is_unusable(regtag, serve, shelf, tmp_path):
    image = f"{serve(shelf).host}/repo:old"
    (tmp_path / "auth.json").write_text("{")

    result = regtag("digest", "--json", image, "--authfile", tmp_path / "auth.json")

    assert result.status == 16
    error = result.complaint().removeprefix("regtag: ")
    assert result.objects == [{"reference": image, "digest": None, "status": 16, "error": error}]


def test_a_tag_is_latest_where_none_is_given(regtag, registry, repository, document):
    digest = registry.push(repository, "latest", OCI_MANIFEST, document)

    result = regtag("digest", f"{registry.host}/{repository}")

    assert (result.status, result.lines) == (0, [digest])


@pytest.mark.parametrize("tag", ["", ":other"])
def test_a_pinned_image_is_asked_for_by_its_digest(regtag, registry, recorder, repository, tag):
    digest = registry.digest(repository, "old")

    result = regtag("digest", f"{recorder.host}/{repository}{tag}@{digest}")

    assert (result.status, result.lines) == (0, [digest])
    assert [request.path for request in recorder.requests] == [
        f"/v2/{repository}/manifests/{digest}"
    ]


def test_the_bytes_are_fetched_where_the_header_is_missing(regtag, serve, shelf, document):
    shelf.instead["HEAD"] = head(f"Content-Type: {OCI_MANIFEST}")
    shelf.instead["GET"] = lambda request: answer(200, document, f"Content-Type: {OCI_MANIFEST}")
    server = serve(shelf)

    result = regtag("digest", f"{server.host}/repo:old")

    assert (result.status, result.err) == (0, b"")
    assert result.lines == [digest_of(document)]
    assert server.request_lines == ["HEAD /v2/repo/manifests/old", "GET /v2/repo/manifests/old"]
    assert server.connections == 1


def test_the_bytes_that_are_fetched_must_be_a_manifest(regtag, serve, shelf):
    shelf.instead["HEAD"] = head(f"Content-Type: {OCI_MANIFEST}")
    shelf.instead["GET"] = lambda request: answer(200, b"{}", f"Content-Type: {OCI_MANIFEST}")
    server = serve(shelf)

    result = regtag("digest", f"{server.host}/repo:old")

    assert (result.status, result.out) == (10, b"")
    result.complaint(server.host)


@pytest.mark.parametrize("stated", ["sha256:abc", "latest", "sha256:" + "G" * 64, "\x1b[2J"])
def test_a_header_that_is_no_digest_is_not_printed(regtag, serve, shelf, document, stated):
    shelf.instead["HEAD"] = head(f"Docker-Content-Digest: {stated}")
    server = serve(shelf)

    result = regtag("digest", f"{server.host}/repo:old")

    assert (result.status, result.lines) in ((0, [digest_of(document)]), (9, []))


def test_another_digest_than_the_pinned_is_not_printed(
    regtag, serve, shelf, document, other_document
):
    shelf.instead["HEAD"] = head(f"Docker-Content-Digest: {digest_of(other_document)}")
    server = serve(shelf)

    result = regtag("digest", f"{server.host}/repo@{digest_of(document)}")

    assert (result.status, result.out) == (10, b"")
    result.complaint(server.host)


def test_a_body_length_in_the_answer_to_head_is_not_waited_for(regtag, serve, shelf):
    digest = digest_of(b"any")
    shelf.instead["HEAD"] = lambda request: bodiless(
        answer(200, b"x" * 4096, f"Docker-Content-Digest: {digest}")
    )
    server = serve(shelf)

    result = regtag("digest", "--timeout", "60", f"{server.host}/repo:old", limit=40)

    assert (result.status, result.lines) == (0, [digest])


def test_an_image_that_is_not_there_is_told(regtag, registry, repository):
    result = regtag("digest", f"{registry.host}/{repository}:nothing")

    assert (result.status, result.out) == (3, b"")
    result.complaint(f"{registry.host}/{repository}:nothing")


def test_a_missing_image_is_told_on_an_answer_that_has_only_a_head(regtag, serve):
    server = serve(lambda request: [bodiless(errors(404, "MANIFEST_UNKNOWN")), CLOSE])

    result = regtag("digest", f"{server.host}/repo:old")

    assert (result.status, result.out) == (3, b"")
    result.complaint(f"{server.host}/repo:old")
