"""Names that name servers know: those that answer well, badly, or for one family of addresses only."""

import os

import pytest
from device import Device
from images import digest_of
from names import LOOPBACK, LOOPBACK_IPV6, SILENT, Network, server, why_not

WHY_NOT = why_not()
if WHY_NOT:
    pytest.skip(WHY_NOT, allow_module_level=True)

NAME = "registry.test"
NO_CONNECTION = 5
FAILURES = ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "NXDOMAIN", SILENT]
TYPICAL = ["SERVFAIL", "NXDOMAIN", SILENT]
OTHER = {"A": "AAAA", "AAAA": "A"}
ADDRESS = {"A": LOOPBACK, "AAAA": LOOPBACK_IPV6}
SECOND = "127.0.0.2"  # another name server's
NOBODY = "127.0.0.99"
SOON = ["--timeout", "8"]  # glibc waits ten seconds for an answer for each family
PER_SERVER = "options timeout:1 attempts:1"  # glibc asks one server after the other


@pytest.fixture
def network(regtag, tmp_path):
    if os.environ.get("SAN"):
        pytest.skip("a sanitizer needs more than there is on such a machine")
    device = Device(regtag, tmp_path / "device")
    device.prepare()
    return Network(regtag, device)


def zone(family, others):
    """A name that has an address of one family; for the other, this is the answer."""
    return {family: [ADDRESS[family]], OTHER[family]: others}


def digest(host=NAME):
    return ["digest", "--plain-http", f"{host}:{{port}}/repo:old"]


def found(result, document):
    assert (result.status, result.err) == (0, b""), result
    assert result.lines == [digest_of(document)]


# ---- An answer for one family


@pytest.mark.parametrize("failure", [*FAILURES, []])
@pytest.mark.parametrize("family", ["A", "AAAA"])
def test_an_answer_for_one_family_is_enough(network, document, family, failure):
    result = network([server(registry_test=zone(family, failure))], *digest(), *SOON)

    found(result, document)
    assert network.report["orphans"] == 0


@pytest.mark.parametrize("failure", TYPICAL)
@pytest.mark.parametrize("search", ["corp.test", "none.test corp.test", "corp.test none.test"])
def test_also_for_a_name_that_is_completed(network, document, search, failure):
    servers = [server(registry_corp_test=zone("A", failure))]

    result = network(servers, *digest("registry"), *SOON, conf=[f"search {search}"])

    found(result, document)


@pytest.mark.parametrize("failure", TYPICAL)
def test_also_from_a_server_that_fails_for_all_names(network, document, failure):
    """It knows no name but the first that is tried."""
    nothing = {"A": "NXDOMAIN", "AAAA": failure}
    servers = [server(**{"registry_corp_test": zone("A", failure), "*": nothing})]

    result = network(servers, *digest("registry"), *SOON, conf=["search corp.test none.test"])

    found(result, document)


@pytest.mark.parametrize("failure", TYPICAL)
@pytest.mark.parametrize("first", [server(NOBODY), {"address": NOBODY, "zone": None}], ids=["deaf", "dead"])
def test_also_with_a_first_server_that_is_down(network, document, first, failure):
    servers = [first, server(SECOND, registry_test=zone("A", failure))]

    result = network(servers, *digest(), *SOON, conf=[PER_SERVER])

    found(result, document)


# ---- Healthy servers


def test_a_name_that_has_both(network, document):
    both = {"A": [LOOPBACK], "AAAA": [LOOPBACK_IPV6]}
    for _ in range(3):  # on a machine that is very busy the answers may come too late
        result = network([server(registry_test=both)], *digest())
        found(result, document)
        asked = sorted(network.report["questions"])
        if asked == [[NAME, "A"], [NAME, "AAAA"]]:
            break
    assert asked == [[NAME, "A"], [NAME, "AAAA"]]


@pytest.mark.parametrize("address", [LOOPBACK, LOOPBACK_IPV6])
def test_a_name_in_etc_hosts_is_not_asked_for(network, document, address):
    """Not for the family that it has no address of there either."""
    elsewhere = {"A": [NOBODY], "AAAA": ["2001:db8::1"]}

    result = network([server(registry_test=elsewhere)], *digest(), hosts=f"{address} {NAME}\n")

    found(result, document)
    assert network.report["questions"] == []


# ---- No answer


VERBS = {
    "tag": ["tag", "{host}/repo:old", "new"],
    "digest": ["digest", "{host}/repo:old"],
    "manifest": ["manifest", "{host}/repo:old"],
    "ls": ["ls", "{host}/repo"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_name_that_nobody_has(network, verb):
    words = [word.format(host=f"{NAME}:5000") for word in VERBS[verb]]

    result = network([server(other_test=zone("A", []))], *words, "--plain-http", *SOON, retries=None)

    assert result.status == NO_CONNECTION, result
    assert result.out == (f"{NAME}:5000/repo:new\t-\tfailed\t-\n".encode() if verb == "tag" else b"")
    result.complaint(f"{NAME}:5000/repo", "not found", "--resolve")
    assert network.report["orphans"] == 0


def test_a_name_that_nobody_has_is_not_looked_up_again(network):
    result = network([server(other_test=zone("A", []))], *digest(), "-v", *SOON, retries=3)

    assert result.status == NO_CONNECTION, result
    assert b"not found" in result.err and b"attempt" not in result.err, result


@pytest.mark.parametrize("answer", ["SERVFAIL", "REFUSED", SILENT])
def test_a_server_that_does_not_answer(network, answer):
    nothing = {"A": answer, "AAAA": answer}

    result = network([server(registry_test=nothing)], *digest(), "--timeout", "60", conf=[PER_SERVER])

    assert (result.status, result.out) == (NO_CONNECTION, b""), result
    result.complaint(NAME, "no name server", "--resolve")
    assert network.report["orphans"] == 0


def test_a_failure_that_may_pass_is_not_taken_for_an_unknown_name(network):
    """A server that has no AAAA for any name, and no time for A."""
    nothing = {"A": "SERVFAIL", "AAAA": "NXDOMAIN"}

    result = network([server(registry_test=nothing)], *digest(), "--timeout", "60", conf=[PER_SERVER])

    assert (result.status, result.out) == (NO_CONNECTION, b""), result
    result.complaint(NAME, "no name server", "--resolve")
