"""What `save` has written, read by Python's tarfile."""

import json
import tarfile

from images import digest_of

REF_NAME, FULL_NAME = "org.opencontainers.image.ref.name", "io.containerd.image.name"
LAYOUT = {"imageLayoutVersion": "1.0.0"}


class Saved:
    """An archive: its files in their order, name to bytes. Each is there once, and what is named by a digest has it."""

    def __init__(self, path, mode="r:"):
        self.files = {}
        with tarfile.open(path, mode) as archive:
            for member in archive:
                assert (member.isreg() or member.isdir()) and member.name not in self.files, member
                found = (member.mode, member.uid, member.gid, member.mtime, member.uname, member.gname)
                assert found == (0o755 if member.isdir() else 0o644, 0, 0, 0, "", ""), found
                self.files[member.name] = None if member.isdir() else archive.extractfile(member).read()
        assert list(self.files)[:4] == ["oci-layout", "index.json", "blobs", "blobs/sha256"]
        self.files = {name: data for name, data in self.files.items() if data is not None}
        names = list(self.files)
        assert json.loads(self.files["oci-layout"]) == LAYOUT
        self.digests = ["sha256:" + one.removeprefix("blobs/sha256/") for one in names[2:]]
        assert self.digests == [digest_of(data) for data in self.blobs]
        self.index = json.loads(self.files["index.json"])

    @property
    def blobs(self):
        """Manifests first."""
        return list(self.files.values())[2:]

    @property
    def names(self):
        """The images: full name, tag if there is one, digest. Their descriptors are right."""
        for one in self.index["manifests"]:
            assert len(self.files[f"blobs/sha256/{one['digest'][7:]}"]) == one["size"]
            assert set(one["annotations"]) <= {REF_NAME, FULL_NAME}
        return [
            (one["annotations"][FULL_NAME], one["annotations"].get(REF_NAME), one["digest"])
            for one in self.index["manifests"]
        ]
