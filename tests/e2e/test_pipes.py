"""Files that are pipes: their content comes late, slowly, once, or never."""

import json
import os
import threading
import time
from contextlib import contextmanager

import pytest
from accounts import auths
from fake import CLOSE, answer, with_fields
from fronts import needs_tls, reached
from images import OCI_MANIFEST, digest_of
from tls_server import insist
from token_server import password_gate, secret

pytest_plugins = ["tls_fixtures", "account_fixtures"]

USER = "somebody"
USAGE, CREDENTIALS, OTHER = 2, 16, 1
SOON = ["--timeout", "1", "--retries", "0"]
ENDS_WITHIN = 30  # seconds; what waits for ever does not


# ---- Pipes that nobody writes to -----------------------------------------------------------------


@contextmanager
def without_a_writer(path):
    os.mkfifo(path)
    yield path, []


@contextmanager
def with_a_silent_writer(path):
    os.mkfifo(path)
    holder = os.open(path, os.O_RDWR)
    yield path, []
    os.close(holder)


@contextmanager
def as_a_shell_makes_them(path):
    reader, writer = os.pipe()
    yield f"/dev/fd/{reader}", [reader]
    os.close(reader)
    os.close(writer)


PIPES = [without_a_writer, with_a_silent_writer, as_a_shell_makes_them]


@pytest.fixture(params=PIPES, ids=lambda pipe: pipe.__name__)
def silent(request, tmp_path):
    with request.param(tmp_path / "pipe") as (path, descriptors):
        yield path, descriptors


def client(path, other):
    return ["--cert", path, "--key", other]


def by_password(path):
    return ["--user", USER, "--password-file", path]


WAITED_FOR = {
    "cert": (lambda pipe, file: client(pipe, file), {}, CREDENTIALS),
    "cert_and_key": (lambda pipe, file: ["--cert", pipe], {}, CREDENTIALS),
    "key": (lambda pipe, file: client(file, pipe), {}, CREDENTIALS),
    "cacert": (lambda pipe, file: ["--cacert", pipe], {}, USAGE),
    "SSL_CERT_FILE": (lambda pipe, file: [], {"SSL_CERT_FILE"}, USAGE),
    "password_file": (lambda pipe, file: by_password(pipe), {}, CREDENTIALS),
    "authfile": (lambda pipe, file: ["--authfile", pipe], {}, CREDENTIALS),
    "REGISTRY_AUTH_FILE": (lambda pipe, file: [], {"REGISTRY_AUTH_FILE"}, CREDENTIALS),
}


@pytest.mark.slow
@needs_tls
@pytest.mark.parametrize("what", WAITED_FOR)
def test_a_pipe_is_waited_for_until_the_deadline(account, site, client_certificate, silent, what):
    pipe, descriptors = silent
    options, variables, status = WAITED_FOR[what]
    env = {name: str(pipe) for name in variables}
    args = [*options(pipe, client_certificate.file), *site.options, site.image]

    result = account("digest", *SOON, *args, env=env, pass_fds=descriptors, limit=ENDS_WITHIN)

    assert result.status == status, result
    result.complaint(str(pipe), "nothing was written to it in time")
    assert site.is_untouched


NOT_WAITED_FOR = {
    "journal": ("tag", lambda pipe: ["--journal", pipe], ["new"], OTHER),
    "journal_of_delete": ("delete", lambda pipe: ["--journal", pipe], [], OTHER),
    "undo": ("undo", lambda pipe: [pipe], None, OTHER),
    "undo_dry_run": ("undo", lambda pipe: ["--dry-run", pipe], None, OTHER),
    "time_floor": ("digest", lambda pipe: ["--time-floor", pipe], [], 0),
}


@pytest.mark.parametrize("what", NOT_WAITED_FOR)
def test_a_pipe_is_not_waited_for(regtag, serve, shelf, silent, what):
    """A journal has to last, and of the other one only the time counts."""
    pipe, descriptors = silent
    server = serve(shelf)
    verb, options, more, status = NOT_WAITED_FOR[what]
    rest = [] if more is None else [f"{server.host}/repo:old", *more]

    result = regtag(verb, *options(pipe), *rest, pass_fds=descriptors, limit=ENDS_WITHIN)

    assert result.status == status, result
    assert status == 0 or server.requests == []
    assert status == 0 or str(pipe) in result.complaint()


@needs_tls
@pytest.mark.parametrize("name", ["client.cert", "client.key", "ca.crt"])
def test_a_pipe_in_the_directory_for_a_host(
    device, serve_tls, root, document, client_certificate, name
):
    """Nobody has named it. Among CAs it is left out; of a pair it is missed."""
    site = serve_tls(prepare=insist(root))
    place = f"/etc/docker/certs.d/{site.host}"
    device.put(f"{place}/root.crt", root.pem)
    device.put(f"{place}/client.cert", client_certificate.pem)
    device.put(f"{place}/client.key", client_certificate.key.read_bytes())
    (device.folder / place[1:] / name).unlink(missing_ok=True)
    os.mkfifo(device.folder / place[1:] / name)

    result = device("digest", *SOON, *reached(site.host), site.image, limit=ENDS_WITHIN)

    if name == "ca.crt":
        assert (result.status, result.lines) == (0, [digest_of(document)]), result
    else:
        assert result.status == CREDENTIALS, result
        result.complaint(f"{place}/{name}", "not a regular file")


# ---- Pipes that are written to -------------------------------------------------------------------


class Writers:
    """Pipes, each with a writer that comes late and stops in the middle for a while."""

    def __init__(self, folder, named):
        self.descriptors = []
        self._folder = folder
        self._named = named
        self._threads = []

    def __call__(self, content):
        """The path of one with this content."""
        data = content if isinstance(content, bytes) else content.encode()
        if self._named:
            path = self._folder / f"pipe-{len(self._threads)}"
            os.mkfifo(path)
            self._write(data, lambda: os.open(path, os.O_WRONLY))
            return path
        reader, writer = os.pipe()
        self.descriptors.append(reader)
        self._write(data, lambda: writer)
        return f"/dev/fd/{reader}"

    def _write(self, data, open_it):
        def run():
            writer = open_it()
            try:
                for part in (data[: len(data) // 2], data[len(data) // 2 :]):
                    time.sleep(0.2)
                    while part:
                        part = part[os.write(writer, part) :]
            except BrokenPipeError:
                pass  # too much for the program
            finally:
                os.close(writer)

        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()

    def end(self):
        for reader in self.descriptors:
            os.close(reader)
        for thread in self._threads:
            thread.join(ENDS_WITHIN)


@pytest.fixture(params=[False, True], ids=["of_a_shell", "named"])
def pipe(request, tmp_path):
    writers = Writers(tmp_path, request.param)
    yield writers
    writers.end()


@pytest.fixture
def restless(serve_tls, shelf, root):
    """A server that wants a certificate of the client's, refuses the first request, and closes each
    connection after one answer: whoever asks shakes hands again and again."""
    count = []

    def respond(request):
        count.append(request)
        if len(count) == 1:
            return [answer(503, b"", "Connection: close"), CLOSE]
        return [with_fields(shelf(request), ["Connection: close"]), CLOSE]

    return serve_tls(respond=respond, prepare=insist(root))


def several_handshakes(result, site):
    assert result.status == 0, result
    assert len(site.front.sessions) > 2


@needs_tls
def test_everything_from_pipes_over_several_handshakes(
    regtag, restless, root, client_certificate, pipe
):
    files = ["--cacert", pipe(root.pem), "--cert", pipe(client_certificate.pem)]
    files += ["--key", pipe(client_certificate.key.read_bytes())]

    options = [*files, *restless.options, restless.image, "new", "newer"]
    result = regtag("tag", "--retries", "1", *options, pass_fds=pipe.descriptors)

    several_handshakes(result, restless)


@needs_tls
def test_certificate_and_key_from_one_pipe(regtag, restless, root, client_certificate, pipe):
    both = pipe(client_certificate.key.read_text() + client_certificate.pem)

    options = ["--cacert", root.file, "--cert", both, *restless.options, restless.image, "new"]
    result = regtag("tag", "--retries", "1", *options, pass_fds=pipe.descriptors)

    several_handshakes(result, restless)


@needs_tls
def test_the_variable_may_name_a_pipe(regtag, restless, root, client_certificate, pipe):
    options = ["--cert", client_certificate.file, "--key", client_certificate.key]
    options += [*restless.options, restless.image, "new"]
    env = {"SSL_CERT_FILE": str(pipe(root.pem))}

    result = regtag("tag", "--retries", "1", *options, env=env, pass_fds=pipe.descriptors)

    several_handshakes(result, restless)


@needs_tls
def test_standard_input_may_be_the_pipe(regtag, site, root, document):
    reader, writer = os.pipe()
    os.write(writer, root.pem.encode())
    os.close(writer)
    with os.fdopen(reader, "rb") as stdin:
        result = regtag("digest", "--cacert", "/dev/stdin", *site.options, site.image, stdin=stdin)

    assert (result.status, result.lines) == (0, [digest_of(document)]), result


@needs_tls
def test_a_crowd_of_cas_from_a_pipe(regtag, site, document, root, strangers, pipe):
    """As many as fit."""
    crowd = "".join(strangers)[:60_000] + "\n" + root.pem

    options = ["--cacert", pipe(crowd), *site.options, site.image]
    result = regtag("digest", *options, pass_fds=pipe.descriptors)

    assert (result.status, result.lines) == (0, [digest_of(document)]), result


@needs_tls
@pytest.mark.parametrize("option, status", [("cacert", USAGE), ("cert", CREDENTIALS)])
def test_more_than_a_pipe_may_hold(regtag, site, root, pipe, option, status):
    large = pipe(root.pem + "#" * 70_000)

    options = [f"--{option}", large, *site.options, site.image]
    result = regtag("digest", *options, pass_fds=pipe.descriptors)

    assert result.status == status, result
    result.complaint(str(large), "64 KiB")
    assert site.is_untouched


@pytest.mark.parametrize("source", ["password_file", "authfile", "REGISTRY_AUTH_FILE"])
def test_a_login_from_a_pipe_serves_for_two_repositories(account, serve, shelf, pipe, source):
    password = secret("password")
    server = serve(password_gate(shelf, USER, password))
    for name in ("one", "two"):
        shelf.put(name, "old", OCI_MANIFEST, shelf.document("repo", "old"))
    document = json.dumps(auths(server.host, USER, password))
    login = pipe(password if source == "password_file" else document)
    options = {
        "password_file": by_password(login),
        "authfile": ["--authfile", login],
    }.get(source, [])
    env = {source: str(login)} if not options else {}
    images = [f"{server.host}/{name}:old" for name in ("one", "two")]

    result = account("delete", *options, *images, env=env, pass_fds=pipe.descriptors)

    assert (result.status, result.err) == (0, b""), result
    assert [row[2] for row in result.rows] == ["deleted", "deleted"]


def test_half_a_password_is_never_sent(account, serve, shelf, tmp_path):
    """Its end does not come in time; what comes after that is no password of its own."""
    password = secret("password")
    server = serve(password_gate(shelf, USER, password))
    reader, writer = os.pipe()
    os.write(writer, password[:5].encode())
    options = [*by_password(f"/dev/fd/{reader}"), f"{server.host}/repo:old"]

    result = account("digest", *SOON, *options, pass_fds=[reader], limit=ENDS_WITHIN)
    os.close(reader)
    os.close(writer)

    assert result.status == CREDENTIALS, result
    result.complaint("in time")
    assert server.requests == []
