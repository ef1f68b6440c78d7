"""Figures behind TLS."""

import ssl
import tempfile
from pathlib import Path

import measure
from authority import Workshop, bundle
from distance import Distance
from fake import CLOSE, Fake, Shelf
from fronts import SecureRegistry
from images import DOCKER_MANIFEST
from measure import attempt
from recorder import Recorder
from tables import TIME_COLUMNS, kilobytes, number, show, times
from tls_server import Front, server_context
from token_server import Gate, Tokens, bearer_challenge
from tools import HUNDRED, ONE, REPOSITORY

SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")
STRANGERS = 140  # as many authorities as a system trusts
PAGE = 4096
RUNS = 5  # whose memory is looked at: a signature is a byte longer or shorter by chance
TRUST = ("SSL_CERT_DIR", "CURL_CA_BUNDLE")  # what a machine may have set for its programs
WHAT_IS_COUNTED = (
    "Instructions by callgrind, from main to its end, all of them, without the kernel's; secrets are "
    "random, so that they differ by some tenths of a percent from run to run. Arena: the memory that "
    f"mbedTLS has, its most at a time, with the headers of the blocks, the most of {RUNS} runs. "
    "Resident: as for plain HTTP above, in KB of 1000 bytes, the least of as many runs, which differ "
    "by a page."
)


class Chain:
    """What a server shows, and whom it asks for what."""

    def __init__(self, shown, root, client=None):
        self.shown = shown
        self.root = root
        self.client = client  # a certificate that it wants to see


class Forgetful(Shelf):
    """Takes uploads and keeps none, so that each run finds what the first has found."""

    def put(self, repository, reference, media_type, document):
        if reference not in ONE:
            super().put(repository, reference, media_type, document)


class SecureFigures:
    """`documents` by tag: "small" and "layers", which is a large one."""

    def __init__(self, program, tools, variables, documents, folder, stack, registry_binary, memory):
        self.registry_binary = registry_binary
        self.memory = memory
        self.program = program
        self.tools = tools
        self.variables = variables
        self.documents = documents
        self.stack = stack
        self.folder = Path(folder) / "tls"
        self.folder.mkdir()
        workshop = self.folder / "workshop"
        workshop.mkdir()
        self.workshop = stack.enter_context(Workshop(workshop))
        self.chains = dict(self.make_chains())
        self.shelf = Forgetful()
        for tag in ("small", "layers"):
            self.shelf.put(REPOSITORY, tag, DOCKER_MANIFEST, documents[tag])

    # -- certificates and servers

    def make_chains(self):
        make = self.workshop
        root = make.root()
        yield "EC, P-256", Chain(make.server(root), root)
        for kind in ("rsa:2048", "rsa:4096"):
            root = make.root(key=make.key(kind, "authority"))
            server = make.server(root, key=make.key(kind, "server"))
            yield kind.upper().replace(":", "-"), Chain(server, root)
        between = root
        for number_of_it in (1, 2):
            between = make.intermediate(
                between, f"Intermediate {number_of_it}", key=make.key("rsa:4096", "authority")
            )
        server = make.server(between, key=make.key("rsa:4096", "server"))
        long = "RSA-4096, 2 intermediates"
        yield long, Chain(server, root)
        yield f"{long}, client EC", Chain(server, root, make.client(root))
        client = make.client(root, key=make.key("rsa:4096", "server"))
        yield f"{long}, client RSA-4096", Chain(server, root, client)

    def serve(self, chain, respond, version=None):
        """The address of a server of the tests' own that shows this chain."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        context = server_context(folder, chain.shown, version=version)
        if chain.client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(chain.root.file)
        server = self.stack.enter_context(Fake(respond))
        return f"127.0.0.1:{self.stack.enter_context(Front(server.port, context)).port}"

    def start_registry(self, chain):
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(dir=self.memory)))
        registry = SecureRegistry(self.registry_binary, folder, chain.shown, chain.root)
        registry = self.stack.enter_context(registry)
        registry.push_image(REPOSITORY, "small", DOCKER_MANIFEST, self.documents["small"])
        return registry

    def registry_with(self, kind):
        """A docker-registry with a chain of this kind, and the options that reach it."""
        chain = self.chains[kind]
        return self.start_registry(chain), ["--tls", "--cacert", str(chain.root.file)]

    def trusting(self, file):
        """Where nothing but this file tells whom to trust."""
        kept = {key: value for key, value in self.variables.items() if key not in TRUST}
        return {**kept, "SSL_CERT_FILE": str(file)}

    def command(self, host, chain, authorities=None, tag="small"):
        """What regtag is to do: one tag."""
        options = ["--tls", "--cacert", str(authorities or chain.root.file)]
        if chain.client:
            options += ["--cert", str(chain.client.file), "--key", str(chain.client.key)]
        return [[self.program, "tag", *options, f"{host}/{REPOSITORY}:{tag}", *ONE]]

    def spent(self, task):
        found = attempt(measure.instructions, task, self.variables)
        return found and found.total

    def resident(self, task):
        """The least of some runs, with the most that any of them used of the arena."""
        runs = [attempt(measure.memory, task, self.variables) for _ in range(RUNS)]
        if None in runs:
            return None
        least = min(runs, key=lambda one: (one.own, one.total))
        return least._replace(arena=max(one.arena or 0 for one in runs))

    # -- beside other programs

    def beside(self, rounds, quick):
        """`rounds` of one tag and of a hundred."""
        chain = self.chains["EC, P-256"]
        registry = self.start_registry(chain)
        variables = self.trusting(chain.root.file)
        self.wire(registry, variables)
        self.time(registry, variables, ONE, rounds[0], "EC, P-256")
        self.time(registry, variables, HUNDRED, rounds[1], "EC, P-256")
        Distance(self.tools, variables, registry, True).show("TLS: time", quick, False)

        chain = self.chains["RSA-2048"]
        registry = self.start_registry(chain)
        variables = self.trusting(chain.root.file)
        self.time(registry, variables, ONE, rounds[0], "RSA-2048")

    def tasks(self, host, names):
        return {tool.name: tool.tag(host, REPOSITORY, "small", names, True) for tool in self.tools}

    def wire(self, registry, variables):
        rows = {}
        for names in (ONE, HUNDRED):
            for tool in self.tools:
                found = attempt(self.on_the_wire, tool, registry, variables, names)
                rows.setdefault(tool.name, []).extend(found or [None] * 3)
        columns = ["", "1 tag:\nconnections", "bytes\nup", "bytes\ndown"]
        columns += ["100 tags:\nconnections", "bytes\nup", "bytes\ndown"]
        show(
            "TLS: connections, bytes on the wire",
            columns,
            [[name, *map(number, figures)] for name, figures in rows.items()],
            "The same image in a docker-registry with TLS 1.3 of its own, an EC certificate and a "
            "private CA, that all programs find by SSL_CERT_FILE. Counted by a relay, encrypted. "
            "Afterwards the new tags had the digest of the old one.",
        )

    def on_the_wire(self, tool, registry, variables, names):
        registry.forget(REPOSITORY, names)
        with Recorder(registry.port) as relay:
            measure.run(tool.tag(relay.host, REPOSITORY, "small", names, True), variables)
        wanted = registry.digest(REPOSITORY, "small")
        if any(registry.digest(REPOSITORY, name) != wanted for name in names):
            raise measure.Failed(f"{tool.name}: not the same image under the new tag")
        talks = relay.conversations
        sent, received = (sum(map(len, one)) for one in zip(*((t.sent, t.received) for t in talks)))
        return len(talks), sent, received

    def time(self, registry, variables, names, count, kind):
        tasks = self.tasks(registry.host, names)
        costs = measure.rounds(tasks, count, variables, lambda: registry.forget(REPOSITORY, names))
        show(
            f"TLS: time of {len(names)} tag{'s' if len(names) > 1 else ''}, {kind}",
            TIME_COLUMNS,
            times(tasks, costs),
            f"{count} rounds, in each of them every program once, to a docker-registry on this machine "
            f"with TLS 1.3 and a certificate of {kind}; one more before, not counted. CPU is user and "
            "system time of the programs alone, elapsed contains the work of the registry.",
        )

    # -- by certificate

    def by_certificate(self):
        plain = self.stack.enter_context(Fake(self.shelf)).host
        rows = []
        for title, tag in (("no TLS", "small"), ("no TLS, 4194 KB", "layers")):
            task = [[self.program, "tag", f"{plain}/{REPOSITORY}:{tag}", *ONE]]
            rows.append(self.certificate_row(title, task, None))
        kinds = [(name, chain, "small") for name, chain in self.chains.items()]
        kinds.insert(1, ("EC, P-256, 4194 KB", self.chains["EC, P-256"], "layers"))
        for title, chain, tag in kinds:
            tasks = [
                self.command(self.serve(chain, self.shelf, version), chain, tag=tag)
                for version in ("1.3", "1.2")
            ]
            rows.append(self.certificate_row(title, *tasks))
        columns = ["", "instructions,\nTLS 1.3", "TLS 1.2", "arena, bytes,\nTLS 1.3", "TLS 1.2"]
        columns += ["resident,\nTLS 1.3", "TLS 1.2", "written\nto", "of its\nfile", "of\nlibraries"]
        show(
            "TLS: one tag by the server's certificate",
            columns,
            rows,
            f"{WHAT_IS_COUNTED} The last three columns are the parts of TLS 1.3's. Manifests of "
            f"{len(self.documents['small'])} bytes where nothing else is said, servers of the tests' "
            "own with OpenSSL. Keys of authorities are of the server's kind; the client's has to sign. "
            "A connection has 65,536 bytes of arena to count on.",
        )

    def certificate_row(self, title, task, older):
        tasks = (task, older)
        resident = [one and self.resident(one) for one in tasks]
        return [
            title,
            *(number(one and self.spent(one)) for one in tasks),
            *(number(one and one.arena or None) for one in resident),
            *(kilobytes(one and one.total) for one in resident),
            *map(kilobytes, self.parts(resident[0])),
        ]

    # -- authorities

    def places(self, chain):
        """Where the trusted root is among others: what it is, the place, how many there are."""
        strangers = self.workshop.strangers(STRANGERS)
        root = chain.root
        yield "one alone", bundle(self.folder / "cas-1", root), 1
        yield "the last of all", bundle(self.folder / "cas-2", *strangers, root), STRANGERS + 1
        yield "the first of all", bundle(self.folder / "cas-3", root, *strangers), STRANGERS + 1
        if SYSTEM.exists():
            system = SYSTEM.read_text(encoding="utf-8")
            count = system.count("-----BEGIN CERTIFICATE-----") + 1
            yield "the last, behind the system's", bundle(
                self.folder / "cas-4", system, root
            ), count
        folder = self.folder / "cas-5"
        folder.mkdir()
        for one, text in enumerate([*strangers, root.pem]):
            (folder / f"{one}.pem").write_text(text)
        yield "a directory, a file each", folder, STRANGERS + 1

    def authorities(self):
        chain, long = self.chains["EC, P-256"], self.chains["RSA-4096, 2 intermediates"]
        host = self.serve(chain, self.shelf)
        rows = []
        first = None
        for title, place, count in self.places(chain):
            task = self.command(host, chain, place)
            resident, spent = self.resident(task), self.spent(task)
            first = first or (resident, spent)
            more = spent - first[1] if spent and first[1] else None
            files = [place] if place.is_file() else place.iterdir()
            rows.append(
                [title, count, kilobytes(sum(one.stat().st_size for one in files))]
                + [number(spent), number(more)]
                + [number(resident and figure // PAGE) for figure in self.parts(resident)]
                + [kilobytes(resident and resident.total), number(resident and resident.arena)]
            )
        columns = ["authorities", "of\nthem", "KB", "instruc-\ntions", "more than\nwith one"]
        columns += ["pages\nwritten to", "of its\nfile", "of\nlibraries"]
        columns += ["resident,\nKB", "arena,\nbytes"]
        show(
            "TLS: trusted authorities",
            columns,
            rows,
            "By --cacert; TLS 1.3, an EC certificate whose issuer is the root. A chain is looked up "
            f"link by link: {self.links(long)} Pages are of 4096 bytes. {WHAT_IS_COUNTED}",
        )

    @staticmethod
    def parts(resident):
        return (resident.own, resident.program, resident.libraries) if resident else (None,) * 3

    def links(self, chain):
        """What looking up costs a chain with intermediates."""
        host = self.serve(chain, self.shelf)
        many = bundle(self.folder / "cas-6", *self.workshop.strangers(STRANGERS), chain.root)
        one, all_of_them = (self.spent(self.command(host, chain, file)) for file in (None, many))
        more = number(all_of_them - one) if one and all_of_them else "-"
        return f"with two intermediates, {STRANGERS} others in front cost {more} instructions."

    # -- a token server elsewhere

    def token_server_elsewhere(self):
        rows = []
        for kind in ("EC, P-256", "RSA-4096, 2 intermediates"):
            chain = self.chains[kind]
            tasks = {
                "no tokens": self.serve(chain, self.shelf),
                "both connections held": self.with_tokens(chain, False),
                "dialed again": self.with_tokens(chain, True),
            }
            before = None
            for title, host in tasks.items():
                task = self.command(host, chain)
                resident, spent = self.resident(task), self.spent(task)
                more = spent - before if spent and before else None
                before = spent
                rows.append(
                    [f"{kind}: {title}", number(spent), number(more)]
                    + [number(resident and resident.arena)]
                    + [kilobytes(resident and figure) for figure in self.own_and_all(resident)]
                )
        columns = ["", "instructions", "more than\nabove", "arena,\nbytes"]
        columns += ["written\nto", "resident"]
        show(
            "TLS: a token server elsewhere",
            columns,
            rows,
            "One tag, with a token from a server on another port, behind TLS too. Held: as regtag does "
            "it with servers that keep connections: two handshakes. Dialed again: both servers close "
            "theirs after each answer that is not the last, so that there is one session at a time: "
            f"three handshakes, and a round trip or two more. {WHAT_IS_COUNTED}",
        )

    @staticmethod
    def own_and_all(resident):
        return (resident.own, resident.total) if resident else (None, None)

    def with_tokens(self, chain, closing):
        """A registry that wants tokens; with `closing`, only one connection is ever open."""
        tokens = Tokens()
        tokens.grant = lambda user, actions: actions
        realm = f"https://{self.serve(chain, closed(tokens) if closing else tokens)}/token"
        gate = Gate(self.shelf, tokens.allows, bearer_challenge(realm))
        if closing:
            refusal = closed(gate.refusal)
            gate.refusal = refusal
        return self.serve(chain, gate)


def closed(respond):
    """Answers as `respond` does, and closes the connection."""

    def close(request):
        head, _, rest = respond(request).partition(b"\r\n")
        return [head + b"\r\nConnection: close\r\n" + rest, CLOSE]

    return close
