"""A sample of every row of tests/adversity, and what all of them rest on: without a fault, nothing is broken."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TOP
from fronts import needs_tls, unpacked
from program import LONG

HERE = TOP / "tests/adversity"
sys.path.append(str(HERE))

from scenes import SCENES  # noqa: E402
from stage import Stage  # noqa: E402
from traced import QUIET, calls_of, missing, with_fault  # noqa: E402

ROWS = sorted(path.stem for path in Path(HERE / "rows").glob("[a-z]*.py"))
SAMPLE, FEW = "6", "2"
SLOW = {"slow", "crowd"}
TRACED = {"calls", "kills"}
LIMIT = 400  # seconds


@pytest.fixture(scope="module")
def stage():
    with Stage() as one:
        yield one


@pytest.mark.parametrize("name", SCENES)
def test_without_a_fault_a_scene_is_new_and_breaks_nothing(stage, name):
    scene = stage.scene(name)
    if not scene.reads_only:
        assert scene.state() == "old"

    assert stage.play(scene) == []
    assert scene.state() == "new"


@pytest.mark.slow
@pytest.mark.parametrize("row", [pytest.param(row, marks=LONG) if row == "bombs" else row for row in ROWS])
def test_a_sample_of_a_row_breaks_nothing(stage, regtag, row):
    if row in TRACED and missing(stage):
        pytest.skip("programs cannot be traced here")
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")  # for the certificates and signatures of its scenes
    if row == "crowd" and not os.environ.get("REGISTRY"):
        unpacked("docker-registry", "usr/bin/docker-registry")  # which skips the test where it is not to be had
    sample = FEW if row in SLOW else SAMPLE
    command = [HERE / "run", "--sample", sample, "--jobs", "1", row]
    done = subprocess.run(
        command, env={**os.environ, "REGTAG": regtag.path}, stdout=subprocess.PIPE, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")


@needs_tls
def test_a_ca_file_that_cannot_be_read_in_the_handshake_is_no_fault_of_the_peer(stage):
    if missing(stage):
        pytest.skip("programs cannot be traced here")
    calls = calls_of(stage, stage.scene("tag-tls"))
    opened = [one for one in calls if one.name == "openat" and one.what.endswith(".crt")]
    assert len(opened) == 2  # to check it, and in the handshake

    before = with_fault(opened[1], errno.EMFILE)
    scene = stage.scene("tag-tls")
    result, _ = stage.player.run(scene, before=before, env=QUIET)

    assert (result.status, scene.state()) == (2, "old")
    result.complaint("--cacert", ".crt", "too many open files")
