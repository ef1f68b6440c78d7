"""A device: a root file system of its own for the program."""

import os
import re
import subprocess
from pathlib import Path


class Device:
    """There are the libraries that the program needs, and nothing else that a test has not put
    there. So /etc is as the test wants it, and that of this machine stays as it is.
    """

    def __init__(self, regtag, folder):
        self._regtag = regtag
        self.folder = folder

    def prepare(self):
        program = Path(self._regtag.path)
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

    def put(self, path, content):
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content)

    def __call__(self, *args, **options):
        _, *words = self._regtag.command(*args)
        changed = ["chroot", self.folder, "/regtag", *words]
        if os.geteuid() != 0:
            changed = ["unshare", "-r", *changed]
        return self._regtag.run(changed, **options)
