"""What a message says of --timeout: the value that holds for the run, not what was left of it."""

import re
import shutil
import subprocess
import time

import pytest
from authority import LOOPBACK
from fake import STALL, Pause
from fronts import needs_tls
from images import OCI_MANIFEST, digest_of
from tls_server import Raw

pytest_plugins = ["account_fixtures"]

EATEN = 1.2  # seconds: more than one, so that what is left rounds to less than what was given
VERBS = {
    "tag": ["tag", "{host}/repo:old", "new"],
    "digest": ["digest", "{host}/repo:old"],
    "manifest": ["manifest", "{host}/repo:old"],
    "ls": ["ls", "{host}/repo"],
    "delete": ["delete", "{host}/repo:old"],
}


def called(verb, host, *options):
    return [verb, *options, *(word.format(host=host) for word in VERBS[verb][1:])]


def named(line):
    """The numbers of seconds that a message names."""
    return [int(number) for number in re.findall(r"\b(\d+) s\b", line)]


@pytest.fixture
def stalled(serve):
    """A server that never answers."""
    return serve(lambda request: [STALL])


@pytest.fixture
def slow_login(account):
    """A user whose credential helper takes a while, of the time that there is."""

    def run(host, seconds=EATEN):
        account.helper("slow", f"sleep {seconds}; echo credentials not found in native keychain; exit 1")
        account.docker_config({"credHelpers": {host: "slow"}})
        return account

    return run


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("eaten", [0, EATEN], ids=["at_once", "after_a_while"])
def test_the_timeout_that_was_given_is_named(slow_login, stalled, verb, eaten):
    account = slow_login(stalled.host, eaten)

    result = account(*called(verb, stalled.host, "--timeout", "3", "--stall", "0"))

    assert result.status == 6, result
    assert named(result.complaint("--timeout")) == [3]


@needs_tls
def test_it_is_named_where_there_is_no_connection_yet(slow_login):
    with Raw(lambda client: client.recv(1 << 20) and client.recv(1 << 20)) as silent:
        host = f"{LOOPBACK}:{silent.port}"
        account = slow_login(host)

        result = account(*called("digest", host, "--tls", "--insecure", "--timeout", "3", "--stall", "0"))

    assert result.status in (5, 6), result
    _, line = result.err.decode().splitlines()  # the first one warns of --insecure, which spares it the system's CAs
    assert "--timeout" in line and named(line) == [3]


def slow_then_silent(shelf, first, second):
    """Takes a while for one tag, and does not answer for another."""
    asked = []

    def respond(request):
        if request.path.endswith(f"/{second}"):
            return [STALL]
        slow = request.path.endswith(f"/{first}") and not asked
        if slow:
            asked.append(request)
        return [Pause(EATEN if slow else 0), shelf(request)]

    return respond


def test_each_of_several_images_has_the_same_timeout(regtag, serve, shelf, document):
    for tag in ("one", "two"):
        shelf.put("repo", tag, OCI_MANIFEST, document)
    server = serve(slow_then_silent(shelf, "one", "two"))
    images = [f"{server.host}/repo:{tag}" for tag in ("one", "two")]

    result = regtag("delete", "--timeout", "3", "--stall", "0", *images)

    assert [row[2] for row in result.rows] in (["deleted", "failed"], ["deleted", "uncertain"]), result
    assert shelf.document("repo", "one") is None
    assert named(result.complaint(images[1], "--timeout")) == [3]


def test_images_for_which_there_is_no_time_left_are_told_the_same(regtag, stalled):
    images = [f"{stalled.host}/repo:{tag}" for tag in ("one", "two", "three")]
    begun = time.monotonic()

    result = regtag("delete", "--timeout", "2", "--stall", "0", *images)

    assert time.monotonic() - begun < 20
    assert [row[2] for row in result.rows] in (
        ["failed", "failed", "failed"],
        ["uncertain", "failed", "failed"],
    ), result
    assert len(result.complaints) == 3
    for image, line in zip(images, result.complaints, strict=True):
        assert image in line and "--timeout" in line
        assert set(named(line)) <= {2}, line
    assert named(result.complaints[0]) == [2]


def test_names_for_which_there_is_no_time_left_are_told_the_same(slow_login, serve, shelf):
    server = serve(slow_then_silent(shelf, "nothing", "two"))
    account = slow_login(server.host)

    result = account(
        "tag", "--timeout", "3", "--stall", "0", f"{server.host}/repo:old", "one", "two", "three"
    )

    told = [row[2] for row in result.rows]
    assert told[0] in ("created", "uncertain") and told[2] in ("failed", "uncertain"), result
    bad = [tag for tag, one in zip(("one", "two", "three"), told, strict=True) if one != "created"]
    for tag, line in zip(bad, result.complaints, strict=True):
        assert f"{server.host}/repo:{tag}" in line
        assert set(named(line)) <= {3}, line


def test_each_move_that_is_taken_back_has_the_same_timeout(
    regtag, serve, shelf, document, other_document, tmp_path
):
    for tag in ("one", "two"):
        shelf.put("repo", tag, OCI_MANIFEST, document)
    server = serve(slow_then_silent(shelf, "two", "one"))
    before, after = digest_of(other_document), digest_of(document)
    shelf.put("repo", before, OCI_MANIFEST, other_document)
    journal = tmp_path / "moves"
    journal.write_text(
        "".join(
            "\t".join(("2026-11-23T12:31:28Z", f"{server.host}/repo:{tag}", before, after, "moved")) + "\n"
            for tag in ("one", "two")
        )
    )

    result = regtag("undo", "--timeout", "3", "--stall", "0", journal)

    assert result.rows[0] == (f"{server.host}/repo:two", before, "moved", after), result
    assert result.rows[1][2] in ("failed", "uncertain"), result
    assert named(result.complaint(f"{server.host}/repo:one", "--timeout")) == [3]


# ---- The default, without waiting for it


FASTER = 40
CLOCK = """
    #define _GNU_SOURCE
    #include <poll.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    int clock_gettime(clockid_t clock, struct timespec *t)
    {
        long result = syscall(SYS_clock_gettime, clock, t);
        if (result == 0 && clock == CLOCK_MONOTONIC) {
            long long n = t->tv_nsec * (long long)FASTER;
            t->tv_sec = t->tv_sec * FASTER + n / 1000000000;
            t->tv_nsec = n % 1000000000;
        }
        return (int)result;
    }
    int poll(struct pollfd *list, nfds_t count, int timeout)
    {
        long long n = timeout * (1000000000LL / 1000 / FASTER);
        struct timespec t = {n / 1000000000, n % 1000000000};
        return ppoll(list, count, timeout < 0 ? 0 : &t, 0);
    }
"""


@pytest.fixture(scope="module")
def fast_clock(regtag, tmp_path_factory):
    """The environment in which a minute passes in a second and a half."""
    kinds = subprocess.run(["readelf", "-d", regtag.path], stdout=subprocess.PIPE, text=True).stdout
    compiler = shutil.which("gcc") or shutil.which("cc")
    if "NEEDED" not in kinds or "san" in kinds or compiler is None:
        pytest.skip("only a program that loads a C library can be given another clock")
    library = tmp_path_factory.mktemp("clock") / "fast.so"
    build = [compiler, "-shared", "-fPIC", f"-DFASTER={FASTER}", "-x", "c", "-o", library, "-"]
    subprocess.run(build, input=CLOCK, text=True, check=True)
    return {"LD_PRELOAD": str(library)}


@pytest.mark.parametrize("verb", VERBS)
def test_the_timeout_that_holds_unless_one_is_given_is_named(slow_login, stalled, fast_clock, verb):
    account = slow_login(stalled.host, 4 / FASTER)
    begun = time.monotonic()

    result = account(*called(verb, stalled.host, "--stall", "0"), env=fast_clock)

    assert time.monotonic() - begun < 30  # of what are 60 seconds for the program
    assert result.status == 6, result
    assert named(result.complaint("--timeout")) == [60]
