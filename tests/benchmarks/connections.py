"""What another connection costs in memory."""

from measure import attempt, memory
from recorder import Recorder
from tables import kilobytes, number, show
from tools import HUNDRED, ONE, REPOSITORY

JOBS = (1, 4, 17)
RUNS = 3


class Connections:
    """`places`: what is measured, the path of the program, a registry, and options to reach it by."""

    def __init__(self, places, variables):
        self.places = places
        self.variables = variables

    def show(self):
        rows = [
            [title, *self.figures(program, registry, options)]
            for title, program, registry, options in self.places
        ]
        columns = ["KB of 1000 bytes", "1 tag"]
        columns += [f"100 tags,\n--jobs {jobs}" for jobs in JOBS]
        columns += [f"each more,\nof {jobs}" for jobs in JOBS[1:]]
        columns += [f"connec-\ntions, {jobs}" for jobs in JOBS]
        show(
            "Memory by connections",
            columns,
            rows,
            "Peak resident memory with a docker-registry on this machine, TLS 1.3 with an EC certificate, "
            f"as above; the least of {RUNS} runs. Each more: the difference to one connection, divided. "
            "Connections: as many as a relay has counted.",
        )

    def figures(self, program, registry, options):
        one, _ = self.least(program, registry, options, ONE)
        found = [
            self.least(program, registry, [*options, "--jobs", str(jobs)], HUNDRED) for jobs in JOBS
        ]
        peaks = [peak for peak, _ in found]
        more = [
            (peak - peaks[0]) / (jobs - 1) if peak and peaks[0] else None
            for peak, jobs in zip(peaks[1:], JOBS[1:])
        ]
        counts = (number(count) for _, count in found)
        return [kilobytes(one), *map(kilobytes, peaks), *map(kilobytes, more), *counts]

    def least(self, program, registry, options, names):
        """Bytes, and connections."""
        runs = [self.run(program, registry, options, names) for _ in range(RUNS)]
        return min((one for one in runs if one[0]), default=(None, None))

    def run(self, program, registry, options, names):
        registry.forget(REPOSITORY, [*ONE, *HUNDRED])
        with Recorder(registry.port) as relay:
            image = f"{relay.host}/{REPOSITORY}:small"
            found = attempt(memory, [[program, "tag", *options, image, *names]], self.variables)
        return found and found.total, relay.connections
