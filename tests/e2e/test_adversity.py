"""A sample of every row of tests/adversity, and what all of them rest on: without a fault, nothing is broken."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TOP

HERE = TOP / "tests/adversity"
sys.path.append(str(HERE))

from scenes import SCENES  # noqa: E402
from stage import Stage  # noqa: E402

ROWS = sorted(path.stem for path in Path(HERE / "rows").glob("[a-z]*.py"))
SAMPLE = "12"
LIMIT = 120  # seconds


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


@pytest.mark.parametrize("row", ROWS)
def test_a_sample_of_a_row_breaks_nothing(regtag, row):
    command = [HERE / "run", "--sample", SAMPLE, "--jobs", "1", row]
    done = subprocess.run(
        command, env={**os.environ, "REGTAG": regtag.path}, stdout=subprocess.PIPE, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")
