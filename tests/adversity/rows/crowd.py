"""Many at once, on a real docker-registry: 10,000 runs in batches; 200 on one tag, guarded; 50 on one journal, which is
then undone. What each of them says is what has happened.
"""

import os
import tempfile
from pathlib import Path

from fronts import unpacked
from images import DOCKER_MANIFEST, compact, digest_of, docker_manifest
from program import environment
from races import contestant, end, start
from registry import Registry

TITLE = "crowd"
BATCH, BATCHES = 50, 200
KINDS = {"one-tag": 200, "one-journal": 50}
ROUNDS = 3
PATIENCE = 150  # seconds
HONEST = (5, 6, 12, 17, 18)  # who could not do it, and says so
DONE = ("created", "moved", "set", "unchanged")
OLD = compact(docker_manifest())


def cases(stage, whole):
    """A quick look leaves out 200 at once, for which there is test_races.py."""
    del stage
    for number in range(BATCHES if whole else 2):
        yield "batch", number
    for number in range(ROUNDS if whole else 1):
        yield "one-journal", number
        if whole:
            yield "one-tag", number


class Site:
    """A docker-registry with a repository for each case."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="crowd-")
        self.folder = Path(self._folder.name)
        binary = os.environ.get("REGISTRY") or unpacked("docker-registry", "usr/bin/docker-registry")
        self.registry = Registry(binary, self.folder)
        self.registry.__enter__()

    def close(self):
        self.registry.__exit__(None, None, None)
        self._folder.cleanup()

    def prepare(self, repository, count):
        """So many images; the tag "stable" is at none of them."""
        self.registry.push_image(repository, "stable", DOCKER_MANIFEST, OLD)
        documents = [contestant(number) for number in range(count)]
        return [self.registry.push(repository, digest_of(one), DOCKER_MANIFEST, one) for one in documents]


def attempt(stage, case):
    kind, number = case
    site = stage.keep("crowd", Site)
    return list({"batch": batch, "one-tag": one_tag, "one-journal": one_journal}[kind](stage, site, f"{kind}{number}"))


def run_together(stage, site, lines):
    """Starts all of them before it waits for the first: (status, columns, stderr) of each."""
    commands = [stage.program.command(*line, retries=20) for line in lines]
    processes = [start(one, env=environment({}), cwd=site.folder) for one in commands]
    for status, out, err in end(processes, PATIENCE + 30):
        rows = [tuple(line.split("\t")) for line in out.decode().splitlines()]
        yield status, rows, err


def tag(*words):
    return ["tag", "--timeout", PATIENCE, *words]


def batch(stage, site, repository):
    """Each sets a tag of its own."""
    [digest] = site.prepare(repository, 1)
    names = [f"t{number}" for number in range(BATCH)]
    image = f"{site.registry.host}/{repository}@{digest}"
    for name, (status, rows, err) in zip(names, run_together(stage, site, [tag(image, one) for one in names])):
        told = [row[1:3] for row in rows]
        if status != 0 or told != [(digest, "created")]:
            yield f"{name}: status {status}, {told}: {err[-200:]!r}"
        elif site.registry.digest(repository, name) != digest:
            yield f"{name} is said to be created, and is not there"


def one_tag(stage, site, repository):
    """All of them expect it where it was: nobody says what is not so, and the tag is at what one of the winners put."""
    digests = site.prepare(repository, KINDS["one-tag"])
    before, host = digest_of(OLD), f"{site.registry.host}/{repository}"
    lines = [tag("--expect", before, f"{host}@{one}", "stable") for one in digests]
    winners = []
    for digest, (status, rows, err) in zip(digests, run_together(stage, site, lines)):
        [(_, shown, word, previous)] = rows
        if status == 0 and (word != "moved" or previous != before or shown != digest):
            yield f"status 0, {word} from {previous}"
        if status not in (0, *HONEST):
            yield f"status {status}: {err[-200:]!r}"
        if status in (0, 18):
            winners.append(digest)
    last = site.registry.digest(repository, "stable")
    if last not in winners:
        yield f"the tag is at {last}, which none of {len(winners)} winners has put there"


def one_journal(stage, site, repository):
    """Every line is whole, all of them are there, and all can be undone."""
    [digest] = site.prepare(repository, 1)
    host, journal = f"{site.registry.host}/{repository}", site.folder / f"{repository}.journal"
    names = [f"t{number}" for number in range(KINDS["one-journal"])]
    for name in names:
        site.registry.push(repository, name, DOCKER_MANIFEST, OLD)
    lines = [tag("--journal", journal, f"{host}@{digest}", name) for name in names]
    for name, (status, rows, err) in zip(names, run_together(stage, site, lines)):
        if status != 0 or [row[2] for row in rows] != ["moved"]:
            yield f"{name}: status {status}: {err[-200:]!r}"
    told = [line.split("\t") for line in journal.read_text().splitlines()]
    for word in ("moving", "moved"):
        found = sorted(line[1] for line in told if line[-1] == word)
        if found != sorted(f"{host}:{name}" for name in names):
            yield f"the journal has {len(found)} lines that say {word}"
    if any(line[2:4] != [digest_of(OLD), digest] for line in told):
        yield "a line of the journal is not as it should be"
    undone = stage.program("undo", journal, limit=PATIENCE)
    if undone.status or any(site.registry.digest(repository, name) != digest_of(OLD) for name in names):
        yield f"undo: status {undone.status}"
