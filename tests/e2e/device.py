"""A device: a root file system of its own for the program."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from board import emulator
from namespaces import changed_root


class Device:
    """There are the libraries that the program needs, and nothing else that a test has not put
    there. So /etc is as the test wants it, and that of this machine stays as it is.
    """

    def __init__(self, regtag, folder):
        self._regtag = regtag
        self.folder = folder

    def prepare(self):
        """Skips the test where that is not allowed."""
        tried = self._regtag.run([*changed_root("/"), "true"])
        if tried.status != 0:
            pytest.skip(f"no root file system of one's own here: {tried.err.decode(errors='replace').strip()}")
        program = Path(os.environ.get("STATIC") or self._regtag.path)
        shared = subprocess.run(
            ["ldd", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        for library in re.findall(r"(?:=> |^\s+)(/\S+) \(", shared.stdout, re.MULTILINE):
            self.put(library, Path(library).read_bytes())
            (self.folder / library[1:]).chmod(0o755)
        self.put("/regtag", program.read_bytes())
        (self.folder / "regtag").chmod(0o755)
        if emulator():
            self.put("/emulator", Path(shutil.which(emulator()[0])).read_bytes())
            (self.folder / "emulator").chmod(0o755)

    def put(self, path, content):
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content)

    def command(self, *args, **options):
        _, *words = self._regtag.command(*args, **options)
        started = ["/emulator", *emulator()[1:], "/regtag"] if emulator() else ["/regtag"]
        return [*changed_root(self.folder), *started, *words]

    def __call__(self, *args, **options):
        return self._regtag.run(self.command(*args), **options)
