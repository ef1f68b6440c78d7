"""How the files that a program reads are renewed while it runs."""

import os


class InPlace:
    """Written over."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def put(self, **files):
        """Each name gets this content, private to its owner."""
        for name, content in files.items():
            path = self.folder / name
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())


class Renamed(InPlace):
    """Written beside, and renamed over the old one."""

    def put(self, **files):
        super().put(**{f"{name}.new": content for name, content in files.items()})
        for name in files:
            os.replace(self.folder / f"{name}.new", self.folder / name)


class Relinked(InPlace):
    """As Kubernetes does it: each name leads through the link ..data to a directory, and the link
    is moved to another one."""

    def __init__(self, folder):
        super().__init__(folder)
        self._count = 0

    def put(self, **files):
        self._count += 1
        version = self.folder / f"..2026_{self._count}"
        InPlace(version).put(**files)
        (self.folder / "..new").symlink_to(version.name)
        os.replace(self.folder / "..new", self.folder / "..data")
        for name in files:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")


WAYS = [InPlace, Renamed, Relinked]
