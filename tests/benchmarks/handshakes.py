#!/usr/bin/python3
"""Instructions of handshakes on the targets' processors: tests/benchmarks/handshakes.py [--functions COUNT] [BUILD...]

BUILD is a folder in build/, such as mips-linux-musl; without any, all targets with TLS that are built. --functions shows
where most of the instructions are. The emulator counts, with a plugin (emulated.c). `make figures` shows the same.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "tests/benchmarks"), str(TOP / "tests/e2e")]

from authority import Workshop  # noqa: E402
from fake import Fake, Shelf  # noqa: E402
from images import DOCKER_MANIFEST, docker_manifest, padded  # noqa: E402
from measure import Failed, attempt, brief  # noqa: E402
from program import environment  # noqa: E402
from tables import number, show  # noqa: E402
from tls_server import Front, server_context  # noqa: E402

REPOSITORY = "demo/app"
SMALL, LARGE = 2_000, 66_000  # bytes of a manifest
LIMIT = 300  # seconds
SOURCE = TOP / "tests/benchmarks/emulated.c"


def emulator(build):
    """Of the target whose toolchain made it; qemu-user's, since a static one loads no plugin."""
    target = (TOP / "build" / build / "toolchain").resolve().name.rpartition("-")[0]
    settings = (TOP / f"toolchains/{target}.mk").read_text()
    name, *options = re.search(r"^emulator *:= *(.*)$", settings, re.MULTILINE)[1].split()
    return [name.removesuffix("-static"), *options]


def emulated(build):
    return shutil.which(emulator(build)[0]) is not None


def make_plugin(folder):
    plugin = f"{folder}/emulated.so"
    compiler = shlex.split(os.environ.get("CC", "gcc"))
    subprocess.run([*compiler, "-shared", "-fPIC", "-O2", "-o", plugin, SOURCE], check=True)
    return plugin


def instructions(plugin, build, command, variables):
    """Of one run of a build's program, by function."""
    found = Counter()
    with tempfile.NamedTemporaryFile("r") as counts:
        counting = [*emulator(build), "-plugin", f"{plugin},out={counts.name}"]
        done = subprocess.run(
            [*counting, TOP / "build" / build / "unstripped", *command],
            **{"env": variables, "stdin": subprocess.DEVNULL, "capture_output": True, "timeout": LIMIT},
        )
        if done.returncode != 0:
            raise Failed(f"{build}: {brief(command)}: {done.stderr.decode(errors='replace')}")
        for line in counts:
            count, function = line.split()
            found[function] += int(count)
    return found


class Handshakes:
    """Servers, and what a program is asked to do with them."""

    def __init__(self, folder, stack):
        self.folder = Path(folder)
        self.stack = stack
        self.workshop = stack.enter_context(Workshop(self.folder))
        self.plugin = make_plugin(folder)
        self.variables = environment({"HOME": folder, "LC_ALL": "C.UTF-8"})
        shelf = Shelf()
        for tag, size in (("small", SMALL), ("large", LARGE)):
            shelf.put(REPOSITORY, tag, DOCKER_MANIFEST, padded(docker_manifest(), size))
        self.server = stack.enter_context(Fake(shelf))
        self.tasks = dict(self.make_tasks())

    def make_tasks(self):
        elliptic, rsa = self.chain("ec"), self.chain("rsa:2048")
        gcm, chacha = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"
        yield "TLS 1.3,\nEC", self.task(elliptic, "1.3")
        yield "TLS 1.3,\nRSA-2048", self.task(rsa, "1.3")
        yield "TLS 1.2,\nEC", self.task(elliptic, "1.2", gcm)
        yield "and 64 KB\nAES", self.task(elliptic, "1.2", gcm, "large")
        yield "64 KB\nChaCha20", self.task(elliptic, "1.2", chacha, "large")

    def chain(self, kind):
        make = self.workshop
        if kind == "ec":
            root = make.root()
            return make.server(root), root
        root = make.root(key=make.key(kind, "authority"))
        return make.server(root, key=make.key(kind, "server")), root

    def task(self, chain, version, cipher=None, tag="small"):
        certificate, root = chain
        context = server_context(Path(tempfile.mkdtemp(dir=self.folder)), certificate, version=version)
        if cipher:
            context.set_ciphers(cipher)
        port = self.stack.enter_context(Front(self.server.port, context)).port
        return ["manifest", "--tls", "--cacert", str(root.file), f"127.0.0.1:{port}/{REPOSITORY}:{tag}"]

    def show(self, builds, functions=0):
        rows, most = [], []
        for build in builds:
            found = [attempt(instructions, self.plugin, build, task, self.variables) for task in self.tasks.values()]
            rows.append([build, *(number(one and one.total() / 1000) for one in found)])
            most += [(build, title, one) for title, one in zip(self.tasks, found) if one]
        show(
            "Handshakes of the static programs, in thousands of instructions",
            ["", *self.tasks],
            rows,
            "One run of `regtag manifest`, from the first instruction to the last, counted by the processor's emulator. "
            "Secrets are random, so that figures differ by some tenths of a percent. "
            "Without the kernel's instructions, and without what a cache miss costs.",
        )
        for build, title, one in most if functions else []:
            print("\n" + f"{build}: {title}".replace("\n", " "))
            for name, spent in one.most_common(functions):
                print(f"{number(spent / 1000):>12}  {name}")


def built():
    names = sorted(path.stem for path in (TOP / "toolchains").glob("*.mk"))
    return [name for name in names if (TOP / f"build/{name}/unstripped").exists()]


def main():
    parser = argparse.ArgumentParser(description="counts the instructions of handshakes on targets")
    parser.add_argument("--functions", type=int, default=0, metavar="COUNT", help="show the functions that need most")
    parser.add_argument("builds", nargs="*", metavar="BUILD", help="a folder of build/; else all targets that are built")
    options = parser.parse_args()
    builds = options.builds or built()
    missing = sorted({emulator(build)[0] for build in builds if not emulated(build)})
    if missing:
        parser.error(f"there is no {', '.join(missing)}: Debian's package qemu-user has it")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Handshakes(folder, stack).show(builds, options.functions)


if __name__ == "__main__":
    main()
