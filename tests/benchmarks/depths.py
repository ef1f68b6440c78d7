#!/usr/bin/python3
"""How deep the stack of this machine's static programs is at the most, by what a tag takes: tests/benchmarks/depths.py [BUILD...]

BUILD is a folder in build/; without any, all programs of this machine's target. What was never written to is zero: the
kernel stops the program on its way out, and its memory is looked at. `make figures` shows the same.
"""

import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "tests/benchmarks"), str(TOP / "tests/e2e")]

from authority import Workshop  # noqa: E402
from fake import Fake, Shelf, answer  # noqa: E402
from images import DOCKER_MANIFEST, docker_manifest, padded  # noqa: E402
from measure import Failed, attempt, brief  # noqa: E402
from program import environment  # noqa: E402
from residence import at_end  # noqa: E402
from tables import number, show  # noqa: E402
from tls_server import Front, server_context  # noqa: E402
from token_server import Tokens, secret, token_gate  # noqa: E402

REPOSITORY = "demo/app"
ELSEWHERE = "/elsewhere" + "/long" * 200
MOST = 12_000  # bytes that it may have


class Detour:
    """Redirects whoever may have the manifest of a registry."""

    def __init__(self, shelf, registry):
        self.shelf = shelf
        self.registry = registry

    def __call__(self, request):
        if request.path == ELSEWHERE:
            return answer(200, self.shelf.manifests[REPOSITORY, "small"][1], f"Content-Type: {DOCKER_MANIFEST}")
        found = self.registry(request)
        if request.method == "GET" and found.startswith(b"HTTP/1.1 200"):
            return answer(307, b"", f"Location: {ELSEWHERE}")
        return found


class Depths:
    """Servers, and what a program is asked to do with them."""

    def __init__(self, folder, stack):
        self.folder = Path(folder)
        self.stack = stack
        self.workshop = stack.enter_context(Workshop(self.folder))
        self.root = self.workshop.root()
        self.shown = self.workshop.server(self.root)
        self.shelf = Shelf()
        self.shelf.put(REPOSITORY, "small", DOCKER_MANIFEST, padded(docker_manifest(), 2000))
        self.tokens = Tokens()
        self.tokens.accounts["somebody"] = secret("password")
        self.token_server = stack.enter_context(Fake(self.tokens))
        helper = self.folder / "docker-credential-depths"
        told = {"Username": "somebody", "Secret": self.tokens.accounts["somebody"]}
        helper.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{json.dumps(told)}'\n")
        helper.chmod(0o755)
        (self.folder / "helped").mkdir()
        (self.folder / "helped/config.json").write_text('{"credsStore": "depths"}')
        self.variables = environment({"HOME": folder, "LC_ALL": "C.UTF-8"})
        self.variables["PATH"] = f"{folder}:{os.environ['PATH']}"
        gate = token_gate(self.shelf, self.tokens, self.token_server)
        self.tasks = {
            "plain": self.plain(self.shelf),
            "redirect": self.plain(Detour(self.shelf, self.shelf)),
            "helper": self.plain(gate),
            "TLS": self.secure(self.shelf),
            "all of\nthese": self.secure(Detour(self.shelf, gate), "--allow-realm", self.token_server.host),
        }

    def plain(self, respond):
        return [f"{self.stack.enter_context(Fake(respond)).host}/{REPOSITORY}:small"]

    def secure(self, respond, *options):
        server = self.stack.enter_context(Fake(respond))
        context = server_context(Path(tempfile.mkdtemp(dir=self.folder)), self.shown)
        port = self.stack.enter_context(Front(server.port, context)).port
        return ["--tls", "--cacert", str(self.root.file), *options, f"127.0.0.1:{port}/{REPOSITORY}:small"]

    def depth(self, build, title, task):
        command = [str(TOP / "build" / build / "unstripped"), "tag", *task, "new"]
        helped = {"DOCKER_CONFIG": str(self.folder / "helped")} if title in ("helper", "all of\nthese") else {}
        status, found = at_end(command, {**self.variables, **helped})
        if status != 0:
            raise Failed(brief(command))
        return found.stack

    def show(self, builds):
        rows = []
        for build in builds:
            secure = "-plain" not in build
            depths = [secure or "--tls" not in task or None for task in self.tasks.values()]
            depths = [may and attempt(self.depth, build, *task) for may, task in zip(depths, self.tasks.items())]
            most = max((one for one in depths if one), default=0)
            rows.append([build, *map(number, depths), "holds" if 0 < most <= MOST else "MISSED"])
        show(
            "Stack of the static programs",
            ["bytes", *self.tasks, f"at most\n{number(MOST)}"],
            rows,
            "One tag: how much of the stack was ever written to, above main's arguments; not that of the processes that "
            "are forked. Helper: a credential helper knows the login of a token server; the redirect has a path of 1 KB.",
        )


def built():
    names = [f"{os.uname().machine}-linux-musl{kind}" for kind in ("-plain-tag", "-tag", "-plain", "")]
    return [name for name in names if (TOP / f"build/{name}/unstripped").exists()]


def table(builds):
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Depths(folder, stack).show(builds)


if __name__ == "__main__":
    table(sys.argv[1:] or built())
