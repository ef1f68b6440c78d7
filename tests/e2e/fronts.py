"""Servers that speak TLS in front of one that does not: stunnel and nginx from Debian, and one of
the tests' own for what those would never do. A registry with TLS of its own is here as well.
"""

import contextlib
import enum
import glob
import http.client
import os
import re
import select
import socket
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from authority import LOOPBACK, NAME
from registry import Registry
from wire import hang_up

needs_tls = pytest.mark.skipif(os.environ.get("TLS") == "0", reason="a build without TLS")

TOP = Path(__file__).resolve().parent.parent.parent
WEAK = "ALL:!DH:!aNULL:@SECLEVEL=0"  # what OpenSSL no longer does unless it is asked to


def unpacked(package, pattern):
    """A file of a Debian package that must not be installed."""
    done = subprocess.run(
        [TOP / "third_party/unpack", package], stdout=subprocess.PIPE, check=True, text=True
    )
    found = glob.glob(f"{done.stdout.strip()}/{pattern}")
    assert found, f"no {pattern} in {package}"
    return found[0]


def reached(host_and_port, address=LOOPBACK):
    """The options by which a name is found at an address of this machine."""
    return ["--resolve", f"{host_and_port}:{address}"]


class _Daemon:
    """A process with a log, that is ended by its id."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "log"
        self._process = None

    def _run(self, command, **options):
        with open(self.log, "wb") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **options
            )

    def _wait_until(self, ready):
        """What `ready` makes of the log, once it makes something of it."""
        for _ in range(1200):
            found = ready(self.log.read_text(errors="replace"))
            if found:
                return found
            if self._process.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f"in vain:\n{self.log.read_text(errors='replace')}")

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)


class Talk(NamedTuple):
    """What went over the connections to a front, decrypted."""

    connections: int
    sent: int  # bytes by the client
    received: int


class Service(NamedTuple):
    """One port of stunnel: the chain that it shows, and more of its options, "NAME = VALUE"."""

    chain: str
    key: Path
    options: tuple = ()


class Stunnel(_Daemon):
    """`services` by name, each on a port of its own, all in front of one server."""

    ACCEPTED = re.compile(r"Service \[(.*)\] accepted connection")
    ENDED = re.compile(r": (\d+) byte\(s\) sent to TLS, (\d+) byte\(s\) sent to socket")
    BOUND = re.compile(r"Service \[(.*)\] \(FD=\d+\) bound to \S+:(\d+)$", re.MULTILINE)

    def __init__(self, folder, upstream, services):
        super().__init__(folder)
        self._upstream = upstream
        self._services = services
        self._seen = 0
        self.ports = {}

    def __enter__(self):
        lines = ["foreground = yes", "pid =", "debug = info", "syslog = no", "[end]"]
        lines[-1:] = ["socket = l:TCP_NODELAY=1", "socket = r:TCP_NODELAY=1"]
        for name, service in self._services.items():
            chain = self.folder / f"{name}.pem"
            chain.write_text(service.chain)
            lines += [f"[{name}]", "accept = 127.0.0.1:0", f"connect = 127.0.0.1:{self._upstream}"]
            lines += [f"cert = {chain}", f"key = {service.key}", "TIMEOUTclose = 0"]
            lines += service.options
        settings = self.folder / "stunnel.conf"
        settings.write_text("\n".join(lines) + "\n")
        self._run([unpacked("stunnel4", "usr/bin/stunnel4"), settings])
        self.ports = dict(self._wait_until(self._bound))
        return self

    def _bound(self, log):
        found = self.BOUND.findall(log)
        return found if len(found) == len(self._services) else None

    def __getitem__(self, name):
        return self.ports[name]

    def talk(self):
        """What has been said since the last look, once all connections have ended."""
        whole = self._wait_until(self._quiet)
        new, self._seen = whole[self._seen :], len(whole)
        ended = [(int(received), int(sent)) for received, sent in self.ENDED.findall(new)]
        return Talk(len(ended), sum(two for _, two in ended), sum(one for one, _ in ended))

    def _quiet(self, log):
        new = log[self._seen :]
        accepted = len(self.ACCEPTED.findall(new))
        return log if accepted and accepted == len(self.ENDED.findall(new)) else None


class Nginx(_Daemon):
    """nginx with one server on a free port; `settings` are those of the server, without `listen`.

    It inherits the socket, as it does from itself when it is replaced while it runs.
    """

    def __init__(self, folder, settings):
        super().__init__(folder)
        self._settings = settings
        self._listener = None
        self.port = None

    def __enter__(self):
        self._listener = socket.create_server((LOOPBACK, 0), backlog=128)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        paths = [
            f"{name}_temp_path {self.folder}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        ]
        settings = self.folder / "nginx.conf"
        settings.write_text(
            "\n".join(
                [
                    "daemon off; worker_processes 1; error_log stderr info;",
                    "user root root;" if os.geteuid() == 0 else "",
                    f"pid {self.folder}/nginx.pid;",
                    "events { worker_connections 128; }",
                    "http { access_log off; client_max_body_size 8m;",
                    *paths,
                    "server {",
                    f"listen 127.0.0.1:{self.port} ssl;",
                    *self._settings,
                    "} }",
                    "",
                ]
            )
        )
        inherited = self._listener.fileno()
        self._run(
            [
                *[unpacked("nginx", "usr/sbin/nginx"), "-p", self.folder, "-c", settings],
                *["-e", "stderr"],
            ],
            env={"NGINX": f"{inherited};"},
            pass_fds=[inherited],
        )
        self._wait_until(lambda log: "start worker process " in log)
        return self

    def __exit__(self, *_):
        super().__exit__()
        self._listener.close()


class SecureRegistry(Registry):
    """A docker-registry with TLS of its own; with `clients` it wants certificates of theirs."""

    def __init__(self, binary, folder, certificate, root, clients=None, shown=None, **options):
        chain = folder / "chain.pem"
        chain.write_text(certificate.chain)
        super().__init__(binary, folder, tls=(chain, certificate.key), **options)
        self._context = ssl.create_default_context(cafile=root.file)
        if clients:
            before = f"key: '{certificate.key}'}}"
            after = f"key: '{certificate.key}', clientcas: ['{clients.file}']}}"
            assert before in self._config
            self._config = self._config.replace(before, after)
            self._context.load_cert_chain(shown.file, shown.key)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPSConnection(
            LOOPBACK, self.port, timeout=60, context=self._context
        )
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()


class Ending(enum.Enum):
    """How a connection is given up."""

    CLOSE = "closed, without a word"
    RESET = "closed, with a reset"
    STALL = "left open, and nothing more is sent"


def server_context(folder, certificate, versions=None, ciphers=None):
    """As python's ssl wants it; `versions` are the lowest and the highest of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain = folder / f"{certificate.file.stem}-chain.pem"
    chain.write_text(certificate.chain)
    context.load_cert_chain(chain, certificate.key)
    if ciphers:
        context.set_ciphers(ciphers)
    if versions:
        context.minimum_version, context.maximum_version = versions
    return context


class Session:
    """What became of one connection to a Front."""

    def __init__(self):
        self.version = None  # of TLS, once the handshake is over
        self.failure = None  # why there was none
        self.sent = bytearray()  # by the client, decrypted
        self.raw = 0  # bytes that were sent to the client, as they are on the wire
        self.farewell = False  # the client said that it ends the session
        self.ended = threading.Event()


class Front:
    """Ends TLS in front of a server on a port of this machine.

    `polite`: it ends its session with a close_notify where the server closes the connection.
    `drip`: every byte is sent by itself. `most`: after so many bytes on the wire comes `ending`.
    """

    def __init__(self, upstream, context, polite=True, drip=False, most=None, ending=Ending.CLOSE):
        self.sessions = []
        self.names = []  # the host names that the clients asked for; None: none
        self.most = most
        self.ending = ending
        self._upstream = upstream
        self._context = context
        self._polite = polite
        self._drip = drip
        self._stopped = threading.Event()
        self._threads = []
        self._open = []
        context.sni_callback = lambda session, name, _: self.names.append(name)
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            hang_up(one)
        for thread in self._threads:
            thread.join(10)

    def settled(self):
        """The sessions, once all have ended."""
        for one in self.sessions:
            assert one.ended.wait(20), "a connection that does not end"
        return self.sessions

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
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session()
            self.sessions.append(session)
            self._open.append(client)
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
        session.raw += len(allowed)
        size = 1 if self._drip else max(len(allowed), 1)
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

    @property
    def upstream(self):
        """A new connection to the server behind."""
        server = socket.create_connection((LOOPBACK, self._upstream))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.append(server)
        return server

    def session(self, incoming, outgoing):
        return self._context.wrap_bio(incoming, outgoing, server_side=True)

    @property
    def polite(self):
        return self._polite


class _Conversation:
    """One connection of a Front, in one thread."""

    def __init__(self, front, client, session):
        self._front = front
        self._client = client
        self._session = session
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = front.session(self._incoming, self._outgoing)

    def run(self):
        if not self._shake_hands():
            return
        self._session.version = self._tls.version()
        with self._front.upstream as server:
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
                self._flush()
                return True
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except ssl.SSLError as failure:
                self._session.failure = failure
                self._flush()  # the alert
                return False

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


class Raw:
    """Accepts connections and plays bytes that need not be TLS: `play` gets the socket."""

    def __init__(self, play):
        self.connections = 0
        self._play = play
        self._threads = []
        self._open = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]

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
            self.connections += 1
            self._open.append(client)
            self._start(self._serve, client)

    def _serve(self, client):
        with client, contextlib.suppress(OSError):
            self._play(client)


class Device:
    """A root file system of its own for the program: its libraries, and nothing that a test has not
    put there. So /etc is as the test wants it, and this machine's stays as it is."""

    def __init__(self, regtag, folder):
        self._regtag = regtag
        self.folder = folder

    def prepare(self):
        program = Path(self._regtag.path)
        shared = subprocess.run(
            ["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
        for library in re.findall(r"(?:=> |^\s+)(/\S+) \(", shared.stdout, re.MULTILINE):
            self.put(library, Path(library).read_bytes())
            (self.folder / library[1:]).chmod(0o755)
        self.put("/regtag", program.read_bytes())
        (self.folder / "regtag").chmod(0o755)

    def put(self, path, content):
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content)

    def __call__(self, *args, **options):
        changed = ["chroot", self.folder, "/regtag", *args]
        if os.geteuid() != 0:
            changed = ["unshare", "-r", *changed]
        return self._regtag.run(changed, **options)
