"""A relay in front of a server, as far away as one likes.

Every byte arrives later than it was sent, by the same time in both directions, and nothing else
changes: bandwidth is as it was. A new connection costs a round trip more, as it does on a wire,
though here the client's connect() returns at once: what it sends first is held up for that time.
"""

import queue
import socket
import time

from listener import Listener
from wire import hang_up


class SlowRelay(Listener):
    def __init__(self, port, delay):
        super().__init__()
        self._upstream = ("127.0.0.1", port)
        self._delay = delay  # seconds, one way

    def _accepted(self, client):
        server = socket.create_connection(self._upstream)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.append(server)
        connected = time.monotonic() + 2 * self._delay
        self._pump(client, server, connected)
        self._pump(server, client, connected)

    def _pump(self, source, sink, connected):
        under_way = queue.SimpleQueue()
        self._start(self._read, source, under_way, connected)
        self._start(_write, sink, under_way)

    def _read(self, source, under_way, connected):
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            arrives = max(time.monotonic(), connected) + self._delay
            under_way.put((arrives, data))
            if not data:
                return


def _write(sink, under_way):
    while True:
        arrives, data = under_way.get()
        time.sleep(max(0, arrives - time.monotonic()))
        try:
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)
        except OSError:
            hang_up(sink)
            return
