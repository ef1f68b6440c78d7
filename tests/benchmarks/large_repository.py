"""What takes a look at every tag of a repository: their digests, and deleting one with its siblings."""

import shutil
import tempfile
from pathlib import Path

import measure
from images import DOCKER_MANIFEST, compact, docker_manifest
from measure import attempt
from registry import Registry
from slow_relay import SlowRelay
from tables import show

TAGS = 1000
SIBLINGS = [f"sibling-{number}" for number in range(10)]
OTHERS = [f"v{number:04}" for number in range(TAGS - len(SIBLINGS))]
REPOSITORY = "figures/large"
DELAY = 0.025  # seconds, one way
SAMPLE = 5  # looks of a program that has to be run for each


class LargeRepository:
    def __init__(self, binary, tools, variables, memory, stack):
        self.tools = tools
        self.variables = variables
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        self.tags = folder / "storage/docker/registry/v2/repositories" / REPOSITORY / "_manifests/tags"
        self.registry = stack.enter_context(Registry(binary, folder, delete=True))
        self.registry.push_image(REPOSITORY, OTHERS[0], DOCKER_MANIFEST, compact(docker_manifest()))
        self.spread(OTHERS)
        self.put_siblings_back()

    def put_siblings_back(self):
        """An image of their own, which the run before has deleted."""
        image = compact({**docker_manifest(), "annotations": {"org.example.of": "the siblings"}})
        self.registry.push(REPOSITORY, SIBLINGS[0], DOCKER_MANIFEST, image)
        self.spread(SIBLINGS)

    def spread(self, tags):
        """Points all of these tags where the first one points, as the registry has it in its files."""
        for tag in tags[1:]:
            shutil.copytree(self.tags / tags[0], self.tags / tag, dirs_exist_ok=True)

    def show(self):
        hosts = {"loopback": self.registry.host}
        with SlowRelay(self.registry.port, DELAY) as relay:
            hosts["relay"] = relay.host
            found = {name: list(self.rows(host)) for name, host in hosts.items()}
        rows = [
            [title, seconds, cpu, far]
            for (title, seconds, cpu), (_, far, _) in zip(found["loopback"], found["relay"])
        ]
        show(
            f"A repository of {TAGS:,} tags",
            ["seconds", "loopback", "CPU", f"{2000 * DELAY:.0f} ms"],
            rows,
            f"docker-registry with deletion enabled; {len(SIBLINGS)} of the tags are siblings. The least of 2 "
            "runs on this machine, one through a relay. The other programs list the tags, then have to be run "
            f"for each: that is measured {SAMPLE} times and multiplied (~).",
        )

    def rows(self, host):
        """(what was done, seconds, CPU)."""
        regtag, *others = self.tools
        image = f"{host}/{REPOSITORY}"
        near = host == self.registry.host
        for title, *words in (
            ("regtag ls", "ls", image),
            ("regtag ls --digests", "ls", "--digests", image),
            ("regtag delete --with-siblings", "delete", "--with-siblings", f"{image}:{SIBLINGS[0]}"),
        ):
            yield title, *self.cost([[regtag.path, *words]], 2 if near else 1)
        for tool in others:
            if tool.digest:
                looks = [tool.digest(host, REPOSITORY, tag) for tag in OTHERS[:SAMPLE]]
                yield f"{tool.name}, a run a tag", *self.cost(looks, 1, TAGS / SAMPLE)

    def cost(self, task, count, factor=1):
        runs = [attempt(self.run, task) for _ in range(count)]
        runs = [one for one in runs if one]
        if not runs:
            return "-", "-"
        mark = "~" if factor > 1 else ""
        return tuple(f"{mark}{factor * min(figures):.2f}" for figures in zip(*runs))

    def run(self, task):
        if "--with-siblings" in task[0]:
            self.put_siblings_back()
        return measure.run(task, self.variables)
