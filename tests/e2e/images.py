"""Images and their documents, made on the spot."""

import gzip
import hashlib
import io
import json
import tarfile

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

LIMIT = 4 * 1024 * 1024  # the largest manifest


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(text):
    """A layer with one small file in it: the tar and what is stored of it, compressed."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo("etc/motd")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return plain.getvalue(), gzip.compress(plain.getvalue(), mtime=0)


LAYER_TAR, LAYER = layer(b"made on the spot\n")

CONFIG = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(LAYER_TAR)]},
        "history": [{"created": "2024-02-01T10:00:00Z", "created_by": "COPY motd /etc/motd"}],
    }
).encode()


def descriptor(media_type, data, **more):
    return {"mediaType": media_type, "size": len(data), "digest": digest_of(data), **more}


def docker_manifest():
    return {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": descriptor(DOCKER_CONFIG, CONFIG),
        "layers": [descriptor(DOCKER_LAYER, LAYER)],
    }


def oci_manifest(**more):
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, CONFIG),
        "layers": [descriptor(OCI_LAYER, LAYER)],
        **more,
    }


def oci_index(*children):
    return {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor(OCI_MANIFEST, one, platform=platform()) for one in children],
    }


def docker_list(*children):
    return {
        "schemaVersion": 2,
        "mediaType": DOCKER_LIST,
        "manifests": [descriptor(DOCKER_MANIFEST, one, platform=platform()) for one in children],
    }


def platform():
    return {"architecture": "amd64", "os": "linux"}


def compact(document):
    return json.dumps(document, separators=(",", ":")).encode()


def docker_style(document):
    """As Docker writes it: three spaces of indentation, no newline at the end."""
    return json.dumps(document, indent=3).encode()


def padded(document, length):
    """The document with an annotation that makes it exactly so long."""
    bare = len(compact({**document, "annotations": {"padding": ""}}))
    return compact({**document, "annotations": {"padding": "x" * (length - bare)}})
