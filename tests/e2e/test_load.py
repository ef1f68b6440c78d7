"""`load`: images from OCI image layouts, of whatever program, into a registry."""

import io
import json
import os
import subprocess
import tarfile

import pytest
from bundles import (
    FULL_NAME,
    MARK,
    REF_NAME,
    SMALL,
    WHOLE,
    blob,
    by_containerd,
    entry,
    index,
    layout,
    named,
    pack,
    unpack,
)
from copies import AMD, ARM, ARM_CONFIG, ARM_LAYER, BLOBS, INDEX, Pantry
from images import CONFIG, LAYER, OCI_INDEX, OCI_MANIFEST, compact, digest_of

TAG = digest_of(AMD)


@pytest.fixture
def pantry(serve):
    """A registry in a dict, and where it is."""
    one = Pantry()
    one.host = serve(one).host
    return one


@pytest.fixture
def load(regtag, pantry, tmp_path):
    """Loads a tar file of these bytes, or of these files."""

    def run(content, *options, target="repo:new", **more):
        path = tmp_path / "layout.tar"
        path.write_bytes(content if isinstance(content, bytes) else pack(content))
        return regtag("load", path, f"{pantry.host}/{target}", *options, **more)

    run.path = tmp_path / "layout.tar"
    return run


def expect_loaded(pantry, result, manifest=AMD, *blobs):
    assert result.status == 0, result
    row = result.rows[0]
    assert row == (f"{pantry.host}/repo:new", digest_of(manifest), "created", "-"), result
    assert pantry.document("repo", "new") == manifest
    for data in blobs or (CONFIG, LAYER):
        assert pantry.blobs[digest_of(data)] == data


def expect_nothing(pantry, result, status, *words):
    assert result.status == status, result
    for word in words:
        assert word in result.err.decode() + result.out.decode(), result
    assert not pantry.tags("repo")


# ---- What it accepts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("prefix", ["", "./"])
def test_any_tar_format(load, pantry, tar_format, prefix):
    expect_loaded(pantry, load(pack(SMALL, tar_format, prefix)))


@pytest.mark.parametrize("order", [list, sorted, lambda files: files[::-1]], ids=["saved", "sorted", "last"])
def test_any_order_of_files(load, pantry, order):
    expect_loaded(pantry, load(order(WHOLE)), INDEX, *BLOBS)


def test_a_folder(regtag, pantry, tmp_path):
    result = regtag("load", unpack(WHOLE, tmp_path), f"{pantry.host}/repo:new")
    expect_loaded(pantry, result, INDEX, *BLOBS)


def test_from_stdin_if_that_is_a_file(load, pantry, regtag):
    load.path.write_bytes(pack(sorted(WHOLE)))
    with open(load.path, "rb") as file:
        expect_loaded(pantry, regtag("load", "-", f"{pantry.host}/repo:new", stdin=file), INDEX, *BLOBS)


def piped(regtag, pantry, data, *options, target="repo:new"):
    """With the data on a pipe; and whether all of it was taken."""
    with subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as cat:
        reader, writer = os.pipe()
        os.close(reader), os.close(writer)
        import threading

        def feed():
            try:
                cat.stdin.write(data)
                cat.stdin.close()
            except BrokenPipeError:
                pass

        feeder = threading.Thread(target=feed)
        feeder.start()
        result = regtag("load", "-", f"{pantry.host}/{target}", *options, stdin=cat.stdout)
        cat.stdout.close()
        feeder.join()
    return result, cat.returncode == 0


def test_from_a_pipe_in_the_order_of_save(regtag, pantry):
    result, all_taken = piped(regtag, pantry, pack(WHOLE) + bytes(300_000))
    expect_loaded(pantry, result, INDEX, *BLOBS)
    assert all_taken
