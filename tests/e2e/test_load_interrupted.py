"""`load` of damaged files, and killed at any point: no tag but the right one, and the next run completes it."""

import os
import random
import signal
import subprocess
import threading

import pytest
from bundles import SMALL, layout, named, pack, unpack
from calls import every_call
from copies import AMD, Pantry, child
from images import CONFIG, LAYER, digest_of
from program import LONG, environment
from test_copy_interrupted import Cutter

KILLED = (-signal.SIGKILL, 0)
USED = len(pack(SMALL).rstrip(b"\0"))
PACKED = pack(SMALL)[: USED + -USED % 512 + 1024]  # with the two empty blocks, and nothing after them
POINTS = 200
BIG = random.Random(2).randbytes(10_000_000)
BIG_IMAGE = child(CONFIG, BIG)


@pytest.fixture
def pantry(serve):
    one = Pantry()
    one.host = serve(one).host
    return one


def is_there(pantry):
    """Whether the tag is; then all of the image is, too."""
    found = pantry.document("repo", "new")
    assert found in (None, AMD)
    assert not found or {digest_of(CONFIG), digest_of(LAYER)} <= set(pantry.blobs)
    return found is not None


def empty(pantry):
    pantry.manifests.clear()
    pantry.blobs.clear()


# ---- Damaged files ------------------------------------------------------------------------------------------------------


def cut_off(regtag, pantry, path, points):
    for size in points:
        path.write_bytes(PACKED[:size])

        result = regtag("load", path, f"{pantry.host}/repo:new")

        assert result.status in (2, 10), (size, result)
        assert result.complaints and not is_there(pantry), (size, result)
        empty(pantry)


def changed(regtag, pantry, path, points):
    """How often that made no difference: in an annotation, or in what is no file's."""
    harmless = 0
    for at in points:
        path.write_bytes(PACKED[:at] + bytes([PACKED[at] ^ 1]) + PACKED[at + 1 :])

        result = regtag("load", path, f"{pantry.host}/repo:new")

        assert is_there(pantry) == (result.status == 0), (at, result)
        harmless += result.status == 0
        empty(pantry)
    return harmless


def test_cut_off_at_some_byte(regtag, pantry, tmp_path):
    cut_off(regtag, pantry, tmp_path / "tar", [*range(0, len(PACKED), 409), len(PACKED) - 1])


@pytest.mark.slow
@LONG
def test_cut_off_at_any_byte(regtag, pantry, tmp_path):
    cut_off(regtag, pantry, tmp_path / "tar", range(len(PACKED)))


def test_some_byte_is_changed(regtag, pantry, tmp_path):
    changed(regtag, pantry, tmp_path / "tar", range(7, len(PACKED), 211))


@pytest.mark.slow
@LONG
def test_any_byte_is_changed(regtag, pantry, tmp_path):
    assert 0 < changed(regtag, pantry, tmp_path / "tar", range(len(PACKED))) < len(PACKED) // 2


# ---- Killed ------------------------------------------------------------------------------------------------------------


def kill_everywhere(regtag, strace, pantry, path, step):
    """Kills it at every step-th call; how often the tag was there already."""
    args = ["load", "--jobs", 1, path, f"{pantry.host}/repo:new"]
    calls = every_call(strace, args, 400)
    there = 0
    for call, number in calls[step // 2 :: step]:
        empty(pantry)

        result, _ = strace(["-e", f"inject={call}:signal=KILL:when={number}"], args)

        assert result.status in KILLED, (call, number)
        there += is_there(pantry)
        assert regtag(*args).status == 0 and is_there(pantry), (call, number)
    return there


@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_killed_at_some_call_the_next_run_completes_it(regtag, strace, pantry, tmp_path, kind):
    path = tmp_path / "tar"
    path.write_bytes(PACKED)
    path = path if kind == "archive" else unpack(SMALL, tmp_path / "folder")
    kill_everywhere(regtag, strace, pantry, path, 15)


@pytest.mark.slow
@LONG
@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_killed_at_any_call_the_next_run_completes_it(regtag, strace, pantry, tmp_path, kind):
    path = tmp_path / "tar"
    path.write_bytes(PACKED)
    path = path if kind == "archive" else unpack(SMALL, tmp_path / "folder")
    step = 5 if os.environ.get("SAN") else 1
    assert kill_everywhere(regtag, strace, pantry, path, step) > 0


def kill_at_points(regtag, registry, repository, path, numbers):
    path.write_bytes(pack(layout([named(BIG_IMAGE, "v1")], BIG_IMAGE, CONFIG, BIG)))
    with Cutter(registry.port) as relay:
        for number in numbers:
            place, reached = f"{repository}/{number}", threading.Event()
            relay.arm(len(BIG) * number // POINTS + 1, True, reached.set)
            command = regtag.command("load", path, f"{relay.host}/{place}:new")
            with subprocess.Popen(
                command, env=environment({}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                assert reached.wait(60), number
                process.kill()
            relay.hang_up()
            assert registry.digest(place, "new") in (None, digest_of(BIG_IMAGE))

            relay.arm(None)
            assert regtag(*command[1:]).status == 0
            assert registry.digest(place, "new") == digest_of(BIG_IMAGE)
            _, _, found = registry.request("GET", f"/v2/{place}/blobs/{digest_of(BIG)}")
            assert found == BIG


def test_killed_at_some_point_the_next_run_completes_it(regtag, registry, repository, tmp_path):
    kill_at_points(regtag, registry, repository, tmp_path / "tar", [1, POINTS // 2, POINTS])


@pytest.mark.slow
@LONG
def test_killed_at_any_point_the_next_run_completes_it(regtag, registry, repository, tmp_path):
    kill_at_points(regtag, registry, repository, tmp_path / "tar", range(POINTS))


# ---- A connection that breaks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
def test_a_file_is_read_again_and_a_pipe_is_not(regtag, registry, repository, tmp_path, piped):
    """The registry has had less than was read."""
    path = tmp_path / "tar"
    path.write_bytes(pack(layout([named(BIG_IMAGE, "v1")], BIG_IMAGE, CONFIG, BIG)))
    with Cutter(registry.port) as relay, open(path, "rb") as file:

        def break_once():
            relay.arm(None)
            relay.hang_up()

        relay.arm(5_000_000, True, break_once)
        command = ["load", "-" if piped else path, f"{relay.host}/{repository}:new"]
        with subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) as cat:
            result = regtag(*command, retries=2, stdin=cat.stdout)
            cat.stdout.close()

    if result.status and piped:
        assert result.status == 2, result
        result.complaint("cannot be read twice", "to a file first")
    else:
        assert result.status == 0 and registry.digest(repository, "new") == digest_of(BIG_IMAGE), result
