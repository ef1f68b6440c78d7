"""A server that speaks TLS as a test wants it, to the byte, and wrongly where it should."""

import contextlib
import enum
import select
import socket
import ssl
import struct
import threading

from authority import LOOPBACK, bundle
from listener import Listener


class Ending(enum.Enum):
    """How a connection is given up."""

    CLOSE = "closed, without a word"
    RESET = "closed, with a reset"
    STALL = "left open, and nothing more is sent"


TLS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def server_context(folder, certificate, beside=None, version=None):
    """As python's ssl wants it: shows the certificate with its chain, or with those `beside`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # shows weak certificates, too
    shown = folder / f"{certificate.file.stem}-shown.pem"
    shown.write_text(certificate.chain)
    if beside is not None:
        bundle(shown, certificate, *beside)
    context.load_cert_chain(shown, certificate.key)
    if version:
        context.minimum_version = context.maximum_version = TLS[version]
    return context


def insist(root):
    """Lets a context take nobody without a certificate of this authority."""

    def prepare(context):
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(root.file)

    return prepare


class Session:
    """What became of one connection to a Front."""

    def __init__(self, number):
        self.number = number  # counted from 1
        self.version = None  # of TLS, once the handshake is over
        self.failure = None  # why there was none
        self.shown = None  # the client's certificate, DER
        self.sent = bytearray()  # by the client, decrypted
        self.raw = 0  # bytes that were sent to the client, as they are on the wire
        self.handshake = None  # how many of them belong to the handshake
        self.farewell = False  # the client said that it ends the session
        self.ended = threading.Event()


class Front(Listener):
    """Ends TLS in front of a server on a port of this machine.

    `polite`: it ends its session with a close_notify where the server closes the connection.
    `drip`: every byte is sent by itself. `most`: after so many bytes on the wire comes `ending`.
    `spoil`: this byte on the wire is another one. `greeting` is a function from the number of a
    connection, counted from 1, to what is said on it before anything was asked; with TLS 1.2 that
    comes in one piece with the end of the handshake.
    """

    def __init__(
        self,
        upstream,
        context,
        polite=True,
        drip=False,
        most=None,
        ending=Ending.CLOSE,
        spoil=None,
        address=LOOPBACK,
        greeting=lambda number: b"",
    ):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__(socket.create_server((address, 0), family=family))
        self.sessions = []
        self.names = []  # the host names that the clients asked for; None: none
        self.most = most
        self.ending = ending
        self.spoil = spoil
        self.slow_from = None  # from this byte on the wire on, one comes a second
        self._upstream = upstream
        self.context = context
        self.polite = polite
        self.greeting = greeting
        self.drip = drip
        self._stopped = threading.Event()
        context.sni_callback = lambda session, name, _: self.names.append(name)

    def __exit__(self, *rest):
        self._stopped.set()
        super().__exit__(*rest)

    def settled(self):
        """The sessions, once all have ended."""
        for one in self.sessions:
            assert one.ended.wait(20), "a connection that does not end"
        return self.sessions

    def _accepted(self, client):
        session = Session(len(self.sessions) + 1)
        self.sessions.append(session)
        self._start(self._serve, client, session)

    def _serve(self, client, session):
        try:
            _Conversation(self, client, session).run()
        except (OSError, EOFError):
            pass  # the client has gone, or the front is to be gone
        finally:
            client.close()
            session.ended.set()

    def send(self, client, session, data):
        """On the wire, as the test wants it; EOFError where it wants no more."""
        room = len(data) if self.most is None else self.most - session.raw
        allowed = data[:room]
        if self.spoil is not None and 0 <= self.spoil - session.raw < len(allowed):
            allowed = bytearray(allowed)
            allowed[self.spoil - session.raw] ^= 1
        session.raw += len(allowed)
        size = 1 if self.drip else max(len(allowed), 1)
        if self.slow_from is not None:
            first = max(self.slow_from - session.raw + len(allowed), 0)
            client.sendall(allowed[:first])
            self._send_slowly(client, allowed[first:])
            return
        for index in range(0, len(allowed), size):
            client.sendall(allowed[index : index + size])
        if len(allowed) == len(data):
            return
        if self.ending is Ending.RESET:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif self.ending is Ending.STALL:
            while not self._stopped.is_set() and client.recv(65536):
                pass
        raise EOFError

    def _send_slowly(self, client, data):
        for index in range(len(data)):
            client.sendall(data[index : index + 1])
            if self._stopped.wait(1):
                raise EOFError

    def connect(self):
        """A new connection to the server behind."""
        server = socket.create_connection((LOOPBACK, self._upstream))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.append(server)
        return server


class _Conversation:
    """One connection of a Front, in one thread."""

    def __init__(self, front, client, session):
        self._front = front
        self._client = client
        self._session = session
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = front.context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def run(self):
        if not self._shake_hands():
            return
        with self._front.connect() as server:
            while self._pass_on(server):
                pass

    def _flush(self):
        if self._outgoing.pending:
            self._front.send(self._client, self._session, self._outgoing.read())

    def _feed(self):
        data = self._client.recv(65536)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _shake_hands(self):
        while True:
            try:
                self._tls.do_handshake()
                return self._is_open()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except ssl.SSLError as failure:
                self._session.failure = failure
                self._flush()  # the alert
                return False

    def _is_open(self):
        """What the server sends last belongs to the handshake, but for the tickets of TLS 1.3."""
        self._session.version = self._tls.version()
        self._session.shown = self._tls.getpeercert(binary_form=True)
        if self._session.version == "TLSv1.3":
            self._session.handshake = self._session.raw
        self._tls.write(self._front.greeting(self._session.number))
        self._flush()
        self._session.handshake = self._session.handshake or self._session.raw
        return True

    def _pass_on(self, server):
        """Whatever has come from either side; whether there may be more."""
        if not self._take(server):
            return False
        ready, _, _ = select.select([self._client, server], [], [])
        if self._client in ready:
            self._feed()
        if server in ready:
            data = server.recv(65536)
            if not data:
                self._end()
                return False
            self._tls.write(data)
            self._flush()
        return True

    def _take(self, server):
        """Decrypts what has come from the client; whether more may come."""
        while True:
            try:
                data = self._tls.read(65536)
            except ssl.SSLWantReadError:
                self._flush()
                return True
            except ssl.SSLEOFError:
                return False
            except ssl.SSLError as failure:
                self._session.failure = failure
                return False
            if not data:
                self._session.farewell = True
                return False
            self._session.sent += data
            server.sendall(data)

    def _end(self):
        """The server has closed."""
        if self._front.polite:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._flush()
        self._client.shutdown(socket.SHUT_WR)


class Raw(Listener):
    """Accepts connections and plays bytes that need not be TLS: `play` gets the socket."""

    def __init__(self, play):
        super().__init__()
        self.connections = 0
        self._play = play

    def _accepted(self, client):
        self.connections += 1
        self._start(self._serve, client)

    def _serve(self, client):
        with client, contextlib.suppress(OSError):
            self._play(client)
