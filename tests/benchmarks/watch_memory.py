#!/usr/bin/python3
"""What a watch needs for ever: tests/benchmarks/watch_memory.py REGTAG [ASKS]

Lets regtag watch a tag for so many asks (100,000) and shows what the kernel knows of it after a hundredth of them and
at the end: over one connection, in plain HTTP and in TLS, and with a connection for each ask. SIGHUP makes it ask at
once. The tag moves every thousand asks. The server, of Python, is on 127.0.0.1 and answers with 304 where that fits.
"""

import hashlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

MOVES_EVERY = 1000
CONDITION = re.compile(rb'\r\nIf-None-Match: "([^"]*)"')


class Server:
    """Answers HEAD, and tells the program to ask again as soon as it has the answer."""

    def __init__(self, asks, context, keep):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.context = context
        self.asks, self.keep = asks, keep
        self.count = self.connections = 0
        self.pid = None
        self.marks = {}
        self.over = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while not self.over.is_set():
            client, _ = self.listener.accept()
            self.connections += 1
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            with client:
                self.talk(client)

    def talk(self, client):
        data = b""
        while not self.over.is_set():
            more = client.recv(65536)
            if not more:
                return
            data += more
            if not data.endswith(b"\r\n\r\n"):
                continue
            self.count += 1
            if self.count in (self.asks // 100, self.asks):
                self.marks[self.count] = look(self.pid)
            if self.count == self.asks:
                self.over.set()
                return
            answer = self.answer(data)
            data = b""
            os.kill(self.pid, signal.SIGHUP)
            client.sendall(answer)
            if not self.keep:
                return

    def answer(self, request):
        number = self.count // MOVES_EVERY
        digest = b"sha256:" + hashlib.sha256(b"%d" % number).hexdigest().encode()
        known = CONDITION.search(request)
        close = b"" if self.keep else b"Connection: close\r\n"
        if known and known[1] == digest:
            return b"HTTP/1.1 304 Not Modified\r\n" + close + b"\r\n"
        fields = b"Content-Length: 2\r\nDocker-Content-Digest: " + digest + b"\r\n"
        return b"HTTP/1.1 200 OK\r\n" + close + fields + b"\r\n"


def look(pid):
    """KiB of its own and in all, descriptors, and seconds of the processor."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    own, total = (int(re.search(rf"^{name}:\s+(\d+)", rollup, re.M)[1]) for name in ("Anonymous", "Rss"))
    clock = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    seconds = (int(clock[11]) + int(clock[12])) / os.sysconf("SC_CLK_TCK")
    return own, total, len(os.listdir(f"/proc/{pid}/fd")), seconds


def certificate(folder):
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    name = ["-subj", "/CN=watched", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", f"{folder}/key", "-out", f"{folder}/certificate"]
    subprocess.run([*new, *name, *files], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/certificate", f"{folder}/key")
    return context


def run(program, name, asks, folder, context=None, keep=True):
    server = Server(asks, context, keep)
    trust = ["--tls", "--cacert", f"{folder}/certificate"] if context else []
    command = [program, "watch", "-q", "--interval", "60", *trust, f"127.0.0.1:{server.port}/repo:tag"]
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as watch:
        server.pid = watch.pid
        moves = []
        reader = threading.Thread(target=lambda: moves.extend(watch.stdout), daemon=True)
        reader.start()
        server.over.wait()
        seconds = time.monotonic() - start
        watch.send_signal(signal.SIGTERM)
        status = watch.wait()
        reader.join()
    first, last = server.marks[asks // 100], server.marks[asks]
    print(
        f"{name}: {asks} asks, {server.connections} connections, {len(moves)} moves, {seconds:.0f} s, status {status}\n"
        f"    own memory {first[0]} then {last[0]} KiB, resident {first[1]} then {last[1]} KiB,"
        f" descriptors {first[2]} then {last[2]}, {1e6 * (last[3] - first[3]) / asks:.0f} us of processor an ask"
    )
    return last[0] <= first[0] + 16 and last[2] <= first[2]


def main():
    program = sys.argv[1]
    asks = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
    with tempfile.TemporaryDirectory() as folder:
        flat = run(program, "plain", asks, folder)
        context = certificate(folder)
        flat &= run(program, "TLS", asks, folder, context)
        flat &= run(program, "plain, a connection an ask", asks // 5, folder, keep=False)
        flat &= run(program, "TLS, a connection an ask", asks // 50, folder, context, keep=False)
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
