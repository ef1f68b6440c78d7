"""Where a tag points is looked up before it is moved: what is told, what is left alone, what it costs."""

import socket
import threading
import time

import pytest
from accounts import auths
from fake import CLOSE, HANG_UP, RESET, STALL, Pause, answer, bodiless, errors
from images import OCI_INDEX, OCI_MANIFEST, compact, digest_of, docker_style, oci_manifest
from token_server import password_gate, secret
from wire import END_OF_HEAD

pytest_plugins = ["account_fixtures"]
USER = "somebody"
NOWHERE = digest_of(b"no manifest at all")


def tag_new(regtag, server, *options, **more):
    return regtag("tag", *options, f"{server.host}/repo:old", "new", **more)


def methods(server):
    return [request.method for request in server.requests]


# ---- What is told


def test_a_tag_that_was_not_there_is_created(regtag, registry, repository):
    where = f"{registry.host}/{repository}"

    result = regtag("tag", f"{where}:old", "new")

    wanted = registry.digest(repository, "old")
    assert (result.status, result.err) == (0, b"")
    assert result.rows == [(f"{where}:new", wanted, "created", "-")]


def test_a_tag_that_pointed_elsewhere_is_moved(regtag, registry, recorder, repository):
    before = registry.push(repository, "new", OCI_MANIFEST, compact(oci_manifest()))
    where = f"{recorder.host}/{repository}"

    result = regtag("tag", f"{where}:old", "new")

    wanted = registry.digest(repository, "old")
    assert (result.status, result.err) == (0, b"")
    assert result.rows == [(f"{where}:new", wanted, "moved", before)]
    assert registry.digest(repository, "new") == wanted
    assert methods(recorder) == ["GET", "HEAD", "PUT"]
    assert recorder.connections == 1


def test_a_tag_that_points_there_already_is_not_put(regtag, registry, recorder, repository):
    where = f"{recorder.host}/{repository}"
    wanted = registry.push(repository, "new", *registry.fetch(repository, "old")[::2])

    result = regtag("tag", f"{where}:old", "new")

    assert (result.status, result.err) == (0, b"")
    assert result.rows == [(f"{where}:new", wanted, "unchanged", wanted)]
    assert methods(recorder) == ["GET", "HEAD"]
    assert recorder.connections == 1


def test_a_tag_given_to_itself_is_unchanged(regtag, registry, recorder, repository):
    where = f"{recorder.host}/{repository}"

    result = regtag("tag", f"{where}:old", "old")

    wanted = registry.digest(repository, "old")
    assert (result.status, result.err) == (0, b"")
    assert result.rows == [(f"{where}:old", wanted, "unchanged", wanted)]
    assert "PUT" not in methods(recorder)


def test_each_name_has_its_own_past(regtag, registry, recorder, repository):
    before = registry.push(repository, "moved", OCI_MANIFEST, compact(oci_manifest()))
    wanted = registry.push(repository, "same", *registry.fetch(repository, "old")[::2])
    where = f"{recorder.host}/{repository}"

    result = regtag("tag", f"{where}:old", "created", "moved", "same", "last")

    assert result.status == 0, result
    assert result.rows == [
        (f"{where}:created", wanted, "created", "-"),
        (f"{where}:moved", wanted, "moved", before),
        (f"{where}:same", wanted, "unchanged", wanted),
        (f"{where}:last", wanted, "created", "-"),
    ]
    assert methods(recorder).count("GET") == 1
    assert methods(recorder).count("HEAD") == 4
    assert methods(recorder).count("PUT") == 3
    assert recorder.connections == 1
    for request in recorder.requests:
        if request.method == "PUT":
            assert request.path.endswith(("/created", "/moved", "/last"))


def test_json_tells_where_a_tag_pointed(regtag, serve, shelf, other_document, image, other):
    shelf.put("repo", "moved", OCI_MANIFEST, other_document)
    shelf.put("repo", "same", *shelf.manifests["repo", "old"])
    server = serve(shelf)

    result = regtag("tag", "--json", f"{server.host}/repo:old", "moved", "same", "new")

    assert result.status == 0, result
    told = [
        (one["result"], one["digest"], one["previous"], one["status"]) for one in result.objects
    ]
    assert told == [
        ("moved", image, other, 0),
        ("unchanged", image, image, 0),
        ("created", image, None, 0),
    ]


NO_LOOK = {
    "400": errors(400, "TAG_INVALID"),
    "403": errors(403, "DENIED"),
    "405": errors(405, "UNSUPPORTED"),
    "406": answer(406),
    "412": errors(412, "PRECONDITION"),
    "418": answer(418),
}


@pytest.mark.parametrize("what", NO_LOOK)
def test_a_look_that_fails_stops_nothing(regtag, serve, shelf, document, image, what):
    shelf.hide("new", NO_LOOK[what])
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{server.host}/repo:new", image, "set", "-")]
    assert shelf.document("repo", "new") == document
    second = {"418": [], "406": ["GET", "GET"]}.get(what, ["GET"])  # by one line of Accept, and by several
    assert methods(server) == ["GET", "HEAD", *second, "PUT"]


@pytest.mark.parametrize("what", ["500", "503", "429", "reset", "closed"])
def test_a_look_that_fails_for_good_stops_nothing(regtag, serve, shelf, document, image, what):
    def look(request):
        if what.isdigit():
            return bodiless(answer(int(what), b"", "Retry-After: 0"))
        return [RESET] if what == "reset" else [CLOSE]

    shelf.instead["HEAD"] = look
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert result.status == 0, result
    assert result.rows == [(f"{server.host}/repo:new", image, "set", "-")]
    assert shelf.document("repo", "new") == document


def test_where_a_tag_pointed_is_found_without_a_stated_digest(
    regtag, serve, shelf, other_document, image, other
):
    shelf.put("repo", "new", OCI_MANIFEST, other_document)

    def silent(request):
        whole = shelf.usual(request)
        return b"\r\n".join(
            line for line in whole.split(b"\r\n") if not line.startswith(b"Docker-Content-Digest")
        )

    shelf.instead["HEAD"] = shelf.instead["GET"] = silent
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{server.host}/repo:new", image, "moved", other)]
    assert server.request_lines == [
        "GET /v2/repo/manifests/old",
        "HEAD /v2/repo/manifests/new",
        "GET /v2/repo/manifests/new",
        "PUT /v2/repo/manifests/new",
    ]


def test_a_digest_of_a_look_that_is_none_is_not_believed(
    regtag, serve, shelf, other_document, image
):
    shelf.put("repo", "new", OCI_MANIFEST, other_document)
    shelf.instead["HEAD"] = lambda request: bodiless(
        answer(200, b"x" * 10, "Docker-Content-Digest: sha256:nonsense")
    )
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert result.status == 0, result
    [(_, digest, happened, previous)] = result.rows
    assert digest == image
    assert (happened, previous) in (("set", "-"), ("moved", digest_of(other_document)))


# ---- The wire


class Slow:
    """Answers only after more has come: tells what a client sends before it has an answer."""

    def __init__(self, wanted):
        self.wanted = wanted  # so many requests must be there before the first is answered
        self.seen = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self, answers):
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(20)
            data = b""
            try:
                while data.count(END_OF_HEAD) < self.wanted:
                    more = connection.recv(65536)
                    if not more:
                        break
                    data += more
            except TimeoutError:
                pass
            self.seen = [head.split(b" HTTP/")[0].decode() for head in data.split(END_OF_HEAD)[:-1]]
            connection.sendall(answers)
            connection.settimeout(5)
            try:
                while connection.recv(65536):
                    pass
            except OSError:
                pass

    def close(self):
        self._listener.close()


def test_the_look_is_sent_before_the_manifest_has_come(regtag, shelf, document, image):
    """The server says nothing until it has both requests, and so does not know of a third."""
    shelf.put("repo", "new", OCI_MANIFEST, document)
    both = answer(
        200, document, f"Content-Type: {OCI_MANIFEST}", f"Docker-Content-Digest: {image}"
    ) + bodiless(answer(200, document, f"Docker-Content-Digest: {image}"))
    server = Slow(2)
    thread = threading.Thread(target=server.serve, args=[both], daemon=True)
    thread.start()

    result = tag_new(regtag, server, "--timeout", "10")

    thread.join(30)
    server.close()
    assert server.seen == ["GET /v2/repo/manifests/old", "HEAD /v2/repo/manifests/new"]
    assert result.status == 0, result
    assert [row[2] for row in result.rows] == ["unchanged"]


def test_the_next_upload_is_sent_before_the_first_is_answered(regtag, serve, shelf, document):
    """What answers an upload waits until the next request is there."""
    waited = []

    def respond(request):
        if request.method == "PUT" and request.path.endswith("/one"):
            waited.append(request)
            return []  # the answer comes together with that of the next upload
        if request.method == "PUT" and waited:
            done = [shelf.usual(waited.pop()), shelf.usual(request)]
            return done
        return shelf(request)

    server = serve(respond)

    result = regtag("tag", "--timeout", "10", f"{server.host}/repo:old", "one", "two")

    assert (result.status, result.err) == (0, b""), result
    assert [row[2] for row in result.rows] == ["created", "created"]
    assert methods(server) == ["GET", "HEAD", "HEAD", "PUT", "PUT"]
    assert server.connections == 1
    assert shelf.document("repo", "two") == document


@pytest.mark.parametrize("end", [CLOSE, HANG_UP, RESET], ids=["closed", "hung_up", "reset"])
def test_a_look_behind_an_answer_that_was_the_last_is_sent_again(
    regtag, serve, shelf, document, end
):
    """The server has read the first request only, and is gone when it has answered that."""
    shelf.instead["GET"] = lambda request: [shelf.usual(request), Pause(0.2), end]
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert (result.status, result.err) == (0, b""), result
    assert [row[2] for row in result.rows] == ["created"]
    assert shelf.document("repo", "new") == document
    assert server.connections == 2
    assert methods(server) == ["GET", "HEAD", "PUT"]


def test_a_body_until_close_is_taken_from_a_server_that_hangs_up(regtag, serve, shelf, document):
    """There is a request that it has not read: so the end is a reset, which ends no body in order."""
    fields = [f"Content-Type: {OCI_MANIFEST}", f"Docker-Content-Digest: {digest_of(document)}"]
    whole = answer(200, document, *fields, framed=False)
    shelf.instead["GET"] = lambda request: [whole, Pause(0.2), HANG_UP]
    server = serve(shelf)

    result = tag_new(regtag, server, retries=None)

    assert result.status in (0, 5, 9), result
    assert (shelf.document("repo", "new") == document) == (result.status == 0)


def test_a_challenge_is_waited_for_with_credentials(account, serve, shelf):
    password = secret("password")
    server = serve(password_gate(shelf, USER, password))
    account.docker_config(auths(server.host, USER, password))

    result = tag_new(account, server)

    assert (result.status, result.err) == (0, b""), result
    assert methods(server) == ["GET", "GET", "HEAD", "PUT"]
    assert server.connections == 1


@pytest.mark.parametrize("count", [2, 3, 16])
def test_many_names_take_a_look_and_an_upload_each(regtag, registry, recorder, repository, count):
    names = [f"v{number}" for number in range(count)]

    result = regtag("tag", f"{recorder.host}/{repository}:old", *names)

    assert result.status == 0, result
    assert sorted(methods(recorder)) == ["GET", *["HEAD"] * count, *["PUT"] * count]
    assert recorder.connections == 1


# ---- Guards


def guarded(which, image, other):
    return {"absent": "absent", "image": image, "other": other, "nowhere": NOWHERE}[which]


@pytest.mark.parametrize("how", ["for_all", "by_name"])
@pytest.mark.parametrize(
    "points, expected, outcome",
    [
        ("other", "other", "moved"),
        (None, "absent", "created"),
        ("image", "image", "unchanged"),
        ("other", "absent", None),
        ("other", "nowhere", None),
        ("other", "image", None),
        (None, "other", None),
    ],
)
def test_a_guard(
    regtag, serve, shelf, document, other_document, image, other, points, expected, outcome, how
):
    before = {"other": other_document, "image": document, None: None}[points]
    if before:
        shelf.put("repo", "new", OCI_MANIFEST, before)
    server = serve(shelf)
    wanted = guarded(expected, image, other)
    previous = digest_of(before) if before else "-"

    result = tag_new(regtag, server, "--expect", wanted if how == "for_all" else f"new={wanted}")

    if outcome:
        assert (result.status, result.err) == (0, b""), result
        assert result.rows == [(f"{server.host}/repo:new", image, outcome, previous)]
        assert shelf.document("repo", "new") == document
    else:
        assert result.status == 12, result
        assert result.rows == [(f"{server.host}/repo:new", image, "failed", previous)]
        told = "already exists" if wanted == "absent" else wanted
        result.complaint(f"{server.host}/repo:new", told, previous if before else "")
        assert shelf.document("repo", "new") == before
        assert server.uploads == []


def test_a_tag_that_is_where_it_should_be_breaks_another_guard(
    regtag, serve, shelf, document, image, other
):
    """Expected was another digest: whoever counts on that should hear that it is not so."""
    shelf.put("repo", "new", OCI_MANIFEST, document)
    server = serve(shelf)

    result = tag_new(regtag, server, "--expect", other)

    # The wish is fulfilled, or the guard is broken: nothing is put in any case.
    assert (result.status, result.rows[0][2]) in ((0, "unchanged"), (12, "failed")), result
    assert server.uploads == []


@pytest.mark.parametrize("there", [True, False])
def test_no_clobber_is_for_tags_that_are_not_there(
    regtag, serve, shelf, document, other_document, there
):
    if there:
        shelf.put("repo", "new", OCI_MANIFEST, other_document)
    server = serve(shelf)

    result = tag_new(regtag, server, "--no-clobber")

    assert result.status == (12 if there else 0), result
    assert [row[2] for row in result.rows] == ["failed" if there else "created"]
    assert shelf.document("repo", "new") == (other_document if there else document)


def test_a_guard_that_breaks_stops_no_other_tag(regtag, serve, shelf, other_document, image, other):
    shelf.put("repo", "two", OCI_MANIFEST, other_document)
    server = serve(shelf)

    result = regtag("tag", "--no-clobber", f"{server.host}/repo:old", "one", "two", "three")

    assert result.status == 12, result
    result.complaint(f"{server.host}/repo:two")
    assert [row[1:] for row in result.rows] == [
        (image, "created", "-"),
        (image, "failed", other),
        (image, "created", "-"),
    ]
    assert [one.path.rsplit("/")[-1] for one in server.uploads] == ["one", "three"]


def test_each_name_may_have_its_own_guard(regtag, serve, shelf, other_document, image, other):
    for name in ("one", "two", "free"):
        shelf.put("repo", name, OCI_MANIFEST, other_document)
    server = serve(shelf)
    guards = ["--expect", f"one={other}", "--expect", f"two={NOWHERE}", "--expect=three=absent"]

    result = regtag("tag", *guards, f"{server.host}/repo:old", "one", "two", "three", "free")

    assert result.status == 12, result
    result.complaint(f"{server.host}/repo:two", NOWHERE, other)
    assert [row[1:] for row in result.rows] == [
        (image, "moved", other),
        (image, "failed", other),
        (image, "created", "-"),
        (image, "moved", other),
    ]


@pytest.mark.parametrize(
    "what, status", [("403", 12), ("429", 14), ("500", 17), ("closed", 5), ("stalled", 6)]
)
def test_a_guard_that_cannot_be_seen_to_hold_does_not(
    regtag, serve, shelf, other_document, other, what, status
):
    """What may pass has its own status; what will not is a guard that does not hold."""
    shelf.put("repo", "new", OCI_MANIFEST, other_document)
    looks = {"closed": [CLOSE], "stalled": [STALL]}
    if what in looks:
        shelf.instead["HEAD"] = lambda request: looks[what]
    else:
        shelf.hide("new", answer(int(what)))
    server = serve(shelf)

    result = tag_new(regtag, server, "--expect", other, "--timeout", "3")

    assert result.status == status, result
    result.complaint(f"{server.host}/repo:new", other)
    assert [row[2:] for row in result.rows] == [("failed", "-")]
    assert server.uploads == []


BAD_GUARDS = [
    "",
    "latest",
    "sha256:abc",
    "sha256:" + "A" * 64,
    "new=",
    "new=nothing",
    "=absent",
    "not a tag=absent",
    "Absent",
    "sha512:abc",
]


@pytest.mark.parametrize("guard", BAD_GUARDS)
def test_a_guard_that_is_none_is_refused(regtag, serve, shelf, guard):
    server = serve(shelf)

    result = tag_new(regtag, server, "--expect", guard)

    assert (result.status, result.out) == (2, b""), result
    result.complaint()
    assert server.connections == 0


def test_a_guard_for_a_name_that_is_not_given_is_refused(regtag, serve, shelf):
    """It is a slip of the pen, and the tag that it was meant for would have no guard."""
    server = serve(shelf)

    result = tag_new(regtag, server, "--expect", "newer=absent")

    assert result.status == 2, result
    result.complaint("newer")
    assert server.connections == 0


def test_two_guards_for_all_are_refused(regtag, serve, shelf, image):
    server = serve(shelf)

    assert tag_new(regtag, server, "--no-clobber", "--expect", image).status == 2
    assert server.connections == 0


def test_a_broken_guard_is_told_in_json(regtag, serve, shelf, other_document, image, other):
    shelf.put("repo", "new", OCI_MANIFEST, other_document)
    server = serve(shelf)

    [told] = tag_new(regtag, server, "--no-clobber", "--json").objects

    assert (told["result"], told["status"], told["previous"]) == ("failed", 12, other)
    assert told["digest"] == image
    assert other in told["error"]


# ---- Nothing is changed


@pytest.mark.parametrize("points", ["image", "other", None])
def test_a_dry_run_tells_the_same_and_puts_nothing(
    regtag, serve, shelf, document, other_document, points
):
    before = {"other": other_document, "image": document, None: None}[points]
    if before:
        shelf.put("repo", "new", OCI_MANIFEST, before)
    server = serve(shelf)

    dry = tag_new(regtag, server, "--dry-run")

    assert server.uploads == []
    assert shelf.document("repo", "new") == before
    wet = tag_new(regtag, server)
    assert dry.status == wet.status == 0
    assert dry.rows == wet.rows
    assert wet.err == b""
    dry.complaint("nothing")


def test_a_dry_run_tells_of_a_broken_guard(regtag, serve, shelf, other_document, other):
    shelf.put("repo", "new", OCI_MANIFEST, other_document)
    server = serve(shelf)

    result = tag_new(regtag, server, "--dry-run", "--no-clobber")

    assert result.status == 12, result
    assert [row[2:] for row in result.rows] == [("failed", other)]
    assert server.uploads == []


def test_a_dry_run_checks_the_manifest(regtag, serve, shelf):
    shelf.put("repo", "old", OCI_MANIFEST, b'{"schemaVersion":2}')
    server = serve(shelf)

    result = tag_new(regtag, server, "--dry-run")

    assert result.status == 10, result
    assert [row[2] for row in result.rows] == ["failed"]


def test_a_dry_run_of_many_names_puts_nothing(regtag, registry, recorder, repository):
    names = [f"v{number}" for number in range(20)]

    result = regtag("tag", "--dry-run", f"{recorder.host}/{repository}:old", *names)

    assert result.status == 0, result
    assert [row[2] for row in result.rows] == ["created"] * 20
    assert set(methods(recorder)) == {"GET", "HEAD"}
    assert registry.digest(repository, "v7") is None


# ---- Read back


def test_confirm_reads_the_tag_back(regtag, registry, recorder, repository):
    where = f"{recorder.host}/{repository}"

    result = regtag("tag", "--confirm", f"{where}:old", "new")

    assert (result.status, result.err) == (0, b"")
    assert result.rows == [(f"{where}:new", registry.digest(repository, "old"), "created", "-")]
    assert recorder.request_lines == [
        f"GET /v2/{repository}/manifests/old",
        f"HEAD /v2/{repository}/manifests/new",
        f"PUT /v2/{repository}/manifests/new",
        f"HEAD /v2/{repository}/manifests/new",
    ]
    assert recorder.connections == 1


def test_without_confirm_an_overwrite_is_not_seen(regtag, serve, shelf, other_document):
    shelf.instead["PUT"] = overwritten(shelf, other_document)
    server = serve(shelf)

    assert tag_new(regtag, server).status == 0


def overwritten(shelf, document):
    """An upload is stored and confirmed, and another one follows at once."""

    def put(request):
        done = shelf.usual(request)
        shelf.put("repo", request.path.rsplit("/")[-1], OCI_MANIFEST, document)
        return done

    return put


def test_a_race_that_was_lost_is_seen_with_confirm(
    regtag, serve, shelf, other_document, image, other
):
    shelf.instead["PUT"] = overwritten(shelf, other_document)
    server = serve(shelf)

    result = tag_new(regtag, server, "--confirm", "--no-clobber")

    assert result.status == 15, result
    result.complaint(f"{server.host}/repo:new", other)
    [(_, digest, happened, _)] = result.rows
    assert (digest, happened) == (image, "failed")
    assert len(server.uploads) == 1


def test_a_race_that_was_lost_to_a_deletion_is_seen_with_confirm(regtag, serve, shelf):
    def put(request):
        done = shelf.usual(request)
        shelf.remove("repo", "new")
        return done

    shelf.instead["PUT"] = put
    server = serve(shelf)

    result = tag_new(regtag, server, "--confirm")

    assert result.status in (15, 18), result
    result.complaint(f"{server.host}/repo:new")
    assert [row[2] for row in result.rows] != ["created"]


def test_confirm_looks_at_each_of_many(regtag, serve, shelf, other_document, image):
    lose = overwritten(shelf, other_document)
    shelf.instead["PUT"] = lambda request: (
        lose(request) if request.path.endswith("/two") else shelf.usual(request)
    )
    server = serve(shelf)

    result = regtag("tag", "--confirm", f"{server.host}/repo:old", "one", "two", "three")

    assert result.status == 15, result
    result.complaint(f"{server.host}/repo:two")
    assert [row[1:3] for row in result.rows] == [
        (image, "created"),
        (image, "failed"),
        (image, "created"),
    ]


def test_an_unchanged_tag_needs_no_confirmation(regtag, serve, shelf, document):
    shelf.put("repo", "new", OCI_MANIFEST, document)
    server = serve(shelf)

    result = tag_new(regtag, server, "--confirm")

    assert result.status == 0, result
    assert server.uploads == []
    assert len(server.requests) <= 3


# ---- Immutable


IMMUTABLE = {
    "405": answer(405, b"405 method not allowed\n", "Content-Type: text/plain"),
    "409": errors(409, "TAG_IMMUTABLE", "tag is immutable"),
    "412": errors(412, "PRECONDITION", "configured as immutable"),
    "400": errors(400, "TAG_INVALID", "tag already exists and is immutable"),
}


@pytest.mark.parametrize("what", IMMUTABLE)
def test_an_immutable_tag_that_points_elsewhere_is_told(
    regtag, serve, shelf, other_document, image, other, what
):
    shelf.put("repo", "new", OCI_MANIFEST, other_document)
    shelf.instead["PUT"] = lambda request: IMMUTABLE[what]
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert result.status == 13, result
    result.complaint(f"{server.host}/repo:new")
    assert result.rows == [(f"{server.host}/repo:new", image, "failed", other)]
    assert len(server.uploads) == 1


@pytest.mark.parametrize("what", IMMUTABLE)
def test_an_immutable_tag_that_points_there_is_unchanged(
    regtag, serve, shelf, document, image, what
):
    shelf.put("repo", "new", OCI_MANIFEST, document)
    shelf.instead["PUT"] = lambda request: IMMUTABLE[what]
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{server.host}/repo:new", image, "unchanged", image)]


@pytest.mark.parametrize("what", IMMUTABLE)
def test_an_immutable_tag_that_could_not_be_seen_may_be_there_already(
    regtag, serve, shelf, document, image, what
):
    """The first look fails; the refusal makes it look again."""
    shelf.put("repo", "new", OCI_MANIFEST, document)
    shelf.instead["HEAD"] = lambda request: bodiless(errors(403, "DENIED"))
    shelf.instead["PUT"] = lambda request: IMMUTABLE[what]
    shelf.afterwards["HEAD"] = shelf.usual
    server = serve(shelf)

    result = tag_new(regtag, server)

    assert (result.status, result.err) == (0, b""), result
    assert [row[1:3] for row in result.rows] == [(image, "unchanged")]


# ---- An index


def test_an_index_that_is_there_already_is_unchanged(regtag, registry, repository):
    child = docker_style(oci_manifest())
    registry.push(repository, digest_of(child), OCI_MANIFEST, child)
    index = compact(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                {"mediaType": OCI_MANIFEST, "size": len(child), "digest": digest_of(child)}
            ],
        }
    )
    digest = registry.push(repository, "index", OCI_INDEX, index)
    where = f"{registry.host}/{repository}"
    assert regtag("tag", f"{where}:index", "new").rows[0][2] == "created"

    result = regtag("tag", f"{where}:index", "new")

    assert result.rows == [(f"{where}:new", digest, "unchanged", digest)]


def test_the_look_is_bounded_by_the_deadline(regtag, serve, shelf):
    shelf.instead["HEAD"] = lambda request: [STALL]
    server = serve(shelf)
    before = time.monotonic()

    result = tag_new(regtag, server, "--timeout", "2")

    assert time.monotonic() - before < 2 + 5
    assert result.status in (0, 6), result
    assert (result.status == 0) == (shelf.document("repo", "new") is not None)
