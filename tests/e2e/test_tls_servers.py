"""Servers that are what they should be: all kinds of keys, chains, versions and ciphers."""

import pytest
from authority import NAME
from fronts import Service, Stunnel, needs_tls, reached
from images import DOCKER_MANIFEST, compact, digest_of, docker_manifest

pytest_plugins = ["tls_fixtures"]
pytestmark = needs_tls

VERSIONS = ["1.2", "1.3"]
KINDS = ["P-256", "P-384", "rsa:2048", "rsa:4096"]
LENGTHS = {"directly": 0, "one_between": 1, "two_between": 2}
REPOSITORY = "e2e/servers"

CIPHERS = {
    "1.2": ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"],
    "1.3": ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
}
CIPHERS_AND_KINDS = [
    (version, cipher, kind)
    for version, ciphers in CIPHERS.items()
    for cipher in ciphers
    for kind in ("P-256", "rsa:2048")
]
CURVES = ["X25519", "P-256", "P-384"]


class Family:
    """Authorities and servers with one kind of key."""

    def __init__(self, workshop, kind):
        above, below = workshop.key(kind, "authority"), workshop.key(kind, "server")
        self.root = workshop.root(f"Root, {kind}", key=above)
        between = workshop.intermediate(self.root, "First between", key=above)
        deeper = workshop.intermediate(between, "Second between", key=above)
        self.between = [between, deeper]
        self.servers = [workshop.server(one, key=below) for one in (self.root, between, deeper)]


def services_of(family, kind):
    for name, number in LENGTHS.items():
        server = family.servers[number]
        for version in VERSIONS:
            options = (f"sslVersion = TLSv{version}",)
            yield f"{kind}-{name}-{version}", Service(server.chain, server.key, options)


def by_cipher(families):
    for version, cipher, kind in CIPHERS_AND_KINDS:
        server = families[kind].servers[0]
        before = "ECDHE-RSA-" if kind.startswith("rsa") else "ECDHE-ECDSA-"
        setting = f"ciphers = {before}{cipher}" if version == "1.2" else f"ciphersuites = {cipher}"
        options = (f"sslVersion = TLSv{version}", setting)
        yield f"{cipher}-{kind}", Service(server.chain, server.key, options)


def by_curve(families):
    server = families["P-256"].servers[0]
    for curve in CURVES:
        for version in VERSIONS:
            options = (f"sslVersion = TLSv{version}", f"curves = {curve}")
            yield f"{curve}-{version}", Service(server.chain, server.key, options)


@pytest.fixture(scope="module")
def families(workshop):
    return {kind: Family(workshop, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def stunnel(families, registry, tmp_path_factory):
    services = dict(by_cipher(families)) | dict(by_curve(families))
    for kind, family in families.items():
        services |= dict(services_of(family, kind))
    registry.push_image(REPOSITORY, "old", DOCKER_MANIFEST, compact(docker_manifest()))
    with Stunnel(tmp_path_factory.mktemp("servers"), registry.port, services) as one:
        yield one


@pytest.fixture
def tag(regtag, stunnel, registry):
    """Gives the image a tag through this service of the stunnel."""

    def run(service, root):
        where = f"{NAME}:{stunnel[service]}"
        new = f"{service}-new".replace(":", "-")

        result = regtag(
            *["tag", "--cacert", root.file, *reached(where)],
            *[f"{where}/{REPOSITORY}:old", new],
        )

        digest = registry.digest(REPOSITORY, "old")
        assert (result.status, result.err) == (0, b""), result
        assert result.rows == [(f"{where}/{REPOSITORY}:{new}", digest, "created", "-")]
        assert registry.digest(REPOSITORY, new) == digest
        assert stunnel.talk().connections == 1

    return run


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_key_and_a_chain(tag, families, kind, length, version):
    tag(f"{kind}-{length}-{version}", families[kind].root)


@pytest.mark.parametrize("version,cipher,kind", CIPHERS_AND_KINDS)
def test_a_cipher(tag, families, version, cipher, kind):
    tag(f"{cipher}-{kind}", families[kind].root)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("curve", CURVES)
def test_a_curve_and_no_other(tag, families, curve, version):
    """With TLS 1.3 the first guess of the client's may be wrong, and it is asked again."""
    tag(f"{curve}-{version}", families["P-256"].root)


# ---- Chains that are not quite in order ----------------------------------------------------------


ORDERS = (
    {  # what is shown beside the server's own: of the root, the first and second below, another
        "the_root_as_well": lambda root, first, second, other: [second, first, root],
        "one_that_does_not_belong_there": lambda root, first, second, other: [other, second, first],
        "one_twice": lambda root, first, second, other: [second, second, first],
    }
)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("order", ORDERS)
def test_a_chain_that_is_not_as_it_should_be(
    regtag, serve_tls, document, families, other_root, order, version
):
    family = families["P-256"]
    beside = ORDERS[order](family.root, *family.between, other_root)
    site = serve_tls(family.servers[2], beside=beside, version=version)

    result = regtag("digest", "--cacert", family.root.file, *site.options, site.image)

    assert (result.status, result.lines) == (0, [digest_of(document)]), result


@pytest.mark.parametrize("version", VERSIONS)
def test_a_chain_in_another_order_is_followed_or_refused(
    regtag, serve_tls, document, families, version
):
    """It should not be so, and mbedTLS looks forward only."""
    family = families["P-256"]
    site = serve_tls(family.servers[2], beside=family.between, version=version)

    result = regtag("digest", "--cacert", family.root.file, *site.options, site.image)

    if result.status:
        assert (result.status, result.out) == (7, b""), result
        result.complaint(site.host, "certificate")
        assert site.is_untouched
    else:
        assert result.lines == [digest_of(document)]


UNNEEDED = {
    "signed_with_sha_1": {"key": "rsa:2048", "digest": "sha1"},
    "p_521": {"key": "P-521"},
    "ed25519": {"key": "ed25519"},
    "an_unknown_critical_extension": {"extensions": ["1.2.3.4 = critical,ASN1:NULL"]},
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("place", ["last", "between"])
@pytest.mark.parametrize("what", UNNEEDED)
def test_a_certificate_that_is_sent_and_not_needed(
    regtag, serve_tls, document, families, workshop, what, place, version
):
    family = families["P-256"]
    unneeded = workshop.root(**UNNEEDED[what])
    beside = [family.between[1], family.between[0]]
    beside.insert(2 if place == "last" else 1, unneeded)
    site = serve_tls(family.servers[2], beside=beside, version=version)

    result = regtag("digest", "--cacert", family.root.file, *site.options, site.image)

    assert (result.status, result.lines) == (0, [digest_of(document)]), result


def test_a_cross_certificate_by_an_older_authority_is_not_needed(
    regtag, serve_tls, document, families, workshop
):
    """As with the roots that were introduced under older ones."""
    family = families["rsa:2048"]
    old = workshop.root("Older root", key="rsa:2048", digest="sha1")
    cross = workshop.intermediate(old, "Root, rsa:2048", key=family.root.key, digest="sha1")
    site = serve_tls(family.servers[1], beside=[family.between[0], cross], version="1.3")

    result = regtag("digest", "--cacert", family.root.file, *site.options, site.image)

    assert (result.status, result.lines) == (0, [digest_of(document)]), result


MIXED = {
    "p_256_below_p_384": ("P-256", "P-384"),
    "p_256_below_rsa": ("P-256", "rsa:2048"),
    "rsa_below_p_384": ("rsa:2048", "P-384"),
}


@pytest.mark.parametrize("kinds", MIXED)
def test_keys_of_several_kinds(regtag, serve_tls, document, workshop, families, kinds):
    below, above = MIXED[kinds]
    between = workshop.intermediate(families[above].root, key=workshop.key("P-384", "between"))
    site = serve_tls(workshop.server(between, key=workshop.key(below, "server")))

    result = regtag("digest", "--cacert", families[above].root.file, *site.options, site.image)

    assert (result.status, result.lines) == (0, [digest_of(document)]), result


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("kind", ["P-256", "rsa:2048"])
def test_a_certificate_signed_with(regtag, serve_tls, document, workshop, kind, digest):
    root = workshop.root(key=workshop.key(kind, "authority"), digest=digest)
    site = serve_tls(workshop.server(root, digest=digest))

    result = regtag("digest", "--cacert", root.file, *site.options, site.image)

    assert (result.status, result.lines) == (0, [digest_of(document)]), result


def test_many_tickets_are_no_hindrance(regtag, serve_tls, document, root):
    def prepare(context):
        context.num_tickets = 30

    site = serve_tls(prepare=prepare, version="1.3")

    result = regtag("tag", "--cacert", root.file, *site.options, site.image, "one", "two")

    assert (result.status, result.err) == (0, b""), result
    assert [row[2] for row in result.rows] == ["created", "created"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_connection_is_closed_as_it_should_be(regtag, serve_tls, root, version):
    site = serve_tls(version=version)

    assert regtag("digest", "--cacert", root.file, *site.options, site.image).status == 0

    [session] = site.front.settled()
    assert session.version == f"TLSv{version}"
    assert session.farewell, "no close_notify"


def test_a_long_chain_with_long_keys(regtag, serve_tls, workshop, document):
    """Nearly as many as fit into what is read at once, with the longest keys."""
    key = workshop.key("rsa:4096", "authority")
    top = last = workshop.root(key=key)
    for number in range(7):
        last = workshop.intermediate(last, f"Number {number}", key=key)
    site = serve_tls(workshop.server(last, key=workshop.key("rsa:4096", "server")))

    result = regtag("digest", "--cacert", top.file, *site.options, site.image)

    assert (result.status, result.lines) == (0, [digest_of(document)]), result
