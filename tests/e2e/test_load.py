"""`load`: images from OCI image layouts, of whatever program, into a registry."""

import contextlib
import os
import random
import subprocess
import tarfile
import threading

import pytest
from bundles import (
    FULL_NAME,
    MARK,
    REF_NAME,
    SMALL,
    WHOLE,
    by_containerd,
    entry,
    index,
    layout,
    named,
    pack,
    unpack,
)
from copies import AMD, ARM, BLOBS, INDEX, Pantry, child, push_index
from images import CONFIG, LAYER, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, compact, digest_of
from program import environment

TAG = digest_of(AMD)
BIG = random.Random(1).randbytes(5_000_000)
BIG_IMAGE = child(CONFIG, LAYER, BIG)


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


def test_a_registry_that_cannot_be_reached_is_tried_once(regtag, tmp_path, dead_port):
    (tmp_path / "two.tar").write_bytes(pack(TWO))
    result = regtag("load", tmp_path / "two.tar", f"127.0.0.1:{dead_port}/repo", "--retries", "0")
    assert result.status == 5
    assert [row[2] for row in result.rows] == ["failed"] * 2
    assert f"127.0.0.1:{dead_port} was not tried again" in result.complaints[1]


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


@pytest.mark.parametrize("entries", [[], [named(AMD, "v1"), {**named(ARM, "v2"), "digest": "sha256:" + 9999 * "a"}]])
def test_an_index_that_is_changed_ends_the_run(regtag, serve, tmp_path, entries):
    store = Pantry()

    def respond(request):
        if request.method == "PUT" and request.path.endswith("/v1"):
            (tmp_path / "index.json").write_bytes(index(*entries)[1].ljust(20_000))
        return store(request)

    host = serve(respond).host
    unpack([(name, data.ljust(20_000) if name == "index.json" else data) for name, data in TWO], tmp_path)
    result = regtag("load", tmp_path, f"{host}/repo")

    assert (result.status, [row[2] for row in result.rows]) == (1, ["created"]), result
    result.complaint(f"{tmp_path}: its index.json was changed meanwhile; no more images are loaded")


def test_from_stdin_if_that_is_a_file(load, pantry, regtag):
    load.path.write_bytes(pack(sorted(WHOLE)))
    with open(load.path, "rb") as file:
        expect_loaded(pantry, regtag("load", "-", f"{pantry.host}/repo:new", stdin=file), INDEX, *BLOBS)


def piped(regtag, pantry, data, *options, target="repo:new"):
    """With the data on a pipe; and whether all of it was taken."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        feeder = threading.Thread(target=feed, args=(cat.stdin, data))
        feeder.start()
        result = regtag("load", "-", f"{pantry.host}/{target}", *options, stdin=cat.stdout)
        cat.stdout.close()
        feeder.join()
    return result, cat.returncode == 0


def feed(pipe, data):
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(data)


def test_from_a_pipe_in_the_order_of_save(regtag, pantry):
    result, all_taken = piped(regtag, pantry, pack(WHOLE) + bytes(300_000))
    expect_loaded(pantry, result, INDEX, *BLOBS)
    assert all_taken


@pytest.mark.parametrize("order", [sorted, lambda files: files[:2] + files[:1:-1]], ids=["docker's", "blobs first"])
def test_a_pipe_in_another_order_is_to_be_saved_first(regtag, pantry, order):
    artifact = layout([named(BIG_IMAGE, "v1")], BIG_IMAGE, CONFIG, BIG, LAYER)
    result, _ = piped(regtag, pantry, pack(order(artifact)))
    expect_nothing(pantry, result, 2, "stdin", "to a file first")


def test_a_pipe_that_ends_early(regtag, pantry):
    result, _ = piped(regtag, pantry, pack(SMALL)[:3000])
    expect_nothing(pantry, result, 10, "cut off")


def test_a_pipe_from_which_nothing_comes(regtag, pantry):
    reader, writer = os.pipe()
    with open(reader, "rb") as end:
        result = regtag("load", "--stall", 1, "-", f"{pantry.host}/repo:new", stdin=end)
    os.close(writer)
    expect_nothing(pantry, result, 6, "--stall")


def test_across_a_pipe_from_save(regtag, pantry, registry, repository):
    """The second image comes after blobs of the first one, and the registry has a part of them."""
    push_index(registry, repository, "v2")
    pantry.blobs[digest_of(LAYER)] = LAYER
    save = regtag.command("save", "-o", "-", *(f"{registry.host}/{repository}:{tag}" for tag in ("old", "v2")))
    with subprocess.Popen(save, env=environment({}), stdout=subprocess.PIPE) as process:
        result = regtag("load", "-", f"{pantry.host}/repo", stdin=process.stdout)

    assert (process.returncode, result.status) == (0, 0), result
    assert [row[0].rpartition(":")[2] for row in result.rows] == ["old", "v2"]
    assert pantry.document("repo", "v2") == INDEX and set(map(digest_of, BLOBS)) <= set(pantry.blobs)


def test_a_fifo(regtag, pantry, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["sh", "-c", f"cat >{fifo}"], stdin=subprocess.PIPE) as cat:
        cat.stdin.write(pack(WHOLE))
        cat.stdin.close()
        expect_loaded(pantry, regtag("load", fifo, f"{pantry.host}/repo:new"), INDEX, *BLOBS)


def test_looking_for_thousands_of_images_ends_in_time(load, pantry):
    files = pack([("x", b"")])[:512] * 100_000
    children = [{**entry(AMD), "digest": f"sha256:{number:064x}"} for number in range(3000)]
    listed = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})
    content = files + pack(layout([named(listed, "v1", OCI_INDEX)], listed))

    expect_nothing(pantry, load(content, "--timeout", "1"), 6, "not searched in time")


# ---- Which images -------------------------------------------------------------------------------------------------------

TWO = layout([named(AMD, "v1"), named(ARM, "v2")], AMD, ARM, *BLOBS)


def test_all_images_under_their_own_tags(load, pantry):
    result = load(TWO, target="repo")
    assert [row[0].rpartition(":")[2] for row in result.rows] == ["v1", "v2"], result
    assert (pantry.document("repo", "v1"), pantry.document("repo", "v2")) == (AMD, ARM)


@pytest.mark.parametrize(
    "annotations, tag",
    [
        ({REF_NAME: "1.0"}, "1.0"),
        ({REF_NAME: "localhost/app:1.1"}, "1.1"),
        ({FULL_NAME: "docker.io/library/app:1.2"}, "1.2"),
        ({REF_NAME: "1.3", FULL_NAME: "docker.io/library/app:1.4"}, "1.3"),
        ({REF_NAME: "not a tag", FULL_NAME: "app:1.5"}, "1.5"),
        ({REF_NAME: "\u0031.6"}, "1.6"),
    ],
)
def test_where_a_tag_is_found(load, pantry, annotations, tag):
    result = load(layout([entry(AMD, **annotations)], AMD, CONFIG, LAYER), target="repo")
    assert (result.status, pantry.tags("repo")) == (0, [tag]), result


@pytest.mark.parametrize(
    "wanted", ["v2", "app:v2", "docker.io/library/app:v2", digest_of(ARM)], ids=["tag", "short", "full", "digest"]
)
@pytest.mark.parametrize("target", ["repo", "repo:v2"])
def test_one_image_of_several(load, pantry, wanted, target):
    second = entry(ARM, **{REF_NAME: "v2", FULL_NAME: "docker.io/library/app:v2"})
    result = load(layout([named(AMD, "v1"), second], AMD, ARM, *BLOBS), "--image", wanted, target=target)
    assert (result.status, pantry.tags("repo")) == (0, ["v2"]), result
    assert pantry.document("repo", "v2") == ARM


@pytest.mark.parametrize(
    "entries, options, target, status, words",
    [
        ([named(AMD, "v1"), named(ARM, "v2")], (), "repo:new", 2, ["several images", "--image", "v1, v2"]),
        ([entry(AMD), entry(ARM)], (), "repo:new", 2, ["several images", digest_of(ARM)]),
        ([entry(AMD)], (), "repo", 2, ["no image has a tag", "REPOSITORY:TAG"]),
        ([entry(AMD), entry(ARM)], ("--image", digest_of(AMD)), "repo", 2, ["no image has a tag"]),
        ([named(AMD, "a:1"), named(ARM, "b:1")], (), "repo", 2, ["same tag", "--image", "a:1, b:1"]),
        ([named(AMD, "v1")], ("--image", "v2"), "repo:new", 3, ["no such image", "v1"]),
        ([], (), "repo", 3, ["no image", "none"]),
        ([named(b"{}", "v1", OCI_LAYER)], (), "repo", 10, [OCI_LAYER, "not a manifest"]),
        ([{"digest": "sha512:" + "0" * 128, "mediaType": OCI_MANIFEST}], (), "repo:new", 10, ["SHA-256"]),
        ([{**named(AMD, "v1"), "Digest": TAG}], (), "repo", 10, ["ambiguous"]),
        ([7], (), "repo", 10, ["ambiguous"]),
    ],
)
def test_images_that_are_not_clear(load, pantry, entries, options, target, status, words):
    result = load(layout(entries, AMD, ARM, *BLOBS), *options, target=target)
    expect_nothing(pantry, result, status, *words)


def test_parts_of_others_are_left_out(load, pantry):
    """oras backup lists the children of an index, too."""
    files = layout([named(INDEX, "v1", OCI_INDEX), entry(AMD), entry(ARM)], INDEX, AMD, ARM, *BLOBS)
    result = load(files, target="repo")
    assert (result.status, pantry.tags("repo")) == (0, ["v1"])
    result.complaint("left out: 2", "--image DIGEST")
    assert load(files, "--image", digest_of(ARM)).rows[0][1] == digest_of(ARM)


def test_as_docker_save_writes_it(load, pantry):
    files = by_containerd(layout([entry(INDEX, OCI_INDEX)], INDEX, AMD, ARM, *BLOBS), "app:1.4")
    result = load(files, target="repo")
    assert (result.status, pantry.document("repo", "1.4")) == (0, INDEX), result


def test_children_that_docker_save_has_left_out(load, pantry):
    files = by_containerd(layout([entry(INDEX, OCI_INDEX)], INDEX, AMD, CONFIG, LAYER), "app:1.4")
    expect_nothing(pantry, load(files), 10, "linux/arm64", "missing")
    expect_loaded(pantry, load(files, "--platform", "linux/amd64"))


def test_guards(load, pantry):
    pantry.put("repo", "v1", OCI_MANIFEST, ARM)
    assert load(TWO, "--no-clobber", target="repo").status == 12
    assert load(TWO, "--expect", f"v1={digest_of(ARM)}", target="repo").status == 0
    assert (pantry.document("repo", "v1"), pantry.document("repo", "v2")) == (AMD, ARM)
    load(TWO, "--expect", digest_of(ARM), target="repo").complaint("NAME=DIGEST")


def test_dry_run_json_and_journal(load, pantry, tmp_path):
    journal = tmp_path / "journal"
    dry = load(SMALL, "--dry-run", "--json", "--journal", journal)
    assert dry.objects[0]["result"] == "created" and not pantry.tags("repo") and not journal.exists()
    assert not pantry.blobs

    assert load(SMALL, "--confirm", "--journal", journal).status == 0

    assert TAG in journal.read_text()
    assert load(SMALL).rows[0][2] == "unchanged"


# ---- What it refuses ----------------------------------------------------------------------------------------------------


def archive(*parts):
    return b"".join(parts) + bytes(1024)


def member(name, data=b"", kind=tarfile.REGTYPE, tar_format=tarfile.USTAR_FORMAT, **more):
    info = tarfile.TarInfo(name)
    info.size, info.type = len(data), kind
    for key, value in more.items():
        setattr(info, key, value)
    return info.tobuf(tar_format) + data + bytes(-len(data) % 512)


PARTS = [member(*one) for one in SMALL]
OLD_DOCKER = [("manifest.json", b"[]"), ("0123/layer.tar", LAYER), ("repositories", b"{}")]
XZ = b"\xfd7zXZ\x00"


@pytest.mark.parametrize(
    "content, status, words",
    [
        (b"", 2, ["is empty, not a tar archive"]),
        (b"<!DOCTYPE html><html>" + b"x" * 2000, 2, ["not a tar archive"]),
        (b"short", 2, ["layout.tar is not a tar archive"]),
        (b"\x1f\x8b\x08" + bytes(2000), 2, ["gzip -dc"]),
        (b"\x28\xb5\x2f\xfd" + bytes(20), 2, ["zstd -dc"]),
        (XZ + bytes(2000), 2, ["xz -dc"]),
        (b"BZh91AY&SY" + bytes(2000), 2, ["bzip2 -dc"]),
        (pack([]), 2, ["no index.json"]),
        (pack(SMALL[1:]), 2, ["no oci-layout"]),
        (pack(SMALL, prefix="layout/"), 2, ["no index.json"]),
        (pack(OLD_DOCKER), 2, ["docker save", "skopeo copy docker-archive:"]),
        (pack(SMALL + SMALL[1:2]), 10, ["two files index.json"]),
        (pack([("oci-layout", b'{"imageLayoutVersion":"2.0"}')] + SMALL[1:]), 10, ["version", "2.0"]),
        (pack([MARK, ("index.json", b"[")] + SMALL[2:]), 10, ["not valid JSON"]),
        (pack([MARK, ("index.json", b"{}")] + SMALL[2:]), 10, ["no list of manifests"]),
        (pack(SMALL[:-1]), 10, [digest_of(LAYER), "missing"]),
        (pack(SMALL[:-1] + [(SMALL[-1][0], b"x" * len(LAYER))]), 10, [digest_of(LAYER)]),
        (pack(SMALL[:-1] + [(SMALL[-1][0], LAYER + b"x")]), 10, [digest_of(LAYER)]),
        (pack(SMALL[:-1] + [(SMALL[-1][0], LAYER[:-1])]), 10, [digest_of(LAYER)]),
    ],
    ids="empty, html, short, gzip, zstd, xz, bzip2, nothing in it, no mark, in a folder, old docker, two indexes, version 2, no json, no manifests, no layer, another layer, longer layer, shorter layer".split(", "),
)
def test_what_is_no_layout(load, pantry, content, status, words):
    expect_nothing(pantry, load(content), status, *words)


@pytest.mark.parametrize(
    "content, status, option",
    [(None, 1, []), (b"short", 2, []), (pack(SMALL[1:]), 2, []), (pack(SMALL), 3, ["--image", "none"])],
    ids=["no file", "no tar file", "no layout", "no such image"],
)
def test_the_tag_has_its_line_even_if_nothing_can_be_read(load, pantry, regtag, content, status, option):
    reference = f"{pantry.host}/repo:new"
    if content is not None:
        load.path.write_bytes(content)

    plain, result = (regtag("load", load.path, reference, *option, *more) for more in ([], ["--json"]))

    assert (plain.status, plain.rows) == (status, [(reference, "-", "failed", "-")])
    message = result.complaint(str(load.path))
    assert result.status == status
    assert result.objects == [
        {
            "reference": reference,
            "digest": None,
            "result": "failed",
            "previous": None,
            "status": status,
            "error": message.removeprefix("regtag: "),
        }
    ]


def test_tags_that_are_only_in_the_file_have_no_line_if_it_cannot_be_read(load, pantry, regtag):
    result = regtag("load", load.path, f"{pantry.host}/repo", "--json")

    assert (result.status, result.out) == (1, b""), result
    result.complaint("no such file")


@pytest.mark.parametrize(
    "kind, word",
    [
        (tarfile.LNKTYPE, "a link"),
        (tarfile.SYMTYPE, "a link"),
        (tarfile.GNUTYPE_SPARSE, "sparse"),
        (tarfile.FIFOTYPE, "not a file"),
    ],
)
def test_a_blob_that_is_no_plain_file(load, pantry, kind, word):
    name, data = SMALL[-1]
    data = data if kind == tarfile.GNUTYPE_SPARSE else b""
    content = archive(*PARTS[:-1], member(name, data, kind, linkname="../../etc/passwd"))
    expect_nothing(pantry, load(content), 10, name, word)


def test_folders_that_are_no_layout(regtag, pantry, tmp_path):
    target = f"{pantry.host}/repo:new"
    expect_nothing(pantry, regtag("load", tmp_path, target), 2, "no oci-layout")
    expect_nothing(pantry, regtag("load", tmp_path / "none", target), 1, "no such file; it comes first")
    unpack(SMALL, tmp_path)
    (tmp_path / SMALL[-1][0]).unlink()
    expect_nothing(pantry, regtag("load", tmp_path, target), 10, "missing")


@pytest.mark.parametrize("what", [SMALL[-1][0], "index.json", "blobs", "blobs/sha256"])
def test_no_symbolic_link_is_followed(regtag, pantry, tmp_path, what):
    folder = unpack(SMALL, tmp_path / "layout")
    (folder / what).rename(tmp_path / "elsewhere")
    (folder / what).symlink_to(tmp_path / "elsewhere")
    expect_nothing(pantry, regtag("load", folder, f"{pantry.host}/repo:new"), 1, "link is not followed")


def test_a_blob_that_is_a_fifo(regtag, pantry, tmp_path):
    folder = unpack(SMALL, tmp_path)
    (folder / SMALL[-1][0]).unlink()
    os.mkfifo(folder / SMALL[-1][0])
    expect_nothing(pantry, regtag("load", folder, f"{pantry.host}/repo:new"), 10, "not a regular file")
