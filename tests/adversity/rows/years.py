"""A million checks by `watch`, every tenth of which fails: tests/adversity/years."""

from pathlib import Path

TITLE = "years"
PROGRAM = Path(__file__).resolve().parent.parent / "years"
