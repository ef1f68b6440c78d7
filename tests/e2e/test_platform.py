"""--platform: the child of an index, whatever is done with it."""

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
    oci_manifest,
)


def child(name):
    return compact(oci_manifest(annotations={"for": name}))


def entry(name, **platform):
    return descriptor(OCI_MANIFEST, child(name), **({"platform": platform} if platform else {}))


def linux(architecture, **more):
    return entry(
        " ".join([architecture, *more.values()]), os="linux", architecture=architecture, **more
    )


ATTESTATION = {
    **entry("attestation", os="unknown", architecture="unknown"),
    "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
}
ENTRIES = [
    linux("amd64"),
    ATTESTATION,
    linux("arm64", variant="v8"),
    linux("arm", variant="v6"),
    linux("arm", variant="v7"),
    ATTESTATION,
    entry("windows", os="windows", architecture="amd64", **{"os.version": "10.0.17763.1"}),
    entry("nothing"),
]
NAMES = ["amd64", "arm64 v8", "arm v6", "arm v7", "windows", "nothing", "attestation"]
PLATFORMS = {
    "linux/amd64": "amd64",
    "linux/arm64": "arm64 v8",
    "linux/arm64/v8": "arm64 v8",
    "linux/aarch64": "arm64 v8",
    "linux/x86_64": "amd64",
    "linux/arm": "arm v7",
    "linux/armhf": "arm v7",
    "linux/arm/v7": "arm v7",
    "linux/arm/v6": "arm v6",
    "windows/amd64": "windows",
}


def index(entries, **more):
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **more}


@pytest.fixture
def whole():
    return compact(index(ENTRIES))


@pytest.fixture
def many(shelf, whole):
    """The shelf with an image for several platforms."""
    for name in NAMES:
        shelf.put("repo", digest_of(child(name)), OCI_MANIFEST, child(name))
    shelf.put("repo", "many", OCI_INDEX, whole)
    return shelf


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_digest_of_a_platform(regtag, serve, many, platform):
    server = serve(many)

    result = regtag("digest", "--platform", platform, f"{server.host}/repo:many")

    assert (result.status, result.err) == (0, b""), result
    assert result.lines == [digest_of(child(PLATFORMS[platform]))]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_manifest_of_a_platform(regtag, serve, many, platform):
    server = serve(many)

    result = regtag("manifest", "--platform", platform, f"{server.host}/repo:many")

    assert (result.status, result.err) == (0, b""), result
    assert result.out == child(PLATFORMS[platform])


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_tag_for_the_image_of_a_platform(regtag, serve, many, platform):
    server = serve(many)
    document = child(PLATFORMS[platform])

    result = regtag("tag", "--platform", platform, f"{server.host}/repo:many", "new")

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{server.host}/repo:new", digest_of(document), "created", "-")]
    assert many.manifests["repo", "new"] == (OCI_MANIFEST, document)


def test_the_child_is_fetched_by_its_digest(regtag, serve, many):
    server = serve(many)

    regtag("tag", "--platform", "linux/arm/v7", f"{server.host}/repo:many", "new")

    gets = [request.path for request in server.requests if request.method == "GET"]
    assert gets == [
        "/v2/repo/manifests/many",
        f"/v2/repo/manifests/{digest_of(child('arm v7'))}",
    ]
    assert len(server.uploads) == 1
    assert server.connections == 1


def test_without_it_the_index_is_meant(regtag, serve, many, whole):
    server = serve(many)

    assert regtag("digest", f"{server.host}/repo:many").lines == [digest_of(whole)]


def test_a_list_of_dockers_has_platforms_too(regtag, serve, shelf):
    document = compact(docker_manifest())
    platform = {"os": "linux", "architecture": "s390x"}
    listed = [descriptor(DOCKER_MANIFEST, document, platform=platform)]
    whole = {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": listed}
    shelf.put("repo", digest_of(document), DOCKER_MANIFEST, document)
    shelf.put("repo", "many", DOCKER_LIST, compact(whole))
    server = serve(shelf)

    result = regtag("tag", "--platform", "linux/s390x", f"{server.host}/repo:many", "new")

    assert (result.status, result.err) == (0, b""), result
    assert shelf.manifests["repo", "new"] == (DOCKER_MANIFEST, document)


def test_a_pinned_index_has_platforms_too(regtag, serve, many, whole):
    server = serve(many)
    image = f"{server.host}/repo@{digest_of(whole)}"

    result = regtag("digest", "--platform", "linux/amd64", image)

    assert (result.status, result.lines) == (0, [digest_of(child("amd64"))]), result


@pytest.mark.parametrize("verb", ["digest", "manifest", "tag"])
def test_of_several_equally_good_variants_none_is_guessed(regtag, serve, many, verb):
    older = [linux("arm", variant="v5"), linux("arm", variant="v6"), linux("amd64")]
    many.put("repo", "older", OCI_INDEX, compact(index(older)))
    server = serve(many)
    more = ["new"] if verb == "tag" else []

    result = regtag(verb, "--platform", "linux/arm", f"{server.host}/repo:older", *more)

    assert result.status == 10, result
    complaint = result.complaint(f"{server.host}/repo:older", "linux/arm/v5", "linux/arm/v6")
    for name in ("arm v5", "arm v6"):
        assert digest_of(child(name)) in complaint
    assert "amd64" not in complaint
    assert verb == "tag" or result.out == b""
    assert server.uploads == []


def test_the_image_without_a_variant_is_meant(regtag, serve, many):
    levels = [linux("amd64", variant="v3"), linux("amd64"), linux("amd64", variant="v2")]
    many.put("repo", "levels", OCI_INDEX, compact(index(levels)))
    server = serve(many)

    result = regtag("digest", "--platform", "linux/amd64", f"{server.host}/repo:levels")

    assert (result.status, result.lines) == (0, [digest_of(child("amd64"))]), result


@pytest.mark.parametrize("verb", ["digest", "manifest", "tag"])
@pytest.mark.parametrize(
    "platform", ["linux/mips", "linux/arm/v5", "darwin/arm64", "linux/amd64/v3"]
)
def test_a_platform_that_is_not_there_is_told(regtag, serve, many, verb, platform):
    server = serve(many)
    more = ["new"] if verb == "tag" else []

    result = regtag(verb, "--platform", platform, f"{server.host}/repo:many", *more)

    assert result.status == 3, result
    complaint = result.complaint(f"{server.host}/repo:many")
    for there in ("linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "windows/amd64"):
        assert there in complaint
    assert "unknown" not in complaint
    assert server.uploads == []


def test_an_attestation_is_no_image(regtag, serve, many):
    server = serve(many)

    result = regtag("digest", "--platform", "unknown/unknown", f"{server.host}/repo:many")

    assert result.status in (2, 3), result
    result.complaint()


def test_of_several_for_one_platform_none_is_guessed(regtag, serve, many):
    """Windows has several images that differ in nothing but their version."""
    two = [
        entry("amd64", os="windows", architecture="amd64", **{"os.version": "10.0.1"}),
        entry("windows", os="windows", architecture="amd64", **{"os.version": "10.0.2"}),
    ]
    many.put("repo", "two", OCI_INDEX, compact(index(two)))
    server = serve(many)

    result = regtag("tag", "--platform", "windows/amd64", f"{server.host}/repo:two", "new")

    # The first is what others take (containerd, Docker); refusing is as good. What counts is that
    # it is one of them, and that a refusal says why.
    if result.status == 0:
        assert many.document("repo", "new") == child("amd64")
    else:
        assert result.status == 10, result
        result.complaint("windows/amd64")


@pytest.mark.parametrize("verb", ["digest", "manifest", "tag"])
def test_what_is_no_index_has_no_platforms(regtag, serve, shelf, verb):
    server = serve(shelf)
    more = ["new"] if verb == "tag" else []

    result = regtag(verb, "--platform", "linux/amd64", f"{server.host}/repo:old", *more)

    assert result.status == 3, result
    result.complaint(f"{server.host}/repo:old", "index")
    assert server.uploads == []


BAD = ["", "linux", "linux/", "/amd64", "linux/arm/", "linux/arm/v7/x", "linux//v7"]


@pytest.mark.parametrize("platform", BAD)
def test_a_platform_that_is_none_is_refused(regtag, serve, many, platform):
    server = serve(many)

    result = regtag("digest", "--platform", platform, f"{server.host}/repo:many")

    # The empty one means none at all.
    assert result.status == 2 or (platform == "" and result.status == 0), result
    assert server.connections == 0 or platform == ""


def test_the_digest_of_the_child_is_checked(regtag, serve, many, other_document):
    many.manifests["repo", digest_of(child("amd64"))] = (OCI_MANIFEST, other_document)
    server = serve(many)

    for verb, more in (("manifest", []), ("tag", ["new"])):
        result = regtag(verb, "--platform", "linux/amd64", f"{server.host}/repo:many", *more)

        assert result.status == 10, result
        assert verb == "tag" or result.out == b""
    assert server.uploads == []


def test_the_index_is_checked(regtag, serve, shelf, whole):
    lie = digest_of(b"something else")
    shelf.instead["GET"] = lambda request: answer(
        200, whole, f"Content-Type: {OCI_INDEX}", f"Docker-Content-Digest: {lie}"
    )
    server = serve(shelf)

    result = regtag("manifest", "--platform", "linux/amd64", f"{server.host}/repo:many")

    assert (result.status, result.out) == (10, b""), result


TWO_WAYS = {
    "Platform": {"Platform": {"os": "linux", "architecture": "arm64"}},
    "OS": {"platform": {"os": "linux", "architecture": "amd64", "OS": "windows"}},
    "Architecture": {"platform": {"os": "linux", "architecture": "amd64", "Architecture": "arm64"}},
    "Variant": {"platform": {"os": "linux", "architecture": "amd64", "variant": "v1", "Variant": "v2"}},
    "OS.version": {"platform": {"os": "linux", "architecture": "amd64", "OS.version": "1"}},
}


@pytest.mark.parametrize("verb", ["digest", "manifest", "tag"])
@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm/v7"])
@pytest.mark.parametrize("member", TWO_WAYS)
def test_an_index_that_can_be_read_two_ways_is_refused(regtag, serve, many, verb, platform, member):
    odd = {**linux("amd64"), **TWO_WAYS[member]}
    many.put("repo", "odd", OCI_INDEX, compact(index([odd, *ENTRIES[1:]])))
    server = serve(many)
    names = ["new"] if verb == "tag" else []

    result = regtag(verb, "--platform", platform, f"{server.host}/repo:odd", *names)

    assert result.status == 10, result
    result.complaint("spelled differently")
    assert server.uploads == []
    assert len([one for one in server.requests if ":" in one.path.rsplit("/")[-1]]) == 0


def test_a_child_that_is_not_there_is_told(regtag, serve, many):
    del many.manifests["repo", digest_of(child("amd64"))]
    server = serve(many)

    result = regtag("tag", "--platform", "linux/amd64", f"{server.host}/repo:many", "new")

    assert result.status == 3, result
    result.complaint(f"{server.host}/repo")
    assert server.uploads == []


def test_an_index_in_an_index_is_not_searched(regtag, serve, many, whole):
    inner = descriptor(OCI_INDEX, whole, platform={"os": "linux", "architecture": "amd64"})
    many.put("repo", "outer", OCI_INDEX, compact(index([inner])))
    server = serve(many)

    result = regtag("tag", "--platform", "linux/amd64", f"{server.host}/repo:outer", "new")

    assert result.status in (0, 3, 10), result
    if result.status == 0:  # then it is what stands there
        assert many.document("repo", "new") == whole


def test_an_index_without_platforms_names_none(regtag, serve, shelf):
    shelf.put("repo", "bare", OCI_INDEX, compact(index([entry("nothing")])))
    server = serve(shelf)

    result = regtag("digest", "--platform", "linux/amd64", f"{server.host}/repo:bare")

    assert result.status == 3, result
    result.complaint(f"{server.host}/repo:bare")


def test_names_of_platforms_are_told_escaped(regtag, serve, shelf):
    nasty = entry("nothing", os="lin\x1b[31mux", architecture="a\nb")
    shelf.put("repo", "nasty", OCI_INDEX, compact(index([nasty])))
    server = serve(shelf)

    result = regtag("digest", "--platform", "linux/amd64", f"{server.host}/repo:nasty")

    assert result.status == 3, result
    result.complaint(f"{server.host}/repo:nasty")


def test_a_thousand_platforms_make_one_line(regtag, serve, shelf):
    entries = [linux(f"cpu{number}") for number in range(1000)]
    shelf.put("repo", "many", OCI_INDEX, compact(index(entries)))
    server = serve(shelf)

    result = regtag("digest", "--platform", "linux/mips", f"{server.host}/repo:many")

    assert result.status == 3, result
    assert len(result.complaint("linux/cpu0")) < 4000


def test_where_the_tag_pointed_is_told_as_ever(regtag, serve, many, other_document):
    many.put("repo", "new", OCI_MANIFEST, other_document)
    server = serve(many)

    moved = regtag("tag", "--platform", "linux/amd64", f"{server.host}/repo:many", "new")
    again = regtag("tag", "--platform", "linux/amd64", f"{server.host}/repo:many", "new")

    digest = digest_of(child("amd64"))
    assert [row[1:] for row in moved.rows] == [(digest, "moved", digest_of(other_document))]
    assert [row[1:] for row in again.rows] == [(digest, "unchanged", digest)]
    assert len(server.uploads) == 1


def test_a_real_registry_has_children(regtag, registry, repository):
    for name in ("amd64", "arm v7"):
        registry.push(repository, digest_of(child(name)), OCI_MANIFEST, child(name))
    entries = [linux("amd64"), linux("arm", variant="v7")]
    registry.push(repository, "many", OCI_INDEX, compact(index(entries)))
    where = f"{registry.host}/{repository}"

    result = regtag("tag", "--platform", "linux/arm/v7", f"{where}:many", "new")

    assert (result.status, result.err) == (0, b""), result
    assert registry.fetch(repository, "new") == (
        OCI_MANIFEST,
        digest_of(child("arm v7")),
        child("arm v7"),
    )
