"""What a message about a certificate says: which one it is, what is wrong with it, and who can do something about it."""

import pytest
from authority import LOOPBACK
from fronts import needs_tls

pytest_plugins = ["tls_fixtures"]
pytestmark = needs_tls

UNTRUSTED, BAD_DATES = 7, 8
KEY = "a kind of key that is not supported: RSA with up to 4096 bits, P-256 and P-384 are"
EXTENSION = "a critical extension that is not supported"
UNKNOWN = {"extensions": ["1.2.3.4 = critical,ASN1:NULL"]}


@pytest.fixture(params=["1.2", "1.3"])
def complaint(request, regtag, serve_tls):
    """complaint(certificate, root, ...): what the program says about it."""

    def run(certificate, root, status=UNTRUSTED, **options):
        site = serve_tls(certificate, version=request.param, **options)
        result = regtag("digest", "--cacert", root.file, *site.options, site.image)
        assert (result.status, result.out) == (status, b""), result
        assert site.is_untouched
        return result.complaint(site.host)

    return run


# ---- Certificates that cannot be used ------------------------------------------------------------

UNUSABLE = {
    "p_521": ({"key": "P-521"}, KEY),
    "unknown_critical_extension": (UNKNOWN, EXTENSION),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_an_authority_between_that_cannot_be_used(complaint, workshop, root, what):
    options, words = UNUSABLE[what]
    certificate = workshop.server(workshop.intermediate(root, **options))

    text = complaint(certificate, root)

    assert f"certificate 2 that it sent has {words}" in text
    assert "not signed by a trusted CA" in text


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_root_that_cannot_be_used(complaint, workshop, what):
    options, words = UNUSABLE[what]
    root = workshop.root(**options)

    text = complaint(workshop.server(root), root)

    assert f"the trusted CA of that name has {words}" in text


def test_one_that_cannot_be_used_is_not_blamed_where_it_does_not_matter(
    complaint, workshop, root, other_root
):
    text = complaint(workshop.server(other_root), root)

    assert "has a" not in text


def test_a_server_with_an_unknown_critical_extension(complaint, workshop, root):
    text = complaint(workshop.server(root, **UNKNOWN), root)

    assert f"its certificate has {EXTENSION}" in text


@pytest.mark.parametrize("key", ["P-521", "ed25519"])
def test_a_server_with_an_unsupported_key(complaint, workshop, root, key):
    """It is not even shown: the server sees that the client cannot use it."""
    text = complaint(workshop.server(root, key=key), root)

    assert "kind of key" in text


def test_more_certificates_than_fit(complaint, workshop, root):
    between = workshop.intermediate(root, key=workshop.key("rsa:4096", "authority"))

    text = complaint(workshop.server(between), root, beside=[between] * 20)

    assert "larger than 16 KiB" in text


# ---- Signatures and keys -------------------------------------------------------------------------


def test_an_authority_between_that_is_signed_with_sha_1(complaint, workshop, root):
    between = workshop.intermediate(root, "Old CA", digest="sha1")

    text = complaint(workshop.server(between), root)

    assert 'the CA certificate "Old CA" is signed with SHA-1' in text


@pytest.mark.parametrize("between", [True, False])
def test_one_that_is_signed_with_ed25519(complaint, workshop, root, between):
    issuer = workshop.intermediate(root, key="ed25519") if between else workshop.root(key="ed25519")

    text = complaint(workshop.server(issuer), root if between else issuer)

    assert "its certificate is signed with SHA-1 or another" in text


def test_a_server_that_is_signed_with_sha_1(complaint, workshop, root):
    text = complaint(workshop.server(root, digest="sha1"), root)

    assert "its certificate is signed with SHA-1" in text


def test_an_unknown_root_is_not_blamed_for_its_signature(complaint, workshop, root):
    unknown = workshop.root("Unknown", digest="sha1")

    text = complaint(workshop.server(unknown), root, beside=[unknown])

    assert "not signed by a trusted CA" in text
    assert "SHA-1" not in text


def test_one_that_is_trusted_for_itself_may_be_signed_with_sha_1(regtag, serve_tls, workshop):
    own = workshop.server(None, digest="sha1")
    site = serve_tls(own)

    result = regtag("digest", "--cacert", own.file, *site.options, site.image)

    assert (result.status, result.err) == (0, b"")


# ---- Uses ----------------------------------------------------------------------------------------


def test_an_authority_for_something_else(complaint, workshop, root):
    between = workshop.intermediate(root, "Mail CA", purposes="emailProtection")

    text = complaint(workshop.server(between), root)

    assert 'the CA certificate "Mail CA" is not for servers' in text


def test_name_constraints(complaint, workshop, root):
    constraints = ["nameConstraints = permitted;DNS:other.test"]
    between = workshop.intermediate(root, "Other CA", extensions=constraints)

    text = complaint(workshop.server(between), root)

    assert 'the name constraints of the CA certificate "Other CA" forbid a name of its' in text


# ---- Dates ---------------------------------------------------------------------------------------

EXPIRED = (-40, -3)


def test_a_server_that_has_expired(complaint, workshop, root):
    text = complaint(workshop.server(root, days=EXPIRED), root, BAD_DATES)

    assert "only the dates of its certificate are wrong" in text
    assert "the registry needs a new one" in text


def test_an_authority_between_that_has_expired(complaint, workshop, root):
    between = workshop.intermediate(root, "Old CA", days=EXPIRED)

    text = complaint(workshop.server(between), root, BAD_DATES)

    assert 'only the dates of the CA certificate "Old CA" are wrong' in text
    assert "the registry must send a new one" in text


def test_a_root_that_has_expired(complaint, workshop):
    root = workshop.root("Old root", days=EXPIRED)

    text = complaint(workshop.server(root), root, BAD_DATES)

    assert 'only the dates of the CA certificate "Old root" are wrong' in text
    assert "replace it" in text and "trusted here" in text


def test_dates_are_not_blamed_where_more_is_wrong(complaint, workshop, root):
    between = workshop.intermediate(root, "Old CA", days=EXPIRED)

    text = complaint(workshop.server(between, names=["DNS:other.test"]), root)

    assert "dates" not in text


# ---- Names ---------------------------------------------------------------------------------------


def test_the_names_that_a_certificate_has(complaint, workshop, root):
    names = ["DNS:a.test", "email:me@b.test", f"IP:{LOOPBACK}", "IP:2001:db8::1"]

    text = complaint(workshop.server(root, names), root)

    assert "its certificate is not for registry.test" in text
    assert text.split("but for ")[1].strip() == f"a.test, {LOOPBACK}, 2001:db8::1"


def test_no_more_than_five_names(complaint, workshop, root):
    text = complaint(workshop.server(root, [f"DNS:{n}.test" for n in range(9)]), root)

    assert text.split("but for ")[1].strip() == "0.test, 1.test, 2.test, 3.test, 4.test and others"


def test_five_names(complaint, workshop, root):
    text = complaint(workshop.server(root, [f"DNS:{n}.test" for n in range(5)]), root)

    assert text.split("but for ")[1].strip() == "0.test, 1.test, 2.test, 3.test, 4.test"


def test_names_are_escaped_and_cut(complaint, workshop, root):
    odd = "2.5.29.17 = DER:30:06:82:04:61:1b:0a:00"
    text = complaint(workshop.certificate("Odd", root, extensions=[odd]), root)
    assert text.split("but for ")[1].strip() == r"a\x1b\x0a?"

    text = complaint(workshop.server(root, ["DNS:" + "x" * 200]), root)
    assert text.split("but for ")[1].strip() == "x" * 64 + "..."


def test_an_authority_with_an_odd_name(complaint, workshop, root):
    between = workshop.intermediate(root, "Odd \x1b[31m CA", days=EXPIRED)

    text = complaint(workshop.server(between), root, BAD_DATES)

    assert r'"Odd \x1b[31m CA"' in text


def test_a_certificate_without_names(complaint, workshop, root):
    text = complaint(workshop.certificate("registry.test", root), root)

    assert "not for registry.test" in text and "no subject alternative names" in text
