"""All that may stand between a device and its registry, in all combinations: a proxy, TLS, a login, redirects, several
names, and a registry that does not tolerate pipelining. All of them lead to the goal but those that must not.
"""

from answers import patiently
from maze import Maze
from scenes import SCENES

TITLE = "combined"
WAYS = {"direct": (False, False), "proxy": (True, False), "tls": (False, True), "connect": (True, True)}
LOGINS = ["none", "basic", "token", "expiring"]
READING, WRITING = ("GET", "HEAD"), ("PUT",)
REDIRECTS = {
    "none": None,
    "read-relative": (READING, "relative", 307),
    "read-absolute": (READING, "absolute", 307),
    "read-other": (READING, "other", 307),
    "write-relative": (WRITING, "relative", 307),
    "write-absolute": (WRITING, "absolute", 308),
    "write-other": (WRITING, "other", 307),
    "write-303": (WRITING, "relative", 303),
    "down": ((*READING, *WRITING, "DELETE"), "down", 307),
}
# Names are found through --resolve here, and the credentials are those of the row.
PLAIN = [name for name, kind in SCENES.items() if not kind.tls and not kind.token and name != "tag-lookup"]
MANY = ["tag-2", "tag-100", "tag-from", "ls-digests", "copy", "save"]  # have several requests in flight
CHOOSY = {"tolerant": None, "resets": "reset", "refuses": "refuse", "closes": "close"}
ENDLESS = "watch"  # tries again for ever
# After so many requests a token is good no more: more than are in flight together, and than other blobs may need until
# a request is sent again; else no client gets on.
USES = {"tag-100": 100, "ls-digests": 11, "copy": 12, "load": 12}
WITHIN = 60  # seconds
PUTS = {"tag", "copy", "load", "undo"}  # verbs


def cases(stage, whole):
    del stage, whole
    for way, (_, tls) in WAYS.items():
        for scene in PLAIN:
            if scene != ENDLESS:
                yield way, "wrong", "none", scene, "tolerant"
            for login in LOGINS:
                for redirect in REDIRECTS:
                    for choosy in CHOOSY if scene in MANY else ["tolerant"]:
                        if redirect != "down" or (tls and scene != ENDLESS):
                            yield way, login, redirect, scene, choosy


def expected(scene, login, redirect):
    """The status, and whether anything is done."""
    if login == "wrong":
        return 4
    if redirect == "down" or (redirect == "write-303" and scene.verb in PUTS):
        return 9
    return 0


def attempt(stage, case):
    return patiently(lambda: try_once(stage, case))


def try_once(stage, case):
    way, login, redirect, name, choosy = case
    through, tls = WAYS[way]
    maze = stage.keep(("maze", tls), lambda: Maze(tls))
    scene = with_logins(SCENES[name])(maze)
    maze.arrange(through, login, REDIRECTS[redirect], CHOOSY[choosy], USES.get(name, 4))
    result, seconds = stage.player.run(scene, retries=4, within=WITHIN)
    broken = list(judge(scene, result, expected(scene, login, redirect)))
    broken += stage.player.late(scene, seconds, WITHIN)
    return broken


def with_logins(kind):
    """A copy logs in at both registries; a journal has to be told which of them it is about."""
    if kind.verb == "undo":
        login = property(lambda self: [*self.world.login(), "--registry", self.world.here.host])
    elif kind.verb == "copy":
        login = property(lambda self: self.world.login("from-") + self.world.login("to-"))
    else:
        return kind
    return type(kind.__name__, (kind,), {"login": login})


def judge(scene, result, status):
    if result.status != status:
        yield f"status {result.status} instead of {status}: {result.err[-300:].decode(errors='replace')}"
    state = "new" if status == 0 else "old"
    if not scene.reads_only and scene.state() != state:
        yield f"what is there is {scene.state()} instead of {state}"
    if status == 0 and result.status == 0 and not scene.complete(result):
        yield f"ended with 0, and printed {result.out[-300:]!r}"
    yield from scene.world.leaks()
    for secret in scene.world.secrets:
        if secret.encode() in result.out + result.err:
            yield "a secret was printed"
