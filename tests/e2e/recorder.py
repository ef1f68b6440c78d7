"""A relay in front of a server: counts connections and keeps what went over them, both ways."""

import socket
import threading

from wire import hang_up, read_requests


class Conversation:
    """What went over one connection."""

    def __init__(self):
        self.sent = bytearray()  # by the client
        self.received = bytearray()  # by the client


class Recorder:
    def __init__(self, port):
        self.upstream = ("127.0.0.1", port)
        self.conversations = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self._open = []
        self._threads = []
        self._lock = threading.Lock()

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            hang_up(one)
        for thread in self._threads:
            thread.join(10)
        for one in self._open:
            one.close()

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

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.upstream)
            talk = Conversation()
            self.conversations.append(talk)
            self._open += [client, server]
            self._start(_pump, client, server, talk.sent)
            self._start(_pump, server, client, talk.received)


def _pump(source, sink, record):
    try:
        while data := source.recv(65536):
            record += data
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        hang_up(sink)
