"""A static program for little memory: 2 MiB of addresses for all of it. `make check-small` builds it."""

import os
import subprocess

import pytest
from authority import NAME
from board import Board
from bundles import layout, named, pack
from fronts import SecureRegistry, needs_tls, reached
from images import CONFIG, LAYER, OCI_MANIFEST, compact, digest_of, oci_manifest, padded
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

    def small(*args, addresses=ADDRESSES, **options):
        script = f'ulimit -v {addresses} && exec "$0" "$@"'
        return program.run(["sh", "-c", script, program.path, *args], **options)

    return small


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


def test_load(small, start_registry, tmp_path):
    registry = start_registry()
    path = tmp_path / "tar"
    path.write_bytes(pack(layout([named(WHOLE, "v1")], WHOLE, CONFIG, LAYER)))

    for file in (path, "-"):
        with open(path, "rb") as content, subprocess.Popen(["cat"], stdin=content, stdout=subprocess.PIPE) as cat:
            result = small("load", file, f"{registry.host}/small", stdin=cat.stdout)
            cat.stdout.close()
        assert result.rows[0][1:3] == (digest_of(WHOLE), "unchanged" if file == "-" else "created"), result


def test_lines_of_a_file(small, start_registry, tmp_path):
    registry = start_registry()
    push(registry)
    lines = tmp_path / "lines"
    lines.write_text("".join(f"{registry.host}/small:{old} line-{old}\n" for old in ("old", "whole")))

    result = small("tag", "--from", lines)

    assert (result.status, [row[2] for row in result.rows]) == (0, ["created", "created"]), result


@needs_tls
def test_in_tls(small, registry_binary, certificate, root, tmp_path):
    with SecureRegistry(registry_binary, tmp_path, certificate, root) as registry:
        push(registry)
        host = f"{NAME}:{registry.port}"

        all_commands(small, host, "--cacert", root.file, *reached(host))


@needs_tls
def test_the_authorities_of_a_system(small, registry_binary, certificate, root, crowd, tmp_path):
    with SecureRegistry(registry_binary, tmp_path, certificate, root) as registry:
        push(registry)
        host = f"{NAME}:{registry.port}"

        digest = small("digest", "--cacert", crowd, *reached(host), f"{host}/small:old")

    assert (digest.status, digest.lines) == (0, [digest_of(SMALL)]), digest


def test_the_largest_manifest_of_all_is_refused(small, registry):
    registry.push_image("small", "largest", OCI_MANIFEST, padded(oci_manifest(), 4 * 1024 * 1024))

    for args in (["tag", f"{registry.host}/small:largest", "new"], ["manifest", f"{registry.host}/small:largest"]):
        result = small(*args)
        assert result.status == 10, result
        result.complaint("larger than", str(LIMIT))
    assert registry.digest("small", "new") is None


def test_a_name_is_looked_up(regtag, registry, tmp_path):
    """In a process of its own, which has as many addresses."""
    board = Board(regtag, os.path.abspath(os.environ["REGTAG_SMALL"]), tmp_path)
    board.put("/etc/hosts", f"127.0.0.1 {NAME}\n")
    if board.shell("echo alive").out != b"alive\n":
        pytest.skip("no root file system of one's own here")
    registry.push_image("small", "named", OCI_MANIFEST, SMALL)

    found = board("digest", "--plain-http", f"{NAME}:{registry.port}/small:named", memory=ADDRESSES)
    lost = board("digest", "--plain-http", "--timeout", "10", "nobody.test/small:named", memory=ADDRESSES)

    assert (found.status, found.lines, found.err) == (0, [digest_of(SMALL)], b"")
    assert lost.status == 5
    lost.complaint("nobody.test", "/etc/resolv.conf")


def test_the_limit_reaches_the_program(small):
    """With less, it does not even start."""
    assert small("--version").status == 0
    assert small("--version", addresses=ADDRESSES // 4).status != 0
