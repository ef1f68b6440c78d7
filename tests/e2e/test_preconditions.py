"""Guarded changes carry If-Match or If-None-Match: a registry that heeds them lets only one through."""

import os
import threading
from collections import Counter

import pytest
from fake import CLOSE, Strict, answer, bodiless, errors, with_fields
from images import OCI_MANIFEST, compact, digest_of, oci_manifest
from program import environment
from races import end, start

CONTESTANTS = 20 if os.environ.get("SAN") else 50  # a sanitizer needs much memory
SECONDS = 150
REFUSALS = {
    "412": errors(412, "PRECONDITION"),
    "400": errors(400, "UNSUPPORTED"),
    "428": errors(428, "PRECONDITION"),
    "501": errors(501, "UNSUPPORTED"),
}
WEAK = {
    "none": None,
    "weak": 'W/"{}"',
    "unquoted": "{}",
    "half_quoted": '"{}',
    "two_in_one": '"{}", "another"',
    "with_a_space": '"a {}"',
    "too_long": '"' + "x" * 100 + '{}"',
    "empty": "",
}


def stocked(shelf, document, other_document):
    """With `repo:old`, and `repo:new` that is to be moved there from the other image."""
    shelf.put("repo", "old", OCI_MANIFEST, document)
    shelf.put("repo", "new", OCI_MANIFEST, other_document)
    return shelf


@pytest.fixture
def strict(document, other_document):
    return stocked(Strict(), document, other_document)


def conditions(server):
    """METHOD TAG of each request, and its precondition."""
    return [
        (
            f"{one.method} {one.path.rsplit('/')[-1]}",
            one.value("If-Match") or one.value("If-None-Match"),
        )
        for one in server.requests
        if one.path.endswith("/new")
    ]


def changes(server):
    return [what for what in conditions(server) if what[0].split()[0] in ("PUT", "DELETE")]


# ---- What is sent


@pytest.mark.parametrize("etag", ['"{}"', '"sha256-{}-gzip"', '"!#~{}"'])
def test_a_guarded_change_is_sent_with_the_etag(regtag, serve, document, other_document, other, etag):
    strict = stocked(Strict(etag), document, other_document)
    server = serve(strict)
    where = f"{server.host}/repo"

    moved = regtag("tag", "--expect", other, f"{where}:old", "new")
    deleted = regtag("delete", "--expect", digest_of(document), f"{where}:new")

    assert (moved.status, deleted.status) == (0, 0), (moved, deleted)
    assert changes(server) == [
        ("PUT new", etag.format(other)),
        ("DELETE new", etag.format(digest_of(document))),
    ]


@pytest.mark.parametrize("guard", [["--no-clobber"], ["--expect", "new=absent"]])
def test_a_tag_that_must_not_exist_is_sent_as_such(regtag, serve, strict, guard):
    strict.remove("repo", "new")
    server = serve(strict)

    result = regtag("tag", *guard, f"{server.host}/repo:old", "new")

    assert (result.status, result.err) == (0, b""), result
    assert changes(server) == [("PUT new", "*")]
    assert server.uploads[0].value("If-None-Match") == "*"


@pytest.mark.parametrize("kind", WEAK)
def test_without_a_strong_etag_there_is_no_precondition(
    regtag, serve, shelf, document, other_document, other, kind
):
    stocked(shelf, document, other_document)
    etag = WEAK[kind]
    shelf.fields = [] if etag is None else ["ETag: " + etag.format("x" * 64)]
    server = serve(shelf)

    result = regtag("tag", "--expect", other, f"{server.host}/repo:old", "new")

    assert (result.status, result.err) == (0, b""), result
    assert changes(server) == [("PUT new", None)]


def test_two_etags_are_none(regtag, serve, shelf, document, other_document, other):
    stocked(shelf, document, other_document)
    shelf.fields = ['ETag: "one"', 'ETag: "two"']
    server = serve(shelf)

    result = regtag("tag", "--expect", other, f"{server.host}/repo:old", "new")

    assert (result.status, result.err) == (0, b""), result
    assert changes(server) == [("PUT new", None)]


def test_a_change_without_a_guard_has_no_precondition(regtag, serve, strict, other):
    server = serve(strict)
    where = f"{server.host}/repo"

    moved = regtag("tag", "--expect", f"third=absent", f"{where}:old", "new", "third")
    deleted = regtag("delete", f"{where}:new")

    assert (moved.status, deleted.status) == (0, 0), (moved, deleted)
    assert changes(server) == [("PUT new", None), ("DELETE new", None)]


def test_the_etag_of_a_get_counts_where_head_says_nothing(regtag, serve, strict, other):
    strict.hide(None, answer(405), ["HEAD"])
    server = serve(strict)

    result = regtag("tag", "--expect", other, f"{server.host}/repo:old", "new")

    assert (result.status, result.err) == (0, b""), result
    assert changes(server) == [("PUT new", f'"{other}"')]


def test_a_manifest_is_deleted_without(regtag, serve, strict, other):
    usual = strict.usual
    strict.instead["DELETE"] = lambda request: (
        usual(request) if ":" in request.path else errors(405, "UNSUPPORTED")
    )
    server = serve(strict)

    result = regtag("delete", "--with-siblings", "--expect", other, f"{server.host}/repo:new")

    assert result.status == 0, result
    deletions = [one for one in server.requests if one.method == "DELETE"]
    assert [one.value("If-Match") for one in deletions] == [f'"{other}"', None]


# ---- What becomes of it


def rival(strict, document):
    """Somebody else moves the tag between the lookup and the change."""

    def act(request):
        strict.instead.clear()
        if document:
            strict.put("repo", "new", OCI_MANIFEST, document)
        else:
            strict.remove("repo", "new")
        return strict.usual(request)

    strict.instead = {"PUT": act, "DELETE": act}


RIVAL = compact(oci_manifest(annotations={"which": "the rival's"}))


@pytest.mark.parametrize("verb", ["tag", "delete"])
@pytest.mark.parametrize("to", ["elsewhere", "absent", "the_same_image"])
def test_a_change_that_comes_too_late_changes_nothing(
    regtag, serve, strict, document, other, verb, to
):
    theirs = {"elsewhere": RIVAL, "absent": None, "the_same_image": document}[to]
    rival(strict, theirs)
    server = serve(strict)
    where = f"{server.host}/repo"
    arguments = [f"{where}:old", "new"] if verb == "tag" else [f"{where}:new"]

    result = regtag(verb, "--expect", other, *arguments)

    assert result.status == 12, result
    result.complaint(f"{where}:new", other)
    assert [row[2:] for row in result.rows] == [("failed", digest_of(theirs) if theirs else "-")]
    assert strict.document("repo", "new") == theirs
    assert len(changes(server)) == 1


def test_a_tag_that_was_created_meanwhile_is_left_alone(regtag, serve, strict):
    strict.remove("repo", "new")
    rival(strict, RIVAL)
    server = serve(strict)

    result = regtag("tag", "--no-clobber", f"{server.host}/repo:old", "new")

    assert result.status == 12, result
    assert strict.document("repo", "new") == RIVAL


@pytest.mark.parametrize("what", REFUSALS)
@pytest.mark.parametrize("verb", ["tag", "delete"])
def test_where_it_is_not_understood_it_is_left_out(regtag, serve, strict, image, other, verb, what):
    def change(request):
        conditional = request.value("If-Match") or request.value("If-None-Match")
        return REFUSALS[what] if conditional else strict.usual(request)

    strict.instead = {"PUT": change, "DELETE": change}
    server = serve(strict)
    where = f"{server.host}/repo"
    arguments = [f"{where}:old", "new"] if verb == "tag" else [f"{where}:new"]

    result = regtag(verb, "--expect", other, *arguments)

    method = "PUT" if verb == "tag" else "DELETE"
    assert (result.status, result.err) == (0, b""), result
    assert [row[2:] for row in result.rows] == [("moved" if verb == "tag" else "deleted", other)]
    assert conditions(server)[:4] == [
        ("HEAD new", None),
        (f"{method} new", f'"{other}"'),
        ("HEAD new", None),
        (f"{method} new", None),
    ]


@pytest.mark.parametrize("what", REFUSALS)
@pytest.mark.parametrize("guard", ["expect", "absent"])
def test_a_refusal_without_it_counts(regtag, serve, strict, other, guard, what):
    if guard == "absent":
        strict.remove("repo", "new")
    strict.instead["PUT"] = lambda request: REFUSALS[what]
    server = serve(strict)
    wanted = other if guard == "expect" else "absent"

    result = regtag("tag", "--expect", wanted, f"{server.host}/repo:old", "new")

    status = {"412": 13, "400": 1, "428": 9, "501": 13}[what]
    assert result.status == status, result
    assert [sent for _, sent in changes(server)] == [f'"{other}"' if guard == "expect" else "*", None]


def test_a_tag_that_moves_before_the_repeat_is_left_alone(regtag, serve, strict, other):
    """The repeat without the precondition follows a lookup of its own."""

    def refuse(request):
        strict.put("repo", "new", OCI_MANIFEST, RIVAL)
        return REFUSALS["501"]

    strict.instead["PUT"] = refuse
    server = serve(strict)

    result = regtag("tag", "--expect", other, f"{server.host}/repo:old", "new")

    assert result.status == 12, result
    assert len(server.uploads) == 1


def test_an_upload_that_arrives_late_is_ones_own(regtag, serve, strict, document, image, other):
    """It is answered by nobody, and carried out when its repeat comes: 412, since the ETag has changed."""

    def put(request):
        if len(server.uploads) == 1:
            return [CLOSE]
        strict.put("repo", "new", OCI_MANIFEST, document)
        return strict.usual(request)

    strict.instead["PUT"] = put
    server = serve(strict)

    result = regtag("tag", "--expect", other, f"{server.host}/repo:old", "new", retries=2)

    assert result.status == 0, result
    assert [row[1:3] for row in result.rows] in ([(image, "moved")], [(image, "set")])
    assert strict.document("repo", "new") == document


def test_a_repeat_after_a_failure_has_the_etag_of_its_own_lookup(regtag, serve, strict, other):

    def head(request):
        etag = '"second"' if server.uploads else '"first"'
        return with_fields(bodiless(strict.usual(request)).replace(b"ETag", b"X"), [f"ETag: {etag}"])

    def put(request):
        return errors(503, "UNAVAILABLE") if len(server.uploads) == 1 else answer(201)

    strict.instead = {"HEAD": head, "PUT": put}
    server = serve(strict)

    regtag("tag", "--expect", other, f"{server.host}/repo:old", "new", retries=1)

    assert [sent for _, sent in changes(server)] == ['"first"', '"second"']


# ---- Many at once


@pytest.fixture
def contestants(serve, strict):
    """A server with an image for each of them, that answers the first lookups when all have come: so all
    have seen the same before the first of them changes anything.
    """
    documents = [
        compact(oci_manifest(annotations={"org.example.contestant": str(number)}))
        for number in range(CONTESTANTS)
    ]
    for number, one in enumerate(documents):
        strict.put("repo", f"from-{number}", OCI_MANIFEST, one)
    looks = {method: threading.Semaphore(CONTESTANTS) for method in ("HEAD", "GET")}
    all_there = threading.Barrier(CONTESTANTS)

    def look(request):
        whole = strict.usual(request)
        if request.path.endswith("/new") and looks[request.method].acquire(blocking=False):
            all_there.wait(SECONDS)
        return whole

    strict.instead = {"HEAD": look, "GET": look}
    return serve(strict), documents


def race(regtag, server, *guard):
    """All at once; (status, stdout, stderr) of each."""
    where = f"{server.host}/repo"
    options = ["--timeout", SECONDS, "--stall", "0", *guard]
    commands = [
        regtag.command("tag", *options, f"{where}:from-{number}", "new") for number in range(CONTESTANTS)
    ]
    return end([start(one, env=environment({})) for one in commands], SECONDS + 30)


def test_exactly_one_of_fifty_moves_the_tag(regtag, contestants, strict, other):
    server, documents = contestants

    results = race(regtag, server, "--expect", other)

    statuses = Counter(status for status, _, _ in results)
    assert statuses == {0: 1, 12: CONTESTANTS - 1}, (statuses, [one[2] for one in results[:3]])
    [winner] = [number for number, (status, _, _) in enumerate(results) if status == 0]
    assert strict.document("repo", "new") == documents[winner]
    assert [sent for _, sent in changes(server)] == [f'"{other}"'] * CONTESTANTS


def test_exactly_one_of_fifty_creates_the_tag(regtag, contestants, strict):
    strict.remove("repo", "new")
    server, _ = contestants

    results = race(regtag, server, "--no-clobber")

    assert Counter(status for status, _, _ in results) == {0: 1, 12: CONTESTANTS - 1}
    assert [sent for _, sent in changes(server)] == ["*"] * CONTESTANTS


def test_exactly_one_of_fifty_deletes_the_tag(regtag, contestants, strict, other):
    server, _ = contestants
    command = ["delete", "--timeout", SECONDS, "--stall", "0", "--expect", other]

    strict.instead.pop("GET")  # only who has deleted it asks for that
    words = regtag.command(*command, f"{server.host}/repo:new")
    results = end([start(words, env=environment({})) for _ in range(CONTESTANTS)], SECONDS + 30)

    assert Counter(status for status, _, _ in results) == {0: 1, 12: CONTESTANTS - 1}
    assert strict.document("repo", "new") is None
    assert [sent for _, sent in changes(server)] == [f'"{other}"'] * CONTESTANTS
