"""`save`: an OCI image layout as a tar file, with each manifest and blob once, in an order that a pipe can be read in."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import tarfile

import pytest
from artifacts import Store
from calls import every_call
from copies import AMD, ARM, ARM_CONFIG, ARM_LAYER, INDEX, push_index
from fake import RESET, STALL, answer
from images import (
    CONFIG,
    DOCKER_MANIFEST,
    LAYER,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    SCHEMA1_SIGNED,
    compact,
    descriptor,
    digest_of,
    docker_manifest,
    docker_style,
    oci_index,
    oci_manifest,
)
from program import LONG, environment
from saved import Saved
from watcher import until

OTHER, USAGE, NOT_FOUND, CONNECTION, REFUSED, SCHEMA1 = 1, 2, 3, 5, 10, 11
DOCKER_DOCUMENT = docker_style(docker_manifest())
KILLED = (-signal.SIGKILL, 0)  # a run may take one step less than the one before it
BIG = random.Random(1).randbytes(3_000_000)
OLD = b"old\n"


@pytest.fixture
def store():
    """A registry in a dict, with an image, and an index that has two."""
    one = Store()
    one.blobs.update({digest_of(data): data for data in (CONFIG, LAYER, ARM_CONFIG, ARM_LAYER, BIG)})
    one.put("repo", "image", OCI_MANIFEST, compact(oci_manifest()))
    for child in (AMD, ARM):
        one.put("repo", digest_of(child), OCI_MANIFEST, child)
    one.put("repo", "index", OCI_INDEX, INDEX)
    one.put("repo", "big", OCI_MANIFEST, compact(oci_manifest(layers=[descriptor(OCI_LAYER, BIG)])))
    return one


@pytest.fixture
def server(serve, store):
    return serve(store)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "images.tar"


def only(file):
    """Nothing else is in its folder."""
    return [one.name for one in file.parent.iterdir()] == [file.name]


# ---- What is in it


def test_an_image_is_saved_with_its_blobs(regtag, registry, repository, file):
    image = f"{registry.host}/{repository}:old"

    result = regtag("save", "-o", file, image)

    assert result.lines == [f"{image}\t{digest_of(DOCKER_DOCUMENT)}"]
    assert (result.status, result.err) == (0, b"")
    saved = Saved(file)
    assert saved.blobs == [DOCKER_DOCUMENT, CONFIG, LAYER]
    assert saved.names == [(image, "old", digest_of(DOCKER_DOCUMENT))]
    assert saved.index["manifests"][0]["mediaType"] == DOCKER_MANIFEST
    assert only(file) and file.stat().st_mode & 0o777 == 0o644


def test_an_index_is_saved_whole_and_what_images_share_once(regtag, registry, repository, file):
    push_index(registry, repository, "index")
    name = f"{registry.host}/{repository}"

    result = regtag("save", f"{name}:index", f"{name}:old", f"{name}@{digest_of(ARM)}", "-o", file)

    assert result.status == 0
    assert [line.rpartition("\t")[2] for line in result.lines] == [
        digest_of(one) for one in (INDEX, DOCKER_DOCUMENT, ARM)
    ]
    saved = Saved(file)
    assert saved.blobs[:4] == [INDEX, AMD, ARM, DOCKER_DOCUMENT]
    assert saved.blobs[4:] == [CONFIG, LAYER, ARM_CONFIG, ARM_LAYER]
    assert saved.names == [
        (f"{name}:index", "index", digest_of(INDEX)),
        (f"{name}:old", "old", digest_of(DOCKER_DOCUMENT)),
        (f"{name}@{digest_of(ARM)}", None, digest_of(ARM)),
    ]


def test_a_platform_is_saved_alone(regtag, server, file):
    result = regtag("save", "--platform", "linux/arm64", "-o", file, f"{server.host}/repo:index")

    assert result.lines == [f"{server.host}/repo:index\t{digest_of(ARM)}"]
    assert Saved(file).blobs == [ARM, ARM_CONFIG, ARM_LAYER, LAYER]
    assert Saved(file).names == [(f"{server.host}/repo:index", "index", digest_of(ARM))]


def test_the_same_images_give_the_same_bytes(regtag, registry, server, repository, tmp_path):
    push_index(registry, repository, "index")
    images = [f"{registry.host}/{repository}:index", f"{server.host}/repo:image", f"{server.host}/repo:big"]
    files = [tmp_path / name for name in ("one", "two")]
    for file in files:
        assert regtag("save", "-o", file, *images).status == 0

    piped = regtag("save", "-o", "-", *images)

    assert files[0].read_bytes() == files[1].read_bytes() == piped.out
    assert (piped.status, piped.err) == (0, b"")
    assert len(piped.out) % 512 == 0 and piped.out.endswith(bytes(1024))


def test_one_operation_serves_for_an_image(regtag, server, file):
    assert regtag("save", "-o", file, f"{server.host}/repo:index").status == 0

    assert len({one.connection for one in server.requests}) == 1
    asked = [one.path.rpartition("/")[2] for one in server.requests]
    assert asked == ["index", *map(digest_of, (AMD, ARM, CONFIG, LAYER, ARM_CONFIG, ARM_LAYER))]


def test_more_blobs_than_an_archive_has_room_for(regtag, store, server, file):
    children = []
    for child in range(4):
        digests = [f"sha256:{child:032x}{layer:032x}" for layer in range(4200)]
        layers = [{"mediaType": OCI_LAYER, "size": 1, "digest": one} for one in digests]
        children.append(compact(oci_manifest(layers=layers)))
        store.put("repo", digest_of(children[-1]), OCI_MANIFEST, children[-1])
    store.put("repo", "many", OCI_INDEX, compact(oci_index(*children)))

    result = regtag("save", "-o", file, f"{server.host}/repo:many")

    assert result.status == OTHER and not file.exists()
    result.complaint("more than 16384 manifests and blobs")


def test_a_tag_that_moves_meanwhile_changes_nothing(regtag, store, serve, file):
    """The second image is looked up when the first one is known, and not yet written."""

    def moves(request):
        answered = store(request)
        store.put("repo", "image", OCI_MANIFEST, compact(oci_manifest(annotations={"which": "new"})))
        return answered

    server = serve(moves)
    images = [f"{server.host}/repo:image", f"{server.host}/repo:big"]

    result = regtag("save", "-o", file, *images, images[0])

    assert result.status == 0
    assert Saved(file).names[0][2] == digest_of(compact(oci_manifest()))
    assert result.lines[0] == result.lines[2]


def test_an_empty_layer_and_an_artifact(regtag, store, server, file):
    store.put_files("repo", "files", {"empty": b"", "odd": b"x" * 513, "even": b"y" * 1024})

    assert regtag("save", "-o", file, f"{server.host}/repo:files").status == 0

    assert Saved(file).blobs[-3:] == [b"", b"x" * 513, b"y" * 1024]


def test_foreign_layers_are_skipped_with_a_note(regtag, store, server, file):
    layers = [descriptor(OCI_LAYER, b"elsewhere", urls=["http://127.0.0.1/x"]), descriptor(OCI_LAYER, LAYER)]
    store.put("repo", "foreign", OCI_MANIFEST, compact(oci_manifest(layers=layers)))

    result = regtag("save", "-o", file, f"{server.host}/repo:foreign")

    assert result.status == 0
    result.complaint("skipped", digest_of(b"elsewhere"), "urls")
    assert Saved(file).blobs[1:] == [CONFIG, LAYER]
    assert regtag("save", "-q", "-o", file, f"{server.host}/repo:foreign").err == b""


def test_what_is_a_layer_here_and_a_manifest_there(regtag, store, server, file):
    layers = [descriptor(OCI_LAYER, AMD)]
    store.blobs[digest_of(AMD)] = AMD
    store.put("repo", "first", OCI_MANIFEST, compact(oci_manifest(layers=layers)))

    result = regtag("save", "-o", file, *(f"{server.host}/repo:{tag}" for tag in ("first", "index")))

    assert result.status == 0
    assert set(Saved(file).blobs) == {compact(oci_manifest(layers=layers)), CONFIG, LAYER, INDEX, AMD, ARM, ARM_CONFIG, ARM_LAYER}


# ---- Names


def names_of(regtag, file, *images):
    result = regtag("save", "-o", file, *images)
    assert result.status == 0, result
    return Saved(file).names


def test_the_same_image_twice_is_saved_once(regtag, server, file):
    image = f"{server.host}/repo:image"

    result = regtag("save", "-o", file, image, image, f"{image}@{digest_of(compact(oci_manifest()))}")

    assert len(result.lines) == 3
    assert {line.rpartition("\t")[2] for line in result.lines} == {digest_of(compact(oci_manifest()))}
    assert [one[:2] for one in Saved(file).names] == [(image, "image")]


def test_a_tag_in_two_repositories_is_no_name_for_either(regtag, store, server, file):
    store.put("team/other", "image", OCI_MANIFEST, compact(oci_manifest(annotations={"which": "other"})))
    images = [f"{server.host}/repo:image", f"{server.host}/repo:index", f"{server.host}/team/other:image"]

    names = names_of(regtag, file, *images)

    assert [one[0] for one in names] == images
    assert [one[1] for one in names] == [images[0], "index", images[2]]


def test_names_are_complete(regtag, store, server, file):
    store.put("repo", "latest", OCI_MANIFEST, compact(oci_manifest()))

    assert names_of(regtag, file, f"{server.host}/repo")[0][:2] == (f"{server.host}/repo:latest", "latest")


def test_two_digests_for_one_name_are_refused(regtag, store, server, file):
    image = f"{server.host}/repo:image"

    result = regtag("save", "-o", file, image, f"{image}@{digest_of(ARM)}")

    assert result.status == USAGE and not file.exists()
    result.complaint(image, "two images have this name")


# ---- Failures


@pytest.mark.parametrize(
    "args, words",
    [
        (["{image}"], ["-o FILE"]),
        (["-o", "{file}"], ["IMAGE is missing"]),
        (["-o", "{file}", "{image}", ""], ["IMAGE is empty"]),
        (["-o", "{folder}", "{image}"], ["a file, not a folder"]),
        (["-o", "{file}/", "{image}"], ["a file, not a folder"]),
        (["-o", "-", "--json", "{image}"], ["--json", "-o -"]),
        (["-o", "{file}", "{image}", "not an image"], ["not an image"]),
        (["-o", "{file}", "{image}", "--platform", "x"], ["platform"]),
        (["-o", "{file}", *["{image}"] * 1025], ["more than 1024 images"]),
        (["-o", "{file}", "--user", "a", "--password-file", "x", "{image}", "other.test/a"], ["one registry"]),
    ],
)
def test_usage(regtag, server, file, tmp_path, args, words):
    args = [one.format(image=f"{server.host}/repo:image", file=file, folder=tmp_path) for one in args]

    result = regtag("save", *args)

    assert (result.status, result.out) == (USAGE, b"")
    result.complaint(*words)
    assert server.requests == [] and list(tmp_path.iterdir()) == []


def test_the_last_output_counts(regtag, server, file, tmp_path):
    assert regtag("save", "-o", tmp_path / "no", "-o", file, f"{server.host}/repo:image").status == 0
    assert only(file)


def test_devices_and_links_are_not_replaced(regtag, server, file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file)

    for path, word in ((link, "symbolic link"), ("/dev/null", "-o - >DEVICE"), (tmp_path / "no/file", "folder")):
        result = regtag("save", "-o", path, f"{server.host}/repo:image")
        assert result.status == OTHER and server.requests == []
        result.complaint(str(path).rpartition("/")[0], word)
    assert list(tmp_path.iterdir()) == [link]


def damaged(store, digest, change):
    store.blob = lambda request, data: (
        answer(200, change(data)) if request.path.endswith(digest) else store.part(request, data)
    )


@pytest.mark.parametrize("status", [REFUSED, NOT_FOUND])
def test_a_wrong_blob_leaves_the_old_file(regtag, store, server, file, status):
    file.write_bytes(OLD)
    if status == REFUSED:
        damaged(store, digest_of(ARM_LAYER), lambda data: data[:-1] + b"?")
    else:
        del store.blobs[digest_of(ARM_LAYER)]

    result = regtag("save", "--json", "-o", file, f"{server.host}/repo:image", f"{server.host}/repo:index")

    assert result.status == status
    result.complaint(f"{server.host}/repo@{digest_of(ARM_LAYER)}")
    other, failed = result.objects
    assert list(other) == ["reference", "digest", "status", "error"]
    assert (other["status"], other["digest"]) == (OTHER, digest_of(compact(oci_manifest())))
    assert "another image failed" in other["error"]
    assert (failed["reference"], failed["status"]) == (f"{server.host}/repo:index", status)
    assert file.read_bytes() == OLD
    assert only(file) or (status == NOT_FOUND and partial(file).exists())  # it may be there the next time


@pytest.mark.parametrize("what", ["image", "index"])
def test_a_wrong_manifest_leaves_the_old_file(regtag, store, server, file, what):
    file.write_bytes(OLD)
    if what == "index":
        store.put("repo", digest_of(ARM), OCI_MANIFEST, AMD)
    else:
        store.put("repo", "image", OCI_MANIFEST, b"{}")

    result = regtag("save", "-o", file, f"{server.host}/repo:{what}")

    assert result.status == REFUSED and result.out == b""
    assert len(result.complaints) == 1
    assert file.read_bytes() == OLD and only(file)


def test_success_in_json(regtag, server, file):
    result = regtag("save", "--json", "-o", file, f"{server.host}/repo:index")

    assert result.objects == [{"reference": f"{server.host}/repo:index", "digest": digest_of(INDEX), "status": 0}]


def test_json_has_the_image_whose_referrers_cannot_be_found_out(regtag, server, file):
    result = regtag("save", "--json", "--referrers", "-o", file, f"{server.host}/repo:none")

    assert (result.status, not file.exists()) == (NOT_FOUND, True)
    assert [(one["reference"], one["status"]) for one in result.objects] == [(f"{server.host}/repo:none", NOT_FOUND)]


def test_to_stdout_a_failure_leaves_out_the_end(regtag, store, server):
    damaged(store, digest_of(LAYER), lambda data: data[:-1] + b"?")

    result = regtag("save", "-o", "-", f"{server.host}/repo:image")

    assert result.status == REFUSED
    result.complaint(digest_of(LAYER))
    assert result.out[:10] == b"oci-layout" and not result.out.endswith(bytes(1024))


@pytest.mark.parametrize("pipe", [False, True])
def test_a_broken_connection_is_continued(regtag, store, server, file, pipe):
    broken = iter([True])
    store.blob = lambda request, data: (
        [answer(200, data)[: -len(data)] + data[: len(data) // 2], RESET]
        if next(broken, False)
        else store.part(request, data)
    )

    result = regtag("save", "-o", "-" if pipe else file, f"{server.host}/repo:big", retries=2)

    assert result.status == 0
    if pipe:
        file.write_bytes(result.out)
    assert Saved(file).blobs[2] == BIG


def test_what_cannot_be_archived(regtag, store, server, file):
    sha512 = "sha512:" + "0" * 128
    store.put("repo", "sha512", OCI_MANIFEST, compact(oci_manifest(layers=[{**descriptor(OCI_LAYER, LAYER), "digest": sha512}])))
    store.put("repo", "schema1", SCHEMA1_SIGNED, json.dumps({"schemaVersion": 1, "name": "repo", "tag": "schema1", "architecture": "amd64", "fsLayers": [], "history": [], "signatures": []}).encode())
    for tag, words in (("sha512", sha512[:80]),):
        result = regtag("save", "-o", file, f"{server.host}/repo:{tag}")
        assert result.status == REFUSED
        result.complaint(words)
    assert regtag("save", "-o", file, f"{server.host}/repo:schema1").status in (SCHEMA1, REFUSED)
    assert not file.exists() and list(file.parent.iterdir()) == []


def nested(store, depth):
    store.put("repo", digest_of(AMD), OCI_MANIFEST, AMD)
    document = AMD
    for _ in range(depth):
        document = compact({**oci_index(), "manifests": [descriptor(OCI_INDEX, document)]})
        store.put("repo", digest_of(document), OCI_INDEX, document)
    store.put("repo", "deep", OCI_INDEX, document)
    return document


def test_indexes_in_indexes(regtag, store, server, file):
    nested(store, 4)
    assert regtag("save", "-o", file, f"{server.host}/repo:deep").status == 0
    assert len(Saved(file).blobs) == 5 + 2
    nested(store, 5)

    result = regtag("save", "-o", file, f"{server.host}/repo:deep")

    assert result.status == REFUSED
    result.complaint("more than 4 deep")


@pytest.mark.parametrize("blocks", [4, 1000])
def test_a_full_disk(regtag, server, file, blocks):
    command = ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *regtag.command("save", "-o", file, f"{server.host}/repo:big")]

    result = regtag.run(command)

    assert result.status == OTHER and result.out == b""
    result.complaint(str(file), "too large")
    assert list(file.parent.iterdir()) == [partial(file)]


def test_stdout_that_nobody_reads(regtag, server):
    command = regtag.command("save", "-o", "-", f"{server.host}/repo:big")
    with open("/dev/full", "wb") as full:
        result = regtag.run(command, stdout=full)

    assert result.status == OTHER
    result.complaint("stdout", "space")


def test_ended_by_a_signal_the_next_run_replaces_what_is_left(regtag, store, server, file):
    file.write_bytes(OLD)
    store.blob = lambda request, data: [answer(200, data)[: -len(data)] + data[:1000], RESET]
    command = regtag.command("save", "--retries", 1000, "-o", file, f"{server.host}/repo:big")
    with subprocess.Popen(command, env=environment({}), stderr=subprocess.DEVNULL) as process:
        while not [one for one in server.requests if "/blobs/" in one.path]:
            pass
        process.terminate()
    assert process.returncode == -signal.SIGTERM and file.read_bytes() == OLD

    store.blob = None
    assert regtag("save", "-o", file, f"{server.host}/repo:big").status == 0

    assert Saved(file).blobs[2] == BIG and only(file)


def leave(store, regtag, server, file, point):
    """Ends a run when so many bytes of the layer have come; what it leaves."""
    store.blob = lambda request, data: (
        [answer(200, data)[: -len(data)] + data[:point], STALL] if data == BIG else store.part(request, data)
    )
    command = regtag.command("save", "-o", file, f"{server.host}/repo:big")
    left = partial(file)
    with subprocess.Popen(command, env=environment({}), stderr=subprocess.DEVNULL) as process:
        until(lambda: left.exists() and left.stat().st_size > point, f"{point} bytes")
        process.kill()
    store.blob = None
    server.requests.clear()
    return left


def partial(file):
    return file.parent / f".regtag-{digest_of(file.name.encode())[7:39]}"


def test_an_interrupted_run_is_continued(regtag, store, server, file):
    left = leave(store, regtag, server, file, 2_000_000)

    assert regtag("save", "-o", file, f"{server.host}/repo:big").status == 0

    assert Saved(file).blobs[2] == BIG and only(file)
    (again,) = [one.value("Range") for one in server.requests if one.path.endswith(digest_of(BIG))]
    assert 1_900_000 < int(again[len("bytes=") : -1]) <= 2_000_000
    assert not left.exists()


@pytest.mark.parametrize("at", [0, 600, 5000, 1_000_000])
def test_what_is_left_must_be_right(regtag, store, server, file, at):
    left = leave(store, regtag, server, file, 2_000_000)
    data = bytearray(left.read_bytes())
    data[at] ^= 1
    left.write_bytes(data)

    assert regtag("save", "-o", file, f"{server.host}/repo:big").status == 0

    assert Saved(file).blobs[2] == BIG and only(file)


def test_what_is_left_is_compared_in_its_place(regtag, store, server, file):
    """Behind the wrong zeros are right ones."""
    zeros = bytes(100)
    store.blobs[digest_of(zeros)] = zeros
    layers = [descriptor(OCI_LAYER, one) for one in (zeros, LAYER)]
    store.put("repo", "zeros", OCI_MANIFEST, compact(oci_manifest(layers=layers)))
    assert regtag("save", "-o", file, f"{server.host}/repo:zeros").status == 0
    whole = file.read_bytes()
    start = whole.index(f"blobs/sha256/{digest_of(zeros)[7:]}".encode()) + 512
    partial(file).write_bytes(whole[:start] + b"x" + whole[start + 1 :])

    assert regtag("save", "-o", file, f"{server.host}/repo:zeros").status == 0

    assert file.read_bytes() == whole and only(file)


def test_what_is_left_of_other_images_is_replaced(regtag, store, server, file):
    leave(store, regtag, server, file, 2_000_000)

    assert regtag("save", "-o", file, f"{server.host}/repo:image").status == 0

    assert len(Saved(file).blobs) == 3 and file.stat().st_size < 20_000 and only(file)


def test_what_is_left_may_be_longer(regtag, server, file):
    assert regtag("save", "-o", file, f"{server.host}/repo:image").status == 0
    whole = file.read_bytes()
    partial(file).write_bytes(whole + b"more")
    server.requests.clear()

    assert regtag("save", "-o", file, f"{server.host}/repo:image").status == 0

    assert file.read_bytes() == whole and only(file)
    assert not [one for one in server.requests if "/blobs/" in one.path]


def kill_everywhere(regtag, strace, server, file, step):
    """Kills it at every step-th call: the file is the old one or the new one, and the next run completes it."""
    args = ["save", "-o", file, f"{server.host}/repo:index"]
    assert regtag(*args).status == 0
    whole = file.read_bytes()
    calls = every_call(strace, args, 400)
    replaced = 0
    for call, number in calls[step // 2 :: step]:
        file.write_bytes(OLD)
        where = f"{call} number {number}"

        result, _ = strace(["-e", f"inject={call}:signal=KILL:when={number}"], args)

        assert result.status in KILLED, where
        found = file.read_bytes()
        assert found in (OLD, whole), where
        replaced += found == whole
        assert len(list(file.parent.iterdir())) <= 2, where
        assert regtag(*args).status == 0, where
        assert file.read_bytes() == whole and only(file), where
    return replaced


def test_killed_at_some_call_it_leaves_old_or_new(regtag, strace, server, file):
    kill_everywhere(regtag, strace, server, file, 20)


@pytest.mark.slow
@LONG
def test_killed_at_any_call_it_leaves_old_or_new(regtag, strace, server, file):
    assert kill_everywhere(regtag, strace, server, file, 5 if os.environ.get("SAN") else 1) > 0


# ---- What a user sees


def test_verbose_names_each_blob(regtag, server, file):
    result = regtag("save", "-v", "-o", file, f"{server.host}/repo:image")

    found = re.findall(rb"downloading from byte 0 of (\d+) on: (sha256:\w+)", result.err)
    assert found == [(b"%d" % len(data), digest_of(data).encode()) for data in (CONFIG, LAYER)]


def test_two_runs_wait_for_each_other(regtag, server, file):
    command = regtag.command("save", "-q", "-o", file, f"{server.host}/repo:big")
    runs = [subprocess.Popen(command, env=environment({}), stdout=subprocess.DEVNULL) for _ in range(3)]

    assert [one.wait() for one in runs] == [0, 0, 0]
    assert Saved(file).blobs[2] == BIG and only(file)


# ---- Others read it


def test_gnu_tar_unpacks_it(regtag, server, file, tmp_path):
    if shutil.which("tar") is None:
        pytest.skip("there is no tar")
    assert regtag("save", "-o", file, f"{server.host}/repo:index").status == 0

    subprocess.run(["tar", "-xf", file, "-C", tmp_path], check=True, stderr=subprocess.STDOUT)

    for name, data in Saved(file).files.items():
        assert (tmp_path / name).read_bytes() == data


def test_an_archive_can_be_read_as_it_comes(regtag, server):
    """Without a seek."""
    command = regtag.command("save", "-o", "-", f"{server.host}/repo:index")
    with subprocess.Popen(command, env=environment({}), stdout=subprocess.PIPE) as process:
        names = []
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            names = [one.name for one in archive]
    assert process.returncode == 0 and len(names) == 4 + 7


def test_errors_name_the_image(regtag, server, file):
    result = regtag("save", "-o", file, f"{server.host}/repo:image", f"{server.host}/repo:missing")

    assert result.status == NOT_FOUND
    result.complaint(f"{server.host}/repo:missing")
    assert list(file.parent.iterdir()) == []
