"""OCI image layouts, as folders and as tar files, as several programs write them."""

import io
import json
import tarfile

from copies import AMD, ARM, BLOBS, INDEX
from images import CONFIG, LAYER, OCI_INDEX, OCI_MANIFEST, compact, descriptor, digest_of

REF_NAME = "org.opencontainers.image.ref.name"
FULL_NAME = "io.containerd.image.name"
MARK = ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


def blob(data):
    return "blobs/sha256/" + digest_of(data)[len("sha256:") :], data


def entry(manifest, media_type=OCI_MANIFEST, **annotations):
    """A line of index.json."""
    more = {"annotations": annotations} if annotations else {}
    return descriptor(media_type, manifest, **more)


def named(manifest, name, media_type=OCI_MANIFEST):
    return entry(manifest, media_type, **{REF_NAME: name})


def index(*entries):
    return "index.json", compact({"schemaVersion": 2, "manifests": list(entries)})


def layout(entries, *contents):
    """Names and bytes of its files, in the order that regtag save has."""
    return [MARK, index(*entries), *map(blob, contents)]


SMALL = layout([named(AMD, "v1")], AMD, CONFIG, LAYER)
WHOLE = layout([named(INDEX, "v1", OCI_INDEX)], INDEX, AMD, ARM, *BLOBS)


def pack(files, tar_format=tarfile.USTAR_FORMAT, prefix=""):
    """A tar file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as archive:
        for name, data in files:
            one = tarfile.TarInfo(prefix + name)
            one.size = len(data)
            archive.addfile(one, io.BytesIO(data))
    return out.getvalue()


def unpack(files, folder):
    for name, data in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def by_containerd(files, name):
    """As docker save writes it, from 25 on: sorted, with folders, and a manifest.json for older dockers."""
    _, text = dict_of(files)["index.json"]
    document = json.loads(text)
    for one in document["manifests"]:
        one["annotations"] = {FULL_NAME: f"docker.io/library/{name}", REF_NAME: name.rpartition(":")[2]}
    more = [("index.json", compact(document)), ("manifest.json", b"[]"), ("repositories", b"{}")]
    return sorted([(one, data) for one, data in files if one != "index.json"] + more)


def dict_of(files):
    return {name: (name, data) for name, data in files}
