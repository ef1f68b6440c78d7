"""What the lines of tag --from cost: memory, seconds and connections, for ten and for many."""

import measure
from recorder import Recorder
from tables import KB, number, show

MANY, MANY_QUICK = 10_000, 1_000
REPOSITORIES = 10


class Lines:
    def __init__(self, program, registry, variables, folder):
        self.program = program
        self.registry = registry
        self.variables = variables
        self.path = f"{folder}/lines"

    def write(self, host, repositories, count):
        """Sorted by repository, as the manual advises."""
        share = count // len(repositories)
        with open(self.path, "w", encoding="ascii") as lines:
            for repository in repositories:
                lines.writelines(f"{host}/{repository}:small line{index}\n" for index in range(share))

    def task(self, *options):
        return [[self.program, "tag", *options, "--from", self.path]]

    def row(self, name, repositories, count):
        names = [f"line{index}" for index in range(count // len(repositories))]

        def forget():
            for repository in repositories:
                self.registry.forget(repository, names)

        forget()
        self.write(self.registry.host, repositories, count)
        peak = measure.memory(self.task(), self.variables)
        forget()
        cost = measure.run(self.task(), self.variables)
        with Recorder(self.registry.port) as relay:
            self.write(relay.host, repositories, count)
            measure.run(self.task("--dry-run"), self.variables)
        figures = [count, peak.own / KB, peak.total / KB, relay.connections]
        return [name, *map(number, figures), f"{cost.seconds:.2f}", f"{1e6 * cost.cpu / count:,.0f}"]

    def table(self, media_type, document, quick):
        several = [f"lines/{index}" for index in range(REPOSITORIES)]
        for repository in several:
            self.registry.push_image(repository, "small", media_type, document)
        many = MANY_QUICK if quick else MANY
        show(
            "Lines of tag --from",
            ["", "lines", "KB\nwritten to", "KB\nresident", "connections", "seconds", "CPU a line,\nmicroseconds"],
            [
                self.row("one repository", several[:1], 10),
                self.row("one repository", several[:1], many),
                self.row(f"{REPOSITORIES} repositories", several, many),
            ],
            "Each line sets a new tag, 3 requests in 2 round trips. Memory as in the tables of memory above. The lines "
            "are sorted by repository.",
        )
