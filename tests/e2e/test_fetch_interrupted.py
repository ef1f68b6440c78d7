"""`fetch`, ended at any point: the file is the old one or the new one, and the next run completes it."""

import os
import re
import signal
import subprocess

import pytest
from artifacts import Store, blob_requests, partial_name
from calls import every_call
from fake import STALL, Pause, answer
from program import LONG, environment
from terminal import on_a_terminal
from watcher import until

KILLED = (-signal.SIGKILL, 0)  # a run may take one step less than the one before it
OLD, SMALL = b"old\n", b"small\n" * 100
BIG = bytes(range(250)) * 40_000
POINTS = 200
AGAIN = 1_000_000  # bytes that may be downloaded twice


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def server(serve, store):
    return serve(store)


def kill_everywhere(regtag, strace, store, server, folder, titles, step):
    """Kills it at every step-th call."""
    files = {title: title.encode() + SMALL for title in titles}
    store.put_files("repo", "old", files)
    args = ["fetch", f"{server.host}/repo:old", "-o", folder]

    def reset():
        for one in folder.iterdir():
            one.unlink()
        for title in titles:
            (folder / title).write_bytes(OLD)

    reset()
    calls = every_call(strace, args, 400)
    replaced = 0
    for call, number in calls[step // 2 :: step]:
        reset()
        where = f"{call} number {number}"

        result, _ = strace(["-e", f"inject={call}:signal=KILL:when={number}"], args)

        assert result.status in KILLED, where
        for title, data in files.items():
            found = (folder / title).read_bytes()
            assert found in (OLD, data), where
            replaced += found == data
        left = {one.name for one in folder.iterdir()} - set(titles)
        assert left <= {partial_name(data) for data in files.values()}, where
        assert regtag(*args).status == 0, where
        assert {one.name: one.read_bytes() for one in folder.iterdir()} == files, where
    return replaced


@pytest.mark.parametrize("titles", [["a"], ["a", "b"]], ids=["one", "two"])
def test_killed_at_some_call_it_leaves_old_or_new(regtag, strace, store, server, tmp_path, titles):
    kill_everywhere(regtag, strace, store, server, tmp_path, titles, 20)


@pytest.mark.slow
@LONG
@pytest.mark.parametrize("titles, step", [[["a"], 1], [["a", "b"], 2]], ids=["one", "two"])
def test_killed_at_any_call_it_leaves_old_or_new(
    regtag, strace, store, server, tmp_path, titles, step
):
    step = 5 if os.environ.get("SAN") else step
    assert kill_everywhere(regtag, strace, store, server, tmp_path, titles, step) > 0


def kill_at(regtag, store, server, file, point):
    """Kills it when so many bytes have been written; how many come with the next run."""
    partial = file.parent / partial_name(BIG)
    server.requests.clear()
    store.blob = lambda request, data: [answer(200, data)[: -len(data)] + data[:point], STALL]
    command = regtag.command("fetch", f"{server.host}/repo:old", "-o", file)
    with subprocess.Popen(command, env=environment({}), stderr=subprocess.DEVNULL) as process:
        until(lambda: partial.exists() and partial.stat().st_size >= point, f"{point} bytes")
        process.kill()
    assert file.read_bytes() == OLD and partial.read_bytes() == BIG[:point]

    store.blob = None
    assert regtag(*command[1:]).status == 0
    assert file.read_bytes() == BIG and not partial.exists()
    wanted = blob_requests(server)[-1].value("Range") or "bytes=0-"
    return len(BIG) - int(wanted[len("bytes=") : -1])


def kill_at_points(regtag, store, server, folder, numbers):
    store.put_files("repo", "old", {"a": BIG})
    file = folder / "file"
    for number in numbers:
        file.write_bytes(OLD)
        point = len(BIG) * number // POINTS + 1
        again = kill_at(regtag, store, server, file, point) - (len(BIG) - point)
        assert 0 <= again <= AGAIN, point


def test_killed_in_the_middle_it_goes_on(regtag, store, server, tmp_path):
    kill_at_points(regtag, store, server, tmp_path, [0, POINTS // 2, POINTS - 1])


@pytest.mark.slow
@LONG
@pytest.mark.parametrize("first", [0, 1])  # two at a time
def test_killed_at_any_point_it_goes_on(regtag, store, server, tmp_path, first):
    kill_at_points(regtag, store, server, tmp_path, range(first, POINTS, 2))


# ---- Progress


def shown(regtag, server, file, *args):
    return on_a_terminal(regtag, "fetch", f"{server.host}/repo:old", "-o", file, *args)


@pytest.fixture
def slow_blob(store):
    """Takes more than a second."""
    store.put_files("repo", "old", {"a": BIG[:2_000_000]})
    head = lambda data: answer(200, data)[: -len(data)]
    store.blob = lambda request, data: [head(data), data[:1_000_000], Pause(1.1), data[1_000_000:]]


def test_a_terminal_shows_how_far_it_is(regtag, server, slow_blob, tmp_path):
    text = shown(regtag, server, tmp_path / "file")

    lines = text.split(b"\r\x1b[K")
    assert lines[0] == b"" and lines[-1] == b""
    assert re.fullmatch(rb"1\.0 MB of 2\.0 MB, (49|50) %, [\d.]+ [kM]B/s", lines[1]), lines


def test_quiet_shows_nothing(regtag, server, slow_blob, tmp_path):
    assert shown(regtag, server, tmp_path / "file", "-q") == b""


def test_what_is_quick_shows_nothing(regtag, store, server, tmp_path):
    store.put_files("repo", "old", {"a": SMALL})

    assert shown(regtag, server, tmp_path / "file") == b""


def test_what_has_to_be_downloaded_again_is_no_progress(regtag, store, server, slow_blob, tmp_path):
    """What an interrupted run has left turns out to be wrong."""
    (tmp_path / partial_name(BIG[:2_000_000])).write_bytes(b"x" * 1_900_000)
    whole = store.blob
    store.blob = lambda request, data: store.part(request, data) if request.value("Range") else whole(request, data)

    text = shown(regtag, server, tmp_path / "file")

    rates = [int(one) for one in re.findall(rb", (\d+)(?:\.\d)? [kM]B/s", text)]
    assert rates and max(rates) < 10_000, text
