"""`watch` while the files that it has read are renewed: certificates, CAs, passwords."""

import json
import os

import pytest
from accounts import auths
from fronts import needs_tls, reached
from namespaces import changed_root
from renewal import WAYS
from tls_server import insist
from token_server import basic, password_gate, secret, user_and_password

pytest_plugins = ["tls_fixtures", "watch_fixtures", "account_fixtures"]

MANY = 150  # polls: more than TLS has memory for, if each of them left something behind
USER = "somebody"
OPEN = ["--interval", "60", "--jitter", "0"]  # so soon that the connection stays open meanwhile
ASKED = "* checking again in"


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def folder(request, tmp_path):
    return request.param(tmp_path / "renewed")


def poll(watcher):
    """Makes it ask now; the lines on stderr until it has."""
    before = len(watcher.err.seen)
    watcher.ask_now()
    watcher.err.next(ASKED)
    return watcher.err.seen[before:]


def complaints(lines):
    return [line for line in lines if line.startswith("regtag: ")]


# ---- The client's certificate --------------------------------------------------------------------


@pytest.fixture
def strict(serve_tls, root):
    """A server that wants certificates of `root`."""
    return serve_tls(prepare=insist(root))


@pytest.fixture(scope="module")
def pairs(workshop, root):
    """Two certificates, with keys that take much memory."""
    keys = [workshop.key("rsa:4096", owner) for owner in ("server", "authority")]
    return [workshop.client(root, key=key) for key in keys]


def both(pair):
    return {"cert": pair.pem, "key": pair.key.read_text()}


def shown(site):
    return [session.shown for session in site.front.sessions if session.shown]


def watch_as_client(watch, site, root, folder):
    files = ["--cert", folder.folder / "cert", "--key", folder.folder / "key"]
    files += ["--cacert", root.file]
    watcher = watch(site.image, *OPEN, "-v", "--retries", "0", *files, *site.options)
    watcher.err.next(ASKED)
    return watcher


@needs_tls
def test_a_renewed_client_certificate(watch, strict, root, pairs, folder):
    folder.put(**both(pairs[0]))
    watcher = watch_as_client(watch, strict, root, folder)
    poll(watcher)

    folder.put(**both(pairs[1]))

    assert not complaints(poll(watcher) + poll(watcher))
    assert shown(strict) == [pairs[0].der, pairs[1].der]


@needs_tls
def test_a_certificate_renewed_before_its_key(watch, strict, root, pairs, folder):
    """Neither half is used with the other's."""
    folder.put(**both(pairs[0]))
    watcher = watch_as_client(watch, strict, root, folder)

    folder.put(cert=pairs[1].pem, key=pairs[0].key.read_text())
    told = complaints(poll(watcher))
    poll(watcher)
    folder.put(**both(pairs[1]))
    again = complaints(poll(watcher))

    assert len(told) == 1 and str(folder.folder / "key") in told[0], told
    assert len(again) == 1 and "answers again, after 2 failures" in again[0], again
    assert shown(strict) == [pairs[0].der, pairs[1].der]


@needs_tls
def test_a_pair_that_does_not_match_for_long(watch, strict, root, pairs, folder):
    folder.put(cert=pairs[1].pem, key=pairs[0].key.read_text())
    watcher = watch_as_client(watch, strict, root, folder)
    for _ in range(MANY):
        assert not complaints(poll(watcher))  # it was said once

    folder.put(**both(pairs[1]))

    assert f"answers again, after {MANY + 1} failures" in complaints(poll(watcher))[0]
    assert shown(strict) == [pairs[1].der]


@needs_tls
def test_a_certificate_that_is_of_no_use_for_long(watch, strict, root, pairs, folder):
    """The first one in the file could be used, and is given up with the other."""
    broken = pairs[0].pem.replace("MII", "MIJ", 1)
    folder.put(cert=pairs[1].pem + broken, key=pairs[1].key.read_text())
    watcher = watch_as_client(watch, strict, root, folder)
    for _ in range(MANY):
        poll(watcher)

    folder.put(**both(pairs[1]))

    assert f"answers again, after {MANY + 1} failures" in complaints(poll(watcher))[0]


@needs_tls
@pytest.mark.parametrize("tool", ["docker", "containers"])
def test_what_the_directory_for_a_host_has(watch, device, strict, root, other_root, pairs, tool):
    place = f"/etc/{tool}/certs.d/{strict.host}"

    def put(pair, authority):
        device.put(f"{place}/client.cert", pair.pem)
        device.put(f"{place}/client.key", pair.key.read_text())
        device.put(f"{place}/ca.crt", authority.pem)

    put(pairs[0], root)
    options = [*OPEN, "-v", "--retries", "0", *reached(strict.host)]
    watcher = watch(strict.image, *options, before=changed_root(device.folder), program="/regtag")
    watcher.err.next(ASKED)

    put(pairs[1], root)
    assert not complaints(poll(watcher))
    for _ in range(5):  # each looks through the directories
        assert not any("a file has changed" in line for line in poll(watcher))
    put(pairs[1], other_root)
    assert "CA" in complaints(poll(watcher))[0]
    put(pairs[0], root)
    assert "answers again" in complaints(poll(watcher))[0]

    assert shown(strict) == [pairs[0].der, pairs[1].der, pairs[0].der]


# ---- CAs -----------------------------------------------------------------------------------------

PLACES = {
    "cacert": lambda folder: (["--cacert", folder / "ca.pem"], {}),
    "cacert_directory": lambda folder: (["--cacert", folder], {}),
    "SSL_CERT_FILE": lambda folder: ([], {"SSL_CERT_FILE": str(folder / "ca.pem")}),
    "SSL_CERT_DIR": lambda folder: ([], {"SSL_CERT_DIR": str(folder)}),
}


@needs_tls
@pytest.mark.parametrize("place", PLACES)
def test_a_ca_that_is_no_longer_trusted(watch, site, root, other_root, folder, place):
    """The connection that was made while it was is not used any more."""
    folder.put(**{"ca.pem": root.pem})
    options, variables = PLACES[place](folder.folder)
    options += ["-v", "--retries", "0", *site.options]
    watcher = watch(site.image, *OPEN, *options, env=variables)
    watcher.err.next(ASKED)
    poll(watcher)
    asked = len(site.server.requests)

    folder.put(**{"ca.pem": other_root.pem})
    assert "CA" in complaints(poll(watcher))[0]
    assert len(site.server.requests) == asked
    folder.put(**{"ca.pem": root.pem})
    assert "answers again, after 1 failure" in complaints(poll(watcher))[0]

    assert site.server.connections == 2


@needs_tls
def test_a_ca_that_cannot_be_read_for_a_while(watch, site, root, other_root, folder):
    """Another one that can is not enough."""
    folder.put(**{"ca.pem": root.pem})
    trusted = ["--cacert", other_root.file, "--cacert", folder.folder / "ca.pem"]
    watcher = watch(site.image, *OPEN, "-v", "--retries", "0", *trusted, *site.options)
    watcher.err.next(ASKED)

    (folder.folder / "ca.pem").rename(folder.folder / "gone")
    assert "ca.pem" in complaints(poll(watcher))[0]
    (folder.folder / "gone").rename(folder.folder / "ca.pem")

    assert "answers again, after 1 failure" in complaints(poll(watcher))[0]


@needs_tls
def test_a_ca_that_cannot_be_read_from_the_start(watch, site, other_root, tmp_path):
    trusted = ["--cacert", other_root.file, "--cacert", tmp_path / "missing.pem"]
    watcher = watch(site.image, *OPEN, *trusted, *site.options)

    watcher.err.next("missing.pem")
    assert watcher.process.wait(60) == 2


# ---- Passwords -----------------------------------------------------------------------------------


def by_password_file(folder, host):
    options = ["--user", USER, "--password-file", folder.folder / "login"]
    return options, {}, lambda password: password + "\n"


def document(host):
    return lambda password: json.dumps(auths(host, USER, password))


def by_authfile(folder, host):
    return ["--authfile", folder.folder / "login"], {}, document(host)


def by_registry_auth_file(folder, host):
    return [], {"REGISTRY_AUTH_FILE": str(folder.folder / "login")}, document(host)


def by_dockers_file(folder, host):
    (folder.folder / "docker").mkdir()
    (folder.folder / "docker/config.json").symlink_to("../login")
    return [], {"DOCKER_CONFIG": str(folder.folder / "docker")}, document(host)


def by_podmans_file(folder, host):
    (folder.folder / "containers").mkdir()
    (folder.folder / "containers/auth.json").symlink_to("../login")
    return [], {"XDG_RUNTIME_DIR": str(folder.folder)}, document(host)


LOGINS = [by_password_file, by_authfile, by_registry_auth_file, by_dockers_file, by_podmans_file]


class Door:
    """Lets in whoever has one of the passwords."""

    def __init__(self, shelf, *passwords):
        self.passwords = passwords
        self.gate = password_gate(shelf, USER, "")
        self.gate.allows = self.allows
        self.came = []  # with which passwords

    def __call__(self, request):
        return self.gate(request)

    def allows(self, authorization, _repository, _action):
        who, password = user_and_password(authorization) or (None, None)
        self.came += [password] if password else []
        return who == USER and password in self.passwords


@pytest.mark.parametrize("login", LOGINS, ids=lambda login: login.__name__)
def test_a_renewed_password(account, watch, serve, shelf, folder, login):
    """The old one would still do, and is not used any more."""
    old, new = secret("old"), secret("new")
    door = Door(shelf, old, new)
    server = serve(door)
    options, variables, content = login(folder, server.host)
    folder.put(login=content(old))
    image = f"{server.host}/repo:old"
    watcher = watch(image, *OPEN, "-v", *options, env={**account.env, **variables})
    watcher.err.next(ASKED)
    poll(watcher)
    assert set(door.came) == {old}
    door.came.clear()

    folder.put(login=content(new))

    assert not complaints(poll(watcher) + poll(watcher))
    assert set(door.came) == {new}


@pytest.mark.parametrize("login", LOGINS, ids=lambda login: login.__name__)
def test_a_password_that_is_of_no_use_for_a_while(account, watch, serve, shelf, folder, login):
    password = secret("password")
    server = serve(Door(shelf, password))
    options, variables, content = login(folder, server.host)
    folder.put(login=content(password))
    image = f"{server.host}/repo:old"
    watcher = watch(image, *OPEN, "-v", *options, env={**account.env, **variables})
    watcher.err.next(ASKED)

    folder.put(login="\0")
    (told,) = complaints(poll(watcher))
    assert "login" in told or ".json" in told
    folder.put(login=content(password))

    assert "answers again" in complaints(poll(watcher))[0]


def test_a_password_from_a_pipe_is_asked_for_once(account, watch, serve, shelf, tmp_path):
    """Even where the registry refuses it for a while, and where another file changes."""
    password = secret("password")
    door = Door(shelf, password)
    server = serve(door)
    reader, writer = os.pipe()
    os.write(writer, password.encode())
    os.close(writer)
    options = ["--user", USER, "--password-file", f"/dev/fd/{reader}"]
    image = f"{server.host}/repo:old"
    watcher = watch(image, *OPEN, "-v", *options, env=account.env, pass_fds=[reader])
    os.close(reader)
    watcher.err.next(ASKED)

    door.passwords = ()
    assert "401" in complaints(poll(watcher))[0]
    door.passwords = (password,)

    assert "answers again" in complaints(poll(watcher))[0]


def test_nothing_is_read_again_that_has_not_changed(account, watch, serve, shelf, folder):
    password = secret("password")
    server = serve(password_gate(shelf, USER, password))
    options, variables, content = by_password_file(folder, server.host)
    folder.put(login=content(password))
    image = f"{server.host}/repo:old"
    watcher = watch(image, *OPEN, "-v", *options, env={**account.env, **variables})
    watcher.err.next(ASKED)

    for _ in range(5):
        poll(watcher)

    assert server.connections == 1
    assert {request.value("Authorization") for request in server.requests[1:]} == {
        basic(USER, password)
    }


def test_a_place_for_passwords_with_a_name_that_is_too_long(watch, watched):
    """Reported at each ask; it goes on."""
    watcher = watch(watched, *OPEN, "-v", env={"XDG_RUNTIME_DIR": "/" + 1100 * "x"})
    watcher.err.next("the name is too long")
    watcher.err.next(ASKED)
    poll(watcher)

    assert any("the name is too long" in line for line in poll(watcher))
