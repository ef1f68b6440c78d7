"""A network of a test's own, with name servers and a registry, and the program in it with an /etc of its own.

As a script it is what runs in the network namespace: names.py SETTINGS COMMAND... starts the servers, then the command,
and ends with its status. "{port}" in a word of the command is the port of the registry.
"""

import ctypes
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

from namespaces import own_namespaces

HERE = Path(__file__).resolve().parent
TYPES = {1: "A", 28: "AAAA"}
FAMILIES = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}
SILENT = "SILENT"
LOOPBACK, LOOPBACK_IPV6 = "127.0.0.1", "::1"
SUBREAPER = 36  # of prctl


# ---- Outside


class Network:
    """network([NameServer settings...], "digest", ...) runs the program in a namespace made for that."""

    def __init__(self, regtag, device):
        self._regtag = regtag
        self._device = device
        self._report = device.folder.parent / "network.json"

    def __call__(self, servers, *args, conf=(), hosts="", retries=0, **options):
        """`conf` are more lines of /etc/resolv.conf, `hosts` is /etc/hosts."""
        lines = [f"nameserver {one['address']}" for one in servers]
        self._device.put("/etc/resolv.conf", "\n".join([*lines, *conf]) + "\n")
        self._device.put("/etc/nsswitch.conf", "hosts: files dns\n")
        self._device.put("/etc/hosts", hosts)
        settings = {"servers": servers, "report": str(self._report)}
        inside = [sys.executable, HERE / "names.py", json.dumps(settings)]
        return self._regtag.run([*alone(), *inside, *self._device.command(*args, retries=retries)], **options)

    @property
    def report(self):
        """What the last run left behind: `questions` as [name, type], `orphans` as a number."""
        return json.loads(self._report.read_text(encoding="ascii"))


def alone():
    """What runs a command in a network namespace of its own."""
    return own_namespaces("--net")


def why_not():
    """What keeps this machine from running such a network; None: nothing does."""
    if shutil.which("unshare") is None:
        return "there is no unshare"
    tried = subprocess.run(
        [*alone(), sys.executable, HERE / "names.py", json.dumps({"servers": [], "report": os.devnull}), "true"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return None if tried.returncode == 0 else f"no network of one's own here: {tried.stderr.strip()[-200:]}"


def server(address=LOOPBACK, **zone):
    """Settings of a name server. For each name (with _ for its dots) a dict from type to answer: a list of
    addresses, a code, or SILENT. Names it does not have are NXDOMAIN; a server with an empty zone never answers."""
    return {"address": address, "zone": {name.replace("_", "."): answers for name, answers in zone.items()}}


# ---- Inside


class NameServer:
    def __init__(self, address, zone, questions):
        self._zone = zone
        self._questions = questions
        self._socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            query, client = self._socket.recvfrom(4096)
            name, kind, end = _question(query)
            self._questions.append([name, kind])
            answer = self._answer(name, kind)
            if answer != SILENT:
                self._socket.sendto(_reply(query, end, answer), client)

    def _answer(self, name, kind):
        if not self._zone:
            return SILENT
        return self._zone.get(name, self._zone.get("*", {})).get(kind, "NXDOMAIN")


def _question(query):
    """The name, the type, and where the question ends."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii"))
        at += 1 + query[at]
    return ".".join(labels).lower(), TYPES.get(struct.unpack(">H", query[at + 1 : at + 3])[0], "?"), at + 5


def _reply(query, end, answer):
    addresses = answer if isinstance(answer, list) else []
    flags = 0x8180 | RCODES[answer if isinstance(answer, str) else "NOERROR"]
    head = query[:2] + struct.pack(">HHHHH", flags, 1, len(addresses), 0, 0)
    records = b""
    for text in addresses:
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        data = socket.inet_pton(family, text)
        kind = 28 if family == socket.AF_INET6 else 1
        records += struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
    return head + query[12:end] + records


def bring_up_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def _listener():
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server((LOOPBACK, 0))


def _orphans():
    """How many processes the command has left to be waited for."""
    count = 0
    try:
        while True:
            os.wait()
            count += 1
    except ChildProcessError:
        return count


def main():
    from conftest import OCI_DOCUMENT
    from fake import Fake, Shelf
    from images import OCI_MANIFEST

    settings, command = json.loads(sys.argv[1]), sys.argv[2:]
    questions = []
    bring_up_loopback()
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    for one in settings["servers"]:
        if one["zone"] is not None:  # None: nobody is at this address
            NameServer(one["address"], one["zone"], questions)
    shelf = Shelf()
    shelf.put("repo", "old", OCI_MANIFEST, OCI_DOCUMENT)
    with Fake(shelf, listener=_listener()) as registry:
        status = subprocess.call([word.replace("{port}", str(registry.port)) for word in command])
    report = {"questions": questions, "orphans": _orphans()}
    Path(settings["report"]).write_text(json.dumps(report), encoding="ascii")
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
