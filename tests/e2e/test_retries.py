"""What may fare better the next time is tried again; until the deadline, and never beyond."""

import os
import re
import socket
import subprocess
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from fake import CLOSE, RESET, STALL, Drip, Pause, answer, bodiless, errors
from images import OCI_MANIFEST, digest_of

SLACK = 5  # seconds by which a busy machine may be late
VERBS = {
    "tag": ["tag", "{host}/repo:old", "new"],
    "digest": ["digest", "{host}/repo:old"],
    "manifest": ["manifest", "{host}/repo:old"],
    "ls": ["ls", "{host}/repo"],
}
METHODS = {"tag": "GET", "digest": "HEAD", "manifest": "GET", "ls": "GET"}


def called(verb, host, *options):
    name, *rest = [word.format(host=host) for word in VERBS[verb]]
    return [name, *options, *rest]


def tag_new(regtag, server, *options, retries=None, **more):
    return regtag("tag", *options, f"{server.host}/repo:old", "new", retries=retries, **more)


def methods(server):
    return [request.method for request in server.requests]


@pytest.fixture
def timed():
    """How long something took: timed(function) gives the result and the seconds."""

    def run(function):
        before = time.monotonic()
        result = function()
        return result, time.monotonic() - before

    return run


class Failing:
    """A server that fails in some way for the first so many requests of a kind."""

    def __init__(self, registry, how, times, method=None):
        self.registry = registry
        self.how = how
        self.left = times
        self.method = method
        self.at = []  # when it did

    def __call__(self, request):
        if self.left and self.method in (None, request.method):
            self.left -= 1
            self.at.append(time.monotonic())
            refused = self.how(request) if callable(self.how) else self.how
            bare = isinstance(refused, bytes) and request.method == "HEAD"
            return bodiless(refused) if bare else refused
        return self.registry(request)


# ---- What is tried again

PASSING = {
    "408": answer(408),
    "429": errors(429, "TOOMANYREQUESTS", "slow down"),
    "500": errors(500, "UNKNOWN", "oops"),
    "502": answer(502, b"<html>Bad Gateway</html>", "Content-Type: text/html"),
    "503": answer(503),
    "504": answer(504),
    "reset": [RESET],
    "closed": [CLOSE],
    "half_an_answer": [b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE],
}
LASTING = {
    "400": errors(400, "NAME_INVALID"),
    "401": errors(401, "UNAUTHORIZED"),
    "403": errors(403, "DENIED"),
    "404": errors(404, "NAME_UNKNOWN"),
    "405": errors(405, "UNSUPPORTED"),
    "409": errors(409, "TAG_IMMUTABLE"),
    "412": errors(412, "PRECONDITION"),
    "413": answer(413),
    "415": answer(415),
    "418": answer(418),
    "501": answer(501),
}


INSTEAD = {"400", "403", "404", "405", "412", "415", "501"}  # to a HEAD: a GET is sent


@pytest.mark.parametrize("what", PASSING)
@pytest.mark.parametrize("verb", VERBS)
def test_a_question_is_asked_again_after(regtag, serve, shelf, verb, what):
    server = serve(Failing(shelf, PASSING[what], 1, METHODS[verb]))

    result = regtag(*called(verb, server.host), retries=None)

    assert (result.status, result.err) == (0, b""), result


@pytest.mark.parametrize("what", PASSING)
def test_an_upload_is_sent_again_after(regtag, serve, shelf, document, what):
    server = serve(Failing(shelf, PASSING[what], 1, "PUT"))

    result = tag_new(regtag, server)

    assert (result.status, result.err) == (0, b""), result
    assert [row[1:] for row in result.rows] == [(digest_of(document), "created", "-")]
    assert shelf.document("repo", "new") == document
    assert 2 <= len(server.uploads) <= 3


@pytest.mark.parametrize("what", LASTING)
@pytest.mark.parametrize("verb", VERBS)
def test_a_question_is_not_asked_again_after(regtag, serve, shelf, verb, what):
    server = serve(Failing(shelf, LASTING[what], 10, METHODS[verb]))

    result = regtag(*called(verb, server.host), retries=None)

    if verb != "digest" or what not in INSTEAD:
        assert result.status != 0, result
    assert server.request_lines.count(server.request_lines[0]) == 1
    assert server.uploads == []


@pytest.mark.parametrize("what", LASTING)
def test_an_upload_is_not_sent_again_after(regtag, serve, shelf, what):
    server = serve(Failing(shelf, LASTING[what], 10, "PUT"))

    result = tag_new(regtag, server)

    assert result.status not in (0, 18), result
    assert len(server.uploads) == 1


def test_an_upload_that_was_stored_is_not_sent_again(regtag, serve, shelf, document):
    """It failed, as far as the answer goes; the look finds it done."""

    def put(request):
        shelf.usual(request)
        return errors(502, "UNKNOWN")

    shelf.instead["PUT"] = put
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert (result.status, result.err) == (0, b""), result
    assert [row[1:] for row in result.rows] == [(digest_of(document), "created", "-")]
    assert len(server.uploads) == 1


def test_a_guarded_upload_is_not_sent_again_over_another(regtag, serve, shelf, other_document):
    """Somebody else has moved the tag meanwhile: the second upload would go over that."""

    def put(request):
        shelf.put("repo", "new", OCI_MANIFEST, other_document)
        return errors(503, "UNAVAILABLE")

    shelf.instead["PUT"] = put
    server = serve(shelf)

    result = tag_new(regtag, server, "--expect", "absent")

    assert result.status in (12, 15), result
    result.complaint(f"{server.host}/repo:new", digest_of(other_document))
    assert [row[2] for row in result.rows] == ["failed"]
    assert len(server.uploads) == 1
    assert shelf.document("repo", "new") == other_document


def test_a_guarded_upload_is_sent_again_where_nothing_has_changed(regtag, serve, shelf, document):
    server = serve(Failing(shelf, PASSING["503"], 2, "PUT"))

    result = tag_new(regtag, server, "--expect", "absent")

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document
    assert len(server.uploads) == 3


@pytest.mark.parametrize("what", PASSING)
@pytest.mark.parametrize("guard", [[], ["--expect", "absent"]], ids=["unguarded", "guarded"])
def test_a_look_is_tried_again_after(regtag, serve, shelf, document, what, guard):
    """docker-registry has 500 for a tag that is being written, to name but one."""
    server = serve(Failing(shelf, PASSING[what], 1, "HEAD"))

    result = tag_new(regtag, server, *guard)

    assert (result.status, result.err) == (0, b""), result
    assert [row[1:] for row in result.rows] == [(digest_of(document), "created", "-")]
    assert shelf.document("repo", "new") == document


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_so_many_times_and_no_more(regtag, serve, shelf, method):
    server = serve(Failing(shelf, PASSING["503"], 100, method))

    result = tag_new(regtag, server, retries=2)

    assert result.status == 17, result
    assert methods(server).count(method) == 3


@pytest.mark.parametrize("retries", [0, 1])
def test_none_means_none(regtag, serve, shelf, retries):
    server = serve(Failing(shelf, PASSING["503"], 1, "GET"))

    result = tag_new(regtag, server, retries=retries)

    assert result.status == (0 if retries else 17), result
    assert methods(server).count("GET") == retries + 1


def test_four_times_if_nothing_is_said(regtag, serve, shelf):
    server = serve(Failing(shelf, answer(503, b"", "Retry-After: 0"), 100, "GET"))

    result = tag_new(regtag, server)

    assert result.status == 17, result
    assert methods(server).count("GET") == 5


def test_retries_are_counted_for_each_request(regtag, serve, shelf, document, other_document):
    """Each fails twice, and two retries are enough for all of them."""
    failed = {}
    for name in ("one", "two"):
        shelf.put("repo", name, OCI_MANIFEST, other_document)

    def respond(request):
        key = (request.method, request.path)
        failed[key] = failed.get(key, 0) + 1
        if failed[key] <= 2:
            refusal = answer(503, b"", "Retry-After: 0")
            return bodiless(refusal) if request.method == "HEAD" else refusal
        return shelf(request)

    server = serve(respond)

    result = regtag("tag", f"{server.host}/repo:old", "one", "two", retries=3)

    assert result.status == 0, result
    assert shelf.document("repo", "one") == shelf.document("repo", "two") == document


@pytest.mark.parametrize("bad", ["-1", "1001", "x", "", "1.5"])
def test_a_number_of_retries_that_is_none_is_refused(regtag, bad):
    assert regtag("digest", "--retries", bad, "127.0.0.1:1/repo:old", retries=None).status == 2


# ---- Connections


def test_a_host_that_comes_back_is_reached(regtag, serve, shelf, document):
    """Nobody listens at first."""
    holder = socket.socket()  # the server closes it
    holder.bind(("127.0.0.1", 0))
    place = f"127.0.0.1:{holder.getsockname()[1]}"
    command = regtag.command("tag", f"{place}/repo:old", "new", retries=20)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            time.sleep(0.3)
            serve(shelf, listener=holder)
            out, _ = process.communicate(timeout=90)
        finally:
            process.kill()

    assert process.returncode == 0, out
    assert shelf.document("repo", "new") == document


def test_every_second_connection_is_reset(regtag, serve, shelf, document):
    def respond(request):
        return [RESET] if request.connection % 2 else shelf(request)

    server = serve(respond)

    result = regtag("tag", f"{server.host}/repo:old", "one", "two", retries=None)

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "one") == shelf.document("repo", "two") == document


def test_a_port_where_nobody_listens_is_tried_again(regtag, dead_port, timed):
    host = f"127.0.0.1:{dead_port}"

    result, _ = timed(lambda: regtag("digest", "-v", f"{host}/repo:old", retries=3))

    assert result.status == 5, result
    said = result.err.decode()
    assert len(re.findall(r"refused", said)) >= 4, said


# ---- Stalls


@pytest.mark.parametrize("verb", VERBS)
def test_a_stall_ends_an_attempt(regtag, serve, shelf, verb):
    server = serve(Failing(shelf, [STALL], 1))

    result = regtag(*called(verb, server.host, "--stall", "1", "--timeout", "60"), retries=None)

    assert (result.status, result.err) == (0, b""), result
    assert server.connections == 2


def test_a_stall_of_an_upload_ends_that_attempt(regtag, serve, shelf, document):
    server = serve(Failing(shelf, [STALL], 1, "PUT"))

    result = tag_new(regtag, server, "--stall", "1", "--timeout", "60")

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document


def test_a_stall_in_the_middle_of_a_body_ends_an_attempt(regtag, serve, shelf):
    halves = Failing(shelf, lambda request: [shelf.usual(request)[:-30], STALL], 1, "GET")
    server = serve(halves)

    result = tag_new(regtag, server, "--stall", "1", "--timeout", "60")

    assert (result.status, result.err) == (0, b""), result


def test_bytes_now_and_then_are_no_stall(regtag, serve, shelf):
    def slow(request):
        return [Drip(shelf.usual(request)[:12], pause=0.25), shelf.usual(request)[12:]]

    server = serve(Failing(shelf, slow, 1, "GET"))

    result = tag_new(regtag, server, "--stall", "1", "--timeout", "60", retries=0)

    assert (result.status, result.err) == (0, b""), result
    assert server.connections == 1


def test_every_attempt_that_stalls_is_a_stall(regtag, serve, timed):
    server = serve(lambda request: [STALL])

    result, seconds = timed(
        lambda: regtag(
            *["digest", "--stall", "1", "--timeout", "60", f"{server.host}/repo:old"], retries=1
        )
    )

    assert result.status == 6, result
    result.complaint(server.host)
    assert server.connections == 2
    assert 2 <= seconds < 30


def test_without_a_stall_only_the_deadline_ends_it(regtag, serve, timed):
    server = serve(lambda request: [STALL])

    result, seconds = timed(
        lambda: regtag(
            *["digest", "--stall", "0", "--timeout", "3", f"{server.host}/repo:old"], retries=5
        )
    )

    assert result.status == 6, result
    assert server.connections == 1
    assert 2.9 <= seconds < 3 + SLACK


# ---- Retry-After


def in_seconds(seconds):
    return [f"Retry-After: {seconds}"]


def with_a_unit(seconds):
    return [f"Retry-After: {seconds}s"]


# The server's clock, which is years off.
NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=timezone.utc)
DATE = f"Date: {format_datetime(NOW, usegmt=True)}"


def as_a_date(seconds):
    later = NOW + timedelta(seconds=seconds)
    return [DATE, f"Retry-After: {format_datetime(later, usegmt=True)}"]


def as_a_unix_time(seconds):
    return [DATE, f"Retry-After: {int(NOW.timestamp()) + seconds}"]


FORMS = {form.__name__: form for form in (in_seconds, with_a_unit, as_a_date, as_a_unix_time)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_the_server_says_how_long_to_wait(regtag, serve, shelf, document, form, status, method):
    refusal = answer(status, b"", *FORMS[form](1))
    failing = Failing(shelf, refusal, 1, method)
    server = serve(failing)

    result = tag_new(regtag, server, "--timeout", "60")

    done = time.monotonic()
    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document
    [refused] = failing.at
    assert done - refused >= 0.9  # by itself it would wait a quarter of a second at most


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status, ended", [(429, 14), (503, 17)])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_wait_beyond_the_deadline_is_not_begun(
    regtag, serve, shelf, timed, form, status, ended, method
):
    refusal = answer(status, b"", *FORMS[form](3600))
    server = serve(Failing(shelf, refusal, 10, method))

    result, seconds = timed(lambda: tag_new(regtag, server, "--timeout", "30"))

    assert result.status == ended, result
    result.complaint(server.host, str(status))
    assert seconds < 20
    assert methods(server).count(method) == 1
    assert [row[2] for row in result.rows] == ["failed"]


@pytest.mark.parametrize(
    "stated",
    [
        "soon",
        "-5",
        "1e9",
        "99999999999999999999999",
        "",
        "Thu, 99 Foo 2031 07:08:09 GMT",
        "Tue, 06 May 1980 07:08:09 GMT",
        "2031-05-06T07:08:09Z",
    ],
)
def test_a_wait_that_is_none_does_no_harm(regtag, serve, shelf, timed, stated):
    server = serve(Failing(shelf, answer(429, b"", f"Retry-After: {stated}"), 1, "PUT"))

    result, seconds = timed(lambda: tag_new(regtag, server, "--timeout", "30"))

    assert result.status in (0, 14), result
    assert seconds < 30 + SLACK


def test_a_wait_of_no_time_is_a_short_one(regtag, serve, shelf):
    server = serve(Failing(shelf, answer(429, b"", "Retry-After: 0"), 3, "PUT"))

    assert tag_new(regtag, server).status == 0


# ---- The deadline

TROUBLE = {
    "refusals": (lambda request: errors(429, "TOOMANYREQUESTS", "", "Retry-After: 1"), 14),
    "errors": (lambda request: answer(503), 17),
    "resets": (lambda request: [RESET], 5),
    "stalls": (lambda request: [STALL], 6),
    "slow_errors": (lambda request: [Pause(0.7), answer(500)], 17),
}


@pytest.mark.parametrize("what", TROUBLE)
def test_trouble_without_end_ends_at_the_deadline(regtag, serve, timed, what):
    how, status = TROUBLE[what]
    server = serve(how)

    result, seconds = timed(
        lambda: regtag(
            *["manifest", "--timeout", "4", "--stall", "1", f"{server.host}/repo:old"], retries=1000
        )
    )

    assert seconds < 4 + SLACK
    assert result.status in (status, 6), result
    result.complaint(server.host)
    assert len(server.requests) >= 2
    if what != "slow_errors":
        assert result.status == status, result


@pytest.mark.parametrize("what", TROUBLE)
def test_trouble_with_uploads_ends_at_the_deadline(regtag, serve, shelf, timed, what):
    how, status = TROUBLE[what]
    shelf.instead["PUT"] = how
    server = serve(shelf)

    result, seconds = timed(
        lambda: tag_new(regtag, server, "--timeout", "4", "--stall", "1", retries=1000)
    )

    assert seconds < 4 + SLACK
    assert result.status in (status, 6, 18), result
    if not os.environ.get("SAN"):  # so slow that the deadline may pass during a request
        assert result.status == status or what not in ("refusals", "errors"), result
    result.complaint(f"{server.host}/repo:new")
    assert shelf.document("repo", "new") is None
    assert len(server.uploads) >= 2


@pytest.mark.slow
def test_a_bad_day_ends_well(regtag, serve, shelf, document):
    """Slow down, resets, stalls, errors, on every second connection; and in between it answers."""
    troubles = [
        errors(429, "TOOMANYREQUESTS", "", "Retry-After: 1"),
        [RESET],
        [STALL],
        answer(502),
        [CLOSE],
        answer(503, b"", *as_a_date(1)),
    ]

    def respond(request):
        if request.method == "PUT" and troubles:
            return troubles.pop(0)
        return [RESET] if request.connection % 3 == 2 else shelf(request)

    server = serve(respond)

    result = tag_new(regtag, server, "--stall", "1", "--timeout", "100", retries=20)

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document


# ---- What is said


def test_the_last_cause_is_named(regtag, serve, shelf):
    """Not that it was tried so many times."""
    troubles = [answer(503, b"", "Connection: close"), [RESET], errors(500, "UNKNOWN", "the disk is full")]
    shelf.instead["GET"] = lambda request: troubles.pop(0)
    server = serve(shelf)

    result = tag_new(regtag, server, retries=2)

    assert result.status == 17, result
    result.complaint(server.host, "500", "the disk is full")


def test_every_attempt_is_told_with_verbose(regtag, serve, shelf):
    server = serve(Failing(shelf, PASSING["503"], 3, "PUT"))

    result = tag_new(regtag, server, "-v")

    assert result.status == 0, result
    said = result.err.decode()
    assert len(re.findall(r"PUT \S*/v2/repo/manifests/new", said)) == 4
    assert len(re.findall(r"\b503\b", said)) >= 3
    assert len(re.findall(r"(?i)again", said)) >= 3, said


def test_nothing_is_said_of_it_without(regtag, serve, shelf):
    server = serve(Failing(shelf, PASSING["503"], 3, "PUT"))

    assert tag_new(regtag, server).err == b""


def test_waits_grow(regtag, serve, shelf):
    """Each is drawn by chance up to a limit that doubles: 0.25, 0.5, 1, 2 and 4 seconds."""
    failing = Failing(shelf, PASSING["503"], 5, "GET")
    server = serve(failing)

    result = tag_new(regtag, server, "--timeout", "60", retries=5)

    assert result.status == 0, result
    waits = [after - before for before, after in zip(failing.at, failing.at[1:])]
    for limit, wait in zip([0.25, 0.5, 1, 2], waits, strict=True):
        assert wait < limit + SLACK


def test_devices_that_failed_together_do_not_come_back_together(regtag, serve, shelf):
    """The first wait is drawn anew each time, from a quarter of a second."""
    waits = []
    for _ in range(6):
        failing = Failing(shelf, PASSING["503"], 2, "HEAD")

        assert regtag("digest", f"{serve(failing).host}/repo:old", retries=2).status == 0

        waits.append(failing.at[1] - failing.at[0])

    assert max(waits) - min(waits) > 0.005, waits
