"""What `save` writes, read by the tools that others have: all of them find the same digests."""

import json
import subprocess

import pytest
from copies import AMD, ARM, ARM_CONFIG, ARM_LAYER, INDEX, push_index
from fronts import Nginx, needs_tls, reached
from images import (
    CONFIG,
    DOCKER_MANIFEST,
    LAYER,
    OCI_MANIFEST,
    digest_of,
    docker_manifest,
    docker_style,
)
from program import environment
from saved import Saved

pytest_plugins = ["peers_fixtures", "tls_fixtures"]

DOCUMENT = docker_style(docker_manifest())
IMAGES = {"team/docker:1": DOCUMENT, "team/index:all": INDEX, "team/oci:amd": AMD}


@pytest.fixture(scope="module")
def stocked(registry):
    registry.push_image("team/docker", "1", DOCKER_MANIFEST, DOCUMENT)
    push_index(registry, "team/index", "all")
    for blob in (CONFIG, LAYER):
        registry.push_blob("team/oci", blob)
    registry.push("team/oci", "amd", OCI_MANIFEST, AMD)
    return registry


@pytest.fixture(scope="module")
def by_crane(stocked, crane, start_crane_registry):
    host = start_crane_registry()
    for name in IMAGES:
        crane("copy", f"{stocked.host}/{name}", f"{host}/{name}")
    return host


@pytest.fixture(scope="module")
def archive(regtag, stocked, tmp_path_factory):
    """All images in one file."""
    return save(regtag, stocked.host, tmp_path_factory.mktemp("archive") / "images.tar")


def save(regtag, host, path):
    result = regtag("save", "-o", path, *(f"{host}/{name}" for name in IMAGES))
    assert result.lines == [f"{host}/{name}\t{digest_of(data)}" for name, data in IMAGES.items()]
    return path


@pytest.fixture(scope="module")
def folder(archive, tmp_path_factory):
    """The same, unpacked by GNU tar."""
    path = tmp_path_factory.mktemp("layout")
    subprocess.run(["tar", "-xf", archive, "-C", path], check=True)
    return path


def tag_of(name):
    return name.rpartition(":")[2]


def test_both_registries_give_the_same_blobs(regtag, archive, by_crane, tmp_path):
    expected = [DOCUMENT, INDEX, AMD, ARM, CONFIG, LAYER, ARM_CONFIG, ARM_LAYER]
    assert Saved(archive).blobs == expected
    assert Saved(save(regtag, by_crane, tmp_path / "images.tar")).blobs == expected


def test_skopeo_reads_each_by_its_tag(archive, skopeo_tool, stocked, tmp_path):
    for name in ("team/index:all", "team/oci:amd"):  # Debian 12's finds none in Docker's form
        data = IMAGES[name]
        found = skopeo_tool("inspect", "--raw", f"oci-archive:{archive}:{tag_of(name)}")
        assert found.encode() == data.strip()
        target = f"by-skopeo/{name.partition(':')[0]}"
        skopeo_tool(
            *("copy", "--all", "--preserve-digests", "--dest-tls-verify=false"),
            *(f"oci-archive:{archive}:{tag_of(name)}", f"docker://{stocked.host}/{target}:1"),
        )
        assert stocked.digest(target, "1") == digest_of(data)


def test_skopeo_reads_a_tag_that_two_have_by_the_whole_name(regtag, stocked, skopeo_tool, tmp_path):
    stocked.push("team/index", "amd", OCI_MANIFEST, ARM)
    images = [f"{stocked.host}/team/index:amd", f"{stocked.host}/team/oci:amd"]
    assert regtag("save", "-o", tmp_path / "two.tar", *images).status == 0

    found = [skopeo_tool("inspect", "--raw", f"oci-archive:{tmp_path}/two.tar:{one}") for one in images]

    assert [one.encode() for one in found] == [ARM, AMD]


def test_oras_reads_each_by_its_tag(archive, oras_tool, stocked):
    assert set(oras_tool("repo", "tags", "--oci-layout", archive).splitlines()) == {"1", "all", "amd"}
    for name, data in IMAGES.items():
        target = f"by-oras/{name.partition(':')[0]}"
        oras_tool(
            *("cp", "--from-oci-layout", "--to-plain-http"),
            *(f"{archive}:{tag_of(name)}", f"{stocked.host}/{target}:1"),
        )
        assert stocked.digest(target, "1") == digest_of(data)


def test_oras_restores_it(archive, oras_tool, stocked):
    oras_tool("restore", "--plain-http", "--input", archive, f"{stocked.host}/restored:1,all,amd")

    for name, data in IMAGES.items():
        assert stocked.digest("restored", tag_of(name)) == digest_of(data)


def test_umoci_reads_the_layout(folder, umoci_tool, tmp_path):
    assert set(umoci_tool("list", "--layout", folder).splitlines()) == {"1", "all", "amd"}

    found = json.loads(umoci_tool("stat", "--json", "--image", f"{folder}:amd"))

    assert [one["layer"]["digest"] for one in found["history"]] == [digest_of(LAYER)]
    umoci_tool("unpack", "--rootless", "--image", f"{folder}:amd", tmp_path / "bundle")
    assert (tmp_path / "bundle/rootfs/etc/motd").read_bytes() == b"made on the spot\n"


def test_crane_pushes_the_layout(regtag, stocked, crane, tmp_path):
    for name, data in IMAGES.items():
        folder = tmp_path / tag_of(name)
        folder.mkdir()
        saved = regtag("save", "-o", "-", f"{stocked.host}/{name}")
        subprocess.run(["tar", "-x", "-C", folder], input=saved.out, check=True)
        target = f"{stocked.host}/by-crane/{name}"

        crane("push", *(["--index"] if data == INDEX else []), folder, target)

        wanted = digest_of(data)
        if data == INDEX:  # it pushes index.json itself as an index
            pushed = json.loads(crane("manifest", target))
            assert [one["digest"] for one in pushed["manifests"]] == [wanted]
        else:
            assert crane("digest", target) == wanted


@needs_tls
def test_blobs_may_be_elsewhere(regtag, stocked, certificate, root, tmp_path):
    """nginx sends for them to a path of its own, as a store of blobs."""
    chain = tmp_path / "chain.pem"
    chain.write_text(certificate.chain)
    behind = f"proxy_pass http://{stocked.host};"
    settings = [
        f"ssl_certificate {chain};",
        f"ssl_certificate_key {certificate.key};",
        "location ~ ^/v2/.*/blobs/ { return 307 https://$http_host/storage$request_uri; }",
        f"location /v2/ {{ {behind} }}",
        f"location /storage/ {{ rewrite ^/storage(/.*)$ $1 break; {behind} }}",
    ]
    with Nginx(tmp_path, settings) as nginx:
        host = f"registry.test:{nginx.port}"
        command = ["save", "--cacert", root.file, *reached(host), "-o", tmp_path / "images.tar"]
        result = regtag(*command, f"{host}/team/index:all")

    assert result.status == 0, result
    assert Saved(tmp_path / "images.tar").blobs == [INDEX, AMD, ARM, CONFIG, LAYER, ARM_CONFIG, ARM_LAYER]


# ---- And load


def test_load_reads_it_from_a_pipe(regtag, stocked, start_registry):
    target = start_registry()
    save = regtag.command("save", "-o", "-", *(f"{stocked.host}/{name}" for name in IMAGES))
    with subprocess.Popen(save, env=environment({}), stdout=subprocess.PIPE) as process:
        loaded = regtag("load", "-", f"{target.host}/loaded", stdin=process.stdout)
        process.stdout.close()

    assert (process.returncode, loaded.status) == (0, 0), loaded
    assert {row[:3] for row in loaded.rows} == {
        (f"{target.host}/loaded:{tag_of(name)}", digest_of(data), "created") for name, data in IMAGES.items()
    }
    for name, data in IMAGES.items():
        assert target.fetch("loaded", tag_of(name))[2] == data


def test_load_selects_one_by_its_whole_name(regtag, stocked, tmp_path):
    stocked.push("team/index", "amd", OCI_MANIFEST, ARM)
    images = [f"{stocked.host}/team/index:amd", f"{stocked.host}/team/oci:amd"]
    assert regtag("save", "-o", tmp_path / "two.tar", *images).status == 0

    for image, data in zip(images, (ARM, AMD)):
        result = regtag("load", "--image", image, tmp_path / "two.tar", f"{stocked.host}/selected:x")

        assert result.rows[0][:2] == (f"{stocked.host}/selected:x", digest_of(data))
