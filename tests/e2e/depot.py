"""A registry in a dict that takes blobs in parts, checks what it gets, and fails when a test wants it to."""

import itertools
import re
import threading

from artifacts import Store
from fake import CLOSE, READ_BODY, RESET, Take, answer, bodiless, errors
from images import digest_of


class Depot(Store):
    """`faults` has what to do instead of the usual with the next requests of a method for blobs: functions from the
    depot and a request to steps, each used once.
    """

    def __init__(self, checks=True):
        super().__init__()
        self.uploads = {}  # path: bytes
        self.faults = {}  # method: list
        self.checks = checks
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    @staticmethod
    def early(request):
        return request.method == "PATCH"

    def usual(self, request):
        if "/blobs/" not in request.path:
            return super().usual(request)
        with self._lock:
            waiting = self.faults.get(request.method)
            fault = waiting.pop(0) if waiting else None
        return fault(self, request) if fault else self.blob_answer(request)

    def blob_answer(self, request):
        """What a well-behaved registry answers."""
        if request.method == "PATCH":
            return self._patch(request)
        if request.method == "POST":
            path = f"{request.path}{next(self._numbers)}"
            self.uploads[path] = b""
            return answer(202, b"", f"Location: {path}")
        if request.method == "PUT":
            return self._put(request)
        if "/uploads/" not in request.path:
            found = super().usual(request)
            return bodiless(found) if request.method == "HEAD" else found
        if request.path not in self.uploads:
            return errors(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "DELETE":
            del self.uploads[request.path]
            return bodiless(answer(204, framed=False))
        return self.status(request.path, 204)

    def status(self, path, code, size=None):
        """How far an upload has come, or so it says."""
        size = len(self.uploads[path]) if size is None else size
        return answer(code, b"", f"Location: {path}", f"Range: 0-{max(size, 1) - 1}", framed=code != 204)

    def keep(self, request):
        self.uploads[request.path] += request.body

    def _patch(self, request):
        yield READ_BODY
        if request.path not in self.uploads:  # cancelled meanwhile
            yield errors(404, "BLOB_UPLOAD_UNKNOWN")
            return
        first = re.match(r"\d+", request.value("Content-Range") or "0")[0]
        if int(first) != len(self.uploads[request.path]):
            yield errors(416, "RANGE_INVALID")
            return
        self.keep(request)
        yield self.status(request.path, 202)

    def _put(self, request):
        digest = request.query.rpartition("digest=")[2]
        data = self.uploads.pop(request.path, None)
        if data is None:  # the commit was repeated
            return errors(404, "BLOB_UPLOAD_UNKNOWN")
        if self.checks and digest_of(data) != digest:
            return errors(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.blobs[digest] = data
        return answer(201)


# ---- Faults


def cut(count, kept=None):
    """Resets the connection after so many bytes of a PATCH, and has kept these, or so many of them."""

    def steps(depot, request):
        yield Take(count)
        request.body = request.body[:kept]
        depot.keep(request)
        yield RESET

    return steps


def short(count):
    """Says that it has taken only so many bytes of a PATCH."""

    def steps(depot, request):
        yield READ_BODY
        request.body = request.body[:count]
        depot.keep(request)
        yield depot.status(request.path, 202)

    return steps


def refuse(status):
    """Keeps nothing."""

    def steps(depot, request):
        if request.method == "PATCH":
            yield READ_BODY
        whole = errors(status, "UNAVAILABLE")
        yield bodiless(whole) if request.method == "HEAD" else whole

    return steps


def hang_up(depot, request):
    """No answer, and nothing done."""
    del depot, request
    return [CLOSE]


def unanswered(depot, request):
    """Done, but there is no answer."""
    depot.blob_answer(request)
    return [CLOSE]


def at(size):
    """Says that an upload has come so far."""
    return lambda depot, request: depot.status(request.path, 204, size)
