"""The library as an embedder has it: what `make amalgamation` leaves and the examples, in a folder of their own."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from authority import LOOPBACK, NAME
from fronts import SecureRegistry, needs_tls
from images import LAYER, OCI_MANIFEST, compact, digest_of, oci_manifest
from program import Program
from tls_server import server_context

pytest_plugins = ["tls_fixtures"]

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = TOP / os.environ.get("BUILD", "build")
MBEDTLS = TOP / os.environ.get("MBEDTLS_DIR", "build/third_party/mbedtls")
SANITIZER = os.environ.get("SAN")
PLAIN = os.environ.get("TLS") == "0"

OLD = compact(oci_manifest())
NEW = compact(oci_manifest(annotations={"which": "new"}))
PATIENCE = 60  # seconds
SOCKETS = ["regtag_sockets", "regtag_connect", "regtag_address"]
TLS_PARTS = ["regtag_tls_mbedtls", "regtag_chain", "platform"]

needs_malloc = pytest.mark.skipif(bool(SANITIZER), reason="a sanitizer needs malloc")


class Kit:
    """A folder with all the sources, in which programs are made of them."""

    def __init__(self, folder):
        self.folder = folder
        sources = [TOP / "build/amalgamation", TOP / "src/examples", TOP / "tests/library"]
        for source in [one for room in sources for one in room.glob("*.[ch]")]:
            shutil.copy(source, folder)
        # The embedder's mbedTLS: as third_party/ configures it, and so with an allocator in an arena.
        self._mbedtls = [BUILD / "mbedtls.a"]
        if not PLAIN:
            self._mbedtls += [BUILD / "obj/src" / one for one in ("net/tls_arena.o", "base/wipe.o")]
        self._made = set()

    def run(self, *command):
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        assert done.stdout == "", done.stdout

    def object(self, name):
        """Alone, where nothing but the file is needed; with mbedTLS's headers where it is about mbedTLS."""
        if name not in self._made:
            config = "regtag_mbedtls.h" if PLAIN else "regtag_mbedtls_tls.h"
            mbedtls = [
                *["-isystem", MBEDTLS / "include", "-isystem", TOP / "third_party"],
                *[f"-DMBEDTLS_CONFIG_FILE=<{config}>"],
            ]
            alone = name in (
                *["regtag", *SOCKETS, "regtag_blocking"],
                *["no_malloc", "gmtime_r", "transitions"],
            )
            options = ["-g", f"-fsanitize={SANITIZER}"] if SANITIZER else ["-Os"]
            options += ["-DREGTAG_DEBUG"] if SANITIZER else []
            self.run(*compiler(), *options, *([] if alone else mbedtls), "-c", f"{name}.c")
            self._made.add(name)
        return f"{name}.o"

    def program(self, name, *parts, without_malloc=False):
        parts = ["regtag", *SOCKETS, "regtag_sha256", *parts]
        parts += ["transitions"] if SANITIZER else []
        if name in ("agent", "fetch", "once"):
            parts += ["tls_none"] if PLAIN else ["tls_mbedtls", *TLS_PARTS]
        parts += ["no_malloc", "gmtime_r"] if without_malloc else []
        path = self.folder / (name + "-without-malloc" * without_malloc)
        options = [f"-fsanitize={SANITIZER}"] if SANITIZER else []
        objects = [self.object(part) for part in [name, *parts]]
        self.run(*compiler(), *options, "-Wl,--gc-sections", "-o", path, *objects, *self._mbedtls)
        return Program(path)


def compiler():
    return os.environ.get("CC", "cc").split()


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return Kit(tmp_path_factory.mktemp("kit"))


@pytest.fixture(scope="module")
def once(kit):
    return kit.program("once", "regtag_blocking")


@pytest.fixture(scope="module")
def agent_program(kit):
    return kit.program("agent", without_malloc=not SANITIZER)


@pytest.fixture(scope="module")
def secure(registry_binary, certificate, root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("secure")
    with SecureRegistry(registry_binary, folder, certificate, root) as one:
        yield one


class Agent:
    """The update agent of the examples, at work."""

    def __init__(self, program, *args):
        self._process = subprocess.Popen(
            [program.path, *[str(one) for one in args]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def look(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self):
        """Its status, what it installed, and what it complained of."""
        out, err = self._process.communicate(timeout=PATIENCE)
        return self._process.returncode, out.splitlines(), err.splitlines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def wait_until(holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_call_that_waits(once, registry, repository):
    image = f"{registry.host}/{repository}:old"
    digest = registry.digest(repository, "old")

    result = once("-", image, "one", "two")

    assert (result.status, result.err) == (0, b""), result
    assert result.lines == [f"one {digest}", f"two {digest}"]
    assert registry.digest(repository, "one") == registry.digest(repository, "two") == digest


def test_its_status_is_that_of_the_command(once, registry, repository, dead_port):
    assert once("-", f"{registry.host}/{repository}:none", "new").status == 3
    assert once("-", f"127.0.0.1:{dead_port}/a:b", "new").status == 5
    assert once("-", "no image", "new").status == 2
    assert registry.digest(repository, "new") is None


def test_a_file_is_replaced_only_by_what_is_right(kit, registry, repository, tmp_path):
    fetch = kit.program("fetch", "regtag_blocking")
    file = tmp_path / "file"
    file.write_bytes(b"old")

    assert fetch("-", f"{registry.host}/{repository}:none", file).status == 3
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"old"]
    assert fetch("-", f"{registry.host}/{repository}:old", file).status == 0
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [LAYER]


def test_a_name_is_looked_up(once, registry, repository):
    result = once("-", f"localhost:{registry.port}/{repository}:old", "new")

    assert (result.status, result.err) == (0, b""), result


@needs_tls
def test_a_call_that_waits_over_tls(once, secure, root):
    secure.push_image("waits", "old", OCI_MANIFEST, OLD)

    result = once(root.file, f"{LOOPBACK}:{secure.port}/waits:old", "new")

    assert (result.status, result.err) == (0, b""), result
    assert secure.digest("waits", "new") == digest_of(OLD)


@needs_tls
def test_a_host_must_prove_its_name(once, workshop, root, other_root, site, serve_tls):
    """The certificate is for registry.test and its address, not for localhost; another has the address as
    its common name only, which counts for nothing; and nobody knows the other CA."""
    stranger = serve_tls(workshop.server(other_root), name=LOOPBACK)
    late = serve_tls(workshop.server(root, days=(-30, -1)), name=LOOPBACK)
    common = serve_tls(workshop.certificate(LOOPBACK, root), name=LOOPBACK)
    client = serve_tls(
        workshop.server(root, purposes="clientAuth"), name=LOOPBACK
    )
    misnamed = site.host.replace(NAME, "localhost")

    for image, words, status in [
        (f"{misnamed}/repo:old", b"is not for localhost, but for", 7),
        (common.image, b"is not for 127.0.0.1", 7),
        (client.image, b"not for servers", 7),
        (stranger.image, b"not signed by a trusted CA", 7),
        (late.image, b"only the dates", 8),
    ]:
        result = once(root.file, image, "new")
        assert (result.status, words in result.err) == (status, True), result
    for server in (site, common, client, stranger, late):
        assert server.is_untouched


def test_the_agent_installs_and_says_so(agent_program, registry, repository):
    image = f"{registry.host}/{repository}:stable"
    first = registry.push_image(repository, "stable", OCI_MANIFEST, OLD)

    with Agent(agent_program, image, "device7", 1000) as agent:
        wait_until(lambda: registry.digest(repository, "device7-installed") == first)
        agent.look()  # nothing new
        second = registry.push(repository, "stable", OCI_MANIFEST, NEW)
        agent.look()
        wait_until(lambda: registry.digest(repository, "device7-installed") == second)
        status, installed, complaints = agent.end()

    assert (status, complaints) == (0, [])
    assert installed == [f"{image}@{first}", f"{image}@{second}"]


def test_the_agent_looks_on_a_timer(agent_program, registry, repository):
    image = f"{registry.host}/{repository}:stable"

    with Agent(agent_program, image, "device7", 1) as agent:
        time.sleep(0.2)
        first = registry.push_image(repository, "stable", OCI_MANIFEST, OLD)
        wait_until(lambda: registry.digest(repository, "device7-installed") == first)
        status, installed, complaints = agent.end()

    assert (status, installed) == (0, [f"{image}@{first}"])
    assert complaints and all("no such image" in line for line in complaints)


@needs_tls
def test_the_agent_over_tls(agent_program, secure, root, other_root):
    image = f"{LOOPBACK}:{secure.port}/agent:stable"
    digest = secure.push_image("agent", "stable", OCI_MANIFEST, OLD)

    with Agent(agent_program, image, "distrusting", 1000, other_root.file) as agent:
        time.sleep(0.5)
        status, installed, complaints = agent.end()
        assert (status, installed, len(complaints)) == (0, [], 1)
        assert "not signed by a trusted CA" in complaints[0]
    with Agent(agent_program, image, "trusting", 1000, root.file) as agent:
        wait_until(lambda: secure.digest("agent", "trusting-installed") == digest)
        status, installed, complaints = agent.end()
        assert (status, installed, complaints) == (0, [f"{image}@{digest}"], [])
    assert secure.digest("agent", "distrusting-installed") is None


@needs_malloc
def test_who_asks_for_memory_is_found_out(kit, registry, repository):
    """As a program that does, shows: what the test of the agent relies on."""
    program = kit.program("once", "regtag_blocking", without_malloc=True)

    result = program.run([program.path, "-", f"{registry.host}/{repository}:old", "new"])

    assert result.status == -signal.SIGABRT
    assert b"memory was asked for" in result.err


@pytest.fixture(scope="module")
def resolving(kit):
    program = kit.program("resolving")

    def run(*args):
        result = program(*args)
        assert (result.status, result.err) == (0, b""), result
        status, words = result.lines
        return int(status), words

    return run


@pytest.fixture
def deaf(registry):
    """An address with the registry's port, where nobody takes up connections."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.3", registry.port))
        listener.listen(0)
        for _ in range(4):  # its backlog is full then
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.3", registry.port))
        time.sleep(0.1)
        yield "127.0.0.3"


def test_addresses_are_tried_one_after_the_other(resolving, registry, repository, deaf):
    """127.0.0.2 refuses, for nobody listens on this port there."""
    image = f"name.test:{registry.port}/{repository}:old"
    digest = registry.digest(repository, "old")

    assert resolving(image, "127.0.0.1") == (0, digest)
    assert resolving(image, "127.0.0.2", "127.0.0.1") == (0, digest)
    assert resolving(image, deaf, "127.0.0.1") == (0, digest)
    assert resolving(image, deaf, "127.0.0.2", deaf, "127.0.0.1") == (0, digest)


def test_no_address_answers(resolving, registry, repository, deaf):
    image = f"name.test:{registry.port}/{repository}:old"

    for addresses, words in [
        ([], "no address"),
        (["127.0.0.2"], "could not be reached at 127.0.0.2: Connection refused"),
        (["127.0.0.2", "127.0.0.4"], "could not be reached at 127.0.0.2: Connection refused"),
        ([deaf], "it could not be reached within 2 s"),
        ([deaf, "127.0.0.2"], "it could not be reached within 2 s"),
    ]:
        status, said = resolving(image, *addresses)
        assert (status, words in said) == (5, True), said


@needs_tls
def test_fewer_sessions_than_connections(kit):
    """Nothing is written behind the memory that there is."""
    program = kit.program("sessions", *TLS_PARTS)

    assert program("0").lines == ["-3 7 TLS is not set up for this connection"]
    for number in ["1", "17", str(2**32 - 1)]:
        (line,) = program(number).lines
        assert line.startswith("-3 1 ") and "memory" in line


@needs_tls
def test_what_tls_could_not_write_is_offered_with_more(kit, certificate, root, tmp_path):
    """What is counted as written arrives, and in its order."""
    program = kit.program("writes", "tls_mbedtls", *TLS_PARTS)
    context = server_context(tmp_path, certificate)
    with socket.create_server((LOOPBACK, 0)) as listener:
        listener.settimeout(PATIENCE)
        port = listener.getsockname()[1]
        child = subprocess.Popen(
            [program.path, root.file, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with child, context.wrap_socket(listener.accept()[0], server_side=True) as server:
            written, arrived = int(child.stdout.readline()), bytearray()
            server.settimeout(10)
            with suppress(TimeoutError):
                while len(arrived) < written:
                    arrived += server.recv(65536)
            child.stdin.close()
    assert child.returncode == 0
    assert len(arrived) == written
    assert arrived == bytes(i * 2654435761 >> 16 & 0xFF for i in range(written))


def test_operations_side_by_side(kit, registry, repository):
    """In one thread and one poll; each ends as it would alone."""
    program = kit.program("pair")
    digest = registry.digest(repository, "old")
    other = registry.push_image(f"{repository}/other", "old", OCI_MANIFEST, NEW)
    image, another = f"{registry.host}/{repository}", f"{registry.host}/{repository}/other"

    result = program("both", f"{image}:old", f"{another}:old", f"{image}:none", f"{another}:old")

    *ends, turns = result.lines
    assert ends == [f"0 {digest}", f"0 {other}", "3 ", f"0 {other}"]
    assert int(turns) >= 2
    assert registry.digest(repository, "both") == digest
    assert registry.digest(f"{repository}/other", "both") == other
