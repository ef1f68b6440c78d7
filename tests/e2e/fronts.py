"""Servers from Debian that speak TLS: stunnel and nginx in front of one that does not, and a
docker-registry with TLS of its own.
"""

import contextlib
import glob
import http.client
import os
import re
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from authority import LOOPBACK
from ending import end
from registry import Registry

needs_tls = pytest.mark.skipif(os.environ.get("TLS") == "0", reason="a build without TLS")

TOP = Path(__file__).resolve().parent.parent.parent
WEAK = "ALL:!DH:!aNULL:@SECLEVEL=0"  # what OpenSSL no longer does unless it is asked to


def unpacked(package, pattern):
    """A file of a Debian package that must not be installed. Since Debian 13, /bin/* is in usr: **/bin/*"""
    done = subprocess.run([TOP / "third_party/unpack", package], stdout=subprocess.PIPE, text=True)
    if done.returncode and os.environ.get("OFFLINE") == "1":
        pytest.skip(f"OFFLINE=1, and {package} is not in the cache")
    done.check_returncode()
    found = glob.glob(f"{done.stdout.strip()}/{pattern}", recursive=True)
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
        end(self._process)


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
