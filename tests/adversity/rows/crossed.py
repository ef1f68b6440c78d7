"""An answer never answers another request: tests/adversity/crossed.c."""

TITLE = "crossed"
PROGRAM = "crossed"
