"""Servers that want to know who asks: certificates of clients."""

import re
import ssl

import pytest
from authority import NAME, bundle, openssl
from fronts import Nginx, SecureRegistry, needs_tls, reached
from images import OCI_MANIFEST, compact, digest_of, oci_manifest
from tls_server import insist

pytest_plugins = ["tls_fixtures"]
pytestmark = needs_tls

UNTRUSTED = 7
IN_HTTP = (1, 4, 7, 9)  # status 400 may mean all kinds of things; the words matter
UNUSABLE = (1, 2, 16)  # a file of the user's
VERSIONS = ["1.2", "1.3"]
KINDS = ["P-256", "P-384", "rsa:2048", "rsa:4096"]
IMAGE = compact(oci_manifest())


@pytest.fixture(scope="module")
def strict(registry_binary, certificate, root, client_certificate, tmp_path_factory):
    """A docker-registry that wants certificates of `root`, with TLS 1.3."""
    folder = tmp_path_factory.mktemp("strict")
    options = {"clients": root, "shown": client_certificate}
    with SecureRegistry(registry_binary, folder, certificate, root, **options) as one:
        one.push_image("repo", "old", OCI_MANIFEST, IMAGE)
        yield one


@pytest.fixture(scope="module", params=VERSIONS)
def nginx(request, registry, certificate, root, tmp_path_factory):
    """nginx that wants them as well, in front of a registry that does not."""
    registry.push_image("repo", "old", OCI_MANIFEST, IMAGE)
    folder = tmp_path_factory.mktemp("nginx")
    chain = folder / "chain.pem"
    chain.write_text(certificate.chain)
    settings = [
        f"ssl_certificate {chain};",
        f"ssl_certificate_key {certificate.key};",
        f"ssl_protocols TLSv{request.param};",
        f"ssl_client_certificate {root.file};",
        "ssl_verify_client on;",
        "ssl_verify_depth 3;",
        f"location / {{ proxy_pass http://127.0.0.1:{registry.port}; }}",
    ]
    with Nginx(folder, settings) as one:
        yield one


class Door:
    """A server that wants a certificate, and how to ask it."""

    def __init__(self, regtag, port, root):
        self._regtag = regtag
        self._root = root
        self.host = f"{NAME}:{port}"

    def __call__(self, *options, verb="digest", image="repo:old", more=()):
        trust = ["--timeout", "30", "--cacert", self._root.file, *reached(self.host)]
        return self._regtag(verb, *trust, *options, f"{self.host}/{image}", *more)


@pytest.fixture
def door(regtag, strict, root):
    return Door(regtag, strict.port, root)


@pytest.fixture
def nginx_door(regtag, nginx, root):
    return Door(regtag, nginx.port, root)


def shown(certificate):
    return ["--cert", certificate.file, "--key", certificate.key]


def opened(result):
    assert (result.status, result.err) == (0, b""), result
    return result.lines == [digest_of(IMAGE)]


# ---- Let in --------------------------------------------------------------------------------------


def test_tag_as_somebody(door, strict, client_certificate):
    result = door(*shown(client_certificate), verb="tag", more=["new", "newer"])

    assert (result.status, result.err) == (0, b""), result
    assert [row[1:] for row in result.rows] == [(digest_of(IMAGE), "created", "-")] * 2
    assert strict.digest("repo", "newer") == digest_of(IMAGE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_of_the_client(door, nginx_door, workshop, root, kind):
    client = workshop.client(root, key=workshop.key(kind, "server"))

    for one in (door, nginx_door):
        assert opened(one(*shown(client)))


@pytest.mark.parametrize("kind", ["P-256", "rsa:2048"])
def test_a_key_as_older_programs_write_it(door, workshop, root, tmp_path, kind):
    client = workshop.client(root, key=workshop.key(kind, "server"))
    old = tmp_path / "old.key"
    command = "rsa" if kind.startswith("rsa") else "ec"
    traditional = ["-traditional"] if command == "rsa" else []
    old.write_bytes(openssl(command, "-in", client.key, *traditional))
    assert old.read_bytes().startswith(b"-----BEGIN " + command.upper().encode())

    assert opened(door("--cert", client.file, "--key", old))


def test_a_client_below_an_authority_in_between(door, nginx_door, workshop, root, tmp_path):
    client = workshop.client(workshop.intermediate(root))
    chain = tmp_path / "chain.pem"
    chain.write_text(client.chain)

    for one in (door, nginx_door):
        assert opened(one("--cert", chain, "--key", client.key))


def test_certificate_and_key_in_one_file(door, client_certificate, tmp_path):
    both = tmp_path / "both.pem"
    both.write_text(client_certificate.key.read_text() + client_certificate.pem)

    assert opened(door("--cert", both))
    assert opened(door("--cert", both, "--key", both))


WRITTEN = {
    "with_carriage_returns": lambda text: text.replace("\n", "\r\n"),
    "with_a_mark_of_byte_order": lambda text: "\ufeff" + text,
    "on_one_line": lambda text: re.sub("([^-])\n(?!-)", r"\1", text),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_files_written(door, client_certificate, tmp_path, how):
    certificate, key = tmp_path / "client.cert", tmp_path / "client.key"
    for new, old in {certificate: client_certificate.file, key: client_certificate.key}.items():
        new.write_bytes(WRITTEN[how](old.read_text()).encode())

    assert opened(door("--cert", certificate, "--key", key))


@pytest.mark.parametrize("tool", ["docker", "containers"])
def test_the_certificate_for_one_host(device, strict, root, client_certificate, tool):
    door = Door(device, strict.port, root)
    device.put("/root.pem", root.pem)
    folder = f"/etc/{tool}/certs.d/{door.host}"
    device.put(f"{folder}/ca.crt", root.pem)
    device.put(f"{folder}/client.cert", client_certificate.pem)
    device.put(f"{folder}/client.key", client_certificate.key.read_bytes())

    result = device("digest", *reached(door.host), f"{door.host}/repo:old")

    assert opened(result)


def test_the_option_goes_before_the_certificate_of_the_host(
    device, strict, root, other_root, workshop, client_certificate
):
    door = Door(device, strict.port, root)
    wrong = workshop.client(other_root)
    folder = f"/etc/docker/certs.d/{door.host}"
    device.put(f"{folder}/ca.crt", root.pem)
    device.put(f"{folder}/client.cert", wrong.pem)
    device.put(f"{folder}/client.key", wrong.key.read_bytes())
    device.put("/client.pem", client_certificate.pem + client_certificate.key.read_text())
    where = reached(door.host)

    assert device("digest", *where, f"{door.host}/repo:old").status == UNTRUSTED
    assert opened(device("digest", *where, "--cert", "/client.pem", f"{door.host}/repo:old"))


def test_a_certificate_that_nobody_asks_for_does_no_harm(
    regtag, site, document, root, client_certificate
):
    options = ["--cacert", root.file, *shown(client_certificate), *site.options]

    result = regtag("digest", *options, site.image)

    assert (result.status, result.lines) == (0, [digest_of(document)]), result


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_asks_and_does_not_insist(regtag, serve_tls, document, root, version):
    def ask(context):
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(root.file)

    site = serve_tls(prepare=ask, version=version)

    result = regtag("digest", "--cacert", root.file, *site.options, site.image)

    assert (result.status, result.lines) == (0, [digest_of(document)]), result


# ---- Not let in ----------------------------------------------------------------------------------

STRANGERS = {
    "of_another_authority": lambda w, root, other: w.client(other),
    "signed_by_itself": lambda w, root, other: w.client(None),
    "that_has_expired": lambda w, root, other: w.client(root, days=(-40, -3)),
    "of_a_server": lambda w, root, other: w.client(root, purposes="serverAuth"),
}


@pytest.mark.parametrize("verb", ["tag", "ls", "digest", "manifest"])
def test_nobody_is_told_what_is_missing(door, strict, verb):
    """With TLS 1.3 the server says so when the handshake is over for the client."""
    image = "repo" if verb == "ls" else "repo:old"

    result = door(verb=verb, image=image, more=["nobody"] if verb == "tag" else [])

    assert result.status == UNTRUSTED, result
    result.complaint(door.host, "certificate", "--cert")
    assert strict.digest("repo", "nobody") is None


@pytest.mark.parametrize("who", STRANGERS)
def test_a_certificate_that_is_not_taken(door, strict, workshop, root, other_root, who):
    client = STRANGERS[who](workshop, root, other_root)

    result = door(*shown(client), verb="tag", more=["stranger"])

    assert result.status == UNTRUSTED, result
    result.complaint(door.host, "certificate")
    assert [row[2] for row in result.rows] == ["failed"]
    assert strict.digest("repo", "stranger") is None


@pytest.mark.parametrize("version", VERSIONS)
def test_an_alert_instead_of_a_handshake(regtag, serve_tls, root, version):
    site = serve_tls(prepare=insist(root), version=version)

    result = regtag("tag", "--cacert", root.file, *site.options, site.image, "new")

    assert result.status == UNTRUSTED, result
    result.complaint(site.host, "certificate", "--cert")
    assert site.is_untouched


SLOWLY = ["-e", "trace=sendto", "-e", "inject=sendto:delay_enter=100000"]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_alert_that_is_there_before_the_rest_is_sent(strace, serve_tls, root, version):
    """The server has said why and has gone: what is written then fails, and is not the reason."""
    site = serve_tls(prepare=insist(root), version=version)

    result, _ = strace(SLOWLY, ["digest", "--cacert", root.file, *site.options, site.image])

    assert result.status == UNTRUSTED, result
    result.complaint(site.host, "certificate", "--cert")


def test_an_alert_that_is_there_before_the_request_is_sent(strace, door, root):
    where = reached(door.host)

    result, _ = strace(SLOWLY, ["digest", "--cacert", root.file, *where, f"{door.host}/repo:old"])

    assert result.status == UNTRUSTED, result
    result.complaint(door.host, "certificate", "--cert")


def test_nginx_says_it_in_http(nginx_door, registry):
    result = nginx_door(verb="tag", more=["nobody"])

    assert result.status in IN_HTTP, result
    result.complaint(nginx_door.host, "certificate")
    assert registry.digest("repo", "nobody") is None


def test_nginx_says_it_of_a_stranger(nginx_door, workshop, other_root, registry):
    client = workshop.client(other_root)

    result = nginx_door(*shown(client), verb="tag", more=["nobody"])

    assert result.status in IN_HTTP, result
    result.complaint(nginx_door.host, "certificate")
    assert registry.digest("repo", "nobody") is None


# ---- Files that cannot be used -------------------------------------------------------------------


def unusable(regtag, site, root, *options):
    result = regtag("digest", "--cacert", root.file, *options, *site.options, site.image)
    assert result.status in UNUSABLE, result
    assert site.is_untouched
    return result.complaint()


def test_files_that_are_not_there(regtag, site, root, client_certificate, tmp_path):
    gone = tmp_path / "gone.pem"
    certificate, key = client_certificate.file, client_certificate.key

    for files in ["--cert", gone, "--key", key], ["--cert", certificate, "--key", gone]:
        complaint = unusable(regtag, site, root, *files)
        assert str(gone) in complaint and "see --cert and --key" in complaint


@pytest.mark.parametrize("content", [b"", b"nothing of the kind\n", bytes(10_000), b"-" * 100_000])
def test_files_with_something_else(regtag, site, root, client_certificate, tmp_path, content):
    other = tmp_path / "other.pem"
    other.write_bytes(content)
    certificate, key = client_certificate.file, client_certificate.key

    assert str(other) in unusable(regtag, site, root, "--cert", other, "--key", key)
    assert str(other) in unusable(regtag, site, root, "--cert", certificate, "--key", other)


def test_a_key_of_another_certificate(regtag, site, root, client_certificate, certificate):
    files = ["--cert", client_certificate.file, "--key", certificate.key]

    assert str(certificate.key) in unusable(regtag, site, root, *files)


def test_a_certificate_without_its_key(regtag, site, root, client_certificate):
    unusable(regtag, site, root, "--cert", client_certificate.file)


def test_a_key_without_its_certificate(regtag, site, root, client_certificate):
    unusable(regtag, site, root, "--key", client_certificate.key)


@pytest.mark.parametrize("form", ["pkcs8", "older"])
def test_a_key_behind_a_password(regtag, site, root, client_certificate, tmp_path, form):
    locked = tmp_path / "locked.key"
    command = ["pkcs8", "-topk8"] if form == "pkcs8" else ["ec", "-aes128"]
    password = ["-passout", "pass:made-up-for-this"]
    openssl(*command, "-in", client_certificate.key, *password, "-out", locked)
    files = ["--cert", client_certificate.file, "--key", locked]

    complaint = unusable(regtag, site, root, *files)

    assert str(locked) in complaint and "password" in complaint


def test_a_certificate_of_the_client_in_a_crowd(door, client_certificate, strangers, tmp_path):
    """Only so much of it is read: it is told, or it works."""
    crowd = bundle(tmp_path / "crowd.pem", client_certificate, *strangers)

    result = door("--cert", crowd, "--key", client_certificate.key)

    if result.status:
        assert result.status in UNUSABLE, result
        result.complaint(str(crowd))
    else:
        assert opened(result)
