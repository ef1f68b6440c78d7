"""Whom the program trusts, and where it looks for those who say so."""

import os
import re

import pytest
from authority import CERTIFICATES, LOOPBACK, NAME, bundle, openssl
from fronts import needs_tls
from images import digest_of
from tls_server import Front, server_context

pytest_plugins = ["tls_fixtures"]
pytestmark = needs_tls

NOTHING = {"SSL_CERT_FILE": "", "SSL_CERT_DIR": ""}
NO_PLACE = (1, 2, 7, 16)  # a file that the user names and that is not there: any clear refusal


def run(regtag, site, *options, verb="digest", **variables):
    variables = {**NOTHING, **variables}
    return regtag(verb, *options, *site.options, site.image, env=variables, limit=40)


def trusted(result, document):
    assert (result.status, result.err) == (0, b""), result
    return result.lines == [digest_of(document)]


def not_trusted(result, site, *words):
    assert (result.status, result.out) == (7, b""), result
    assert site.is_untouched
    return result.complaint(site.host, *words)


# ---- Files and directories -----------------------------------------------------------------------


def crlf(text):
    return text.replace("\n", "\r\n")


def chatty(text):
    """As `openssl x509 -text` and some systems write it."""
    words = "Certificate:\n    Data:\n        Version: 3 (0x2)\n=====\n\n"
    return "# The trusted\n\n" + words + text + "\n# nothing more\n"


def other_objects(text):
    """Among things that are no certificates."""
    key = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256").decode()
    return key + text + "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"


def one_line(text):
    """The Base64 of each."""
    return re.sub("([^-])\n(?!-)", r"\1", text)


FORMS = {
    "plain": lambda text: text,
    "crlf": crlf,
    "text_between": chatty,
    "text_between_crlf": lambda text: crlf(chatty(text)),
    "no_newline_at_the_end": lambda text: text.rstrip("\n"),
    "blanks_behind_the_lines": lambda text: text.replace("\n", " \n"),
    "other_objects_around": other_objects,
    "twice": lambda text: text + text,
    "a_torn_one_before": lambda text: text[: len(text) // 2] + "\n" + text,
    "a_spoilt_one_before": lambda text: text.replace("MII", "!!!", 1) + text,
    "a_cut_one_behind": lambda text: text + text[: len(text) // 2],
    "one_line": one_line,
    "one_line_crlf": lambda text: crlf(one_line(text)),
    "lines_of_eleven": lambda text: one_line(text).replace(
        (body := one_line(text).splitlines()[1]), "\n".join(re.findall(".{1,11}", body))
    ),
    "a_mark_of_byte_order": lambda text: "\ufeff" + text,
    "a_zero_first": lambda text: "0 is the first character\n" + text,
    "one_long_line_before": lambda text: "# " + "x" * 100_000 + "\n" + text,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_with_the_authority(regtag, site, document, root, tmp_path, form):
    file = tmp_path / "authority.pem"
    file.write_bytes(FORMS[form](root.pem).encode())

    assert trusted(run(regtag, site, "--cacert", file), document)


@pytest.mark.parametrize("place", ["first", "between", "last"])
@pytest.mark.parametrize("form", [str, crlf, chatty], ids=["plain", "crlf", "chatty"])
def test_the_authority_among_many(regtag, site, document, root, strangers, tmp_path, place, form):
    all_of_them = list(strangers)
    all_of_them.insert({"first": 0, "between": 70, "last": 140}[place], root.pem)
    file = tmp_path / "bundle.crt"
    file.write_bytes("".join(form(one) for one in all_of_them).encode())

    assert trusted(run(regtag, site, "--cacert", file), document)


def test_many_authorities_of_which_none_is_it(regtag, site, strangers, tmp_path):
    file = bundle(tmp_path / "bundle.crt", *strangers)

    not_trusted(run(regtag, site, "--cacert", file), site, str(file))


@pytest.mark.parametrize("place", ["before", "behind"])
def test_an_authority_of_the_same_name_does_no_harm(
    regtag, site, document, workshop, root, tmp_path, place
):
    namesakes = [workshop.root(), root, workshop.root(), workshop.root()]
    namesakes = namesakes if place == "behind" else namesakes[::-1]
    file = bundle(tmp_path / "bundle.crt", *namesakes)

    assert trusted(run(regtag, site, "--cacert", file), document)


@pytest.mark.parametrize("place", ["first", "last"])
def test_sixty_copies_of_the_authority_need_no_more_memory_than_one(
    regtag, serve_tls, document, workshop, tmp_path, place
):
    top = workshop.root(key=workshop.key("rsa:4096", "authority"))
    site = serve_tls(workshop.server(top))
    namesake = workshop.root(key=workshop.key("rsa:4096", "server"))
    copies = [top] * 60 + [namesake] * 60
    file = bundle(tmp_path / "bundle.crt", *(copies if place == "first" else copies[::-1]))

    assert trusted(run(regtag, site, "--cacert", file), document)


def test_many_authorities_of_the_same_name_of_which_none_is_it(
    regtag, site, workshop, tmp_path
):
    file = bundle(tmp_path / "bundle.crt", *[workshop.root(), workshop.root()] * 60)

    not_trusted(run(regtag, site, "--cacert", file), site, str(file))


RENEWED = {"old_one_first": [0, 1], "old_one_last": [1, 0], "another_key_between": [0, 2, 1]}


@pytest.mark.parametrize("order", RENEWED)
def test_an_authority_that_was_renewed_with_the_same_key(
    regtag, serve_tls, document, workshop, tmp_path, order
):
    old = workshop.root(days=(-40, -3))
    new = workshop.root(key=old.key)
    site = serve_tls(workshop.server(new))
    both = [(old, new, workshop.root())[number] for number in RENEWED[order]]
    file = bundle(tmp_path / "bundle.crt", *both)

    assert trusted(run(regtag, site, "--cacert", file), document)


ANCHORS = {
    "rsa_with_sha_1": {"key": "rsa:2048", "digest": "sha1"},
    "rsa_with_md5": {"key": "rsa:2048", "digest": "md5"},
    "p_256_with_sha_1": {"key": "P-256", "digest": "sha1"},
}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("how", ANCHORS)
def test_the_signature_of_a_trusted_authority_does_not_matter(
    regtag, serve_tls, document, workshop, how, version
):
    top = workshop.root(**ANCHORS[how])
    site = serve_tls(workshop.server(top), version=version)

    assert trusted(run(regtag, site, "--cacert", top.file), document)


def test_an_authority_between_may_be_trusted_whoever_signed_it(
    regtag, serve_tls, document, workshop
):
    between = workshop.intermediate(workshop.root(key="ed25519"))
    site = serve_tls(workshop.server(between))

    assert trusted(run(regtag, site, "--cacert", between.file), document)


def fill(folder, root, strangers):
    """A directory as people have it."""
    for number, one in enumerate(strangers[:20]):
        (folder / f"stranger-{number}.pem").write_text(one)
    (folder / "the-one.crt").write_text(root.pem)


def test_a_directory_with_the_authority(regtag, site, document, root, strangers, tmp_path):
    folder = tmp_path / "authorities"
    folder.mkdir()
    fill(folder, root, strangers)

    assert trusted(run(regtag, site, "--cacert", folder), document)
    assert trusted(run(regtag, site, "--cacert", f"{folder}/"), document)


def test_a_directory_as_openssl_wants_it(regtag, site, document, root, strangers, tmp_path):
    folder = tmp_path / "authorities"
    folder.mkdir()
    fill(folder, root, strangers)
    openssl("rehash", folder)
    assert any(one.is_symlink() for one in folder.iterdir())

    assert trusted(run(regtag, site, "--cacert", folder), document)


def test_a_directory_with_odd_things_in_it(regtag, site, document, root, tmp_path):
    folder = tmp_path / "authorities"
    (folder / "a folder").mkdir(parents=True)
    (folder / "dangling.pem").symlink_to("nowhere")
    (folder / "circle.pem").symlink_to("circle.pem")
    (folder / "empty.pem").touch()
    (folder / "random.pem").write_bytes(os.urandom(5000))
    os.mkfifo(folder / "pipe.pem")
    (folder / "authority.pem").write_text(root.pem)

    assert trusted(run(regtag, site, "--cacert", folder, "--timeout", "20"), document)


def test_several_may_be_named(regtag, site, document, root, other_root, tmp_path):
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "it.pem").write_text(root.pem)

    for last in (root.file, folder):
        options = ["--cacert", other_root.file, "--cacert", last]
        assert trusted(run(regtag, site, *options), document)


def test_a_file_in_der_is_read_or_refused_in_one_line(regtag, site, document, root, tmp_path):
    file = tmp_path / "authority.der"
    file.write_bytes(root.der)

    result = run(regtag, site, "--cacert", file)

    if result.status:
        not_trusted(result, site, str(file))
    else:
        assert trusted(result, document)


NO_AUTHORITY = {
    "an_empty_file": lambda path, root: path.touch(),
    "an_empty_directory": lambda path, root: path.mkdir(),
    "no_certificate": lambda path, root: path.write_text("nothing of the kind\n"),
    "random_bytes": lambda path, root: path.write_bytes(os.urandom(100_000)),
    "zeros": lambda path, root: path.write_bytes(bytes(1_000_000)),
    "half_of_it": lambda path, root: path.write_text(root.pem[:300]),
    "a_bit_changed": lambda path, root: path.write_text(root.pem.replace("MII", "MIJ", 1)),
    "a_key": lambda path, root: path.write_bytes(root.key.read_bytes()),
    "a_directory_without": lambda path, root: (path.mkdir(), (path / "key").write_bytes(root.key.read_bytes())),
}


@pytest.mark.parametrize("what", NO_AUTHORITY)
def test_a_place_without_an_authority_is_told(regtag, site, root, tmp_path, what):
    path = tmp_path / "authority.pem"
    NO_AUTHORITY[what](path, root)

    result = run(regtag, site, "--cacert", path)
    assert (result.status, result.out) == (2, b""), result
    result.complaint(str(path), "no certificate")
    assert site.is_untouched
    not_trusted(run(regtag, site, SSL_CERT_FILE=str(path)), site, str(path))


def test_a_place_that_is_not_there_is_told(regtag, site, root, tmp_path):
    path = tmp_path / "nowhere.pem"

    result = run(regtag, site, "--cacert", path)
    assert result.status in NO_PLACE, result
    result.complaint(str(path))
    assert site.is_untouched
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        not_trusted(run(regtag, site, **{name: str(path)}), site, str(path))


def test_a_file_that_is_too_large_is_told(regtag, site, root, tmp_path):
    """One that was silently cut would lack CAs."""
    path = tmp_path / "authority.pem"
    path.write_text(root.pem + "#\n" * (9 * 1024 * 1024))

    result = run(regtag, site, "--cacert", path)

    assert (result.status, result.out) == (2, b""), result
    result.complaint(str(path), "larger than 16 MiB")


def test_a_file_that_cannot_be_read_to_its_end_is_told(strace, site, root, strangers, tmp_path):
    path = bundle(tmp_path / "authority.pem", root, *strangers[:20])

    result, _ = strace(
        ["-P", str(path), "-e", "inject=read:error=EIO:when=2"],
        ["digest", "--cacert", path, *site.options, site.image],
    )

    assert (result.status, result.out) == (2, b""), result
    result.complaint(str(path), "Input/output error")


def test_an_endless_file_ends(regtag, site):
    result = run(regtag, site, "--cacert", "/dev/zero", "--timeout", "3")

    assert result.status in (6, *NO_PLACE), result
    assert site.is_untouched


# ---- The environment -----------------------------------------------------------------------------


def test_a_file_that_the_environment_names(regtag, site, document, crowd):
    assert trusted(run(regtag, site, SSL_CERT_FILE=str(crowd)), document)


def test_a_directory_that_the_environment_names(regtag, site, document, root, strangers, tmp_path):
    fill(tmp_path, root, strangers)

    assert trusted(run(regtag, site, SSL_CERT_DIR=str(tmp_path)), document)


def test_both_that_the_environment_names(regtag, site, document, root, other_root, tmp_path):
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "it.pem").write_text(root.pem)

    both = {"SSL_CERT_FILE": str(other_root.file), "SSL_CERT_DIR": str(folder)}
    assert trusted(run(regtag, site, **both), document)


def test_the_option_goes_before_the_environment(regtag, site, root, other_root, tmp_path):
    result = run(regtag, site, "--cacert", other_root.file, SSL_CERT_FILE=str(root.file))

    not_trusted(result, site)


def test_the_environment_goes_before_the_system(device, site, document, root, other_root):
    device.put("/etc/ssl/certs/ca-certificates.crt", root.pem)
    device.put("/other.pem", other_root.pem)

    result = run(device, site, SSL_CERT_FILE="/other.pem")

    not_trusted(result, site, "/other.pem")


# ---- A certificate that is trusted for itself ----------------------------------------------------

USES = {"with_the_flag": True, "without_the_flag": False}


@pytest.fixture(params=USES)
def own(request, workshop):
    """Signed by itself, as people make them by hand."""
    authority = USES[request.param]
    uses = CERTIFICATES + ",digitalSignature" if authority else "critical,digitalSignature"

    def make(**options):
        return workshop.server(None, authority=authority, uses=uses, **options)

    return make


def test_one_signed_by_itself_is_trusted_if_it_is_named(regtag, serve_tls, document, own):
    certificate = own()
    site = serve_tls(certificate)

    assert trusted(run(regtag, site, "--cacert", certificate.file), document)


def test_one_signed_by_itself_is_found_among_many(
    regtag, serve_tls, document, own, strangers, tmp_path
):
    certificate = own()
    site = serve_tls(certificate)
    file = bundle(tmp_path / "bundle.crt", *strangers, certificate)

    assert trusted(run(regtag, site, "--cacert", file), document)


def test_one_signed_by_itself_must_be_for_the_host(regtag, serve_tls, own):
    certificate = own(names=["DNS:other.test"])
    site = serve_tls(certificate)

    not_trusted(run(regtag, site, "--cacert", certificate.file), site)


def test_one_signed_by_itself_must_not_have_expired(regtag, serve_tls, own):
    certificate = own(days=(-40, -3))
    site = serve_tls(certificate)

    result = run(regtag, site, "--cacert", certificate.file)

    assert result.status == 8, result
    assert site.is_untouched


def test_another_one_of_the_same_name_is_not_meant(regtag, serve_tls, own):
    named, shown = own(), own()
    site = serve_tls(shown)

    not_trusted(run(regtag, site, "--cacert", named.file), site)


# ---- A device with an /etc of its own ------------------------------------------------------------

PLACES = {
    "debian_alpine_openwrt": "/etc/ssl/certs/ca-certificates.crt",
    "alpine_and_others": "/etc/ssl/cert.pem",
    "fedora": "/etc/pki/tls/certs/ca-bundle.crt",
    "fedora_later": "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "a_directory": "/etc/ssl/certs/The_root.pem",
}


@pytest.mark.parametrize("system", PLACES)
def test_the_authorities_of_a_system(device, site, document, crowd, system):
    device.put(PLACES[system], crowd.read_text())

    assert trusted(run(device, site), document)


def test_a_system_that_does_not_know_the_authority(device, site, strangers):
    device.put("/etc/ssl/certs/ca-certificates.crt", "".join(strangers))

    not_trusted(run(device, site), site, "/etc/ssl/certs/ca-certificates.crt")


def test_a_system_without_authorities(device, site):
    complaint = not_trusted(run(device, site), site, "--cacert")

    assert "/etc/ssl/certs/ca-certificates.crt" in complaint
    assert f"/etc/docker/certs.d/{site.host}" in complaint


@pytest.mark.parametrize("tool", ["docker", "containers"])
def test_the_authority_for_one_host(device, site, document, root, tool):
    device.put(f"/etc/{tool}/certs.d/{site.host}/ca.crt", root.pem)

    assert trusted(run(device, site), document)


@pytest.mark.parametrize("tool", ["docker", "containers"])
def test_the_authority_for_one_host_besides_those_of_the_system(
    device, site, document, root, other_root, strangers, tool
):
    device.put(f"/etc/{tool}/certs.d/{site.host}/another.crt", other_root.pem)
    device.put("/etc/ssl/certs/ca-certificates.crt", "".join(strangers) + root.pem)

    assert trusted(run(device, site), document)


def test_one_of_several_files_for_a_host(device, site, document, root, other_root):
    folder = f"/etc/docker/certs.d/{site.host}"
    device.put(f"{folder}/a.crt", other_root.pem)
    device.put(f"{folder}/b.crt", root.pem)
    device.put(f"{folder}/c.crt", "no certificate\n")

    assert trusted(run(device, site), document)


def test_the_authority_for_another_host_or_port_is_not_meant(device, site, root, strangers):
    for other in (f"other.test:{site.front.port}", f"{NAME}:1", NAME, LOOPBACK):
        device.put(f"/etc/docker/certs.d/{other}/ca.crt", root.pem)
    device.put("/etc/ssl/certs/ca-certificates.crt", "".join(strangers))

    not_trusted(run(device, site), site)


def test_other_files_for_a_host_are_no_authorities(device, site, root, strangers):
    for name in ("ca.pem", "ca.crt.old", "client.cert", ".crt", "crt"):
        device.put(f"/etc/docker/certs.d/{site.host}/{name}", root.pem)
    device.put("/etc/ssl/certs/ca-certificates.crt", "".join(strangers))

    not_trusted(run(device, site), site)


def test_the_option_goes_before_the_host_s_own(device, site, root, other_root):
    device.put(f"/etc/docker/certs.d/{site.host}/ca.crt", root.pem)
    device.put("/other.pem", other_root.pem)

    not_trusted(run(device, site, "--cacert", "/other.pem"), site)


# ---- The host ------------------------------------------------------------------------------------

FITTING = {
    "its_name": (NAME, ["DNS:registry.test"]),
    "among_others": (NAME, ["IP:192.0.2.1", "DNS:other.test", "DNS:registry.test", "DNS:*.test"]),
    "in_other_letters": (NAME, ["DNS:Registry.TEST"]),
    "a_wildcard": ("one.registry.test", ["DNS:*.registry.test"]),
    "its_address": (LOOPBACK, ["IP:127.0.0.1"]),
    "its_address_among_others": (LOOPBACK, ["DNS:registry.test", "IP:::1", "IP:127.0.0.1"]),
}


@pytest.mark.parametrize("what", FITTING)
def test_a_certificate_for_the_host(regtag, serve_tls, document, workshop, root, what):
    name, names = FITTING[what]
    site = serve_tls(workshop.server(root, names), name=name)

    assert trusted(run(regtag, site, "--cacert", root.file), document)


def test_a_host_in_other_letters(regtag, serve_tls, document, root):
    site = serve_tls(name="Registry.TEST")

    assert trusted(run(regtag, site, "--cacert", root.file), document)


def test_localhost_in_tls(regtag, serve_tls, document, workshop, root):
    site = serve_tls(workshop.server(root, ["DNS:localhost"]))
    where = f"localhost:{site.front.port}"

    result = regtag("digest", "--tls", "--cacert", root.file, f"{where}/repo:old")

    assert trusted(result, document)
    assert site.front.names == ["localhost"]


@pytest.mark.parametrize("names", [["IP:::1"], ["IP:127.0.0.1"], ["DNS:::1"]], ids=" ".join)
def test_an_address_of_ipv6(regtag, serve, shelf, document, workshop, root, tmp_path, names):
    context = server_context(tmp_path, workshop.server(root, names))
    server = serve(shelf)
    try:
        front = Front(server.port, context, address="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with front:
        image = f"[::1]:{front.port}/repo:old"
        result = regtag("digest", "--tls", "--cacert", root.file, image)

    if names == ["IP:::1"]:
        assert trusted(result, document)
    else:
        assert result.status == 7, result
        assert server.requests == []


def test_the_server_is_told_the_name_and_never_an_address(regtag, serve_tls, root):
    by_name, by_address = serve_tls(), serve_tls(name=LOOPBACK)

    for site in (by_name, by_address):
        assert run(regtag, site, "--cacert", root.file).status == 0

    assert (by_name.front.names, by_address.front.names) == ([NAME], [None])
