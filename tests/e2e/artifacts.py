"""Artifacts as `oras push` makes them, and a registry in a dict that has blobs, too."""

import re

from fake import Shelf, answer, errors, with_fields
from images import CONFIG, OCI_CONFIG, OCI_MANIFEST, compact, descriptor, digest_of

FILE_TYPE = "application/vnd.oci.image.layer.v1.tar"
TITLE = "org.opencontainers.image.title"
UNPACK = "io.deis.oras.content.unpack"


def file_layer(data, title=None, media_type=FILE_TYPE, **more):
    """The descriptor of a file, which has a title unless it is None."""
    annotations = {} if title is None else {TITLE: title}
    annotations.update(more)
    return descriptor(media_type, data, **({"annotations": annotations} if annotations else {}))


def artifact(*layers):
    """The manifest, as bytes."""
    return compact(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, CONFIG),
            "layers": list(layers),
        }
    )


def partial_name(data):
    """What a file with these bytes is called until it is complete."""
    return ".regtag-" + digest_of(data)[len("sha256:") :][:32]


class Store(Shelf):
    """`blob(request, data)`, if set, answers requests for blobs; `ranges`: whether parts are handed out."""

    def __init__(self):
        super().__init__()
        self.blobs = {}
        self.blob = None
        self.ranges = True

    def put_files(self, repository, tag, files):
        """An artifact with these files: title to bytes."""
        self.put_layers(
            repository, tag, [(data, file_layer(data, title)) for title, data in files.items()]
        )

    def put_layers(self, repository, tag, layers):
        """An artifact: pairs of bytes and descriptor."""
        self.blobs.update({digest_of(data): data for data, _ in layers})
        self.put(repository, tag, OCI_MANIFEST, artifact(*(one for _, one in layers)))

    def usual(self, request):
        whole = self._usual(request)
        return with_fields(whole, self.fields) if isinstance(whole, bytes) else whole

    def _usual(self, request):
        _, kind, reference = request.path.rsplit("/", 2)
        if kind != "blobs":
            return super()._usual(request)
        if reference not in self.blobs:
            return errors(404, "BLOB_UNKNOWN", "blob unknown")
        respond = self.blob or self.part
        return respond(request, self.blobs[reference])

    def part(self, request, data):
        """What a well-behaved registry answers."""
        wanted = re.fullmatch(r"bytes=(\d+)-", request.value("Range") or "")
        if not wanted or not self.ranges:
            return answer(200, data)
        start = int(wanted[1])
        if start >= len(data):
            return answer(416, b"")
        where = f"Content-Range: bytes {start}-{len(data) - 1}/{len(data)}"
        return answer(206, data[start:], where)


def blob_requests(server):
    return [one for one in server.requests if "/blobs/" in one.path]
