"""`copy` between real registries, of images that crane and oras have pushed: all of them read the same digests."""

import json
import os
import subprocess

import pytest
from authority import LOOPBACK
from copies import INDEX, push_index
from fronts import SecureRegistry, needs_tls
from images import DOCKER_MANIFEST, digest_of, docker_manifest, docker_style

pytest_plugins = ["peers_fixtures", "tls_fixtures"]

IMAGES = ["by-docker:1", "index:1", "by-crane:1", "by-oras:1"]


class Place:
    """A registry, and what each tool needs to reach it."""

    def __init__(self, host, root=None):
        self.host = host
        self.root = root

    def options(self, prefix):
        return [f"--{prefix}-tls", f"--{prefix}-cacert", self.root.file] if self.root else []

    def oras_options(self):
        return ["--ca-file", self.root.file] if self.root else ["--plain-http"]

    @property
    def env(self):
        return {"SSL_CERT_FILE": str(self.root.file)} if self.root else {}


@pytest.fixture(scope="module")
def oras_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oras")
    (folder / "firmware.bin").write_bytes(os.urandom(300_000))
    (folder / "note").write_bytes(b"a note\n")
    return folder


@pytest.fixture(scope="module")
def stock(registry, crane, oras_tool, oras_folder):
    """Fills a registry, with what another one has, by crane."""
    registry.push_image("stock/by-docker", "1", DOCKER_MANIFEST, docker_style(docker_manifest()))
    push_index(registry, "stock/index", "1")

    def fill(place):
        for name in ("by-docker:1", "index:1"):
            if place.host != registry.host:
                crane("copy", f"{registry.host}/stock/{name}", f"{place.host}/stock/{name}", env=place.env)
        layer = oras_folder / "layer.tar"
        subprocess.run(["tar", "-cf", layer, "note", "firmware.bin"], cwd=oras_folder, check=True)
        crane("append", "-f", layer, "-t", f"{place.host}/stock/by-crane:1", env=place.env)
        oras_tool(
            "push", *place.oras_options(), f"{place.host}/stock/by-oras:1", "firmware.bin", "note", cwd=oras_folder
        )
        return place

    return fill


@pytest.fixture(scope="module")
def docker(registry, stock):
    return stock(Place(registry.host))


@pytest.fixture(scope="module")
def by_crane(start_crane_registry, stock):
    return stock(Place(start_crane_registry()))


@pytest.fixture(scope="module")
def over_tls(registry_binary, certificate, root, stock, tmp_path_factory):
    with SecureRegistry(registry_binary, tmp_path_factory.mktemp("secure"), certificate, root) as one:
        yield stock(Place(f"{LOOPBACK}:{one.port}", root))


TLS_PAIRS = [("over_tls", "docker"), ("by_crane", "over_tls"), ("over_tls", "over_tls")]
PAIRS = [(one, two) for one in ("docker", "by_crane") for two in ("docker", "by_crane")]


@pytest.fixture(params=PAIRS + [pytest.param(pair, marks=needs_tls) for pair in TLS_PAIRS], ids="-".join)
def places(request):
    return [request.getfixturevalue(one) for one in request.param]


@pytest.mark.slow
def test_all_tools_read_the_same_digests_afterwards(regtag, crane, oras_tool, places, request):
    source, target = places
    folder = "copies/" + request.node.callspec.id.replace("_", "-")
    for image in IMAGES:
        command = ["copy", *source.options("from"), *target.options("to")]
        command += [f"{source.host}/stock/{image}", f"{target.host}/{folder}/{image}"]
        wanted = crane("digest", f"{source.host}/stock/{image}", env=source.env)

        first, second = regtag(*command), regtag(*command)

        there = f"{target.host}/{folder}/{image}"
        assert first.rows == [(there, wanted, "created", "-")]
        assert second.rows == [(there, wanted, "unchanged", wanted)]
        assert crane("digest", there, env=target.env) == wanted
        found = oras_tool("manifest", "fetch", "--descriptor", *target.oras_options(), there)
        assert json.loads(found)["digest"] == wanted
    assert crane("validate", "--remote", f"{target.host}/{folder}/by-crane:1", env=target.env)
    assert wanted != digest_of(INDEX)


def test_files_are_what_oras_pushed(regtag, docker, by_crane, oras_tool, oras_folder, tmp_path):
    there = f"{by_crane.host}/files:1"
    assert regtag("copy", f"{docker.host}/stock/by-oras:1", there).status == 0

    oras_tool("pull", "--plain-http", there, cwd=tmp_path)

    for name in ("firmware.bin", "note"):
        assert (tmp_path / name).read_bytes() == (oras_folder / name).read_bytes()


def test_what_skopeo_has_pushed_is_the_same_to_all(regtag, crane, oras_tool, skopeo_tool, docker, by_crane):
    pushed, there = f"{docker.host}/stock/by-skopeo:1", f"{by_crane.host}/by-skopeo:1"
    plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    source = f"docker://{docker.host}/stock/by-docker:1"
    skopeo_tool("copy", "-q", "--format=oci", *plain, source, f"docker://{pushed}")
    wanted = crane("digest", pushed)

    assert regtag("copy", pushed, there).rows == [(there, wanted, "created", "-")]

    assert wanted == crane("digest", there) == oras_tool("resolve", "--plain-http", there)
    assert skopeo_tool("inspect", "--tls-verify=false", "--format={{.Digest}}", f"docker://{there}") == wanted
