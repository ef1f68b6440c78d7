"""`watch --fetch`: an artifact's files are in place before COMMAND runs, or it does not run."""

import pytest
from artifacts import Store, blob_requests, partial_name
from images import digest_of
from watcher import RARELY, shell

pytest_plugins = ["watch_fixtures"]

FIRST = {"a": b"first a\n", "b": b"first b\n"}
SECOND = {"a": b"second a\n", "b": b"second b\n"}


@pytest.fixture
def shelf():
    """The registry: watch_fixtures serves it."""
    store = Store()
    store.put_files("repo", "old", FIRST)
    return store


@pytest.fixture
def folder(tmp_path):
    one = tmp_path / "to"
    one.mkdir()
    return one


def digest(shelf):
    return digest_of(shelf.document("repo", "old"))


def files_of(folder):
    return {one.name: one.read_bytes() for one in folder.iterdir()}


def test_files_are_in_place_before_the_command_runs(watch, shelf, watched, folder):
    install = shell(f"cat '{folder}'/*; echo $REGTAG_NEW")
    watcher = watch(watched, "--fetch", folder, *RARELY, command=install)
    watcher.err.next("watching")
    assert files_of(folder) == {}
    shelf.put_files("repo", "old", SECOND)
    watcher.ask_now()

    lines = [watcher.out.next() for _ in range(4)]
    assert digest(shelf) in lines[0]
    assert lines[1:] == ["second a", "second b", digest(shelf)]
    assert files_of(folder) == SECOND


def test_a_device_that_has_nothing_says_so(regtag, shelf, watched, tmp_path):
    result = regtag("watch", "--once", "--from", "absent", "--fetch", tmp_path / "new", watched)

    assert result.status == 0 and result.lines == [f"-\t{digest(shelf)}"]
    assert files_of(tmp_path / "new") == FIRST


def test_old_files_stay_if_the_download_fails_and_it_is_tried_again(
    watch, shelf, server, watched, folder
):
    for name, data in FIRST.items():
        (folder / name).write_bytes(data)
    watcher = watch(
        watched, "--retries", "0", "--fetch", folder, *RARELY, command=["echo", "installed"]
    )
    watcher.err.next("watching")
    shelf.put_files("repo", "old", SECOND)
    lost = shelf.blobs.pop(digest_of(SECOND["b"]))
    watcher.ask_now()

    watcher.err.next(f"{folder}/b", "will be fetched again at the next check")
    assert files_of(folder) == {**FIRST, partial_name(SECOND["a"]): SECOND["a"]}
    assert watcher.out.seen == []
    shelf.blobs[digest_of(lost)] = lost
    watcher.ask_now()

    watcher.out.next(digest(shelf))
    watcher.out.next("installed")
    watcher.err.next(f"{folder} is up to date, after 1 failure")
    assert files_of(folder) == SECOND
    assert sum(one.path.endswith(digest_of(SECOND["a"])) for one in blob_requests(server)) == 1


def test_files_that_the_command_has_taken_are_fetched_again(watch, watched, folder, tmp_path):
    install = shell(f"mv '{folder}/a' '{tmp_path}/taken' && test -e '{tmp_path}/good'")
    watcher = watch(watched, "--from", "absent", "--fetch", folder, *RARELY, command=install)
    watcher.err.next("status 1", "run again")
    assert sorted(files_of(folder)) == ["b"]
    (tmp_path / "good").touch()
    watcher.ask_now()

    watcher.err.next("succeeded")
    assert (tmp_path / "taken").read_bytes() == FIRST["a"]


def test_with_once_a_failed_download_ends_it(regtag, shelf, watched, folder):
    shelf.blobs.clear()

    result = regtag(
        "watch", "-q", "--once", "--from", "absent", "--fetch", folder, watched, "--", "echo", "run"
    )

    assert result.status == 3 and result.out == b""
    result.complaint(f"{folder}/a")


def test_a_tag_that_is_deleted_leaves_the_files(watch, shelf, watched, folder):
    (folder / "a").write_bytes(b"mine")
    watcher = watch(watched, "--fetch", folder, *RARELY, command=["echo", "told"])
    watcher.err.next("watching")
    shelf.remove("repo", "old")
    watcher.ask_now()

    watcher.out.next("told")
    assert files_of(folder) == {"a": b"mine"}


def test_checks_go_on_after_a_download(watch, shelf, watched, folder):
    watcher = watch(watched, "--from", "absent", "--fetch", folder, *RARELY)
    watcher.out.next(digest(shelf))
    for files in [SECOND, FIRST]:
        shelf.put_files("repo", "old", files)
        watcher.ask_now()
        watcher.out.next(digest(shelf))
        assert files_of(folder) == files
