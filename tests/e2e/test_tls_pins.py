"""--pin, --pin-only and --insecure: what they allow, and what they do not."""

import pytest
from fronts import needs_tls
from images import digest_of
from recorder import Recorder

pytest_plugins = ["tls_fixtures"]
pytestmark = needs_tls

UNTRUSTED, BAD_DATES = 7, 8
VERSIONS = ["1.2", "1.3"]
NOTHING = {"SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": ""}  # nobody is trusted

WRONG_DATES = {"expired": (-40, -3), "not_yet_valid": (3, 40)}

# Certificates that are bad in more than their dates, though by their key they are the right ones.
BAD = {
    "another_authority": lambda w, root, other: w.server(other),
    "another_host": lambda w, root, other: w.server(root, ["DNS:other.test"]),
    "no_alternative_name": lambda w, root, other: w.server(root, ()),
    "signed_by_itself": lambda w, root, other: w.server(None),
    "for_clients_only": lambda w, root, other: w.server(root, purposes="clientAuth"),
    "forged": lambda w, root, other: w.server(w.root()),
    "expired_and_another_host": lambda w, root, other: w.server(
        root, ["DNS:other.test"], days=(-40, -3)
    ),
    "expired_and_another_authority": lambda w, root, other: w.server(other, days=(-40, -3)),
    "expired_and_for_clients_only": lambda w, root, other: w.server(
        root, purposes="clientAuth", days=(-40, -3)
    ),
    "not_yet_valid_and_signed_by_itself": lambda w, root, other: w.server(None, days=(3, 40)),
}


def run(regtag, site, *options, **more):
    return regtag("tag", *options, *site.options, site.image, "new", env=NOTHING, **more)


def done(result, shelf, document):
    assert result.status == 0, result
    assert [row[1] for row in result.rows] == [digest_of(document)]
    return shelf.document("repo", "new") == document


def refused(result, site, status=UNTRUSTED):
    assert result.status == status, result
    assert site.is_untouched
    return result.complaint(site.host)


@pytest.fixture
def trust(root):
    return ["--cacert", root.file]


@pytest.fixture(scope="session")
def other_pin(workshop):
    """The pin of a key that no server has."""
    return workshop.server(None).pin


# ---- A pin besides the authorities ---------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_the_right_pin(regtag, serve_tls, shelf, document, trust, certificate, version):
    site = serve_tls(version=version)

    result = run(regtag, site, *trust, "--pin", certificate.pin)

    assert done(result, shelf, document)
    assert result.err == b""


@pytest.mark.parametrize("kind", ["P-384", "rsa:2048", "rsa:4096"])
def test_the_pin_of_another_kind_of_key(
    regtag, serve_tls, shelf, document, trust, workshop, root, kind
):
    certificate = workshop.server(root, key=workshop.key(kind, "server"))
    site = serve_tls(certificate)

    assert done(run(regtag, site, *trust, "--pin", certificate.pin), shelf, document)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_of_several_pins(
    regtag, site, shelf, document, trust, certificate, other_root, other_pin, place
):
    pins = [other_pin, other_root.pin]
    pins.insert(place, certificate.pin)

    options = [f"--pin={pin}" for pin in pins]
    assert done(run(regtag, site, *trust, *options), shelf, document)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_pin(regtag, serve_tls, trust, other_pin, version):
    site = serve_tls(version=version)

    assert "pin" in refused(run(regtag, site, *trust, "--pin", other_pin), site)


def test_the_pin_of_the_authority_is_not_that_of_the_server(regtag, site, trust, root):
    assert "pin" in refused(run(regtag, site, *trust, "--pin", root.pin), site)


def test_the_pin_of_what_is_shown_besides(regtag, serve_tls, trust, workshop, root, other_root):
    site = serve_tls(workshop.server(root), beside=[other_root])

    assert "pin" in refused(run(regtag, site, *trust, "--pin", other_root.pin), site)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("word", WRONG_DATES)
def test_a_pin_in_spite_of_the_clock(
    regtag, serve_tls, shelf, document, trust, workshop, root, word, version
):
    certificate = workshop.server(root, days=WRONG_DATES[word])
    site = serve_tls(certificate, version=version)

    assert done(run(regtag, site, *trust, "--pin", certificate.pin), shelf, document)


@pytest.mark.parametrize("word", WRONG_DATES)
def test_a_pin_in_spite_of_the_clock_above(regtag, serve_tls, shelf, document, workshop, word):
    root = workshop.root(days=WRONG_DATES[word])
    between = workshop.intermediate(root, days=WRONG_DATES[word])
    certificate = workshop.server(between)
    site = serve_tls(certificate)

    options = ["--cacert", root.file, "--pin", certificate.pin]
    assert done(run(regtag, site, *options), shelf, document)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", BAD)
def test_a_pin_helps_against_nothing_but_the_clock(
    regtag, serve_tls, trust, workshop, root, other_root, what, version
):
    certificate = BAD[what](workshop, root, other_root)
    site = serve_tls(certificate, version=version)

    refused(run(regtag, site, *trust, "--pin", certificate.pin), site)


def test_a_wrong_pin_and_wrong_dates(regtag, serve_tls, trust, workshop, root, other_pin):
    site = serve_tls(workshop.server(root, days=(-40, -3)))

    refused(run(regtag, site, *trust, "--pin", other_pin), site)


# ---- A pin alone ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", BAD)
def test_a_pin_that_is_all_the_trust_there_is(
    regtag, serve_tls, shelf, document, workshop, root, other_root, what, version
):
    certificate = BAD[what](workshop, root, other_root)
    site = serve_tls(certificate, version=version)

    result = run(regtag, site, "--pin", certificate.pin, "--pin-only")

    assert done(result, shelf, document)
    assert result.err == b""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_pin_that_is_all_the_trust_there_is(regtag, serve_tls, trust, other_pin, version):
    site = serve_tls(version=version)

    assert "pin" in refused(run(regtag, site, "--pin", other_pin, "--pin-only"), site)
    refused(run(regtag, site, *trust, "--pin", other_pin, "--pin-only"), site)


def test_without_only_there_must_be_an_authority(regtag, site, certificate):
    refused(run(regtag, site, "--pin", certificate.pin), site)


# ---- No verification -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("what", [*BAD, *WRONG_DATES])
def test_no_verification(
    regtag, serve_tls, shelf, document, workshop, root, other_root, what, version
):
    certificate = (
        BAD[what](workshop, root, other_root)
        if what in BAD
        else workshop.server(root, days=WRONG_DATES[what])
    )
    site = serve_tls(certificate, version=version)

    result = run(regtag, site, "--insecure")

    assert done(result, shelf, document)
    result.complaint("--insecure")


def test_no_verification_is_told_each_time(regtag, site, certificate, trust):
    for options in ([], ["-q"], ["-v"], ["--json"], [*trust, "--pin", certificate.pin]):
        result = run(regtag, site, "--insecure", *options)

        assert result.status == 0, result
        assert b"--insecure" in result.err, options


def test_a_wrong_pin_counts_without_verification(regtag, site, other_pin):
    result = run(regtag, site, "--insecure", "--pin", other_pin)

    assert result.status == UNTRUSTED, result
    assert site.is_untouched


def test_no_verification_is_not_no_tls(regtag, registry):
    """It speaks TLS to a port where that is not understood, and nothing else afterwards."""
    with Recorder(registry.port) as recorder:
        image = f"{recorder.host}/repo:old"
        result = regtag("digest", "--tls", "--insecure", "--timeout", "10", image)

    assert result.status in (5, 7, 9), result
    assert recorder.conversations
    for talk in recorder.conversations:
        assert talk.sent.startswith(b"\x16\x03")
        assert b"GET" not in talk.sent and b"HTTP" not in talk.sent


# ---- Usage ---------------------------------------------------------------------------------------

GOOD = "sha256//" + "A" * 43 + "="

BAD_PINS = {
    "nothing": "",
    "no_kind": "A" * 43 + "=",
    "another_kind": "sha1//" + "A" * 27 + "=",
    "one_slash": "sha256/" + "A" * 43 + "=",
    "in_capitals": "SHA256//" + "A" * 43 + "=",
    "too_short": "sha256//" + "A" * 39 + "=",
    "too_long": "sha256//" + "A" * 44,
    "in_hex": "sha256//" + "0" * 64,
    "odd_letters": "sha256//" + "A" * 42 + "!=",
    "bits_too_many": "sha256//" + "A" * 42 + "B=",
    "a_blank_behind": GOOD + " ",
    "two_in_one": f"{GOOD};{GOOD}",
    "a_digest": "sha256:" + "0" * 64,
}


@pytest.mark.parametrize("what", BAD_PINS)
def test_a_pin_that_is_none_is_refused(regtag, site, trust, what):
    result = run(regtag, site, *trust, "--pin", BAD_PINS[what])

    assert (result.status, result.out) == (2, b""), result
    result.complaint("--pin")
    assert site.front.sessions == []


@pytest.mark.parametrize(
    "options",
    [["--pin-only"], ["--pin"], ["--cacert"], ["--time-floor"]],
    ids=["only_without_a_pin", "no_pin", "no_authority", "no_floor"],
)
def test_usage_is_refused_for(regtag, options):
    result = regtag("digest", "registry.invalid/repo:old", *options)

    assert (result.status, result.out) == (2, b""), result
    result.complaint(options[0])
