"""`watch --fetch`: an artifact's files are in place before COMMAND runs, or it does not run."""

import pytest
from artifacts import Store, blob_requests, partial_name
from fake import CLOSE, errors
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


# ---- A store in trouble: of many devices, each may ask again ------------------------------------------


def failing(*fields):
    return lambda request, data: errors(503, "UNKNOWN", "away", *fields)


def blob_requests_of_a_check(watcher, server):
    """How often the store was asked in the check that has just ended."""
    watcher.err.next("checking again in")
    count = len(blob_requests(server))
    server.requests.clear()
    return count


def test_while_downloads_fail_each_check_tries_once(watch, shelf, server, watched, folder):
    shelf.put_files("repo", "old", {"a": b"first a\n"})
    shelf.blob = failing()
    watcher = watch(watched, "-v", "--from", "absent", "--fetch", folder, *RARELY)
    watcher.err.next("attempt 1 of 3 failed", "HTTP 503")
    watcher.err.next("will be fetched again at the next check")
    assert blob_requests_of_a_check(watcher, server) == 3
    for _ in range(2):
        watcher.ask_now()
        watcher.err.next("* ", f"{folder}/a", "HTTP 503")
        assert blob_requests_of_a_check(watcher, server) == 1

    shelf.blob = None
    watcher.ask_now()
    watcher.err.next("is up to date, after 3 failures")
    assert blob_requests_of_a_check(watcher, server) == 1
    shelf.put_files("repo", "old", {"a": b"second a\n"})
    shelf.blob = failing()
    watcher.ask_now()
    assert blob_requests_of_a_check(watcher, server) == 3


def test_the_limit_of_the_user_holds_for_downloads(watch, shelf, server, watched, folder):
    shelf.blob = failing()
    watcher = watch(watched, "-v", "--retries", 1, "--from", "absent", "--fetch", folder, *RARELY)
    assert blob_requests_of_a_check(watcher, server) == 2


def test_with_once_there_is_no_next_check_to_wait_for(regtag, shelf, server, watched, folder):
    shelf.blob = failing()
    once = ["--once", "--from", "absent", "--fetch", folder]
    assert regtag("watch", *once, watched, retries=3).status == 17
    assert len(blob_requests(server)) == 4


def test_a_download_that_gets_on_is_not_given_up(watch, shelf, server, watched, folder):
    data = bytes(range(256)) * 2000
    shelf.put_files("repo", "old", {"a": data})
    shelf.blob = failing()
    watcher = watch(watched, "-v", "--from", "absent", "--fetch", folder, *RARELY)
    assert blob_requests_of_a_check(watcher, server) == 3

    def in_parts(request, whole):
        head, _, rest = shelf.part(request, whole).partition(b"\r\n\r\n")
        return [head + b"\r\n\r\n" + rest[:100_000], *([CLOSE] if len(rest) > 100_000 else [])]

    shelf.blob = in_parts
    watcher.ask_now()
    assert blob_requests_of_a_check(watcher, server) == 1
    watcher.ask_now()
    watcher.err.next("is up to date, after 2 failures")
    assert blob_requests_of_a_check(watcher, server) > 3
    assert files_of(folder) == {"a": data}


def test_a_store_that_asks_for_a_pause_gets_it(watch, shelf, server, watched, folder):
    shelf.blob = failing("Retry-After: 5000")
    rarely = ["--interval", 1000, "--jitter", 0, "--retries", 0]
    watcher = watch(watched, "-v", "--from", "absent", "--fetch", folder, *rarely)
    watcher.err.next("asks for a pause", "1 h 23 min")
    watcher.err.next("checking again in 1 h 23 min")
    shelf.blob = None
    watcher.ask_now()
    watcher.err.next("checking again in 16 min 40 s")
