"""Proxies: one of the tests' own, that tells what it was asked, and squid and tinyproxy from Debian.

Names under .test are this machine for them, and unknown to everybody else.
"""

import glob
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from authority import LOOPBACK
from ending import end
from fake import CLOSE, STALL, answer
from fronts import unpacked
from guarded import bcrypt
from tls_server import Raw
from token_server import basic
from wire import END_OF_HEAD, hang_up, read_head

TOP = Path(__file__).resolve().parent.parent.parent
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
WHO = 'Proxy-Authenticate: Basic realm="the proxy"'
NOBODY = 65534  # squid refuses to run as root


class Proxy(Raw):
    """Tunnels, and passes requests on. `requests` is what it was asked, with the target as it was.

    `instead` is a function from a request to an answer, as in fake.py, for what it does otherwise.
    """

    def __init__(self, password=None, known=(".test", ".example", "192.0.2."), instead=None):
        super().__init__(self._talk)
        self.requests = []
        self.tunnelled = bytearray()  # what clients sent through tunnels
        self.password = password  # (user, password)
        self.instead = instead
        self._known = known
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.host = f"{LOOPBACK}:{self.port}"

    @property
    def request_lines(self):
        return [f"{request.method} {request.target}" for request in self.requests]

    def _talk(self, client):
        upstreams = {}
        while head := _head(client):
            request = _proxied(head)
            request.body = _exactly(client, request.length)
            self.requests.append(request)
            if not self._serve_one(client, request, upstreams):
                return

    def _serve_one(self, client, request, upstreams):
        if self.instead:
            return _play(client, self.instead(request))
        if self.password and request.value("Proxy-Authorization") != basic(*self.password):
            client.sendall(answer(407, b"Who are you?\n", WHO, "Content-Type: text/plain"))
            return True
        connecting = request.method == "CONNECT"
        place = re.fullmatch(r"(?:http://)?(\[[^]]*\]|[^:/]*)(?::(\d+))?(/.*)?", request.target)
        if place is None or (place[3] is None) != connecting:
            client.sendall(answer(400, b"That is no request for a proxy.\n"))
            return False
        if not any(part in place[1] for part in self._known):
            client.sendall(answer(502, b"There is no such host.\n"))
            return True
        if connecting:
            self._tunnel(client, self._dial(int(place[2])))
            return False
        port = int(place[2] or 80)
        if port not in upstreams:
            upstreams[port] = self._dial(port)
            self._start(_pump, upstreams[port], client, None)
        upstreams[port].sendall(_passed_on(request, place[3]))
        return True

    def _dial(self, port):
        upstream = socket.create_connection((LOOPBACK, port))
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.append(upstream)
        return upstream

    def _tunnel(self, client, upstream):
        client.sendall(ESTABLISHED)
        self._start(_pump, upstream, client, None)
        _pump(client, upstream, self.tunnelled)


def _head(client):
    """The next head, byte by byte: what follows CONNECT is not the proxy's. Nothing at the end."""
    head = b""
    while not head.endswith(END_OF_HEAD):
        byte = client.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def _exactly(client, count):
    data = bytearray()
    while len(data) < count:
        more = client.recv(min(65536, count - len(data)))
        if not more:
            break
        data += more
    return bytes(data)


def _proxied(head):
    """A request whose target is a URL, or a host and a port."""
    start, rest = head.split(b"\r\n", 1)
    method, target, version = start.decode("latin-1").split(" ")
    request = read_head(f"{method} / {version}\r\n".encode() + rest)
    request.target = target
    request.head = head
    return request


def _passed_on(request, target):
    lines = [f"{request.method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.fields if not name.startswith("Proxy-")]
    return "\r\n".join(lines).encode("latin-1") + END_OF_HEAD + request.body


def _play(client, steps):
    for step in [steps] if isinstance(steps, bytes) else steps:
        if step is STALL:
            while client.recv(65536):
                pass
            return False
        if step is CLOSE:
            return False
        client.sendall(step)
    return True


def _pump(source, sink, record):
    try:
        while data := source.recv(65536):
            if record is not None:
                record += data
            sink.sendall(data)
    except OSError:
        pass
    hang_up(sink)


# ---- Debian's


def _free_port():
    """Free a moment ago: these servers cannot take one from the system."""
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return one.getsockname()[1]


class _Server:
    """A process that listens on a port which it is told. Somebody may have been faster; then it is
    told another one."""

    def __init__(self):
        self.port = None
        self._process = None

    @property
    def url(self):
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self):
        for _ in range(5):
            self.port = _free_port()
            if self._listens(self._run(self.port)):
                return self
            self.__exit__()
        raise RuntimeError(f"in vain:\n{self._said()}")

    def _listens(self, process):
        self._process = process
        for _ in range(600):
            if process.poll() is not None:
                return False
            with socket.socket() as one:
                if one.connect_ex((LOOPBACK, self.port)) == 0:
                    return True
            time.sleep(0.05)
        return False

    def __exit__(self, *_):
        end(self._process)


class Squid(_Server):
    """registry.test and auth.test are for everybody, guarded.test for those who know the password,
    forbidden.test for nobody."""

    NAMES = ["registry.test", "auth.test", "guarded.test", "forbidden.test"]

    def __init__(self, user, password):
        super().__init__()
        self._password = f"{user}:{bcrypt(password)}\n"
        self._folder = None

    def __enter__(self):
        # Squid does not run as root; and whoever it runs as cannot look into root's folders.
        self._folder = Path(tempfile.mkdtemp(prefix="squid-"))
        self._folder.chmod(0o755)
        for name in ("bin", "errors", "log"):
            (self._folder / name).mkdir()
        squid, *others = _squids_files()
        shutil.copy(squid, self._folder / "bin/squid")
        for one in others:
            shutil.copy(one, self._folder / "bin")
        (self._folder / "hosts").write_text("".join(f"{LOOPBACK} {one}\n" for one in self.NAMES))
        (self._folder / "passwords").write_text(self._password)
        if os.geteuid() == 0:
            os.chown(self._folder / "log", NOBODY, NOBODY)
        return super().__enter__()

    def close(self):
        """To be called at the very end: the log is of interest until then."""
        shutil.rmtree(self._folder)

    @property
    def log(self):
        return (self._folder / "log/access").read_text(errors="replace")

    def _said(self):
        return (self._folder / "log/cache").read_text(errors="replace")

    def _run(self, port):
        folder = self._folder
        settings = folder / "squid.conf"
        settings.write_text(
            "\n".join(
                [
                    f"http_port {LOOPBACK}:{port}",
                    f"hosts_file {folder}/hosts",
                    f"dns_nameservers {LOOPBACK}",
                    f"auth_param basic program {folder}/bin/basic_ncsa_auth {folder}/passwords",
                    "auth_param basic children 1",
                    "auth_param basic realm squid",
                    "acl somebody proxy_auth REQUIRED",
                    "acl guarded dstdomain guarded.test",
                    "acl forbidden dstdomain forbidden.test",
                    "http_access deny forbidden",
                    "http_access deny guarded !somebody",
                    "http_access allow all",
                    "cache deny all",
                    "cache_mem 0",
                    f"access_log stdio:{folder}/log/access",
                    f"cache_log {folder}/log/cache",
                    "coredump_dir none",
                    "netdb_filename none",
                    "pid_filename none",
                    "pinger_enable off",
                    "shutdown_lifetime 0 seconds",
                    "visible_hostname squid.test",
                    f"mime_table {folder}/bin/mime.conf",
                    f"error_directory {folder}/errors",
                    f"icon_directory {folder}/errors",
                    f"unlinkd_program {folder}/bin/unlinkd",
                    f"logfile_daemon {folder}/bin/log_file_daemon",
                    "",
                ]
            )
        )
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        return subprocess.Popen(
            [folder / "bin/squid", "-N", "-n", f"regtag{port}", "-f", settings],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"LD_LIBRARY_PATH": f"{folder}/bin", "PATH": os.environ["PATH"]},
            cwd=folder,
            **(as_nobody if os.geteuid() == 0 else {}),
        )


def _squids_files():
    squid = unpacked("squid", "usr/sbin/squid*")  # since Debian 13 squid-gnutls
    helpers = ["basic_ncsa_auth", "unlinkd", "log_file_daemon"]
    helpers = [unpacked("squid", f"usr/lib/squid/{name}") for name in helpers]
    mime = unpacked("squid-common", "usr/share/squid/mime.conf")
    return [squid, *helpers, mime, *missing_libraries(squid)]


def missing_libraries(program):
    """The files of libraries that this machine does not have, from packages that are not installed.

    Debian names them by a rule: libltdl.so.7 is in libltdl7, libgssapi_krb5.so.2 in
    libgssapi-krb5-2, and since they keep time in 64 bits some are in libecap3t64.
    """
    found = {}
    for _ in range(20):
        folders = ":".join(sorted({os.path.dirname(one) for one in found.values()}))
        listed = subprocess.run(
            ["ldd", program, *found.values()],
            env={**os.environ, "LD_LIBRARY_PATH": folders},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        ).stdout
        missing = set(re.findall(r"(\S+) => not found", listed)) - set(found)
        if not missing:
            return list(found.values())
        for name in sorted(missing):
            found[name] = _library(name)
    raise RuntimeError(f"there is no end to what {program} needs")


def _library(name):
    stem, version = re.fullmatch(r"(.+)\.so\.(\d+)", name).groups()
    package = stem.lower().replace("_", "-")
    package += ("-" if package[-1].isdigit() else "") + version
    for suite_name in (package, f"{package}t64"):
        done = subprocess.run(
            [TOP / "third_party/unpack", suite_name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        files = glob.glob(f"{done.stdout.strip()}/**/{name}", recursive=True)
        if done.returncode == 0 and files:
            return files[0]
    raise RuntimeError(f"no package with {name}: {done.stderr}")


class Tinyproxy(_Server):
    """Asks another proxy for names under .test, since it knows none itself."""

    def __init__(self, folder, behind, password=None):
        super().__init__()
        self._folder = folder
        self._behind = behind
        self._password = password

    def _said(self):
        return (self._folder / "log").read_text(errors="replace")

    def _run(self, port):
        settings = self._folder / "tinyproxy.conf"
        lines = [
            f"Port {port}",
            f"Listen {LOOPBACK}",
            "Timeout 60",
            "MaxClients 20",
            "LogLevel Info",
            f'Upstream http {self._behind.host} ".test"',
        ]
        if self._password:
            lines.append("BasicAuth {} {}".format(*self._password))
        settings.write_text("\n".join(lines) + "\n")
        with open(self._folder / "log", "wb") as log:
            return subprocess.Popen(
                [unpacked("tinyproxy-bin", "usr/bin/tinyproxy"), "-d", "-c", settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
