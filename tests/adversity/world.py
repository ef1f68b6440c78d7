"""The servers that a scene is played with, and what reaches them. All are in this process, and answer as a script says.

Two registries, `here` and `there`, which take blobs; a token server; and TLS in front of each, where a scene wants it.
Every answer that they send passes through `way`, which a row sets to change, cut or delay it: see Passing. And a
`stranger`, with another name, that nobody has a reason to ask unless somebody says so. Whatever a run is told, it reaches
these and this machine only: see `confined`.
"""

import re
import secrets
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from authority import NAME, Workshop
from copies import CopyGate
from depot import Depot
from fake import Fake, bodiless
from fronts import reached
from proxies import Proxy
from tls_server import Front, server_context
from token_server import Tokens, bearer_challenge

USER = "reader"
STRANGER = "stranger.test"
WRITTEN_SHORT = "127.1"  # an address of this machine, as only a resolver understands it


class Keys(Workshop):
    """None of those that take long to make."""

    SLOW = []


class Passing(NamedTuple):
    """An answer on its way. `way(passing)` returns what becomes of it: bytes, or steps as fake.py knows them."""

    server: str  # "here", "there" or "tokens"
    number: int  # of this answer, of all servers together, counted from 0
    request: object  # that of wire.py
    whole: bytes

    def __str__(self):
        return f"{self.server} {self.number}: {self.request.method} {self.request.target}"


def untouched(passing):
    return passing.whole


class Server:
    """A fake one, whose answers pass through the world's way."""

    def __init__(self, world, name, respond, tls=False, kind=Fake):
        self.name = name
        self.respond = respond
        self._world = world
        self.fake = world.enter(kind(self._answer, early=Depot.early))
        self.front = world.enter(Front(self.fake.port, world.context)) if tls else None
        port = self.front.port if tls else self.fake.port
        self.host = f"{NAME}:{port}" if tls else f"127.0.0.1:{port}"
        self.options = reached(self.host) if tls else []

    @property
    def requests(self):
        return self.fake.requests

    def _answer(self, request):
        steps = self.respond(request)
        for step in [steps] if isinstance(steps, bytes) else steps:
            if isinstance(step, bytes):
                passed = self._world.pass_on(self.name, request, step)
                yield from [passed] if isinstance(passed, bytes) else passed
            else:
                yield step


class World:
    """One for each worker and scene; `reset` makes it new. `folder` is the working directory of what is run."""

    kind = Fake  # the registries are such ones

    def __init__(self, tls=False, token=False):
        self._stack = ExitStack()
        self.way = untouched
        self.passed = []  # every answer so far
        self.secrets = []  # that must not be seen anywhere
        self.top = Path(tempfile.mkdtemp(prefix="adversity-"))
        self._stack.callback(shutil.rmtree, self.top, ignore_errors=True)
        self.folder = self.top / "run"
        self.root = self.context = None
        self.key = self.signature = None  # made where a scene wants them
        if tls:
            self._make_authority()
        self.here = Server(self, "here", self._respond("here"), tls, self.kind)
        self.there = Server(self, "there", self._respond("there"), tls, self.kind)
        self.tokens = Server(self, "tokens", self._respond("tokens"), tls) if token else None
        self.stranger = Server(self, "stranger", self._respond("there"))
        self.stranger.host = f"{STRANGER}:{self.stranger.fake.port}"
        self.stranger.options = reached(self.stranger.host)
        self._nowhere = self.enter(Proxy(known=()))
        self.password = secrets.token_hex(16)
        self.reset()

    def _make_authority(self):
        (self.top / "tls").mkdir()
        workshop = self.enter(Keys(self.top / "tls"))
        self.root = workshop.root()
        self.context = server_context(self.top / "tls", workshop.server(self.root))

    def enter(self, context):
        return self._stack.enter_context(context)

    def close(self):
        self._stack.close()

    @property
    def _all(self):
        return self.here, self.there, self.tokens, self.stranger

    def calm(self):
        """Nobody is in the way, not even of what TLS sends."""
        self.way = untouched
        for one in self._all:
            if one and one.front:
                one.front.most = one.front.spoil = one.front.slow_from = None
                one.front.drip = False

    def reset(self):
        """Empty registries, an empty folder, and nobody in the way."""
        self.calm()
        self.passed = []
        self.secrets = [self.password] if self.tokens else []
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.registries = {"here": Depot(), "there": Depot()}
        self._issuer = Tokens()
        self._issuer.accounts[USER] = self.password
        if self.tokens:
            (self.folder / "password").write_text(self.password)
        for one in self._all:
            if one:
                one.requests.clear()
            if one and one.front:
                one.front.sessions.clear()

    @property
    def depot(self):
        """What the registry `here` has."""
        return self.registries["here"]

    @property
    def target(self):
        """What the registry `there` has."""
        return self.registries["there"]

    @property
    def options(self):
        """What the program needs to reach these servers."""
        found = ["--cacert", str(self.root.file)] if self.root else []
        return found + [word for one in self._all if one for word in one.options]

    @property
    def confined(self):
        """Variables for the program: whoever is not here is asked for at a proxy that knows nobody, so that no name is
        looked up and nothing leaves this machine.
        """
        return {"all_proxy": self._nowhere.url, "no_proxy": f"{NAME},{STRANGER},{WRITTEN_SHORT}"}

    def login(self, side=""):
        """What the program needs to log in; `side`: "", "from-" or "to-"."""
        if not self.tokens:
            return []
        return [f"--{side}user", USER, f"--{side}password-file", "password"]

    def _respond(self, name):
        def respond(request):
            if name == "tokens":
                return self._issuer(request)
            if not self.tokens:
                return self.registries[name](request)
            realm = f"{'https' if self.root else 'http'}://{self.tokens.host}/token"
            return CopyGate(self.registries[name], self._issuer.allows, bearer_challenge(realm))(request)

        return respond

    def pass_on(self, name, request, whole):
        if request.method == "HEAD":
            whole = bodiless(whole)
        passing = Passing(name, len(self.passed), request, whole)
        self.passed.append(passing)
        return self.way(passing)

    def leaks(self):
        """Whether a password has reached anyone but the token server, or a token anyone but the registries. A registry
        whose challenge names itself is the token server.
        """
        for server in (self.here, self.there):
            for request in server.requests:
                if "scope=" in request.query:
                    continue
                if any(one.encode() in request.head for one in self.secrets) or b"Basic " in request.head:
                    yield f"a password was sent to {server.name}"
        for request in self.stranger.requests:
            if request.value("Authorization"):
                yield "a stranger was shown what is for others"
        for request in self.tokens.requests if self.tokens else []:
            if re.search(rb"(?i)^authorization: bearer", request.head, re.MULTILINE):
                yield "a token was sent to the token server"
