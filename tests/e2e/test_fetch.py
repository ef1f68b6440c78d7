"""`fetch`: what becomes of an artifact's files, whatever a registry, a folder or another process does."""

import fcntl
import os
import resource
import stat
import subprocess
import time

import pytest
from artifacts import UNPACK, Store, blob_requests, file_layer, partial_name
from fake import CLOSE, answer
from images import OCI_INDEX, compact, digest_of, oci_index
from program import environment
from watcher import Lines, until

A, B, C = b"first file\n" * 1000, b"second file\n" * 500, b""
WEEK = 7 * 86400


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def server(serve, store):
    return serve(store)


@pytest.fixture
def folder(tmp_path):
    """Where files go; there is nothing in it."""
    one = tmp_path / "to"
    one.mkdir()
    return one


@pytest.fixture
def fetch(regtag, server):
    """Fetches `repo:old`."""
    return lambda *args, **options: regtag("fetch", f"{server.host}/repo:old", *args, **options)


def files_below(folder):
    """All files, those that are hidden too: path to bytes."""
    found = [one for one in folder.rglob("*") if not one.is_dir() or one.is_symlink()]
    return {str(one.relative_to(folder)): one.read_bytes() for one in found}


def row(path, data, result):
    return f"{path}\t{digest_of(data)}\t{len(data)}\t{result}"


def old_file(path, data=b"old\n", mode=0o644):
    path.write_bytes(data)
    path.chmod(mode)
    return path


# ---- What becomes of files


def test_the_only_layer_becomes_the_file(fetch, store, folder):
    store.put_files("repo", "old", {"title": A})
    file = folder / "file"

    result = fetch("-o", file)

    assert result.status == 0 and result.err == b"", result
    assert result.lines == [row(file, A, "fetched")]
    assert files_below(folder) == {"file": A}
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_all_titled_layers_become_files_of_the_folder(fetch, store, folder):
    names = ["plain", "with space", "Grüße ☺", "sub/deep/one", "sub/other"]
    files = {name: name.encode() * 99 for name in names}
    store.put_files("repo", "old", files)

    result = fetch("-o", folder)

    assert result.status == 0 and result.err == b"", result
    assert result.lines == [row(f"{folder}/{one}", files[one], "fetched") for one in files]
    assert files_below(folder) == files


def test_a_folder_is_made_with_its_parents_if_its_name_ends_with_a_slash(fetch, store, folder):
    store.put_files("repo", "old", {"a": A, "empty": C})

    result = fetch("-o", f"{folder}/x/y/")

    assert result.status == 0, result
    assert result.lines == [row(f"{folder}/x/y/a", A, "fetched"), row(f"{folder}/x/y/empty", C, "fetched")]
    assert files_below(folder) == {"x/y/a": A, "x/y/empty": C}


def test_a_relative_name_is_one_in_the_working_folder(fetch, store, folder):
    store.put_files("repo", "old", {"a": A})

    assert fetch("-o", "file", cwd=folder).lines == [row("file", A, "fetched")]
    assert fetch("-o", "sub/", cwd=folder).lines == [row("sub/a", A, "fetched")]
    assert fetch("-o.", cwd=folder).lines == [row("./a", A, "fetched")]
    assert files_below(folder) == {"file": A, "sub/a": A, "a": A}


@pytest.mark.parametrize("mode", [0o600, 0o755])
def test_the_mode_of_a_file_that_is_replaced_stays(fetch, store, folder, mode):
    store.put_files("repo", "old", {"a": A})
    file = old_file(folder / "a", mode=mode | stat.S_ISUID)

    assert fetch("-o", file).status == 0
    assert file.read_bytes() == A and stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o444, 0o400, 0o555])
def test_files_that_their_owner_cannot_write_to_are_replaced(regtag, store, server, folder, mode):
    """All files are opened a second time to be put in place; nor may root's rights be needed for that."""
    store.put_files("repo", "old", {"a": A, "b": B})
    files = [old_file(folder / name, mode=mode) for name in "ab"]
    command = regtag.command("fetch", f"{server.host}/repo:old", "-o", folder)

    result = regtag.run(["setpriv", "--bounding-set=-all", *command] if os.geteuid() == 0 else command)

    assert result.status == 0, result
    assert result.lines == [row(files[0], A, "fetched"), row(files[1], B, "fetched")]
    assert files_below(folder) == {"a": A, "b": B}
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [mode, mode]


def test_what_is_there_already_is_not_requested(fetch, store, server, folder):
    store.put_files("repo", "old", {"a": A, "b": B})
    old_file(folder / "a", A)
    before = (folder / "a").stat()

    result = fetch("-o", folder)

    assert result.lines == [row(f"{folder}/a", A, "unchanged"), row(f"{folder}/b", B, "fetched")]
    assert [one.path.rsplit("/", 1)[1] for one in blob_requests(server)] == [digest_of(B)]
    after = (folder / "a").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert fetch("-o", folder).lines[1] == row(f"{folder}/b", B, "unchanged")


def test_the_same_bytes_can_have_two_names(fetch, store, folder):
    store.put_files("repo", "old", {"a": A, "also a": A})

    assert fetch("-o", folder).status == 0
    assert files_below(folder) == {"a": A, "also a": A}


def test_a_packed_folder_stays_packed(fetch, store, folder):
    store.put_layers("repo", "old", [(A, file_layer(A, "dir", **{UNPACK: "true"}))])

    result = fetch("-o", folder)

    result.complaint("dir is a packed folder", "tar")
    assert files_below(folder) == {"dir": A}
    assert fetch("-q", "-o", folder).err == b""


def test_json_has_an_object_for_each_file(fetch, store, folder):
    store.put_files("repo", "old", {"Grüße \"\\ ☺": A, "b": B})

    result = fetch("--json", "-o", folder)

    assert result.objects == [
        {"path": f"{folder}/{name}", "digest": digest_of(data), "size": len(data), "result": "fetched", "status": 0}
        for name, data in [("Grüße \"\\ ☺", A), ("b", B)]
    ]


def test_json_of_the_longest_path_is_whole(fetch, store, tmp_path):
    """A byte that is no UTF-8 takes five."""
    store.put_files("repo", "old", {"a": A, "b": B})
    store.blobs.clear()
    part = b"\xff" * 200
    folder = os.fsencode(tmp_path)
    while len(folder) < 4000 - len(part):
        folder += b"/" + part

    result = fetch("--json", "-o", os.fsdecode(folder) + "/")

    assert result.status == 3
    shown = folder.decode(errors="backslashreplace")
    assert [one["path"] for one in result.objects] == [f"{shown}/a", f"{shown}/b"]
    assert "does not have this blob" in result.objects[0]["error"]


def test_json_tells_of_a_login_that_is_unusable(fetch, store, folder, tmp_path):
    store.put_files("repo", "old", {"a": A})
    path = tmp_path / "auth.json"
    path.write_text("{")

    result = fetch("--json", "-o", folder, "--authfile", path)

    assert result.status == 16
    assert [(one["path"], one["result"], one["status"]) for one in result.objects] == [(f"{folder}/", "failed", 16)]
    assert result.complaint("auth.json") == "regtag: " + result.objects[0]["error"]


# ---- Which layers


LAYERS = [(A, file_layer(A, "a")), (B, file_layer(B, "b", "text/plain")), (b"bare", file_layer(b"bare"))]


@pytest.mark.parametrize(
    "options, data",
    [
        [["--layer", "0"], A],
        [["--layer", "2"], b"bare"],
        [["--title", "b"], B],
        [["--media-type", "text/plain"], B],
    ],
)
def test_one_layer_can_be_chosen(fetch, store, folder, options, data):
    store.put_layers("repo", "old", LAYERS)

    assert fetch("-o", folder / "file", *options).lines == [row(folder / "file", data, "fetched")]
    assert files_below(folder) == {"file": data}


def test_layers_without_a_title_are_left_out_of_a_folder(fetch, store, folder):
    store.put_layers("repo", "old", LAYERS)

    result = fetch("-o", folder)

    assert result.status == 0
    result.complaint("layers without a title are left out: 1", "\"regtag fetch --layer N -o FILE\"")
    assert files_below(folder) == {"a": A, "b": B}
    assert fetch("-q", "-o", folder).err == b""


@pytest.mark.parametrize(
    "options, status, words",
    [
        [[], 2, ["several", "--layer", 'layers are: 0 "a"', '1 "b" (text/plain)']],
        [["--layer", "3"], 3, ["no such layer", '0 "a"']],
        [["--title", "c"], 3, ["no such layer"]],
        [["--title", "a", "--layer", "1"], 3, ["no such layer"]],
    ],
)
@pytest.mark.parametrize("output", ["file", "-"])
def test_one_file_needs_one_layer(fetch, store, server, folder, options, status, words, output):
    store.put_layers("repo", "old", LAYERS)

    result = fetch("-o", output, *options, cwd=folder)

    assert result.status == status
    result.complaint(*words)
    assert result.lines == (["file\t-\t-\tfailed"] if output == "file" else [])
    assert files_below(folder) == {} and not blob_requests(server)


def test_a_folder_needs_titles(fetch, store, folder):
    store.put_layers("repo", "old", [LAYERS[2]])

    result = fetch("-o", f"{folder}/new/")

    assert result.status == 3
    result.complaint("title", "\"regtag fetch --layer N -o FILE\"")
    assert list(folder.iterdir()) == []


def test_an_index_needs_a_platform(fetch, store, folder):
    store.put_files("repo", "one", {"a": A})
    child = store.document("repo", "one")
    store.put("repo", "old", OCI_INDEX, compact(oci_index(child)))

    result = fetch("-o", folder / "file")

    assert result.status != 0
    result.complaint("linux/amd64", "--platform")
    assert fetch("-o", folder / "file", "--platform", "linux/amd64").status == 0
    assert files_below(folder) == {"file": A}


@pytest.mark.parametrize(
    "args, words",
    [
        [[], "-o is missing"],
        [["-o"], "--output needs a value"],
        [["-o", ""], "--output is empty"],
        [["-o", "-", "--json"], "--json"],
        [["-o", "file", "--layer", "-1"], "--layer"],
        [["-o", "file", "--blob", "--title", "x"], "--blob cannot"],
        [["-o", "file", "--blob", "--platform", "a/b"], "--blob cannot"],
        [["-o", "folder/", "--blob"], "a blob has no name"],
        [["-o", "file", "--blob"], "REPOSITORY@DIGEST"],
    ],
)
def test_what_makes_no_sense_is_refused(fetch, server, folder, args, words):
    result = fetch(*args, cwd=folder)

    assert result.status == 2
    result.complaint(words)
    assert not server.requests and files_below(folder) == {}


# ---- A blob


def test_a_blob_is_fetched_by_its_digest(regtag, store, server, folder):
    store.put_files("repo", "old", {"a": A})
    blob = f"{server.host}/repo@{digest_of(A)}"

    result = regtag("fetch", "--blob", blob, "-o", folder / "file")

    assert result.lines == [row(folder / "file", A, "fetched")]
    assert files_below(folder) == {"file": A}
    count = len(server.requests)
    assert regtag("fetch", "--blob", blob, "-o", folder / "file").lines == [row(folder / "file", A, "unchanged")]
    assert len(server.requests) == count


def test_a_blob_that_is_not_there_is_not_found(regtag, store, server, folder):
    file = old_file(folder / "file")

    result = regtag("fetch", "--json", "--blob", f"{server.host}/repo@{digest_of(A)}", "-o", file)

    assert result.status == 3
    (line,) = result.objects
    assert (line["result"], line["status"], line["size"], line["digest"]) == ("failed", 3, None, digest_of(A))
    assert line["error"] in result.complaint(str(file))
    assert files_below(folder) == {"file": b"old\n"}


# ---- Standard output


def test_standard_output_gets_nothing_but_the_data(fetch, store, folder):
    data = bytes(range(256)) * 1000
    store.put_files("repo", "old", {"a": data})

    result = fetch("-o", "-", cwd=folder)

    assert (result.status, result.out, result.err) == (0, data, b"")
    assert files_below(folder) == {}


def test_the_status_tells_whether_standard_output_got_the_right_bytes(fetch, store):
    store.put_files("repo", "old", {"a": A})
    store.blob = lambda request, data: answer(200, data[:-1] + b"!")

    result = fetch("-o", "-")

    assert result.status == 10
    result.complaint("other ones")


def test_a_reader_of_standard_output_may_go_away(regtag, store, server):
    data = bytes(4_000_000)
    store.put_files("repo", "old", {"a": data})
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as out:
        os.close(reader)
        result = regtag("fetch", f"{server.host}/repo:old", "-o", "-", stdout=out)

    assert result.status == 1
    result.complaint("cannot write to stdout")


# ---- Titles and places that would do harm


EVIL = ["../up", "/abs", "a/../b", "a//b", "./a", "a/.", "a/", "x\ny", "x\x7fy", ".regtag-x", "a/.regtag-x"]


@pytest.mark.parametrize("title", EVIL)
def test_a_title_is_only_ever_a_name(fetch, store, server, folder, title):
    store.put_files("repo", "old", {"good": A, title: B})

    result = fetch("-o", f"{folder}/new/")

    assert result.status == 10, result
    assert result.lines == [f"{folder}/new/\t-\t-\tfailed"] and len(result.complaints) == 1
    assert list(folder.iterdir()) == [] and not blob_requests(server)


@pytest.mark.parametrize("titles", [["a", "a"], ["a", "a/b"], ["a/b", "a"]])
def test_files_must_not_be_in_each_others_way(fetch, store, server, folder, titles):
    store.put_layers("repo", "old", [(A, file_layer(A, titles[0])), (B, file_layer(B, titles[1]))])

    assert fetch("-o", folder).status == 10
    assert list(folder.iterdir()) == [] and not blob_requests(server)


def test_links_are_followed_to_the_folder_but_not_below_it(fetch, store, tmp_path, folder):
    store.put_files("repo", "old", {"sub/a": A})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "link").symlink_to(folder)
    (folder / "sub").symlink_to(elsewhere)

    result = fetch("-o", tmp_path / "link")

    assert result.status == 1
    result.complaint("link/sub", "symbolic link")
    assert list(elsewhere.iterdir()) == []
    (folder / "sub").unlink()
    assert fetch("-o", tmp_path / "link").status == 0
    assert files_below(folder) == {"sub/a": A}


def make_link(path):
    (path.parent / "target").write_bytes(b"target")
    path.symlink_to("target")


@pytest.mark.parametrize(
    "make, word",
    [[os.mkdir, "folder"], [os.mkfifo, "-o - >DEVICE"], [make_link, "symbolic link"]],
    ids=["folder", "fifo", "link"],
)
def test_only_a_regular_file_is_replaced(fetch, store, server, folder, make, word):
    store.put_files("repo", "old", {"a": A, "b": B})
    make(folder / "b")
    before = sorted(folder.iterdir())

    result = fetch("-o", folder)

    assert result.status == 1
    result.complaint(f"{folder}/b", word)
    assert result.lines == [row(f"{folder}/a", A, "failed"), row(f"{folder}/b", B, "failed")]
    left = [one for one in sorted(folder.iterdir()) if one.name != partial_name(A)]
    assert left == before
    if make is make_link:
        assert (folder / "target").read_bytes() == b"target"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, make_link], ids=["folder", "fifo", "link"])
def test_something_else_may_have_the_name_of_the_partial_file(fetch, store, folder, make):
    store.put_files("repo", "old", {"a": A})
    file = old_file(folder / "file")
    make(folder / partial_name(A))

    result = fetch("-o", file)

    assert result.status == 1
    result.complaint(str(file), partial_name(A))
    assert file.read_bytes() == b"old\n"
    assert not (folder / "target").exists() or (folder / "target").read_bytes() == b"target"


def test_a_partial_file_with_another_name_is_not_written_to(fetch, store, folder):
    store.put_files("repo", "old", {"a": A})
    precious = old_file(folder / "precious")
    os.link(precious, folder / partial_name(A))

    result = fetch("-o", folder / "file")

    assert result.status == 1
    result.complaint(partial_name(A), "remove it")
    assert precious.read_bytes() == b"old\n"


# ---- Interruptions


def test_a_partial_file_is_continued(fetch, store, server, folder):
    store.put_files("repo", "old", {"a": A})
    (folder / partial_name(A)).write_bytes(A[:4000])

    result = fetch("-o", folder / "file")

    assert result.lines == [row(folder / "file", A, "fetched")]
    assert [one.value("Range") for one in blob_requests(server)] == ["bytes=4000-"]
    assert files_below(folder) == {"file": A}


def test_a_partial_file_that_has_all_is_put_in_place_without_a_request(fetch, store, server, folder):
    store.put_files("repo", "old", {"a": A})
    (folder / partial_name(A)).write_bytes(A + b"and more")

    assert fetch("-o", folder / "file").status == 0
    assert not blob_requests(server) and files_below(folder) == {"file": A}


def test_without_ranges_a_blob_starts_over(fetch, store, server, folder):
    store.put_files("repo", "old", {"a": A})
    store.ranges = False
    (folder / partial_name(A)).write_bytes(A[:4000])

    assert fetch("-o", folder / "file").status == 0
    assert files_below(folder) == {"file": A}


@pytest.mark.parametrize("size", [4000, len(A), len(A) + 1])
def test_a_wrong_partial_file_is_fetched_anew(fetch, store, server, folder, size):
    store.put_files("repo", "old", {"a": A})
    (folder / partial_name(A)).write_bytes(b"x" * size)

    assert fetch("-o", folder / "file").status == 0
    assert blob_requests(server)[-1].value("Range") is None
    assert files_below(folder) == {"file": A}


def test_wrong_bytes_are_never_put_in_place(fetch, store, folder):
    store.put_files("repo", "old", {"a": A})
    file = old_file(folder / "file")
    (folder / partial_name(A)).write_bytes(b"x" * 4000)
    store.blob = lambda request, data: store.part(request, data[:-1] + b"!")

    result = fetch("-o", file)

    assert result.status == 10
    result.complaint(str(file), "other ones")
    assert result.lines == [row(file, A, "failed")]
    assert files_below(folder) == {"file": b"old\n"}


def test_a_byte_that_is_changed_in_transit_is_noticed(fetch, store, folder):
    data = b"what there is to download"
    store.put_files("repo", "old", {"a": data})
    file = old_file(folder / "file")
    for number in range(len(data)):
        wrong = bytearray(data)
        wrong[number] ^= 1
        store.blob = lambda request, data, wrong=bytes(wrong): answer(200, wrong)
        assert fetch("-o", file).status == 10, number
        assert files_below(folder) == {"file": b"old\n"}


def test_what_was_downloaded_until_a_failure_stays_for_the_next_run(fetch, store, server, folder):
    store.put_files("repo", "old", {"a": A})
    store.blob = lambda request, data: [answer(200, data)[: -len(data)] + data[:5000], CLOSE]
    file = old_file(folder / "file")

    assert fetch("-o", file).status == 9
    assert files_below(folder) == {"file": b"old\n", partial_name(A): A[:5000]}
    store.blob = None
    assert fetch("-o", file).status == 0
    assert blob_requests(server)[-1].value("Range") == "bytes=5000-"
    assert files_below(folder) == {"file": A}


def test_a_file_that_took_the_partial_ones_name_is_not_put_in_place(fetch, store, folder):
    store.put_files("repo", "old", {"a": A})
    file, partial = old_file(folder / "file"), folder / partial_name(A)

    def respond(request, data):
        partial.unlink()
        partial.write_bytes(b"of somebody else")
        return answer(200, data)

    store.blob = respond

    result = fetch("-o", file)

    assert result.status == 1
    result.complaint(str(file), "No such file")
    assert file.read_bytes() == b"old\n"


def test_nothing_is_left_of_what_did_not_begin(fetch, store, folder):
    store.put_files("repo", "old", {"a": A})
    store.blobs.clear()

    result = fetch("-o", folder)

    assert result.status == 3 and result.lines == [row(f"{folder}/a", A, "failed")]
    assert files_below(folder) == {}


def test_of_several_files_none_is_replaced_before_all_are_there(fetch, store, server, folder):
    files = {"a": A, "b": B, "c": b"third", "d": b"fourth"}
    store.put_files("repo", "old", files)
    lost = store.blobs.pop(digest_of(b"third"))
    old_file(folder / "a")
    old_file(folder / "b", B)

    result = fetch("--json", "-o", folder)

    assert result.status == 3
    assert [(one["result"], one["status"]) for one in result.objects] == [
        ("failed", 1),
        ("unchanged", 0),
        ("failed", 3),
        ("failed", 1),
    ]
    assert "another file" in result.objects[0]["error"]
    result.complaint(f"{folder}/c")
    assert files_below(folder) == {"a": b"old\n", "b": B, partial_name(A): A}

    store.blobs[digest_of(lost)] = lost
    result = fetch("-o", folder)
    assert [line.rsplit("\t")[-1] for line in result.lines] == ["fetched", "unchanged", "fetched", "fetched"]
    assert sum(one.path.endswith(digest_of(A)) for one in blob_requests(server)) == 1
    assert files_below(folder) == files


def test_files_with_the_same_bytes_are_downloaded_once_before_any_is_replaced(fetch, store, server, folder):
    files = {"a": A, "b": A, "sub/c": A, "sub/d": A, "e": B}
    store.put_files("repo", "old", files)
    old_file(folder / "a")
    old_file(folder / "b")

    result = fetch("-o", folder)

    assert result.status == 0, result
    assert result.lines == [row(f"{folder}/{name}", data, "fetched") for name, data in files.items()]
    assert files_below(folder) == files
    assert sum(one.path.endswith(digest_of(A)) for one in blob_requests(server)) == 2  # one for each folder


def test_a_file_of_the_same_name_in_another_folder_is_not_taken_for_one_with_the_same_bytes(fetch, store, server, folder):
    store.put_files("repo", "old", {"x/a": A, "y/b": A, "y/a": A})
    (folder / "y").mkdir()
    old_file(folder / "y/a")

    assert fetch("-o", folder).status == 0
    assert files_below(folder) == {"x/a": A, "y/b": A, "y/a": A}
    assert sum(one.path.endswith(digest_of(A)) for one in blob_requests(server)) == 2  # one for each folder


def test_empty_files_are_not_copied_from_each_other(strace, store, server, folder):
    """There may be thousands of them, and each would be compared with all others."""
    names = ["a", "b", "c"]
    store.put_files("repo", "old", {name: b"" for name in names})

    result, trace = strace(["-e", "trace=openat"], ["fetch", f"{server.host}/repo:old", "-o", folder])

    assert result.status == 0
    assert files_below(folder) == {name: b"" for name in names}
    assert "openat(" in trace and '"a"' not in trace


# ---- Folders and disks


def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def test_a_full_disk_is_named(fetch, store, folder):
    store.put_files("repo", "old", {"a": A, "b": b"small"})
    old_file(folder / "a")

    result = fetch("-o", folder, preexec_fn=limited)

    assert result.status == 1
    result.complaint(f"{folder}/a: File too large")
    assert [line.rsplit("\t")[-1] for line in result.lines] == ["failed", "failed"]
    assert files_below(folder) == {"a": b"old\n", partial_name(A): A[:4096]}


def test_a_disk_that_is_full_for_a_moment_leaves_no_wrong_bytes(fetch, store, folder, tmp_path):
    """While b is copied from a, which has the same bytes, a write is cut short; the rest is downloaded."""
    data = b"".join(b"%07d\n" % line for line in range(6000))
    store.put_files("repo", "old", {"a": data, "b": data, "c": B})
    pid = tmp_path / "pid"

    def respond(request, blob):
        most = 20_000 if blob == B else resource.RLIM_INFINITY
        resource.prlimit(int(pid.read_text()), resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        return store.part(request, blob)

    store.blob = respond

    result = fetch("-o", folder, preexec_fn=lambda: pid.write_text(str(os.getpid())))

    assert result.status == 0, result
    assert files_below(folder) == {"a": data, "b": data, "c": B}


def test_the_disk_has_a_file_before_and_after_it_is_renamed(strace, store, server, folder):
    store.put_files("repo", "old", {"a": A})
    old_file(folder / "a")
    calls = "fsync,fdatasync,?rename,renameat,renameat2"

    result, trace = strace(["-y", "-e", f"trace={calls}"], ["fetch", f"{server.host}/repo:old", "-o", folder])

    assert result.status == 0
    lines = [line for line in trace.splitlines() if " = 0" in line]
    assert len(lines) == 3, trace
    assert "fsync" in lines[0] and f"/{partial_name(A)}>" in lines[0]
    assert lines[1].startswith("rename") and f'"{partial_name(A)}"' in lines[1]
    assert "fsync" in lines[2] and f"<{folder}>" in lines[2]


@pytest.mark.parametrize(
    "call, error, text",
    [
        ["write", "ENOSPC", "No space left on device"],
        ["write", "EDQUOT", "quota exceeded"],
        ["fsync", "EIO", "error"],
        ["fchmod", "EPERM", "not permitted"],
        ["?renameat,?renameat2,?rename", "EROFS", "Read-only file system"],
    ],
)
def test_what_fails_is_named_and_leaves_the_old_file(
    regtag, strace, store, server, folder, call, error, text
):
    store.put_files("repo", "old", {"a": A})
    file = old_file(folder / "a")
    args = ["fetch", f"{server.host}/repo:old", "-o", file]

    result, _ = strace(["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when=1"], args)

    assert result.status == 1
    result.complaint(str(file), text)
    assert result.lines == [row(file, A, "failed")]
    assert file.read_bytes() == b"old\n"
    assert regtag(*args).status == 0
    assert files_below(folder) == {"a": A}


@pytest.mark.parametrize("output", ["/proc/1/new", "/nonexistent/new"])
def test_a_folder_that_cannot_be_written_is_named(fetch, store, output):
    store.put_files("repo", "old", {"a": A})

    result = fetch("-o", output)

    assert result.status == 1
    result.complaint(output.rsplit("/", 1)[0])
    assert result.lines == [row(output, A, "failed")]


def test_what_was_left_long_ago_is_removed(fetch, store, folder):
    store.put_files("repo", "old", {"a": A})
    names = ["old", "new", "held", "ours"]
    partials = {name: folder / partial_name(name.encode()) for name in names}
    partials["ours"] = folder / partial_name(A)
    partials["name"] = folder / ".regtag-journal"
    for path in partials.values():
        old_file(path, A[:100])
    for name in ["old", "held", "ours", "name"]:
        os.utime(partials[name], (time.time() - WEEK - 60,) * 2)
    with open(partials["held"], "rb+") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        assert fetch("-o", folder / "file").status == 0

    left = {partials[name].name for name in ["new", "held", "name"]}
    assert {one.name for one in folder.iterdir()} == {"file", *left}


# ---- Two at once


@pytest.fixture
def held(folder):
    """The partial file, locked as by another fetch."""
    with open(folder / partial_name(A), "wb") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield file


def test_a_second_fetch_waits_for_the_first_one(regtag, store, server, folder, held):
    store.put_files("repo", "old", {"a": A})
    file = folder / "file"
    command = regtag.command("fetch", f"{server.host}/repo:old", "-o", file)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment({})
    ) as process:
        Lines(process.stderr, "stderr").next("waiting for another regtag", str(file))
        held.write(A)
        held.flush()
        os.rename(held.name, file)
        held.close()
        out = process.stdout.read()

    assert process.returncode == 0
    assert out.decode().splitlines() == [row(file, A, "unchanged")]
    assert not blob_requests(server) and files_below(folder) == {"file": A}


def test_a_second_fetch_goes_on_where_the_first_one_ended(regtag, store, server, folder, held):
    store.put_files("repo", "old", {"a": A})
    file = folder / "file"
    command = regtag.command("fetch", f"{server.host}/repo:old", "-o", file)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment({})
    ) as process:
        Lines(process.stderr, "stderr").next("waiting")
        held.write(A[:3000])
        held.close()
        out = process.stdout.read()

    assert process.returncode == 0
    assert out.decode().splitlines() == [row(file, A, "fetched")]
    assert [one.value("Range") for one in blob_requests(server)] == ["bytes=3000-"]


@pytest.mark.parametrize("third", [{}, {partial_name(A): b"of a third"}], ids=["two", "three"])
def test_another_fetch_may_finish_between_opening_and_locking(
    regtag, strace, store, server, folder, third
):
    store.put_files("repo", "old", {"a": A})
    partial, file = folder / partial_name(A), folder / "file"
    args = ["fetch", f"{server.host}/repo:old", "-o", file]
    _, trace = strace(["-e", "trace=fcntl"], args)
    locks = [number for number, line in enumerate(trace.splitlines(), 1) if "F_SETLK" in line]
    file.unlink()
    server.requests.clear()

    slow = ["-qq", "-e", "trace=fcntl", "-e", f"inject=fcntl:delay_enter=300000:when={locks[0]}"]
    command = ["strace", "-o", "/dev/null", *slow, *regtag.command(*args)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment({})) as process:
        until(partial.exists, "the partial file")
        partial.write_bytes(A)
        partial.rename(file)
        for name, data in third.items():
            (folder / name).write_bytes(data)
        out = process.stdout.read()

    assert out.decode().splitlines() == [row(file, A, "unchanged")]
    assert not blob_requests(server) and files_below(folder) == {"file": A, **third}


def test_a_second_fetch_does_not_wait_beyond_its_deadline(fetch, store, server, folder, held):
    store.put_files("repo", "old", {"a": A})

    result = fetch("-q", "-o", folder / "file", "--timeout", "1")

    assert result.status == 6
    result.complaint("another regtag", "--timeout")
    assert not blob_requests(server)


# ---- What is told meanwhile


def test_verbose_names_each_file(fetch, store, folder):
    store.put_files("repo", "old", {"a": A, "b": B})
    (folder / partial_name(B)).write_bytes(B[:100])

    result = fetch("-v", "-o", folder)

    text = result.err.decode()
    assert f"downloading from byte 0 on: {folder}/a" in text
    assert f"downloading from byte 100 on: {folder}/b" in text


def test_help_knows_it(regtag):
    text = regtag("fetch", "--help").out.decode()

    assert "-o, --output FILE|DIR|-" in text and "--layer N" in text
