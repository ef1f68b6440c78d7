"""regtag tag and a real registry: the same bytes under the new name, in as few steps as can be."""

import pytest
from images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    LIMIT,
    OCI_INDEX,
    OCI_MANIFEST,
    compact,
    digest_of,
    docker_list,
    docker_manifest,
    docker_style,
    oci_index,
    oci_manifest,
    padded,
)

DOCKER = docker_style(docker_manifest())
OCI = compact(oci_manifest())
LOOK_AND_PUT = ["HEAD", "PUT"]
PADDED_WITH_SPACES = OCI[:-1] + b" " * (LIMIT - len(OCI)) + OCI[-1:]

DOCUMENTS = {
    "dockers_indentation": (DOCKER_MANIFEST, DOCKER),
    "crlf": (DOCKER_MANIFEST, DOCKER.replace(b"\n", b"\r\n")),
    "a_trailing_newline": (OCI_MANIFEST, OCI + b"\n"),
    "leading_and_trailing_white_space": (OCI_MANIFEST, b"\t\r\n " + OCI + b"\r\n\r\n\t "),
    "no_white_space": (OCI_MANIFEST, OCI),
    "escapes_and_utf8": (
        OCI_MANIFEST,
        OCI[:-1]
        + ',"annotations":{"\\u0061\\/b":"\\ud83d\\ude00 na\u00efve \U0001f600"}}'.encode(),
    ),
    "4_mib_of_annotation": (OCI_MANIFEST, padded(oci_manifest(), LIMIT)),
    "4_mib_with_spaces": (OCI_MANIFEST, PADDED_WITH_SPACES),
}


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_tag_keeps_a_manifest_byte_for_byte(regtag, registry, what):
    media_type, document = DOCUMENTS[what]
    repository = f"bytes/{what}"
    digest = registry.push_image(repository, "old", media_type, document)
    assert digest == digest_of(document)

    result = regtag("tag", f"{registry.host}/{repository}:old", "new")

    assert (result.status, result.err) == (0, b""), result
    assert registry.fetch(repository, "new") == (media_type, digest, document)
    assert registry.fetch(repository, "old") == (media_type, digest, document)


@pytest.mark.parametrize(
    "index_type, make, child_type, child",
    [
        (OCI_INDEX, oci_index, OCI_MANIFEST, OCI),
        (DOCKER_LIST, docker_list, DOCKER_MANIFEST, DOCKER),
    ],
    ids=["oci_index", "docker_list"],
)
def test_an_index_is_tagged_as_a_whole(
    regtag, registry, repository, index_type, make, child_type, child
):
    registry.push_image(repository, digest_of(child), child_type, child)
    document = docker_style(make(child))
    digest = registry.push(repository, "index", index_type, document)

    result = regtag("tag", f"{registry.host}/{repository}:index", "new")

    assert result.rows == [(f"{registry.host}/{repository}:new", digest, "created", "-")]
    assert result.status == 0
    assert registry.fetch(repository, "new") == (index_type, digest, document)


def test_one_tag_takes_three_requests_on_one_connection(regtag, recorder, repository):
    result = regtag("tag", f"{recorder.host}/{repository}:old", "new")

    assert result.status == 0, result
    assert recorder.connections == 1
    assert recorder.request_lines == [
        f"GET /v2/{repository}/manifests/old",
        f"HEAD /v2/{repository}/manifests/new",
        f"PUT /v2/{repository}/manifests/new",
    ]


def test_many_tags_take_two_requests_each_and_one_for_all(regtag, registry, recorder, repository):
    names = [f"v1.{number}" for number in range(100)]

    result = regtag("tag", f"{recorder.host}/{repository}:old", *names)

    assert result.status == 0, result
    assert recorder.connections == 4
    assert sorted(recorder.request_lines) == sorted(
        [
            f"GET /v2/{repository}/manifests/old",
            *(f"{way} /v2/{repository}/manifests/{name}" for name in names for way in LOOK_AND_PUT),
        ]
    )
    digest = registry.digest(repository, "old")
    assert result.rows == [
        (f"{recorder.host}/{repository}:{name}", digest, "created", "-") for name in names
    ]
    assert {registry.digest(repository, name) for name in names} == {digest}


def test_a_name_given_twice_is_set_once(regtag, recorder, repository):
    result = regtag("tag", f"{recorder.host}/{repository}:old", "one", "two", "one", "two", "one")

    assert result.status == 0, result
    assert [row[0] for row in result.rows] == [
        f"{recorder.host}/{repository}:{name}" for name in ("one", "two")
    ]
    assert [request.method for request in recorder.requests] == ["GET", "HEAD", "HEAD", "PUT", "PUT"]


def test_an_image_without_a_tag_is_latest(regtag, registry, recorder, repository):
    digest = registry.push(repository, "latest", OCI_MANIFEST, OCI)

    result = regtag("tag", f"{recorder.host}/{repository}", "new")

    assert result.rows == [(f"{recorder.host}/{repository}:new", digest, "created", "-")]
    assert recorder.request_lines[0] == f"GET /v2/{repository}/manifests/latest"


def test_a_tag_that_points_elsewhere_is_moved(regtag, registry, repository):
    before = registry.push(repository, "new", OCI_MANIFEST, OCI)
    wanted = registry.digest(repository, "old")
    assert wanted != before

    result = regtag("tag", f"{registry.host}/{repository}:old", "new")

    assert result.status == 0, result
    assert result.rows == [(f"{registry.host}/{repository}:new", wanted, "moved", before)]
    assert registry.digest(repository, "new") == wanted


@pytest.mark.parametrize("tag", ["", ":old", ":other"], ids=["bare", "its_tag", "another_tag"])
def test_a_pinned_image_is_fetched_by_its_digest(regtag, registry, recorder, repository, tag):
    registry.push(repository, "other", OCI_MANIFEST, OCI)
    digest = registry.digest(repository, "old")

    result = regtag("tag", f"{recorder.host}/{repository}{tag}@{digest}", "new")

    assert result.rows == [(f"{recorder.host}/{repository}:new", digest, "created", "-")]
    assert result.status == 0
    assert recorder.request_lines == [
        f"GET /v2/{repository}/manifests/{digest}",
        f"HEAD /v2/{repository}/manifests/new",
        f"PUT /v2/{repository}/manifests/new",
    ]
    assert registry.digest(repository, "new") == digest


def test_a_pin_that_no_manifest_has_is_not_found(regtag, registry, recorder, repository):
    nowhere = digest_of(b"no manifest at all")

    result = regtag("tag", f"{recorder.host}/{repository}@{nowhere}", "new")

    assert result.status == 3
    result.complaint(recorder.host)
    assert "PUT" not in [request.method for request in recorder.requests]
    assert registry.digest(repository, "new") is None


@pytest.mark.parametrize("missing", ["tag", "repository"])
def test_an_image_that_is_not_there_fails_every_name(regtag, recorder, repository, missing):
    name = repository if missing == "tag" else "no/such/repository"

    result = regtag("tag", f"{recorder.host}/{name}:nothing", "one", "two")

    assert result.status == 3
    result.complaint(recorder.host, name)
    assert result.rows == [
        (f"{recorder.host}/{name}:one", "-", "failed", "-"),
        (f"{recorder.host}/{name}:two", "-", "failed", "-"),
    ]
    assert recorder.request_lines[0] == f"GET /v2/{name}/manifests/nothing"
    assert "PUT" not in [request.method for request in recorder.requests]


def test_json_has_an_object_for_every_name(regtag, registry, repository):
    image = f"{registry.host}/{repository}"

    result = regtag("tag", "--json", f"{image}:old", "one", "two")

    assert (result.status, result.err) == (0, b"")
    digest = registry.digest(repository, "old")
    for name, told in zip(("one", "two"), result.objects, strict=True):
        assert told["reference"] == f"{image}:{name}"
        assert told["digest"] == digest
        assert told["result"] == "created"
        assert told["previous"] in (None, "-")
        assert told["status"] == 0
        assert "error" not in told


def test_json_tells_why_a_tag_failed(regtag, registry, repository):
    image = f"{registry.host}/{repository}"

    result = regtag("tag", f"{image}:nothing", "new", "--json")

    assert result.status == 3
    [told] = result.objects
    assert told["reference"] == f"{image}:new"
    assert told["digest"] in (None, "-")
    assert told["result"] == "failed"
    assert told["previous"] in (None, "-")
    assert told["status"] == 3
    assert isinstance(told["error"], str) and told["error"]


def test_a_repository_of_the_longest_name_is_tagged(regtag, registry):
    name = "/".join(["deep"] * 50)
    name += "x" * (255 - len(name))
    digest = registry.push_image(name, "t" * 128, OCI_MANIFEST, OCI)

    result = regtag("tag", f"{registry.host}/{name}:{'t' * 128}", "_" + "n" * 127)

    assert result.rows == [(f"{registry.host}/{name}:_{'n' * 127}", digest, "created", "-")]
    assert registry.digest(name, "_" + "n" * 127) == digest
