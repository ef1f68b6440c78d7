"""Figures of a registry that wants tokens: what is asked of it, and of its token server."""

import json
from pathlib import Path

import measure
from accounts import auths
from fake import Fake
from guarded import TokenRegistry
from images import DOCKER_MANIFEST
from measure import attempt
from recorder import Recorder
from tables import number, show
from token_server import Signer, Tokens, secret
from tools import HUNDRED, ONE, REPOSITORY
from wire import read_requests

USER = "somebody"
WITHOUT = "curl recipe"  # it knows no tokens


class ColdTokens:
    def __init__(self, binary, tools, variables, document, folder, stack):
        self.tools = [tool for tool in tools if tool.name != WITHOUT]
        self.variables = variables
        self.folder = Path(folder) / "tokens"
        self.folder.mkdir()
        signer = Signer(self.folder)
        self.tokens = Tokens(signer)
        self.tokens.accounts[USER] = secret("password")
        self.server = stack.enter_context(Fake(self.tokens))
        realm = f"http://{self.server.host}/token"
        registry = TokenRegistry(binary, self.folder, realm, signer)
        self.registry = stack.enter_context(registry)
        self.registry.push_image(REPOSITORY, "small", DOCKER_MANIFEST, document)

    def show(self):
        rows = []
        for tool in self.tools:
            one = attempt(self.asked, tool, ONE) or [None] * 3
            hundred = attempt(self.asked, tool, HUNDRED) or [None] * 3
            rows.append([tool.name, *map(number, (*one, *hundred))])
        columns = ["", "1 tag:\nto the registry", "token\nserver", "both"]
        columns += ["100 tags:\nto the registry", "token\nserver", "both"]
        show(
            "Requests where tokens are wanted",
            columns,
            rows,
            "A docker-registry that wants tokens, plain HTTP, and a token server that gives them for a "
            "name and password in Docker's config.json. Each program starts without a token. What crane "
            "tries in TLS is not counted. The curl recipe knows no tokens.",
        )

    def asked(self, tool, names):
        self.registry.forget(REPOSITORY, names)
        with Recorder(self.registry.port) as relay:
            variables = {**self.variables, "DOCKER_CONFIG": str(self.home(relay.host))}
            before = len(self.server.requests)
            measure.run(tool.tag(relay.host, REPOSITORY, "small", names), variables)
        wanted = self.registry.digest(REPOSITORY, "small")
        if any(self.registry.digest(REPOSITORY, name) != wanted for name in names):
            raise measure.Failed(f"{tool.name}: not the same image under the new tag")
        plain = [talk.sent for talk in relay.conversations if not talk.sent.startswith(b"\x16")]
        registry = sum(len(read_requests(bytes(sent))) for sent in plain)
        tokens = len(self.server.requests) - before
        return registry, tokens, registry + tokens

    def home(self, host):
        """A folder with the credentials for a host."""
        home = self.folder / "docker"
        home.mkdir(exist_ok=True)
        file = home / "config.json"
        file.write_text(json.dumps(auths(host, USER, self.tokens.accounts[USER])))
        file.chmod(0o600)
        return home
