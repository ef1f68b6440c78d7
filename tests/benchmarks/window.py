"""How wide the window is between the look at a tag and the upload that relies on it.

Nothing can close it from outside. Two figures: the milliseconds from the moment when a client has the
answer to its look until the registry has its upload; and how many of so many at once get through, each
of which has seen the tag where it expected it.
"""

import os
import statistics
import subprocess
import time
from collections import Counter

from images import DOCKER_MANIFEST, compact, digest_of, docker_manifest
from races import contestant, held_up, push_contestants
from recorder import Recorder
from tables import show

CONTESTANTS = 50
ALONE = 20  # runs without anybody else
SECONDS = 60
REPOSITORY = "figures/window"
NAMES = [f"stable-{number}" for number in range(32)]
DONE = {b"created", b"moved", b"set"}

# As careful as a script can be: it looks, and uploads only over what it expects.
RECIPE = """
api=$1 digest=$2 expected=$3 file=$4
found=$(curl -fsSI -H "Accept: $5" "$api/stable" | tr -d '\\r' | sed -n 's/^Docker-Content-Digest: //Ip')
[ "$found" = "$expected" ] || exit 12
exec curl -fsS -X PUT -H "Content-Type: $5" --data-binary "@$file" "$api/stable"
"""
STARTING_GUN = 'cat >/dev/null; exec "$@"'  # stdin ends for all of them at the same moment


class Timed(Recorder):
    """A relay for one client that notes how long after an answer each upload came, in milliseconds.

    Of several names, each has a guard: there is nothing between the look at one and its upload.
    """

    def __init__(self, port):
        super().__init__(port)
        self.answered = None
        self.windows = []

    def _passes(self, data, by_client):
        if not by_client:
            self.answered = time.perf_counter()
        elif data.startswith(b"PUT ") and self.answered:
            self.windows.append(1000 * (time.perf_counter() - self.answered))


class Window:
    def __init__(self, program, registry, variables, folder):
        self.registry = registry
        self.variables = variables
        self.digests = push_contestants(registry, REPOSITORY, CONTESTANTS)
        self.before = registry.digest(REPOSITORY, "stable")
        self.files = []
        for number in range(CONTESTANTS):
            file = f"{folder}/contestant-{number}.json"
            with open(file, "wb") as out:
                out.write(contestant(number))
            self.files.append(file)
        self.program = program

    def recipe(self, host, number):
        """HEAD, then PUT, by curl: the manifest is there already."""
        api = f"http://{host}/v2/{REPOSITORY}/manifests"
        words = [api, self.digests[number], self.before, self.files[number], DOCKER_MANIFEST]
        return ["sh", "-c", RECIPE, "recipe", *words]

    def regtag(self, host, number, *options, names=("stable",)):
        image = f"{host}/{REPOSITORY}@{self.digests[number]}"
        return [self.program, "tag", "--expect", self.before, *options, image, *names]

    def confirming(self, host, number):
        return self.regtag(host, number, "--confirm")

    def put_back(self, names=("stable",)):
        document = compact(docker_manifest())
        assert digest_of(document) == self.before
        for name in names:
            self.registry.push(REPOSITORY, name, DOCKER_MANIFEST, document)

    def after_an_outage(self, make):
        """The same with a registry that answers nobody until all of them have asked."""
        self.put_back()
        with held_up(self.registry):
            hosts = [self.registry.host] * CONTESTANTS
            processes = [self.start(make(host, number)) for number, host in enumerate(hosts)]
            time.sleep(1)
        return [process.wait(SECONDS) for process in processes]

    def at_once(self, make):
        """How they ended, each with its status."""
        self.put_back()
        return [process.wait(SECONDS) for process in self.start_together(make)]

    def start_together(self, make, stdout=subprocess.DEVNULL):
        reader, writer = os.pipe()
        processes = []
        try:
            for number in range(CONTESTANTS):
                command = ["sh", "-c", STARTING_GUN, "sh", *make(self.registry.host, number)]
                processes.append(self.start(command, reader, stdout))
            os.close(reader)
            time.sleep(0.5)  # until all of them wait
        finally:
            os.close(writer)
        return processes

    def start(self, command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            env=self.variables,
        )

    def alone(self, make, names=("stable",)):
        """The milliseconds between look and upload, of one that nobody disturbs."""
        found = []
        for _ in range(ALONE // len(names) or 1):
            self.put_back(names)
            with Timed(self.registry.port) as relay:
                self.start(make(relay.host, 0)).wait(SECONDS)
            found += relay.windows
        return found

    # -- several names

    def regtag_many(self, host, number):
        return self.regtag(host, number, "--timeout", str(SECONDS), names=NAMES)

    def confirming_many(self, host, number):
        return self.regtag(host, number, "--confirm", "--timeout", str(SECONDS), names=NAMES)

    def successes(self, make):
        """For each name, how many have been told that they moved it."""
        self.put_back(NAMES)
        found = Counter({name: 0 for name in NAMES})
        for process in self.start_together(make, subprocess.PIPE):
            out, _ = process.communicate(timeout=2 * SECONDS)
            for reference, _, outcome, _ in (line.split(b"\t") for line in out.splitlines()):
                if outcome in DONE:
                    found[reference.decode().rpartition(":")[2]] += 1
        return [found[name] for name in NAMES]

    def show_many(self, rounds):
        rows = []
        for name, make in {
            "regtag --expect": self.regtag_many,
            "regtag --expect --confirm": self.confirming_many,
        }.items():
            window = self.alone(make, NAMES)
            through = [count for _ in range(rounds) for count in self.successes(make)]
            rows.append([name, f"{statistics.median(window):.2f}" if window else "-"])
            rows[-1] += [f"{statistics.median(through):.0f}", f"{min(through)} to {max(through)}"]
        show(
            f"From the look to the upload, {len(NAMES)} names",
            ["", "window,\nms", "at once:\nmoved it", "least\nto most"],
            rows,
            f"The same at once, but each of the {CONTESTANTS} processes moves {len(NAMES)} tags, each with "
            "a guard. Moved it: how many have been told of one name that they moved it, by name, "
            f"{rounds} round{'s' if rounds > 1 else ''}.",
        )

    def show(self, rounds):
        kinds = {
            "curl: HEAD, then PUT": self.recipe,
            "regtag --expect": self.regtag,
            "regtag --expect --confirm": self.confirming,
        }
        rows = []
        for name, make in kinds.items():
            window = self.alone(make)
            row = [name, f"{statistics.median(window):.2f}" if window else "-"]
            for race in (self.at_once, self.after_an_outage):
                ends = [race(make) for _ in range(rounds)]
                through = [one.count(0) for one in ends]
                row += [f"{statistics.median(through):.0f}", f"{min(through)} to {max(through)}"]
                row.append(f"{statistics.median(one.count(15) for one in ends):.0f}")
            rows.append(row)
        columns = ["", "window,\nms"]
        for race in ("at once", "outage"):
            columns += [f"{race}:\nstatus 0", "least\nto most", "15"]
        show(
            "From the look to the upload",
            columns,
            rows,
            "Window: from the last byte of the answer to HEAD to the first of the PUT, at a relay on "
            f"this machine, the median of {ALONE} runs with nobody else; where the registry is "
            f"distant, it is longer by a round trip. At once: {CONTESTANTS} processes that begin at "
            "the same moment, each with an image of its own for the same tag, and all of them expect "
            f"it where it is at first; the medians of {rounds} rounds. Outage: the registry stands "
            "still until all of them have asked where the tag points. All that say 0 have been "
            "confirmed, and all but one of them have been overwritten: with --confirm, that is status "
            "15 for whoever it has happened to by the time it looks again. The others found the tag "
            "elsewhere, or met an error: docker-registry answers 500 for a tag that is being written.",
        )
