"""`load` of what other programs have written: they read the same digests from the registry afterwards."""

import json

import pytest
from bundles import by_containerd, entry, layout, pack
from copies import AMD, ARM, BLOBS, INDEX, push_index
from images import OCI_INDEX, digest_of

pytest_plugins = ["peers_fixtures"]


@pytest.fixture(scope="module")
def source(registry):
    """A repository with an index of two images, and one of them under a tag of its own."""
    push_index(registry, "bundles/source", "all")
    registry.push("bundles/source", "one", json.loads(AMD)["mediaType"], AMD)
    return f"{registry.host}/bundles/source"


@pytest.fixture(scope="module", params=["docker-registry", "crane"])
def target(request):
    if request.param == "crane":
        return request.getfixturevalue("start_crane_registry")()
    return request.getfixturevalue("start_registry")().host


def loads(regtag, crane, file, target, place, *options, manifest=AMD, tag="new"):
    """Into an empty repository."""
    result = regtag("load", file, f"{target}/{place}:{tag}", *options)
    assert result.rows == [(f"{target}/{place}:{tag}", digest_of(manifest), "created", "-")], result
    assert crane("digest", f"{target}/{place}:{tag}") == digest_of(manifest)
    if manifest == AMD:  # that for arm64 is not one that crane likes
        assert crane("validate", "--remote", f"{target}/{place}:{tag}")


def test_of_oras_backup(regtag, crane, oras_tool, source, target, tmp_path):
    oras_tool("backup", "--plain-http", "--output", tmp_path / "tar.tar", f"{source}:one,all")
    result = regtag("load", tmp_path / "tar.tar", f"{target}/backup")
    assert sorted(row[:3] for row in result.rows) == [
        (f"{target}/backup:all", digest_of(INDEX), "created"),
        (f"{target}/backup:one", digest_of(AMD), "created"),
    ], result
    assert crane("digest", f"{target}/backup:all") == digest_of(INDEX)
    loads(regtag, crane, tmp_path / "tar.tar", target, "backup-one", "--image", "one")


def test_of_oras_copy(regtag, crane, oras_tool, source, target, tmp_path):
    oras_tool("cp", "--from-plain-http", "--to-oci-layout", f"{source}:all", f"{tmp_path}/layout:v1")
    loads(regtag, crane, tmp_path / "layout", target, "copied", manifest=INDEX)


def test_of_crane(regtag, crane, source, target, tmp_path):
    crane("pull", "--format=oci", f"{source}:one", tmp_path / "layout")
    loads(regtag, crane, tmp_path / "layout", target, "pulled")


@pytest.mark.parametrize("tag", ["one", "all"])
def test_of_skopeo(regtag, crane, skopeo_tool, source, target, tmp_path, tag):
    """podman save --format oci-archive is the same code."""
    skopeo_tool(
        *["copy", "--src-tls-verify=false", "--preserve-digests", "--all", f"docker://{source}:{tag}"],
        f"oci-archive:{tmp_path}/tar:localhost/app:{tag}",
        *["--tmpdir", tmp_path],
    )
    result = regtag("load", tmp_path / "tar", f"{target}/skopeo")
    manifest = AMD if tag == "one" else INDEX
    assert result.rows == [(f"{target}/skopeo:{tag}", digest_of(manifest), "created", "-")], result
    assert crane("digest", f"{target}/skopeo:{tag}") == digest_of(manifest)


def test_of_umoci(regtag, crane, umoci_tool, target, tmp_path):
    umoci_tool("init", "--layout", tmp_path / "layout")
    umoci_tool("new", "--image", f"{tmp_path}/layout:v1")
    index = json.loads((tmp_path / "layout/index.json").read_text())
    result = regtag("load", tmp_path / "layout", f"{target}/umoci")
    digest = index["manifests"][0]["digest"]
    assert result.rows == [(f"{target}/umoci:v1", digest, "created", "-")], result
    assert crane("digest", f"{target}/umoci:v1") == digest


def test_as_docker_writes_it(regtag, crane, target, tmp_path):
    files = by_containerd(layout([entry(INDEX, OCI_INDEX)], INDEX, AMD, ARM, *BLOBS), "app:1.4")
    (tmp_path / "tar").write_bytes(pack(files))
    loads(regtag, crane, tmp_path / "tar", target, "docker", manifest=INDEX, tag="1.4")
