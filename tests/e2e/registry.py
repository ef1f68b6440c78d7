"""A real docker-registry on a free port, and what a test needs to put into it and read from it."""

import http.client
import re
import shutil
import subprocess
import time

from ending import end
from images import (
    CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    LAYER,
    OCI_INDEX,
    OCI_MANIFEST,
    digest_of,
)

EVERY_TYPE = ", ".join([OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST])
LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)")


class Registry:
    """Use as a context manager. The folder outlives it: another one may serve it again."""

    def __init__(self, binary, folder, read_only=False, delete=False, schema1=False, tls=None):
        self._binary = binary
        self._folder = folder
        self._config = _configuration(folder, read_only, delete, schema1, tls)
        self._process = None
        self.port = None

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self._process.pid

    def __enter__(self):
        config = self._folder / "registry.yml"
        config.write_text(self._config)
        log = self._folder / "registry.log"
        with open(log, "wb") as out:
            self._process = subprocess.Popen(
                [self._binary, "serve", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={"OTEL_TRACES_EXPORTER": "none"},
            )
        self.port = self._wait_for_port(log)
        return self

    def __exit__(self, *_):
        end(self._process)

    def come_back(self):
        """Starts it again after it was stopped, on the same port."""
        self._config = self._config.replace("addr: 127.0.0.1:0", f"addr: {self.host}")
        return self.__enter__()

    def _wait_for_port(self, log):
        for _ in range(600):
            found = LISTENING.search(log.read_text(errors="replace"))
            if found:
                return int(found[1])
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        self.__exit__()
        raise RuntimeError("docker-registry did not start:\n" + log.read_text(errors="replace"))

    def request(self, method, path, body=None, headers=None):
        """The status, the header fields and the body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def forget(self, repository, tags):
        """As if these tags had never been: so that whoever is measured does not find its work done."""
        links = (
            self._folder
            / "storage/docker/registry/v2/repositories"
            / repository
            / "_manifests/tags"
        )
        for tag in tags:
            shutil.rmtree(links / tag, ignore_errors=True)

    def push_blob(self, repository, data):
        status, headers, body = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        _expect(202, status, body)
        location = headers["Location"].split(f":{self.port}", 1)[-1]
        status, _, body = self.request(
            "PUT",
            f"{location}&digest={digest_of(data)}",
            data,
            {"Content-Type": "application/octet-stream"},
        )
        _expect(201, status, body)

    def push(self, repository, reference, media_type, document):
        """Puts a manifest there, byte for byte; its digest."""
        path = f"/v2/{repository}/manifests/{reference}"
        status, headers, body = self.request("PUT", path, document, {"Content-Type": media_type})
        _expect(201, status, body)
        return headers["Docker-Content-Digest"]

    def push_image(self, repository, reference, media_type, document):
        """A manifest and the blobs that it names."""
        self.push_blob(repository, CONFIG)
        self.push_blob(repository, LAYER)
        return self.push(repository, reference, media_type, document)

    def fetch(self, repository, reference, accept=EVERY_TYPE):
        """The media type, the digest and the bytes of a manifest; None for each where none is."""
        path = f"/v2/{repository}/manifests/{reference}"
        # docker-registry 2.8 answers 500 while a tag's link is being written: no more than a moment.
        for _ in range(100):
            status, headers, body = self.request("GET", path, None, {"Accept": accept})
            if status != 500:
                break
            time.sleep(0.05)
        if status == 404:
            return None, None, None
        _expect(200, status, body)
        return headers["Content-Type"], headers["Docker-Content-Digest"], body

    def digest(self, repository, reference):
        return self.fetch(repository, reference)[1]


def _expect(wanted, status, body):
    if status != wanted:
        raise RuntimeError(f"docker-registry answered {status}: {body[:500]!r}")


def _configuration(folder, read_only, delete, schema1, tls):
    lines = [
        "version: 0.1",
        "log: {level: info}",
        "storage:",
        f"  filesystem: {{rootdirectory: '{folder}/storage'}}",
        f"  delete: {{enabled: {str(delete).lower()}}}",
        f"  maintenance: {{readonly: {{enabled: {str(read_only).lower()}}}}}",
        "http:",
        "  addr: 127.0.0.1:0",
    ]
    if tls:
        certificate, key = tls
        lines.append(f"  tls: {{certificate: '{certificate}', key: '{key}'}}")
    if schema1:
        lines.append("compatibility: {schema1: {enabled: true}}")
    return "\n".join(lines) + "\n"
