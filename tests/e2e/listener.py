"""What all servers and relays of the tests have in common: a port, connections, and an end."""

import socket
import threading

from wire import hang_up


class Listener:
    """Accepts connections on a free port of this machine until the `with` is left.

    `_accepted(client)` is what a server does with a connection; whatever it waits for goes into a
    thread, by `_start`. Sockets in `_open` are hung up at the end, so that their threads end.
    """

    def __init__(self, listener=None):
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        address, self.port = self._listener.getsockname()[:2]
        self.host = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        self._open = []
        self._threads = []
        self._starting = threading.Lock()

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

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        with self._starting:
            thread.start()
            self._threads.append(thread)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(client)
            self._accepted(client)

    def _accepted(self, client):
        raise NotImplementedError
