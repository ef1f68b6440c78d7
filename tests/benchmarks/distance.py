"""How long it takes to tag an image in a registry that is far away."""

import measure
from slow_relay import SlowRelay
from tables import show
from tools import FOUR, HUNDRED, ONE, REPOSITORY

NEAR, FAR = 0.025, 0.15  # seconds, one way
ROUNDS = 3
MILLISECONDS = [0, 50, 100, 200, 300]  # round trips, for the picture


class Distance:
    """`tools` before one registry, which stands behind a relay; `variables` are their environment."""

    def __init__(self, tools, variables, registry, secure=False):
        self.tools = tools
        self.variables = variables
        self.registry = registry
        self.secure = secure

    def show(self, title, quick, far):
        near = [self.least(names, ROUNDS, NEAR) for names in (ONE, FOUR)]
        near.append(self.hundred(quick, 2, NEAR, near[1]))
        columns = ["seconds", "1 tag", "4 tags", "100 tags"]
        if far:
            four = self.least(FOUR, 1, FAR, [tool for tool in self.tools if repeats(tool)])
            near.append(self.hundred(quick, 1, FAR, four))
            columns.append(f"100 tags,\n{2000 * FAR:.0f} ms")
        rows = [[tool.name, *(one.get(tool.name, "-") for one in near)] for tool in self.tools]
        show(
            f"{title} with a round trip of {2000 * NEAR:.0f} ms",
            columns,
            rows,
            "Through a relay that delays every byte, and each new connection by a round trip. The "
            f"least of {ROUNDS} runs, of 100 tags of 2{f', at {2000 * FAR:.0f} ms of one' if far else ''}. A program that takes "
            "one tag at a time (~) is run for 4 tags, and the result multiplied by 25. crane's attempt to "
            "speak TLS is part of its time.",
        )

    def hundred(self, quick, count, delay, four):
        found = {name: f"~{25 * float(seconds):.1f}" for name, seconds in four.items()}
        together = [tool for tool in self.tools if not repeats(tool)]
        return {**found, **({} if quick else self.least(HUNDRED, count, delay, together))}

    def by_round_trip(self, count):
        """What the picture needs: seconds of each tool, for 1 tag and, of those that take many, for 100."""
        found = {"milliseconds": MILLISECONDS}
        together = [tool for tool in self.tools if not repeats(tool)]
        for names, some in ((ONE, self.tools), (HUNDRED, together)):
            rows = [self.least(names, count, time / 2000, some) for time in MILLISECONDS]
            found[str(len(names))] = {tool.name: [float(row[tool.name]) for row in rows] for tool in some}
        return found

    def least(self, names, count, delay, tools=None):
        """The seconds of each tool, as text."""
        with SlowRelay(self.registry.port, delay) as relay:
            tasks = {
                tool.name: tool.tag(relay.host, REPOSITORY, "small", names, self.secure)
                for tool in (self.tools if tools is None else tools)
            }
            costs = measure.rounds(tasks, count, self.variables, self.forget)
        return {
            name: f"{min(cost.seconds for cost in found):.2f}" for name, found in costs.items() if found
        }

    def forget(self):
        self.registry.forget(REPOSITORY, [*ONE, *FOUR, *HUNDRED])


def repeats(tool):
    """Whether it has to be run again for each tag."""
    return len(tool.tag("", "", "", FOUR)) > 1
