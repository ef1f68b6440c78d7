"""What it takes to move blobs: an artifact fetched to a file, an image copied to another registry."""

import os
import random
import shlex
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import measure
from bundles import layout, named, pack
from copies import child
from images import CONFIG, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, compact, descriptor
from measure import attempt
from recorder import Recorder
from registry import Registry
from slow_relay import SlowRelay
from tables import kilobytes, number, show
from tools import HUNDRED

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
LARGE, SMALL = 100_000_000, 1_000_000
DELAY = 0.025  # seconds, one way
REPOSITORY = "figures/blobs"
LIMIT = 1.3  # CPU, as a multiple of SHA-256's
ROOM = 64 * 1024  # bytes that copy may take beyond what tag does
TITLE = "firmware.bin"


READS = [16, 256]  # KiB at a time: as regtag does, and as much as helps


class Program(NamedTuple):
    name: str
    path: str
    hashing: str = None  # a program that only hashes, with the same SHA-256; None: it could not be built
    floor: str = None  # one that receives and writes as well


def with_sha256(program, source, folder):
    """A program with that one's SHA-256, from the object that it was linked with."""
    built = Path(program).parent
    path = f"{folder}/{source}-{built.name}"
    command = [*shlex.split(os.environ.get("CC", "gcc")), "-O2", "-flto", "-w", "-static", "-no-pie", "-o", path]
    command += [f"-I{TOP}/build/third_party/mbedtls/include", HERE / f"{source}.c", built / "obj/mbedtls/sha256.o"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    return path if done.returncode == 0 else None


def image(registry, tag, size, layers):
    """Pushes an image, or an artifact of one layer, of bytes that cannot be compressed; its layers' digests."""
    config = compact({"made": tag})
    registry.push_blob(REPOSITORY, config)
    found = []
    for index in range(layers):
        data = random.Random(f"{tag}-{index}").randbytes(size // layers)
        registry.push_blob(REPOSITORY, data)
        note = {"org.opencontainers.image.title": TITLE} if layers == 1 else {}
        found.append(descriptor(OCI_LAYER, data, **({"annotations": note} if note else {})))
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
    manifest |= {"config": descriptor(OCI_CONFIG, config), "layers": found}
    registry.push(REPOSITORY, tag, OCI_MANIFEST, compact(manifest))
    return [one["digest"] for one in found]


def least(costs, what):
    return min((getattr(cost, what) for cost in costs), default=None)


def decimals(value):
    return "-" if value is None else f"{value:.2f}"


def peak(found, own):
    """The others give memory back before they end."""
    return found and (found.total if own else max(found.total, found.highest))


class Blobs:
    """`programs`: regtag's builds; `peers`: the tools beside them; the registries' storage is in `memory_folder`."""

    def __init__(self, programs, peers, variables, folder, memory_folder, binary, stack):
        self.programs = [self.program(name, path, folder) for name, path in programs]
        self.peers = {tool.name: tool.path for tool in peers}
        self.variables = variables
        self.stack = stack
        self.binary = binary
        self.memory_folder = memory_folder
        self.source, _ = self.registry()
        self.target, self.target_folder = self.registry()
        self.place = self.new_folder() / "fetched"
        self.hashing = {f"SHA-256 of {one.name}": [[one.hashing, str(LARGE)]] for one in self.programs if one.hashing}

    def program(self, name, path, folder):
        return Program(name, path, *(with_sha256(path, source, folder) for source in ("sha256", "floor")))

    def new_folder(self):
        return Path(self.stack.enter_context(TemporaryDirectory(dir=self.memory_folder)))

    def registry(self):
        folder = self.new_folder()
        return self.stack.enter_context(Registry(self.binary, folder)), folder

    def clear(self):
        """Nobody finds its work done already."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        shutil.rmtree(self.target_folder / "storage", ignore_errors=True)

    def hashing_of(self, costs, name):
        return least(costs.get(f"SHA-256 of {name}", []), "cpu")

    def residence(self, task, own):
        self.clear()
        return peak(attempt(measure.memory, task, self.variables), own)

    def left_out(self, wanted):
        missing = [name for name in wanted if name not in self.peers]
        words = f" Left out, as they are not there: {', '.join(missing)}." if missing else ""
        slow = [one.name for one in self.programs if not one.hashing]
        return words + (f" No SHA-256 alone, as it could not be built: {', '.join(slow)}." if slow else "")

    # -- fetch

    def fetches(self, tag, digest):
        """Tasks by name: each leaves a file that was verified."""
        image, file = f"{self.source.host}/{REPOSITORY}:{tag}", str(self.place / TITLE)
        tasks = {one.name: [[one.path, "fetch", image, "-o", file]] for one in self.programs}
        if "oras" in self.peers:
            oras = self.peers["oras"]
            tasks["oras pull"] = [[oras, "pull", "--plain-http", "-o", str(self.place), image]]
        if "curl recipe" in self.peers and shutil.which("sha256sum"):
            url = f"http://{self.source.host}/v2/{REPOSITORY}/blobs/{digest}"
            tasks["curl, sha256sum"] = [
                [self.peers["curl recipe"], "-fsS", "-o", file, url],
                [shutil.which("sha256sum"), file],
            ]
        return tasks

    def floors(self, digest):
        """What is left of it for a program that only receives, hashes and writes."""
        path, file = f"/v2/{REPOSITORY}/blobs/{digest}", str(self.place / TITLE)
        first = self.programs[0]
        return {
            f"the least, reading {size} KiB": [[first.floor, str(self.source.port), path, str(size), file]]
            for size in READS
            if first.floor
        }

    def fetch(self, count):
        digests = {tag: image(self.source, tag, size, 1)[0] for tag, size in (("large", LARGE), ("small", SMALL))}
        tasks = self.fetches("large", digests["large"])
        floors = self.floors(digests["large"])
        costs = measure.rounds({**tasks, **floors, **self.hashing}, count, self.variables, self.clear)
        small = self.fetches("small", digests["small"])
        own = [one.name for one in self.programs]
        paths = {one.name: one.path for one in self.programs}
        rows = []
        for name, task in tasks.items():
            memory = [self.residence(one, name in own) for one in (small[name], task)]
            tag = self.tag(paths[name], "small", ["new"], []) if name in own else None
            rows.append([name, *self.figures(costs, name), *map(kilobytes, [tag, *memory])])
        for name in floors:
            seconds, cpu, _, ratio, _ = self.figures(costs, name, self.programs[0].name)
            rows.append([name, seconds, cpu, "", ratio, *[""] * 4])
        columns = ["", "seconds", "CPU\nseconds", "of SHA-256\nalone", "ratio", ""]
        columns += ["KB: 1 tag", "fetch of\n1 MB", "fetch of\n100 MB"]
        show(
            "fetch: 100 MB to a file",
            columns,
            rows,
            f"From a docker-registry on this machine, plain HTTP, to a new file; storage and file are in memory. The least of {count} "
            "rounds, in each of them every program once; CPU is user and system time of the programs alone. SHA-256 "
            "alone is a program that hashes as many bytes with the archive that the program was linked with, in the same rounds. "
            f"The limit is {LIMIT} times that; the least is what a program takes that receives the bytes, hashes them with the same "
            "object and writes them, and does nothing else. sha256sum is part of what curl takes; it has an SHA-256 of its own, which may use "
            "the processor's instructions. Memory as above, of regtag beside that of one tag."
            f"{self.left_out(['oras', 'curl recipe'])}",
        )

    def figures(self, costs, name, hashing=None):
        seconds, cpu = least(costs[name], "seconds"), least(costs[name], "cpu")
        alone = self.hashing_of(costs, hashing or name)
        ratio = cpu / alone if cpu and alone else None
        verdict = "" if ratio is None else "holds" if ratio <= LIMIT else "MISSED"
        return [decimals(seconds), decimals(cpu), decimals(alone), decimals(ratio), verdict]

    # -- save

    def saves(self, tag):
        """Tasks by name: each leaves an archive that was verified."""
        image, file = f"{self.source.host}/{REPOSITORY}:{tag}", str(self.place / "image.tar")
        tasks = {one.name: [[one.path, "save", "-o", file, image]] for one in self.programs}
        if "oras" in self.peers:
            tasks["oras backup"] = [[self.peers["oras"], "backup", "--plain-http", "--output", file, image]]
        if "skopeo" in self.peers:
            options = ["--insecure-policy", "copy", "-q", "--preserve-digests", "--src-tls-verify=false"]
            tasks["skopeo copy"] = [[self.peers["skopeo"], *options, f"docker://{image}", f"oci-archive:{file}:{tag}"]]
        return tasks

    def save(self, count):
        image(self.source, "archive", LARGE, 3)
        image(self.source, "booklet", SMALL, 3)
        tasks = self.saves("archive")
        costs = measure.rounds({**tasks, **self.hashing}, count, self.variables, self.clear)
        small = self.saves("booklet")
        own = [one.name for one in self.programs]
        rows = []
        for name, task in tasks.items():
            memory = [self.residence(one, name in own) for one in (small[name], task)]
            rows.append([name, *self.figures(costs, name), *map(kilobytes, memory)])
        columns = ["", "seconds", "CPU\nseconds", "of SHA-256\nalone", "ratio", "", "KB: 1 MB", "100 MB"]
        show(
            "save: an image of 3 layers, 100 MB in all, to an archive",
            columns,
            rows,
            "As for fetch: from a docker-registry on this machine, to a new tar file; storage and file are in memory. The least of "
            f"{count} rounds.{self.left_out(['oras', 'skopeo'])}",
        )

    # -- copy

    def copies(self, source, target, tag="image", program=None):
        """Tasks by name: each copies the image under a tag that is new."""
        one, other = f"{source}/{REPOSITORY}:{tag}", f"{target}/{REPOSITORY}:{tag}"
        if program:
            return [[program, "copy", one, other]]
        tasks = {each.name: [[each.path, "copy", one, other]] for each in self.programs}
        peers = {
            "oras": ["cp", "--from-plain-http", "--to-plain-http", one, other],
            "crane": ["copy", "--insecure", one, other],
            "skopeo": [
                *["--insecure-policy", "copy", "-q", "--preserve-digests"],
                *["--src-tls-verify=false", "--dest-tls-verify=false", f"docker://{one}", f"docker://{other}"],
            ],
        }
        for name, words in peers.items():
            if name in self.peers:
                tasks[f"{name} {'cp' if name == 'oras' else 'copy'}"] = [[self.peers[name], *words]]
        return tasks

    def copy(self, count):
        image(self.source, "image", LARGE, 3)
        image(self.source, "light", SMALL, 3)
        tasks = self.copies(self.source.host, self.target.host)
        costs = measure.rounds({**tasks, **self.hashing}, count, self.variables, self.clear)
        with SlowRelay(self.source.port, DELAY) as source, SlowRelay(self.target.port, DELAY) as target:
            far = self.copies(source.host, target.host)
            distant = measure.rounds(far, count, self.variables, self.clear)
        rows = []
        for name in tasks:
            rows.append([name, decimals(least(costs[name], "seconds")), decimals(least(distant[name], "seconds")), *self.figures(costs, name)[1:]])
        columns = ["", "seconds", f"at {2000 * DELAY:.0f} ms", "CPU\nseconds", "of SHA-256\nalone", "ratio", ""]
        show(
            "copy: 3 layers, 100 MB in all, to another registry",
            columns,
            rows,
            f"Between two docker-registries on this machine, plain HTTP; their storage is in memory, and the target is emptied before "
            f"each run. The least of {count} rounds, in each of them every program once; at {2000 * DELAY:.0f} ms through relays that "
            "delay every byte and each new connection, bandwidth being as it was. SHA-256 alone as above."
            f"{self.left_out(['oras', 'crane', 'skopeo'])}",
        )
        self.memory_of_copies(tasks)

    def loads(self, file):
        """Tasks by name: each loads the archive under its tag into the target."""
        place = f"{self.target.host}/{REPOSITORY}"
        tasks = {one.name: [[one.path, "load", file, place]] for one in self.programs}
        if "oras" in self.peers:
            tasks["oras restore"] = [[self.peers["oras"], "restore", "--plain-http", "--input", file, f"{place}:v1"]]
        if "skopeo" in self.peers:
            words = ["--insecure-policy", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false"]
            tasks["skopeo copy"] = [[self.peers["skopeo"], *words, f"oci-archive:{file}:v1", f"docker://{place}:v1"]]
        return tasks

    def archive(self, name, size):
        """A tar file of an image of 3 layers, whose bytes cannot be compressed."""
        data = [random.Random(f"{name}-{index}").randbytes(size // 3) for index in range(3)]
        manifest = child(CONFIG, *data)
        path = self.new_folder() / f"{name}.tar"
        path.write_bytes(pack(layout([named(manifest, "v1")], manifest, CONFIG, *data)))
        return str(path)

    def load(self, count):
        tasks = self.loads(self.archive("archive", LARGE))
        small = self.loads(self.archive("booklet", SMALL))
        costs = measure.rounds({**tasks, **self.hashing}, count, self.variables, self.clear)
        own = [one.name for one in self.programs]
        rows = []
        for name, task in tasks.items():
            memory = [self.residence(one, name in own) for one in (small[name], task)]
            rows.append([name, *self.figures(costs, name), *map(kilobytes, memory)])
        columns = ["", "seconds", "CPU\nseconds", "of SHA-256\nalone", "ratio", "", "KB: 1 MB", "100 MB"]
        show(
            "load: an image of 3 layers, 100 MB in all, from an archive",
            columns,
            rows,
            "From a tar file to a docker-registry on this machine, plain HTTP; file and storage are in memory, and the registry is "
            f"emptied before each run. The least of {count} rounds, in each of them every program once; SHA-256 alone as above."
            f"{self.left_out(['oras', 'skopeo'])}",
        )

    def memory_of_copies(self, tasks):
        rows = []
        own = {one.name: one.path for one in self.programs}
        small = self.copies(self.source.host, self.target.host, "light")
        for name, task in tasks.items():
            memory = [self.residence(one, name in own) for one in (small[name], task)]
            more = [""] * 4
            if name in own:
                more = self.beside_tag(own[name], memory[-1])
            rows.append([name, *map(kilobytes, memory), *more])
        columns = ["KB of 1000 bytes", "1 MB", "100 MB", "connec-\ntions", "100 tags over\nas many", "copy has\nmore", ""]
        show(
            "copy: peak resident memory",
            columns,
            rows,
            "As above, of 3 layers. Connections: as many as relays have counted in front of both registries. The limit is "
            f"{ROOM // 1024} KiB more than tag takes.",
        )

    def beside_tag(self, program, memory):
        self.clear()
        with Recorder(self.source.port) as source, Recorder(self.target.port) as target:
            task = self.copies(source.host, target.host, "light", program)
            attempt(measure.run, task, self.variables)
        connections = source.connections + target.connections
        tag = self.tag(program, "light", HUNDRED, ["--jobs", str(connections)])
        if not tag or not memory:
            return [number(connections), "-", "-", ""]
        more = memory - tag
        return [number(connections), kilobytes(tag), kilobytes(more), "holds" if more <= ROOM else "MISSED"]

    def tag(self, program, old, names, options):
        """The memory that tag takes, in the source registry."""
        self.source.forget(REPOSITORY, names)
        command = [program, "tag", *options, f"{self.source.host}/{REPOSITORY}:{old}", *names]
        return self.residence([command], True)
