"""HTTP requests as they were on the wire, read strictly: what is no request raises ValueError."""

import re
import socket
from dataclasses import dataclass

END_OF_HEAD = b"\r\n\r\n"
START_LINE = re.compile(r"([A-Z]+) (/[!-~]*) (HTTP/1\.[01])")
FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([ -~\t]*?)[ \t]*")


@dataclass
class Request:
    method: str
    target: str
    version: str
    fields: list  # (name, value) pairs, in their order
    head: bytes  # the start line and the header section, to the empty line
    body: bytes = b""
    connection: int = 0  # which connection it came on, counted from 1

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return self.target.partition("?")[2]

    def values(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def value(self, name):
        """The value of a field that may stand there once; None where it is missing."""
        found = self.values(name)
        if len(found) > 1:
            raise ValueError(f"{name} stands there {len(found)} times: {found}")
        return found[0] if found else None

    @property
    def length(self):
        """How many bytes of body follow the head."""
        if self.value("Transfer-Encoding") is not None:
            raise ValueError("a request with Transfer-Encoding")
        stated = self.value("Content-Length")
        if stated is None:
            return 0
        if not stated.isdigit():
            raise ValueError(f"Content-Length: {stated}")
        return int(stated)


def read_head(raw):
    """Takes the bytes up to and with the empty line."""
    if not raw.endswith(END_OF_HEAD):
        raise ValueError(f"no end of head in {raw[:200]!r}")
    start, *lines = raw[: -len(END_OF_HEAD)].decode("latin-1").split("\r\n")
    match = START_LINE.fullmatch(start)
    if match is None:
        raise ValueError(f"no request line: {start!r}")
    fields = []
    for line in lines:
        field = FIELD.fullmatch(line)
        if field is None:
            raise ValueError(f"no header field: {line!r}")
        fields.append((field[1], field[2]))
    return Request(match[1], match[2], match[3], fields, raw)


def read_requests(raw, connection=0):
    """All requests in what a client sent on one connection; a rest that is none raises."""
    requests = []
    while raw:
        end = raw.find(END_OF_HEAD)
        if end < 0:
            raise ValueError(f"no request: {raw[:200]!r}")
        end += len(END_OF_HEAD)
        request = read_head(raw[:end])
        request.body = raw[end : end + request.length]
        if len(request.body) < request.length:
            raise ValueError(f"{len(request.body)} of {request.length} bytes of body")
        request.connection = connection
        requests.append(request)
        raw = raw[end + request.length :]
    return requests


def hang_up(connection):
    """Ends a connection, so that a thread that waits for it wakes up."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has ended already
