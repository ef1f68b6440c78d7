"""What the tests of `copy` share: images of several kinds, and servers that take blobs and see what is asked."""

import itertools
import json
import re

from artifacts import Store
from fake import answer, bodiless, errors
from images import (
    CONFIG,
    LAYER,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    compact,
    descriptor,
    digest_of,
    layer,
)

HOP_BY_HOP = {"connection", "transfer-encoding", "date"}
ARM_CONFIG = json.dumps({"architecture": "arm64", "os": "linux"}).encode()
ARM_LAYER = layer(b"for arm64\n")[1]


def child(config, *layers):
    return compact(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, config),
            "layers": [descriptor(OCI_LAYER, one) for one in layers],
        }
    )


AMD = child(CONFIG, LAYER)
ARM = child(ARM_CONFIG, ARM_LAYER, LAYER)
INDEX = compact(
    {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            descriptor(OCI_MANIFEST, one, platform={"os": "linux", "architecture": architecture})
            for one, architecture in ((AMD, "amd64"), (ARM, "arm64"))
        ],
    }
)
BLOBS = [CONFIG, LAYER, ARM_CONFIG, ARM_LAYER]


def push_index(registry, repository, tag):
    """An index of two images, which share a layer; its digest."""
    for blob in BLOBS:
        registry.push_blob(repository, blob)
    for one in (AMD, ARM):
        registry.push(repository, digest_of(one), OCI_MANIFEST, one)
    return registry.push(repository, tag, OCI_INDEX, INDEX)


def behind(registry, tls=False):
    """A function from a request to what the registry answers. Credentials are not passed on."""

    def respond(request):
        fields = {name: value for name, value in request.fields if name != "Authorization"}
        if tls:
            fields["X-Forwarded-Proto"] = "https"
        status, headers, body = registry.request(
            request.method, request.target, request.body or None, fields
        )
        kept = [f"{name}: {value}" for name, value in headers.items() if name.lower() not in HOP_BY_HOP]
        return answer(status, body, *kept, framed="Content-Length" not in headers)

    return respond


class Pantry(Store):
    """A registry in a dict with blobs in it, which can be pushed, each in one piece."""

    def __init__(self):
        super().__init__()
        self._uploads = {}
        self._numbers = itertools.count()

    def _usual(self, request):
        if "/blobs/" not in request.path or request.method == "GET":
            return super()._usual(request)
        if request.method == "HEAD":
            return bodiless(answer(200 if request.path.rpartition("/")[2] in self.blobs else 404))
        if request.method == "POST":
            return answer(202, b"", f"Location: {request.path}{next(self._numbers)}")
        if request.method == "PATCH":
            self._uploads[request.path] = request.body
            return answer(202, b"", f"Location: {request.path}", f"Range: 0-{len(request.body) - 1}")
        if request.method == "DELETE":  # it was given up
            return answer(204)
        data = self._uploads[request.path]
        self.blobs[digest_of(data)] = data
        return answer(201)


def changes(requests):
    """Those that change something in a registry."""
    return [one for one in requests if one.method not in ("GET", "HEAD")]


def of_blobs(requests):
    return [one for one in requests if "/blobs/" in one.path]


class CopyGate:
    """In front of a registry with blobs: wants a token for the repository, to push if it is to be changed, and one to
    pull for a repository from which something is mounted.
    """

    def __init__(self, registry, allows, challenge):
        self._registry = registry
        self._allows = allows
        self._challenge = f"WWW-Authenticate: {challenge}"

    def __call__(self, request):
        repository = re.split("/(?:blobs|manifests|tags|referrers)/", request.path.removeprefix("/v2/"))[0]
        action = "pull" if request.method in ("GET", "HEAD") else "push"
        wanted = [(repository, action)]
        if source := re.search("from=([^&]+)", request.query):
            wanted.append((source[1], "pull"))
        if all(self._allows(request.value("Authorization"), *one) for one in wanted):
            return self._registry(request)
        refused = errors(401, "UNAUTHORIZED", "authentication required", self._challenge)
        return bodiless(refused) if request.method == "HEAD" else refused
