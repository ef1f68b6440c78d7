"""A server on raw sockets that does what a test tells it, and what no real registry would do.

A test hands in a function from a request to an answer. An answer is bytes, or a list of steps:
bytes to send, Drip, Pause, Take, a function of the connection, or one of the acts below. After the steps the connection stays
open for the next request, unless a step has ended it.
"""

import contextlib
import enum
import http.client
import json
import select
import socket
import struct
import threading
from typing import NamedTuple

from images import digest_of
from listener import Listener
from wire import END_OF_HEAD, read_head

LINGER = 5  # seconds
VERSION = "Docker-Distribution-Api-Version: registry/2.0"  # of distribution and its kin


class Drip(NamedTuple):
    """Bytes that are sent one at a time."""

    data: bytes
    pause: float = 0


class Pause(NamedTuple):
    seconds: float


class Take(NamedTuple):
    """Reads so many bytes of the request's body, where the answer came early."""

    count: int


class Act(enum.Enum):
    CLOSE = "close the connection, and lose nothing that was sent on it"
    HANG_UP = "close it at once: with a reset, if there is more to read"
    RESET = "close it with a reset"
    HALF_CLOSE = "send nothing more, leave the other direction open"
    STALL = "do nothing until the server is stopped"
    READ_BODY = "read the request's body, where the answer came early"


CLOSE, HANG_UP, RESET, HALF_CLOSE, STALL, READ_BODY = Act


def answer(status, body=b"", *fields, reason=None, framed=True):
    """An HTTP answer; fields are "Name: value". Content-Length is added if framed."""
    if reason is None:
        reason = http.client.responses.get(status, "Unknown")
    lines = [f"HTTP/1.1 {status} {reason}", *fields]
    if framed:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + END_OF_HEAD + body


def errors(status, code, message="", *fields):
    """An answer in the form in which registries tell errors."""
    body = f'{{"errors":[{{"code":"{code}","message":"{message}","detail":null}}]}}\n'
    return answer(status, body.encode(), "Content-Type: application/json", *fields)


def chunked(*chunks, trailer=b""):
    """A body in chunks, each bytes or (extension, bytes)."""
    out = b""
    for chunk in chunks:
        extension, data = chunk if isinstance(chunk, tuple) else (b"", chunk)
        out += b"%x%s\r\n%s\r\n" % (len(data), extension, data)
    return out + b"0\r\n" + trailer + b"\r\n"


class Fake(Listener):
    """The server. `early` picks requests that are answered before their body is read; `listener` is
    a socket that is bound already. `greeting` is a function from the number of a connection,
    counted from 1, to what is said on it before anything was asked; `beaten` tells whether a client
    has said something before that.
    """

    def __init__(
        self,
        respond,
        early=lambda request: False,
        receive_buffer=None,
        listener=None,
        greeting=lambda number: b"",
    ):
        listener = listener or _bound()
        if receive_buffer is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        listener.listen(64)
        super().__init__(listener)
        self.requests = []
        self.connections = 0
        self.greeting = greeting
        self.beaten = False
        self._respond = respond
        self._early = early
        self._failures = []
        self._stopped = threading.Event()

    def __exit__(self, kind, *rest):
        self._stopped.set()
        super().__exit__(kind, *rest)
        if self._failures and kind is None:
            raise self._failures[0]

    def forgive(self):
        """What a client was led to ask for is no failure of the test."""
        self._failures.clear()

    def settle(self):
        """Waits until all connections have ended: a client that is gone may have left something to do."""
        with self._starting:
            serving = self._threads[1:]  # the first one accepts
        for thread in serving:
            thread.join(10)

    @property
    def request_lines(self):
        return [f"{request.method} {request.target}" for request in self.requests]

    @property
    def uploads(self):
        return [request for request in self.requests if request.method == "PUT"]

    def _accepted(self, client):
        self.connections += 1
        greeting = self.greeting(self.connections)
        if greeting:
            self.beaten |= bool(select.select([client], [], [], 0)[0])
            with contextlib.suppress(OSError):
                client.sendall(greeting)
        self._start(self._serve, client, self.connections)

    def _serve(self, connection, number):
        inbox = _Inbox(connection)
        try:
            while head := inbox.until_end_of_head():
                request = read_head(head)
                request.connection = number
                early = self._early(request)
                if not early:
                    request.body = inbox.exactly(request.length)
                self.requests.append(request)
                steps = self._respond(request)
                if not self._play(connection, inbox, request, steps):
                    break
        except (OSError, EOFError):
            pass  # the client has gone, or the test is over
        except Exception as failure:  # pylint: disable=broad-except
            self._failures.append(failure)
        finally:
            connection.close()

    def _play(self, connection, inbox, request, steps):
        for step in [steps] if isinstance(steps, bytes) else steps:
            if isinstance(step, bytes):
                connection.sendall(step)
            elif isinstance(step, Drip):
                for index in range(len(step.data)):
                    connection.sendall(step.data[index : index + 1])
                    if step.pause and self._stopped.wait(step.pause):
                        return False
            elif isinstance(step, Pause):
                self._stopped.wait(step.seconds)
            elif isinstance(step, Take):
                request.body += inbox.exactly(step.count)
            elif step is READ_BODY:
                request.body = inbox.exactly(request.length)
            elif step is HALF_CLOSE:
                connection.shutdown(socket.SHUT_WR)
            elif step is STALL:
                self._stopped.wait()
                return False
            elif step is RESET:
                now = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                return False
            elif step is CLOSE:
                _linger(connection)
                return False
            elif step is HANG_UP:
                return False
            elif callable(step):
                step(connection)
            else:
                raise TypeError(f"no step: {step!r}")
        return True


def _bound():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def _linger(connection):
    """Until the client has closed as well, as servers do; what it still sends is lost."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(LINGER)
    while connection.recv(65536):
        pass


class _Inbox:
    def __init__(self, connection):
        self._connection = connection
        self._data = b""

    @property
    def has_more(self):
        """Whether more has come than was asked for."""
        return bool(self._data)

    def until_end_of_head(self):
        """The next head, or nothing where the client has closed between requests."""
        while END_OF_HEAD not in self._data:
            more = self._connection.recv(65536)
            if not more:
                if self._data:
                    raise ValueError(f"the client left in the middle of {self._data[:200]!r}")
                return b""
            self._data += more
        end = self._data.index(END_OF_HEAD) + len(END_OF_HEAD)
        head, self._data = self._data[:end], self._data[end:]
        return head

    def exactly(self, count):
        parts = bytearray(self._data)
        while len(parts) < count:
            more = self._connection.recv(65536)
            if not more:
                raise EOFError
            parts += more
        self._data = bytes(parts[count:])
        return bytes(parts[:count])


class Shelf:
    """A registry that keeps manifests in a dict, and can be told to lie.

    `instead` has a function from a request to an answer for each method that is not to be answered
    as usual, `afterwards` those that hold once an upload has come; `usual` is what a well-behaved
    registry answers. Tags can be hidden from HEAD, or from GET as well.
    """

    def __init__(self):
        self.manifests = {}  # (repository, reference): (media type, bytes)
        self.instead = {}
        self.afterwards = {}
        self.fields = [VERSION]  # that each usual answer has
        self._hidden = {}
        self._uploaded = False

    def hide(self, tag, refusal, methods=("HEAD", "GET")):
        """From now on these requests of a tag get this answer, or those of all tags (None)."""
        for method in methods:
            self._hidden[method, tag] = refusal

    def show(self):
        """Ends that."""
        self._hidden.clear()

    def put(self, repository, reference, media_type, document):
        self.manifests[repository, reference] = (media_type, document)
        self.manifests[repository, digest_of(document)] = (media_type, document)

    def remove(self, repository, reference):
        """A tag; or a manifest, by its digest, with all tags that point at it."""
        document = self.document(repository, reference)
        del self.manifests[repository, reference]
        if ":" in reference:
            for one in [key for key, (_, held) in self.manifests.items() if held == document]:
                if one[0] == repository:
                    del self.manifests[one]

    def tags(self, repository):
        return [tag for held, tag in self.manifests if held == repository and ":" not in tag]

    def document(self, repository, reference):
        """The bytes under a tag, or None."""
        return self.manifests.get((repository, reference), (None, None))[1]

    def __call__(self, request):
        respond = self.instead.get(request.method, self.usual)
        if self._uploaded:
            respond = self.afterwards.get(request.method, respond)
        self._uploaded |= request.method == "PUT"
        return respond(request)

    def usual(self, request):
        return with_fields(self._usual(request), self.fields)

    def _usual(self, request):
        if request.path == "/v2/":
            return answer(200, b"{}")
        repository, kind, reference = request.path.removeprefix("/v2/").rsplit("/", 2)
        if (kind, reference) == ("tags", "list"):
            listed = {"name": repository, "tags": self.tags(repository)}
            return answer(200, json.dumps(listed).encode(), "Content-Type: application/json")
        if kind != "manifests":
            return errors(404, "UNSUPPORTED")
        if request.method == "PUT":
            self.put(repository, reference, request.value("Content-Type"), request.body)
            return answer(201, b"", f"Docker-Content-Digest: {digest_of(request.body)}")
        everywhere = self._hidden.get((request.method, None))
        if refusal := self._hidden.get((request.method, reference), everywhere):
            return bodiless(refusal) if request.method == "HEAD" else refusal
        if (repository, reference) not in self.manifests:
            missing = errors(404, "MANIFEST_UNKNOWN", "manifest unknown")
            return bodiless(missing) if request.method == "HEAD" else missing
        if request.method == "DELETE":
            self.remove(repository, reference)
            return answer(202)
        media_type, document = self.manifests[repository, reference]
        found = answer(
            200,
            document,
            f"Content-Type: {media_type}",
            f"Docker-Content-Digest: {digest_of(document)}",
        )
        return found if request.method == "GET" else bodiless(found)


class Strict(Shelf):
    """One that heeds If-Match and If-None-Match of changes, as no registry does yet. It changes one thing at
    a time, so that a precondition and what depends on it are one step.
    """

    def __init__(self, etag='"{}"'):
        super().__init__()
        self._etag = etag
        self._one_at_a_time = threading.Lock()

    def etag(self, repository, reference):
        """That of a tag or a digest, or None where there is none."""
        document = self.document(repository, reference)
        return document and self._etag.format(digest_of(document))

    def usual(self, request):
        repository, _, reference = request.path.removeprefix("/v2/").rpartition("/manifests/")
        with self._one_at_a_time:
            etag = self.etag(repository, reference)
            if request.method in ("PUT", "DELETE") and not self._holds(request, etag):
                return errors(412, "PRECONDITION", "somebody was faster")
            whole = super().usual(request)
        return with_fields(whole, [f"ETag: {etag}"]) if etag else whole

    @staticmethod
    def _holds(request, etag):
        wanted, unwanted = request.value("If-Match"), request.value("If-None-Match")
        return wanted in (None, etag) and not (unwanted == "*" and etag)


def with_fields(whole, fields):
    """The answer with more fields in its head."""
    head, _, body = whole.partition(END_OF_HEAD)
    return b"\r\n".join([head, *(field.encode("latin-1") for field in fields)]) + END_OF_HEAD + body


def bodiless(whole):
    """An answer to HEAD: the head of what GET would get."""
    return whole[: whole.index(END_OF_HEAD) + len(END_OF_HEAD)]
