"""A world with all that may stand between a device and its registry: a proxy, a login, redirects, and a registry
that does not tolerate requests in flight. What of it there is, `arrange` says.
"""

import secrets

from authority import NAME
from copies import CopyGate
from depot import Depot
from fake import CLOSE, READ_BODY, RESET, Fake, answer, bodiless
from fronts import reached
from proxies import Proxy
from token_server import basic, bearer, bearer_challenge
from world import USER, Server, World

MOVED = "/moved"  # in front of what a redirect leads to
READING = ("GET", "HEAD")
CLOSING = "Connection: close"
NOBODY = "nobody"  # whom nobody knows


class Choosy(Fake):
    """`choosy` is what becomes of a request behind which there is another one: None; "reset", and neither is answered;
    "refuse", and the next one is not understood; or "close", and nothing is said to it.
    """

    choosy = None

    def _play(self, connection, inbox, request, steps):
        if not self.choosy or request.method == "PATCH" or not inbox.has_more:  # the body of a PATCH is still to come
            return super()._play(connection, inbox, request, steps)
        if self.choosy == "reset":
            return super()._play(connection, inbox, request, [RESET])
        bad = answer(400, b"<h1>Bad</h1>\n", CLOSING, "Content-Type: text/html")
        super()._play(connection, inbox, request, steps)
        return super()._play(connection, inbox, request, [bad, CLOSE] if self.choosy == "refuse" else [CLOSE])


class Maze(World):
    def __init__(self, tls):
        self.how = "none"
        self.uses = 0
        self.moves = ()
        self.where = None
        self.status = 307
        self._used = {}
        self._past = set()  # passwords of runs before
        super().__init__(tls, token=True)
        self.store = Server(self, "store", self._stored, tls)  # the other host
        self.proxy = None
        for one in self._servers:
            one.host = f"{NAME}:{one.host.rpartition(':')[2]}"

    kind = Choosy
    confined = {}  # it may have a proxy of its own, and nobody leads elsewhere

    @property
    def _servers(self):
        return [self.here, self.there, self.tokens, self.store]

    def reset(self):
        """With a new password, so that what a server reads late is not taken for this run's."""
        self._past |= {basic(user, self.password) for user in (USER, NOBODY)}
        self.password = secrets.token_hex(16)
        super().reset()

    def arrange(self, proxy, login, redirect, choosy, uses):
        """`redirect` is None, or (methods, where, status); `uses` are those of a token that expires."""
        self.uses = uses
        self.leave_proxy()
        self.proxy = Proxy().__enter__() if proxy else None  # a new one, since it keeps what it has dialled
        self.how = login
        self.moves, self.where, self.status = redirect or ((), None, 0)
        for one in (self.here, self.there):
            one.fake.choosy = choosy
        self._used.clear()
        self.store.requests.clear()

    def leave_proxy(self):
        if self.proxy:
            self.proxy.__exit__(None, None, None)
        self.proxy = None

    def close(self):
        self.leave_proxy()
        super().close()

    @property
    def options(self):
        found = ["--cacert", str(self.root.file)] if self.root else ["--plain-http"]
        if self.proxy:
            return [*found, "--proxy", self.proxy.url]
        return found + [word for one in self._servers for word in reached(one.host)]

    def login(self, side=""):
        (self.folder / "password").chmod(0o600)
        if self.how == "none":
            return []
        name = USER if self.how != "wrong" else NOBODY
        return [f"--{side}user", name, f"--{side}password-file", "password"]

    @property
    def scheme(self):
        return "https" if self.root else "http"

    def _respond(self, name):
        if name == "tokens":
            return self._issue

        def respond(request):
            steps = decide(request)
            refused = isinstance(steps, bytes) and Depot.early(request)
            return [READ_BODY, steps] if refused else steps

        def decide(request):
            prefix, moved = self._split(request)
            if not self._allows_login(request):
                return self._refuse(request)
            if prefix is None and self._is_moved(request):
                return self._redirect(name, request)
            request.target = moved
            return self._gated(name, request)

        return respond

    def _issue(self, request):
        return self._issuer(request)

    @staticmethod
    def _split(request):
        """Whether it has been redirected, and the target it had before."""
        if request.target.startswith(MOVED):
            return MOVED, request.target[len(MOVED) :]
        return None, request.target

    def _is_moved(self, request):
        return request.method in self.moves and "/uploads/" not in request.target

    def _redirect(self, name, request):
        origin = {
            "relative": "",
            "absolute": f"{self.scheme}://{self.registries_host(name)}",
            "other": f"{self.scheme}://{self.store.host}/{name}",
            "down": f"http://{self.store.host}/{name}",
        }[self.where]
        whole = answer(self.status, b"", f"Location: {origin}{MOVED}{request.target}")
        return bodiless(whole) if request.method == "HEAD" else whole

    def registries_host(self, name):
        return {"here": self.here, "there": self.there}[name].host

    # -- logins

    def _allows_login(self, request):
        return self.how not in ("basic", "wrong") or request.value("Authorization") == basic(USER, self.password)

    def _refuse(self, request):
        whole = answer(401, b"", 'WWW-Authenticate: Basic realm="registry"')
        return bodiless(whole) if request.method == "HEAD" else whole

    def _gated(self, name, request):
        if self.how not in ("token", "expiring"):
            return self.registries[name](request)
        realm = f"{self.scheme}://{self.tokens.host}/token"
        return CopyGate(self.registries[name], self._allows_token, bearer_challenge(realm))(request)

    def _allows_token(self, authorization, repository, action):
        token = bearer(authorization)
        self._used[token] = self._used.get(token, 0) + 1
        expired = self.how == "expiring" and self._used[token] > self.uses
        return not expired and self._issuer.allows(authorization, repository, action)

    # -- the other host

    def _stored(self, request):
        """/here/moved/v2/..., without a login."""
        _, name, rest = request.target.split("/", 2)
        request.target = f"/{rest}"[len(MOVED) :]
        return self.registries[name](request)

    def leaks(self):
        for request in self.store.requests:
            if request.value("Authorization") is not None or self.password.encode() in request.head:
                yield "credentials were sent to the host of a redirect"
        for request in self.tokens.requests:
            if b"bearer" in request.head.lower().partition(b"authorization:")[2][:9]:
                yield "a token was sent to the token server"
        shown = [one.value("Authorization") or "" for one in (*self.here.requests, *self.there.requests)]
        basics = [one for one in shown if one.startswith("Basic ") and one not in self._past]
        if basics and self.how not in ("basic", "wrong"):
            yield "a password was sent to a registry that did not ask for it"
