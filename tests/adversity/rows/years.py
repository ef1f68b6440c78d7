"""A million checks by `watch`, every tenth of which fails: tests/adversity/years."""

from pathlib import Path

TITLE = "years"
PROGRAM = str(Path(__file__).resolve().parent.parent / "years")
