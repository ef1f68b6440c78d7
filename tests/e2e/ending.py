"""Ends a process that a test has started."""

import subprocess


def end(process, patience=20):
    """Asks it to end, and so to end what it has started itself; after so many seconds, makes it."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(patience)
