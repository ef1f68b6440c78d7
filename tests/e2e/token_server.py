"""A token server of the tests' own, and registries that want what it gives out.

`Tokens` is a function from a request to an answer, for `serve` of conftest.py. Its tokens are
made-up words that `Gate` asks for; with a `Signer` they are signed with a made-up key, for a
docker-registry that trusts its certificate.
"""

import base64
import json
import secrets
import subprocess
import time
from typing import NamedTuple
from urllib.parse import parse_qs

from fake import answer, bodiless, errors

FORM = "application/x-www-form-urlencoded"
SERVICE = "registry of the tests"
ISSUER = "token server of the tests"


def secret(kind):
    """A secret that nobody used before, to be found again wherever it leaks to."""
    return f"{kind}-{secrets.token_hex(16)}"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def user_and_password(authorization):
    """What a field with Basic says; None where it is none."""
    scheme, _, text = (authorization or "").partition(" ")
    if scheme != "Basic":
        return None
    user, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    return user, password


def bearer(authorization):
    """The token in a field with Bearer; None where it is none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token if scheme == "Bearer" else None


class Signer:
    """A key and its certificate, made on the spot, and tokens as docker-registry wants them."""

    def __init__(self, folder):
        self.certificate = folder / "tokens.crt"
        self._key = folder / "tokens.key"
        new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tokens.test"]
        _openssl(*new, "-days", "2", "-keyout", self._key, "-out", self.certificate)
        lines = self.certificate.read_text().splitlines()
        self._chain = ["".join(lines[1:-1])]

    def __call__(self, access, user="", lifetime=300, size=0):
        """A token for these rights; one with a filler is nearly as long as `size`."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "iat": now,
            "nbf": now - 120,
            "exp": now + lifetime,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        token = self._sign(claims)
        if size <= len(token):
            return token
        return self._sign({**claims, "filler": "x" * ((size - len(token)) * 3 // 4 - 20)})

    def _sign(self, claims):
        head = {"typ": "JWT", "alg": "RS256", "x5c": self._chain}
        text = f"{_part(json.dumps(head).encode())}.{_part(json.dumps(claims).encode())}"
        signature = _openssl("dgst", "-sha256", "-sign", self._key, text=text.encode())
        return f"{text}.{_part(signature)}"


def made_up(access, user="", lifetime=300, size=0):
    """A token that means nothing to anyone who does not keep a list."""
    token = secret("token")
    return token + "x" * (size - len(token))


def _part(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _openssl(*args, text=b""):
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.run(["openssl", *map(str, args)], input=text, check=True, **quiet).stdout


class Issued(NamedTuple):
    user: str  # "" where nobody is named
    access: list
    form: str  # "anonymous", "basic" or "refresh"


class Tokens:
    """The token server. What it does otherwise than usual is set from outside, at any time."""

    def __init__(self, make=made_up):
        self.accounts = {}  # name: password
        self.identities = {}  # identity token: name
        self.issued = {}  # token: Issued
        self.fields = ("token",)  # the names under which an answer has the token
        self.expires_in = 300  # None: it does not say
        self.lifetime = 300  # seconds, that a signed token really lives
        self.size = 0  # bytes that a token is made long
        self.post = 200  # or 404, 405, 415, 501
        self.service = SERVICE  # what it wants to be called; None: nothing at all
        self.grant = lambda user, actions: actions if user else actions & {"pull"}
        self.instead = None  # a function from a request to an answer
        self._make = make

    def __call__(self, request):
        if self.instead:
            return self.instead(request)
        if request.method == "POST" and self.post != 200:
            return answer(self.post, b"not here\n", "Content-Type: text/plain")
        if request.method == "POST":
            return self._by_refresh_token(request)
        return self._by_password(request)

    def _by_refresh_token(self, request):
        if request.value("Content-Type") != FORM:
            return errors(400, "UNSUPPORTED", "no form")
        form = parameters(request.body.decode())
        if form.get("grant_type") != "refresh_token" or form.get("service") != self.service:
            return errors(400, "UNSUPPORTED", "another grant or service")
        if not form.get("client_id"):
            return errors(400, "UNSUPPORTED", "no client_id")
        user = self.identities.get(form.get("refresh_token"))
        if user is None:
            return errors(401, "UNAUTHORIZED", "that is no identity")
        return self._give(user, form["scope"], "refresh")

    def _by_password(self, request):
        query = parameters(request.query, several=["scope"])
        if query.get("service") != self.service:
            return errors(400, "UNSUPPORTED", "another service")
        named = user_and_password(request.value("Authorization"))
        if named is None:
            return self._give("", query["scope"], "anonymous")
        user, password = named
        if password in self.identities:  # where POST is not known, it comes as a password
            return self._give(self.identities[password], query["scope"], "refresh")
        if self.accounts.get(user) != password:
            return errors(401, "UNAUTHORIZED", "wrong name or password")
        return self._give(user, query["scope"], "basic")

    def _give(self, user, scope, form):
        access = []
        for one in scope.split(" "):
            kind, name, actions = one.split(":")
            granted = self.grant(user, set(actions.split(",")))
            access.append({"type": kind, "name": name, "actions": sorted(granted)})
        token = self._make(access, user, self.lifetime, self.size)
        self.issued[token] = Issued(user, access, form)
        told = {field: token for field in self.fields}
        if self.expires_in is not None:
            told["expires_in"] = self.expires_in
        return answer(200, json.dumps(told).encode(), "Content-Type: application/json")

    def give_whatever(self, token=None):
        """An answer with a token for everything in `repo`, whatever was asked for."""
        token = token or self._make([])
        rights = {"type": "repository", "name": "repo", "actions": ["pull", "push"]}
        self.issued[token] = Issued("", [rights], "anonymous")
        return answer(200, json.dumps({"token": token}).encode(), "Content-Type: application/json")

    def allows(self, authorization, repository, action):
        """Whether there is a token in the field, for that."""
        issued = self.issued.get(bearer(authorization))
        return issued is not None and any(
            (one["type"], one["name"]) == ("repository", repository) and action in one["actions"]
            for one in issued.access
        )

    def forget(self):
        """Ends the life of every token given out so far."""
        self.issued.clear()


def parameters(text, several=()):
    """The parameters of a query or a form, each of which may stand there once; `several` may more often."""
    found = parse_qs(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    for name, values in found.items():
        if len(values) != 1 and name not in several:
            raise ValueError(f"{name} stands there {len(values)} times: {text!r}")
    return {name: " ".join(values) for name, values in found.items()}


class Gate:
    """In front of a fake registry: lets through what `allows(authorization, repository, action)`."""

    def __init__(self, registry, allows, *challenges):
        self.registry = registry
        self.allows = allows
        self.challenges = challenges  # values of WWW-Authenticate

    def __call__(self, request):
        repository = request.path.removeprefix("/v2/").rsplit("/", 2)[0]
        action = {"PUT": "push", "DELETE": "delete"}.get(request.method, "pull")
        if self.allows(request.value("Authorization"), repository, action):
            return self.registry(request)
        return self.refusal(request)

    def refusal(self, request):
        fields = [f"WWW-Authenticate: {one}" for one in self.challenges]
        refused = errors(401, "UNAUTHORIZED", "authentication required", *fields)
        return bodiless(refused) if request.method == "HEAD" else refused


def bearer_challenge(realm, service=SERVICE, **more):
    told = {"realm": realm, "service": service, **more}
    return "Bearer " + ",".join(
        f"{name}={quoted(value)}" for name, value in told.items() if value is not None
    )


def quoted(text):
    """A quoted-string of HTTP."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def token_gate(registry, tokens, server, **more):
    """A fake registry that wants tokens; `server` is where the token server is."""
    challenge = bearer_challenge(f"http://{server.host}/token", **more)
    return Gate(registry, tokens.allows, challenge)


def password_gate(registry, user, password):
    def allows(authorization, repository, action):
        return user_and_password(authorization) == (user, password)

    return Gate(registry, allows, 'Basic realm="the tests"')
