"""A relay in front of a server: counts connections and keeps what went over them, both ways."""

import socket

from listener import Listener
from wire import hang_up, read_requests


class Conversation:
    """What went over one connection."""

    def __init__(self):
        self.sent = bytearray()  # by the client
        self.received = bytearray()  # by the client


class Recorder(Listener):
    def __init__(self, port):
        super().__init__()
        self.upstream = ("127.0.0.1", port)
        self.conversations = []

    @property
    def connections(self):
        return len(self.conversations)

    @property
    def requests(self):
        """All requests, connection by connection. Whatever is no request raises ValueError."""
        return [
            request
            for number, talk in enumerate(self.conversations, 1)
            for request in read_requests(bytes(talk.sent), number)
        ]

    @property
    def request_lines(self):
        return [f"{request.method} {request.target}" for request in self.requests]

    def _accepted(self, client):
        server = socket.create_connection(self.upstream)
        talk = Conversation()
        self.conversations.append(talk)
        self._open.append(server)
        self._start(self._pump, client, server, talk.sent, True)
        self._start(self._pump, server, client, talk.received, False)

    def _pump(self, source, sink, record, by_client):
        try:
            while data := source.recv(65536):
                record += data
                self._passes(data, by_client)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            hang_up(sink)

    def _passes(self, data, by_client):
        """For those who want to know when something comes."""
