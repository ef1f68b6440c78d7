"""A static program for little memory: 2 MiB of addresses for all of it. `make check-small` builds it."""

import os
import socket

import pytest
from authority import NAME
from fronts import SecureRegistry, needs_tls, reached
from images import OCI_MANIFEST, compact, digest_of, oci_manifest, padded
from program import Program

pytest_plugins = ["tls_fixtures"]
pytestmark = pytest.mark.skipif("REGTAG_SMALL" not in os.environ, reason="make check-small")

ADDRESSES = 2048  # KiB
LIMIT = 262144  # bytes of a manifest
SMALL = compact(oci_manifest())
WHOLE = padded(oci_manifest(), LIMIT)
TAGS = ["larger", "new-old", "new-whole", "old", "whole"]


@pytest.fixture(scope="module")
def small():
    program = Program(os.path.abspath(os.environ["REGTAG_SMALL"]))
    script = f'ulimit -v {ADDRESSES} && exec "$0" "$@"'
    return lambda *args, **options: program.run(["sh", "-c", script, program.path, *args], **options)


def push(registry):
    registry.push_image("small", "old", OCI_MANIFEST, SMALL)
    registry.push("small", "whole", OCI_MANIFEST, WHOLE)
    registry.push("small", "larger", OCI_MANIFEST, padded(oci_manifest(), LIMIT + 1))


def all_commands(small, host, *options):
    for old, manifest in (("old", SMALL), ("whole", WHOLE)):
        tag = small("tag", *options, f"{host}/small:{old}", f"new-{old}")
        assert (tag.status, tag.err) == (0, b"")
        digest = small("digest", *options, f"{host}/small:new-{old}")
        assert (digest.status, digest.lines) == (0, [digest_of(manifest)])
        got = small("manifest", *options, f"{host}/small:{old}")
        assert (got.status, got.out) == (0, manifest)
    ls = small("ls", *options, f"{host}/small")
    assert (ls.status, sorted(ls.lines)) == (0, TAGS)
    larger = small("tag", *options, f"{host}/small:larger", "new-larger")
    assert larger.status == 10
    larger.complaint("larger than", str(LIMIT))


def test_in_plain_http(small, start_registry):
    registry = start_registry()
    push(registry)

    all_commands(small, registry.host)


@needs_tls
def test_in_tls(small, registry_binary, certificate, root, tmp_path):
    with SecureRegistry(registry_binary, tmp_path, certificate, root) as registry:
        push(registry)
        host = f"{NAME}:{registry.port}"

        all_commands(small, host, "--cacert", root.file, *reached(host))


def test_a_name_is_looked_up(small, registry):
    """In a process of its own, which has as many addresses."""
    name = socket.gethostname()
    if not socket.gethostbyname(name).startswith("127."):
        pytest.skip("this machine's name is not one of its loopback's")
    registry.push_image("small", "named", OCI_MANIFEST, SMALL)

    found = small("digest", "--plain-http", f"{name}:{registry.port}/small:named")
    lost = small("digest", "--plain-http", "--timeout", "20", "nobody.invalid/small:named")

    assert (found.status, found.err) == (0, b"")
    assert lost.status == 5
