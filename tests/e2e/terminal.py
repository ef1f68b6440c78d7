"""A terminal that is a program's standard error."""

import contextlib
import os
import subprocess

from program import environment


def on_a_terminal(regtag, *args):
    """What comes out on it, of a run that succeeds."""
    terminal, theirs = os.openpty()
    text = b""
    with subprocess.Popen(
        regtag.command(*args), env=environment({}), stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        with os.fdopen(terminal, "rb", buffering=0) as reader, contextlib.suppress(OSError):
            while part := reader.read(65536):  # OSError: the other end is closed
                text += part
    assert process.returncode == 0
    return text
