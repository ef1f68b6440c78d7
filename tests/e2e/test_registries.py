"""What regtag makes of the registries that there are: registries.toml says what each of them does."""

import json
import tomllib
from pathlib import Path

import pytest
from accounts import auths
from fake import Shelf, answer, bodiless, errors, with_fields
from images import OCI_MANIFEST, digest_of
from token_server import Tokens, password_gate, secret, token_gate
from wire import END_OF_HEAD

pytest_plugins = ["account_fixtures"]
REPOSITORY = "team/repo"
USER = "somebody"


def read_scenarios():
    file = Path(__file__).with_name("registries.toml")
    for registry in tomllib.loads(file.read_text(encoding="utf-8"))["registry"]:
        for scenario in registry["scenario"]:
            yield registry, scenario


SCENARIOS = list(read_scenarios())
NAMES = [
    f"{registry['name']} {scenario['does']}".replace(" ", "_") for registry, scenario in SCENARIOS
]
REGISTRIES = [
    *["Harbor", "Quay", "ECR", "ACR", "GHCR", "GCR", "GitLab", "Artifactory", "Nexus", "zot"],
    *["distribution 2", "distribution 3", "Docker Hub", "Gitea"],
]


def test_no_registry_is_left_out():
    assert {registry["name"] for registry, _ in SCENARIOS} == set(REGISTRIES)


class Registry:
    """Plays a scenario: what its rules say, and else what is usual."""

    def __init__(self, registry, scenario, documents):
        self.shelf = Shelf()
        self.shelf.fields = []
        for tag, which in scenario.get("before", {"old": "image"}).items():
            self.shelf.put(REPOSITORY, tag, OCI_MANIFEST, documents[which])
        self._digests = {which: digest_of(document) for which, document in documents.items()}
        self._rules = [dict(rule) for rule in scenario.get("rules", [])]
        self._fields = registry.get("fields", [])

    def filled(self, text):
        """With digests in the place of the names of images."""
        for which, digest in self._digests.items():
            text = text.replace(f"{{{which}}}", digest)
        return text.replace("{type}", OCI_MANIFEST)

    def __call__(self, request):
        rule = next((one for one in self._rules if self._fits(one, request)), {})
        if rule.get("once"):
            self._rules.remove(rule)
        usual = not rule.get("status")
        whole = self.shelf(request) if usual or rule.get("stored") else b""
        if usual:
            whole = without_fields(whole, rule.get("without", []))
        else:
            whole = self._told(rule)
        whole = with_fields(whole, self._fields)
        if usual:
            whole = with_fields(whole, map(self.filled, rule.get("fields", [])))
        return bodiless(whole) if request.method == "HEAD" else whole

    def _fits(self, rule, request):
        method, reference = self.filled(rule["on"]).split(" ")
        return (
            method in ("*", request.method)
            and reference in ("*", request.path.rsplit("/", 1)[1])
            and rule.get("with", "") in request.head.decode()
            and not has(request, rule.get("unless"))
        )

    def _told(self, rule):
        fields = [self.filled(field) for field in rule.get("fields", [])]
        if "code" in rule:
            return errors(rule["status"], rule["code"], rule["message"], *fields)
        return answer(rule["status"], rule.get("body", "").encode(), *fields)


def has(request, field):
    """Whether there is this field with this value, or with it in a list."""
    name, _, value = (field or "").partition(": ")
    return bool(field) and value in [
        one.strip() for text in request.values(name) for one in text.split(",")
    ]


def without_fields(whole, names):
    head, _, body = whole.partition(END_OF_HEAD)
    lines = head.decode("latin-1").split("\r\n")
    kept = [line for line in lines if line.partition(":")[0] not in names]
    return "\r\n".join(kept).encode("latin-1") + END_OF_HEAD + body


@pytest.fixture
def documents(document, other_document):
    return {"image": document, "other": other_document}


@pytest.fixture
def start(account, serve):
    """Starts a server for the scenario, with what the user needs to be let in."""

    def run(played, scenario):
        password = secret("password")
        login = scenario.get("login")
        if login == "basic":
            server = serve(password_gate(played, USER, password))
            account.docker_config(auths(server.host, USER, password))
        elif login in ("bearer", "anonymous"):
            tokens = Tokens()
            tokens.accounts[USER] = password
            told = {"scope": scenario["challenge_scope"]} if "challenge_scope" in scenario else {}
            server = serve(token_gate(played, tokens, serve(tokens), **told))
            if login == "bearer":
                account.docker_config(auths(server.host, USER, password))
        else:
            server = serve(played)
        return server

    return run


@pytest.mark.parametrize("registry, scenario", SCENARIOS, ids=NAMES)
def test_a_registry(account, start, documents, registry, scenario):
    played = Registry(registry, scenario, documents)
    server = start(played, scenario)
    place = f"{server.host}/{REPOSITORY}"
    args = played.filled(scenario["run"].replace("{repo}", place)).split(" ")
    digests = {which: digest_of(document) for which, document in documents.items()}
    digests["-"] = "-"

    result = account(*args)

    expected = []
    for line in scenario["lines"]:
        reference, *columns = line.split(" ")
        if columns:
            digest, happened, previous = columns
            columns = [digests[digest], happened, digests[previous]]
            reference = f"{place}:{reference}"
        expected.append("\t".join([reference, *columns]))
    assert result.lines == expected, result
    assert result.status == scenario["status"], result
    said = "\n".join(result.complaints)
    for word in scenario.get("says", []):
        assert played.filled(word).lower() in said.lower(), result
    assert bool(said) == bool(scenario.get("says") or scenario["status"])
    methods = [request.method for request in server.requests]
    if "requests" in scenario:
        assert methods == scenario["requests"].split(" ")
    if "uploads" in scenario:
        assert methods.count("PUT") == scenario["uploads"]
    for tag, which in scenario.get("after", {}).items():
        assert played.shelf.document(REPOSITORY, tag) == documents.get(which), tag
