"""On a few hundred chains the program and `openssl verify` agree about whom to trust.

All roots have the same name and key, and so do all authorities between, so each server's certificate is good below each
of them.
"""

import ssl
import subprocess

import pytest
from authority import CERTIFICATES, LOOPBACK, bundle
from fronts import needs_tls, reached
from images import OCI_MANIFEST
from tls_server import Raw, server_context

pytest_plugins = ["tls_fixtures"]
pytestmark = [needs_tls, pytest.mark.slow]

HOST = "registry.test"
UNKNOWN = "1.2.3.4 = critical,ASN1:NULL"
ORGANIZATION = ["[organization]", "O = Ours"]
ANSWER = (
    f"HTTP/1.1 200 OK\r\nContent-Type: {OCI_MANIFEST}\r\nContent-Length: 2\r\n"
    f"Docker-Content-Digest: sha256:{'0' * 64}\r\nConnection: close\r\n\r\n"
).encode()


def constrained(text, critical=True, *sections):
    flag = "critical," if critical else ""
    return {"extensions": [f"nameConstraints = {flag}{text}", *sections]}


def extension(*lines):
    return {"extensions": list(lines)}


AUTHORITIES = {
    "plain": {},
    # Names of hosts
    "permitted_host": constrained(f"permitted;DNS:{HOST}"),
    "permitted_host_not_critical": constrained(f"permitted;DNS:{HOST}", False),
    "permitted_host_in_capitals": constrained("permitted;DNS:REGISTRY.TEST"),
    "permitted_parent": constrained("permitted;DNS:test"),
    "permitted_below_parent": constrained("permitted;DNS:.test"),
    "permitted_below_host": constrained(f"permitted;DNS:.{HOST}"),
    "permitted_other_host": constrained("permitted;DNS:other.test"),
    "permitted_other_host_not_critical": constrained("permitted;DNS:other.test", False),
    "permitted_end_of_the_label": constrained("permitted;DNS:istry.test"),
    "permitted_other_or_host": constrained(f"permitted;DNS:other.test,permitted;DNS:{HOST}"),
    "excluded_host": constrained(f"excluded;DNS:{HOST}"),
    "excluded_host_not_critical": constrained(f"excluded;DNS:{HOST}", False),
    "excluded_parent": constrained("excluded;DNS:test"),
    "excluded_other_host": constrained("excluded;DNS:other.test"),
    "permitted_parent_but_not_host": constrained(f"permitted;DNS:test,excluded;DNS:{HOST}"),
    # Addresses
    "permitted_net": constrained("permitted;IP:127.0.0.0/255.0.0.0"),
    "permitted_other_net": constrained("permitted;IP:10.0.0.0/255.0.0.0"),
    "permitted_net_of_ipv6": constrained("permitted;IP:fc00::/fe00::"),
    "excluded_net": constrained("excluded;IP:127.0.0.0/255.0.0.0"),
    "excluded_other_net": constrained("excluded;IP:10.0.0.0/255.0.0.0"),
    "as_public_authorities_have_them": constrained(
        "permitted;DNS:test,excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:::/::"
    ),
    # Other names
    "permitted_mail": constrained("permitted;email:ours.test"),
    "excluded_mail": constrained("excluded;email:ours.test"),
    "permitted_uri": constrained("permitted;URI:ours.test"),
    "permitted_directory": constrained("permitted;dirName:organization", True, *ORGANIZATION),
    "permitted_other_directory": constrained(
        "permitted;dirName:organization", True, "[organization]", "O = Others"
    ),
    "excluded_directory": constrained("excluded;dirName:organization", True, *ORGANIZATION),
    # Purposes
    "for_servers": {"purposes": "serverAuth"},
    "for_servers_and_clients": {"purposes": "clientAuth,serverAuth"},
    "for_clients": {"purposes": "clientAuth"},
    "for_mail_critical": {"purposes": "critical,emailProtection"},
    "for_anything": {"purposes": "anyExtendedKeyUsage"},
    # Critical extensions
    "unknown_critical": extension(UNKNOWN),
    "unknown": extension("1.2.3.4 = ASN1:NULL"),
    "policies_critical": extension("certificatePolicies = critical,1.2.3.4"),
    "policy_constraints_critical": extension("policyConstraints = critical,inhibitPolicyMapping:0"),
    "inhibit_any_policy_critical": extension("inhibitAnyPolicy = critical,0"),
    "revocation_lists_critical": extension("crlDistributionPoints = critical,URI:http://ours.test/"),
    # What an authority needs
    "no_authority": {"authority": False},
    "not_for_certificates": {"uses": "critical,digitalSignature"},
    "none_below": {"depth": 0},
    "expired": {"days": (-40, -3)},
    "not_yet_valid": {"days": (3, 40)},
    "signed_with_sha_1": {"digest": "sha1"},
}
ROOTS = [
    *["plain", "permitted_host", "permitted_other_host", "permitted_other_host_not_critical"],
    *["excluded_net", "for_servers", "for_clients", "unknown_critical", "none_below", "expired"],
    *["policies_critical", "signed_with_sha_1", "not_for_certificates"],
]


def named(*names, **options):
    return {"names": names, **options}


SERVERS = {
    "host": named(f"DNS:{HOST}"),
    "host_in_capitals": named("DNS:Registry.TEST"),
    "host_and_others": named("DNS:other.test", f"DNS:{HOST}", f"IP:{LOOPBACK}"),
    "host_and_mail": named(f"DNS:{HOST}", "email:me@ours.test"),
    "host_and_other_mail": named(f"DNS:{HOST}", "email:me@other.test"),
    "host_and_uri": named(f"DNS:{HOST}", "URI:https://ours.test/"),
    "host_of_an_organization": named(f"DNS:{HOST}", subject="The server/O=Theirs"),
    "host_of_our_organization": named(f"DNS:{HOST}", subject="The server/O=Ours"),
    "below_host": named(f"DNS:a.{HOST}"),
    "other_host": named("DNS:other.test"),
    "address": named(f"IP:{LOOPBACK}"),
    "other_address": named("IP:127.0.0.2"),
    "address_of_ipv6": named("IP:fc00::1", f"DNS:{HOST}"),
    "wildcard": named(f"DNS:*.{HOST}"),
    "wildcard_with_one_label": named("DNS:*.test"),
    "wildcard_alone": named("DNS:*"),
    "wildcard_in_the_middle": named("DNS:a.*.test"),
    "wildcard_twice": named("DNS:*.*.test"),
    "wildcard_in_a_label": named(f"DNS:a*.{HOST}"),
    "common_name": named(subject=HOST),
    "common_name_and_other_host": named("DNS:other.test", subject=HOST),
    "host_as_uri": named(f"URI:{HOST}"),
    "host_as_mail": named(f"email:me@{HOST}"),
    "for_clients": named(f"DNS:{HOST}", purposes="clientAuth"),
    "for_anything": named(f"DNS:{HOST}", purposes="anyExtendedKeyUsage"),
    "for_everything": named(f"DNS:{HOST}", purposes=""),
    "for_encryption": named(f"DNS:{HOST}", uses="critical,keyEncipherment"),
    "for_certificates": named(f"DNS:{HOST}", uses=CERTIFICATES),
    "without_uses": named(f"DNS:{HOST}", uses=""),
    "an_authority": named(f"DNS:{HOST}", authority=True, uses=CERTIFICATES + ",digitalSignature"),
    "netscape_server": named(f"DNS:{HOST}", extensions=["nsCertType = server"]),
    "netscape_client": named(f"DNS:{HOST}", extensions=["nsCertType = client"]),
    "unknown_critical": named(f"DNS:{HOST}", extensions=[UNKNOWN]),
    "policies_critical": named(f"DNS:{HOST}", extensions=["certificatePolicies = critical,1.2.3.4"]),
    "expired": named(f"DNS:{HOST}", days=(-40, -3)),
    "not_yet_valid": named(f"DNS:{HOST}", days=(3, 40)),
    "signed_with_sha_1": named(f"DNS:{HOST}", digest="sha1"),
    "a_short_key": named(f"DNS:{HOST}", key="rsa:1024"),
}

# Where they do not agree, and why: the authority between and the server's certificate, or None for any; a host; and
# who accepts it.
OPENSSL, REGTAG = "openssl", "regtag"
DIFFERENCES = {
    # The common name does not count (RFC 9525).
    (None, "common_name"): (HOST, OPENSSL),
    # A wildcard stands for a whole label (RFC 9525).
    (None, "wildcard_in_a_label"): (f"a.{HOST}", OPENSSL),
    # TLS 1.3, and 1.2 with forward secrecy, need signatures.
    (None, "for_encryption"): (HOST, OPENSSL),
    # Names of directories may be permitted, not excluded.
    ("excluded_directory", None): (HOST, OPENSSL),
    # Constraints on mail addresses and URIs are not compared.
    ("permitted_mail", "host_and_mail"): (HOST, OPENSSL),
    ("excluded_mail", "host_and_other_mail"): (HOST, OPENSSL),
    ("permitted_uri", "host_and_uri"): (HOST, OPENSSL),
    # Any purpose includes that of a server (RFC 5280, 4.2.1.12).
    (None, "for_anything"): (HOST, REGTAG),
    ("for_anything", None): (HOST, REGTAG),
}


class Chains:
    def __init__(self, workshop, folder):
        self.folder = folder
        self._workshop = workshop
        self._made = {}
        self._key = workshop.key("P-256", "agreement root")
        self._key_between = workshop.key("P-256", "agreement between")

    def _make(self, kind, name, function):
        if (kind, name) not in self._made:
            self._made[kind, name] = function()
        return self._made[kind, name]

    def root(self, name):
        options = {"key": self._key, **AUTHORITIES[name]}
        return self._make("root", name, lambda: self._workshop.root("Agreement", **options))

    def between(self, name):
        options = {"key": self._key_between, **AUTHORITIES[name]}
        make = self._workshop.intermediate
        return self._make(
            "between", name, lambda: make(self.root("plain"), "Agreement between", **options)
        )

    def server(self, name):
        options = dict(SERVERS[name])
        subject = options.pop("subject", "The server")
        return self._make(
            "server",
            name,
            lambda: self._workshop.certificate(subject, self.between("plain"), **options),
        )


@pytest.fixture(scope="module")
def chains(workshop, tmp_path_factory):
    return Chains(workshop, tmp_path_factory.mktemp("agreement"))


class Server:
    """Shows one chain after another."""

    def __init__(self):
        self.context = None

    def play(self, client):
        try:
            with self.context.wrap_socket(client, server_side=True) as session:
                session.recv(65536)
                session.sendall(ANSWER)
        except ssl.SSLError:
            pass


@pytest.fixture
def judge(regtag, chains):
    """judge(root, between, server, host): whether the program accepts it, and whether openssl does."""
    server = Server()

    def run(root, between, shown, host):
        root, between, shown = chains.root(root), chains.between(between), chains.server(shown)
        server.context = server_context(chains.folder, shown, [between])
        where = f"{host}:{raw.port}"
        options = ["--tls"] if host == LOOPBACK else reached(where)
        result = regtag("digest", "--cacert", root.file, *options, f"{where}/repo:old")
        assert result.status in (0, 7, 8), result
        return result, verified(root, between, shown, host)

    with Raw(server.play) as raw:
        yield run


def verified(root, between, server, host):
    command = ["openssl", "verify", "-purpose", "sslserver", "-no-CApath", "-no-CAstore"]
    command += ["-auth_level", "2"]  # no SHA-1, and no short keys
    command += ["-CAfile", root.file, "-untrusted", between.file]
    command += ["-verify_ip" if host == LOOPBACK else "-verify_hostname", host, server.file]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode in (0, 2), done
    return done.returncode == 0, done.stderr.decode(errors="replace")


def accepts(judge, *chain):
    """Who does; one of both, None for neither, or True."""
    result, (accepted, words) = judge(*chain)
    if accepted == (result.status == 0):
        return accepted or None, result, words
    return OPENSSL if accepted else REGTAG, result, words


def compare(judge, root, between, server, host):
    who, result, words = accepts(judge, root, between, server, host)
    if who in (None, True):
        return
    known = [(between, server), (None, server), (between, None)]
    known = [DIFFERENCES[one][1] for one in known if one in DIFFERENCES]
    assert who in known, (root, between, server, host, result, words)


def relevant(between):
    """What to try below an authority."""
    constraints = str(AUTHORITIES[between].get("extensions", ""))
    yield from [("host", HOST), ("address", LOOPBACK)]
    if "DNS:" in constraints:
        yield from [("below_host", f"a.{HOST}"), ("host_and_others", HOST), ("wildcard", f"a.{HOST}")]
    if "IP:" in constraints:
        yield from [("host_and_others", LOOPBACK), ("address_of_ipv6", HOST)]
    if "email:" in constraints:
        yield from [("host_and_mail", HOST), ("host_and_other_mail", HOST)]
    if "nameConstraints = critical,permitted;URI:" in constraints:
        yield ("host_and_uri", HOST)
    if "dirName:" in constraints:
        yield from [("host_of_an_organization", HOST), ("host_of_our_organization", HOST)]


@pytest.mark.parametrize("between", AUTHORITIES)
def test_below_an_authority(judge, between):
    for server, host in relevant(between):
        compare(judge, "plain", between, server, host)


@pytest.mark.parametrize("root", ROOTS)
def test_below_a_root(judge, root):
    for server, host in [("host", HOST), ("address", LOOPBACK), ("other_host", HOST)]:
        compare(judge, root, "plain", server, host)


@pytest.mark.parametrize("server", SERVERS)
def test_a_server(judge, server):
    for host in [HOST, LOOPBACK] + [f"a.{HOST}"] * ("wildcard" in server):
        compare(judge, "plain", "plain", server, host)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda one: one[0] or one[1])
def test_a_difference_that_is_known(judge, difference):
    between, server = difference
    host, who = DIFFERENCES[difference]

    assert accepts(judge, "plain", between or "plain", server or "host", host)[0] == who
