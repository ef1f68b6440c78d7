"""Whom the program does not talk to: the status, and that not one byte of a request is sent."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import pytest
from authority import CERTIFICATES, LOOPBACK, NAME, Certificate, Workshop
from fronts import WEAK, Service, Stunnel, needs_tls, reached
from images import DOCKER_MANIFEST, compact, docker_manifest
from recorder import Recorder

pytest_plugins = ["tls_fixtures"]
pytestmark = needs_tls

UNTRUSTED, BAD_DATES = 7, 8
VERSIONS = ["1.2", "1.3"]


@dataclass
class Shown:
    """What a server shows to a client that trusts `root`."""

    chain: str
    key: Path
    root: Certificate
    told: str = "certificate"  # a word of the complaint


@dataclass
class Kit:
    """What cases are made of."""

    workshop: Workshop
    root: Certificate
    other: Certificate

    def server(self, *names, issuer=None, **options):
        names = names or (f"DNS:{NAME}", f"IP:{LOOPBACK}")
        return self.workshop.server(issuer or self.root, names, **options)

    def own(self, **options):
        """Signed by itself."""
        return self.workshop.server(None, **options)

    def between(self, issuer=None, **options):
        return self.workshop.intermediate(issuer or self.root, **options)

    def shown(self, certificate, *beside, root=None, told=None):
        """It with what belongs to it, or with what is `beside`."""
        chain = certificate.chain
        if beside:
            chain = certificate.pem + "".join(one.pem for one in beside)
        return Shown(chain, certificate.key, root or self.root, told or "certificate")


# ---- Certificates for somebody else --------------------------------------------------------------

ZERO_BYTE = "30:1a:82:18:" + ":".join(f"{one:02x}" for one in b"registry.test\0other.test")

OTHER_NAMES = {
    "another_host": lambda k: k.server("DNS:other.test"),
    "the_name_as_common_name_only": lambda k: k.workshop.certificate(
        NAME, k.root, ["DNS:other.test"]
    ),
    "no_alternative_name": lambda k: k.workshop.certificate(NAME, k.root),
    "an_address_only": lambda k: k.server("IP:127.0.0.1"),
    "a_name_that_ends_so": lambda k: k.server("DNS:evil-registry.test"),
    "a_name_that_begins_so": lambda k: k.server("DNS:registry.test.other.test"),
    "a_wildcard_one_level_deeper": lambda k: k.server("DNS:*.registry.test"),
    "a_name_with_a_zero_byte": lambda k: k.workshop.certificate(
        "Zero", k.root, extensions=[f"2.5.29.17 = DER:{ZERO_BYTE}"]
    ),
    "the_name_in_web_and_mail_addresses": lambda k: k.server(
        f"URI:https://{NAME}", f"email:me@{NAME}"
    ),
}

OTHER_ADDRESSES = {
    "another_address": lambda k: k.server("IP:127.0.0.2"),
    "a_name_only": lambda k: k.server("DNS:localhost"),
    "the_address_as_common_name_only": lambda k: k.workshop.certificate(
        LOOPBACK, k.root, ["DNS:other.test"]
    ),
    "no_alternative_name_for_an_address": lambda k: k.workshop.certificate(LOOPBACK, k.root),
    "the_address_as_a_name": lambda k: k.server(f"DNS:{LOOPBACK}"),
    "a_wildcard_over_the_address": lambda k: k.server("DNS:*.0.0.1"),
    "an_ipv6_address_that_begins_so": lambda k: k.server("IP:7f00:1::"),
    "the_address_mapped_to_ipv6": lambda k: k.server("IP:::ffff:127.0.0.1"),
}


# ---- Certificates by somebody else ---------------------------------------------------------------


def forged(k, *names):
    """Its issuer has the root's name, and another key."""
    return k.server(*names, issuer=k.workshop.root())


def forged_above(k):
    between = k.between(k.workshop.root())
    leaf = k.server(issuer=between)
    return k.shown(leaf, between, k.root)


def trusted_for_itself_alone(k):
    own = k.own()
    return k.shown(k.server(issuer=own), own, root=own)


def may_not_sign(k):
    lame = k.between(uses="critical,digitalSignature")
    return k.shown(k.server(issuer=lame))


def one_too_many(k):
    short = k.between(depth=0)
    return k.shown(k.server(issuer=k.between(short, subject="One too many")))


def fenced(k):
    fence = "nameConstraints = critical,permitted;DNS:other.test"
    return k.shown(k.server(issuer=k.between(extensions=[fence])))


def missing(k):
    leaf = k.server(issuer=k.between())
    return Shown(leaf.pem, leaf.key, k.root)


def a_forged_root(k):
    forger = k.workshop.root()
    return k.shown(k.server(issuer=forger), forger)


OTHER_AUTHORITIES = {
    "another_authority": lambda k: k.shown(k.server(issuer=k.other)),
    "another_authority_and_itself_beside": lambda k: k.shown(k.server(issuer=k.other), k.other),
    "another_authority_and_the_root_beside": lambda k: k.shown(k.server(issuer=k.other), k.root),
    "signed_by_itself": lambda k: k.shown(k.own()),
    "signed_by_itself_and_the_root_beside": lambda k: k.shown(k.own(), k.root),
    "signed_by_itself_as_an_authority": lambda k: k.shown(
        k.own(authority=True, uses=CERTIFICATES + ",digitalSignature")
    ),
    "forged": lambda k: k.shown(forged(k)),
    "forged_and_the_forger_beside": a_forged_root,
    "forged_and_the_root_beside": lambda k: k.shown(forged(k), k.root),
    "forged_one_level_up_and_the_root_beside": forged_above,
    "signed_by_a_server": lambda k: k.shown(k.server(issuer=k.server())),
    "signed_by_one_that_may_not_sign": may_not_sign,
    "signed_by_one_trusted_for_itself_alone": trusted_for_itself_alone,
    "an_authority_too_many": one_too_many,
    "an_authority_for_other_names": fenced,
    "the_one_between_is_missing": missing,
}

# ---- Certificates for something else -------------------------------------------------------------

OTHER_USES = {
    "for_clients_only": lambda k: k.server(purposes="clientAuth"),
    "for_mail_only": lambda k: k.server(purposes="emailProtection"),
    "for_signing_certificates_only": lambda k: k.server(
        uses=CERTIFICATES, key=k.workshop.key("rsa:2048", "server")
    ),
    "a_signature_with_sha_1": lambda k: k.server(digest="sha1"),
    "a_key_of_1024_bits": lambda k: k.server(key="rsa:1024"),
}

# ---- Dates ---------------------------------------------------------------------------------------

WRONG_DATES = {"expired": (-40, -3), "not_yet_valid": (3, 40)}


def bad_between(k, days):
    between = k.between(days=days)
    return k.shown(k.server(issuer=between), told=f"{between.end:%Y-%m-%d}")


def bad_root(k, days):
    root = k.workshop.root(days=days)
    return k.shown(k.server(issuer=root), root=root, told=f"{root.start:%Y-%m-%d}")


def bad_server(k, days):
    server = k.server(days=days)
    return k.shown(server, told=f"{server.end:%Y-%m-%d}")


DATES_ALONE = {"the_server": bad_server, "one_between": bad_between, "the_root": bad_root}

DATES_AND_MORE = {
    "another_host": lambda k, days: k.server("DNS:other.test", days=days),
    "no_alternative_name": lambda k, days: k.workshop.certificate(NAME, k.root, days=days),
    "another_authority": lambda k, days: k.server(issuer=k.other, days=days),
    "signed_by_itself": lambda k, days: k.own(days=days),
    "forged": lambda k, days: k.server(issuer=k.workshop.root(), days=days),
    "for_clients_only": lambda k, days: k.server(purposes="clientAuth", days=days),
    "another_host_below_one_between": lambda k, days: k.server(
        "DNS:other.test", issuer=k.between(days=days)
    ),
}

# ---- Versions ------------------------------------------------------------------------------------

TOO_OLD = {
    "tls_1.0": ("sslVersion = TLSv1", f"ciphers = {WEAK}", "securityLevel = 0"),
    "tls_1.1": ("sslVersion = TLSv1.1", f"ciphers = {WEAK}", "securityLevel = 0"),
    "no_certificate_at_all": (
        "sslVersion = TLSv1.2",
        "ciphers = aNULL:!DH:@SECLEVEL=0",
        "securityLevel = 0",
    ),
}


# ---- All of them, each on a port of a stunnel ----------------------------------------------------


REPOSITORY = "e2e/refusals"


@dataclass
class Wall:
    """The refused servers, the registry behind all of them, and how to get there."""

    shown: dict
    stunnel: Stunnel
    recorder: Recorder

    def arguments(self, name, host=NAME, root=None):
        where = f"{host}:{self.stunnel[name]}"
        root = root or self.shown[name.rpartition("-")[0]].root
        options = ["--tls"] if host == LOOPBACK else reached(where)
        return where, ["--timeout", "30", "--cacert", root.file, *options]


def every_case(k):
    for names in (OTHER_NAMES, OTHER_ADDRESSES, OTHER_USES):
        for name, make in names.items():
            yield name, k.shown(make(k))
    for name, make in OTHER_AUTHORITIES.items():
        yield name, make(k)
    for word, days in WRONG_DATES.items():
        for name, make in DATES_ALONE.items():
            yield f"{word}_{name}", make(k, days)
        for name, make in DATES_AND_MORE.items():
            yield f"{word}_and_{name}", k.shown(make(k, days))


@pytest.fixture(scope="module")
def wall(workshop, root, other_root, certificate, registry, tmp_path_factory):
    shown = dict(every_case(Kit(workshop, root, other_root)))
    services = {
        f"{name}-{version}": Service(
            one.chain, one.key, (f"sslVersion = TLSv{version}", "securityLevel = 0")
        )
        for name, one in shown.items()
        for version in VERSIONS
    }
    for name, options in TOO_OLD.items():
        services[f"{name}-"] = Service(certificate.chain, certificate.key, options)
        shown[name] = Shown(certificate.chain, certificate.key, root)
    good = Service(certificate.chain, certificate.key)
    services["good-"] = good
    shown["good"] = Shown(certificate.chain, certificate.key, root)
    registry.push_image(REPOSITORY, "old", DOCKER_MANIFEST, compact(docker_manifest()))
    with Recorder(registry.port) as recorder:
        folder = tmp_path_factory.mktemp("wall")
        with Stunnel(folder, recorder.port, services) as stunnel:
            yield Wall(shown, stunnel, recorder)


@pytest.fixture
def refuse(regtag, wall, registry):
    """refuse(case, status, …): tries to give a tag through this server; the complaint."""

    def run(name, status=UNTRUSTED, host=NAME):
        where, options = wall.arguments(name, host)
        seen = len(wall.recorder.conversations)

        result = regtag("tag", *options, f"{where}/{REPOSITORY}:old", name)

        talk = wall.stunnel.talk()
        assert (talk.sent, talk.received) == (0, 0), result
        assert not any(one.sent for one in wall.recorder.conversations[seen:]), result
        assert result.status == status, result
        assert [row[2] for row in result.rows] == ["failed"]
        assert talk.connections == 1, "refused, and tried again"
        assert registry.digest(REPOSITORY, name) is None
        return result.complaint(where)

    return run


def test_the_wall_itself_is_no_hindrance(regtag, wall, registry):
    where, options = wall.arguments("good-")

    result = regtag("tag", *options, f"{where}/{REPOSITORY}:old", "new")

    assert (result.status, result.err) == (0, b"")
    assert wall.stunnel.talk().sent > 0
    assert registry.digest(REPOSITORY, "new") == registry.digest(REPOSITORY, "old") is not None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [*OTHER_NAMES, *OTHER_USES, *OTHER_AUTHORITIES])
def test_not_trusted(refuse, name, version):
    assert "certificate" in refuse(f"{name}-{version}")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OTHER_ADDRESSES)
def test_not_trusted_by_its_address(refuse, name, version):
    assert LOOPBACK in refuse(f"{name}-{version}", host=LOOPBACK)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OTHER_NAMES)
def test_the_host_is_named_where_the_certificate_is_for_another(refuse, name, version):
    assert f"for {NAME}" in refuse(f"{name}-{version}").replace("not for", "for")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("which", DATES_ALONE)
@pytest.mark.parametrize("word", WRONG_DATES)
def test_nothing_but_the_dates_is_wrong(refuse, wall, word, which, version):
    name = f"{word}_{which}"

    complaint = refuse(f"{name}-{version}", BAD_DATES)

    assert wall.shown[name].told in complaint
    now = datetime.datetime.now(datetime.timezone.utc)
    days = [now - datetime.timedelta(minutes=5), now]  # midnight may have been in between
    assert any(f"{day:%Y-%m-%d}" in complaint for day in days), complaint


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("more", DATES_AND_MORE)
@pytest.mark.parametrize("word", WRONG_DATES)
def test_the_dates_are_wrong_and_more(refuse, word, more, version):
    refuse(f"{word}_and_{more}-{version}")


@pytest.mark.parametrize("name", TOO_OLD)
def test_too_weak_a_way_to_speak(refuse, name):
    refuse(f"{name}-")


@pytest.mark.parametrize("verb", ["ls", "digest", "manifest"])
def test_no_verb_asks_one_that_is_not_trusted(regtag, wall, verb):
    where, options = wall.arguments("another_authority-1.3")
    what = f"{where}/{REPOSITORY}" + ("" if verb == "ls" else ":old")

    result = regtag(verb, *options, what)

    assert (result.status, result.out) == (UNTRUSTED, b""), result
    result.complaint(where, "certificate")
    assert wall.stunnel.talk().sent == 0


def test_the_complaint_says_where_authorities_were_looked_for(regtag, wall, root):
    where, options = wall.arguments("another_authority-1.3")

    complaint = regtag("digest", *options, f"{where}/{REPOSITORY}:old").complaint(where)

    assert str(root.file) in complaint
    assert "--cacert" in complaint
    wall.stunnel.talk()


def test_a_json_line_has_the_status(regtag, wall):
    where, options = wall.arguments("expired_the_server-1.3")

    result = regtag("tag", "--json", *options, f"{where}/{REPOSITORY}:old", "one", "two")

    assert result.status == BAD_DATES
    assert [(one["result"], one["status"]) for one in result.objects] == [("failed", 8)] * 2
    assert wall.stunnel.talk().sent == 0
