"""100,000 devices that watch one tag, on a virtual clock: tests/adversity/herd.c."""

TITLE = "herd"
PROGRAM = "herd"
