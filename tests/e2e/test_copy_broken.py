"""`copy`, when the source or the target fails halfway: the tag is the old one, or the new one with all that it
refers to, and whatever was given up is cancelled.
"""

import threading

import pytest
from artifacts import artifact, file_layer
from copies import changes
from depot import Depot, at, cut, hang_up, refuse, short, unanswered
from fake import CLOSE, HANG_UP, READ_BODY, Pause, answer, errors
from images import CONFIG, OCI_INDEX, OCI_MANIFEST, compact, descriptor, digest_of, padded

SMALL = b"a small blob, of which each byte counts\n"
BIG = bytes(range(251)) * 4000  # more than all buffers on the way
REFUSED = 10


@pytest.fixture
def source():
    return Depot()


@pytest.fixture
def target():
    return Depot()


@pytest.fixture
def copy(regtag, serve, source, target):
    """Copies repo:old, with a few attempts; `copy.server` is the target's."""
    origin, server = serve(source), serve(target, early=Depot.early)

    def run(*options, retries=3, image="old", to="repo:old"):
        words = [*options, "--jobs", 1] if "--jobs" not in options else options
        return regtag(
            "copy",
            *words,
            f"{origin.host}/repo{'' if '@' in image else ':'}{image}",
            f"{server.host}/{to}",
            retries=retries,
        )

    run.server = server
    run.origin = origin
    return run


def store(depot, *blobs):
    """repo:old is an artifact of these; its manifest."""
    depot.blobs[digest_of(CONFIG)] = CONFIG
    depot.put_layers("repo", "old", [(data, file_layer(data)) for data in blobs])
    return depot.document("repo", "old")


def lines_of_blobs(server, methods):
    return [one.method for one in server.requests if "/blobs/" in one.path and one.method in methods]


def copied(result, source, target):
    assert (result.status, result.rows[0][2]) == (0, "created"), result
    assert target.blobs == source.blobs and not target.uploads
    assert target.document("repo", "old") == source.document("repo", "old")


def untouched(result, target, status=None):
    """Failed, and nothing is left behind."""
    assert result.status == status if status else result.status > 0, result
    assert result.rows[0][2] == "failed"
    assert target.manifests == {} and not target.uploads, target.uploads


# ---- The target ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults, begun",
    [
        ({"PATCH": [cut(10)]}, 1),  # goes on
        ({"PATCH": [cut(10, 0)]}, 2),
        ({"PATCH": [cut(1)]}, 2),  # "Range: 0-0" may mean one byte, or none
        ({"PATCH": [cut(0)]}, None),  # resent at once, if the rest was not on its way
        ({"PATCH": [cut(len(SMALL))]}, 1),
        ({"PATCH": [cut(10), cut(7), cut(3)]}, 1),
        ({"PATCH": [short(10)]}, 1),
        ({"PATCH": [refuse(500)]}, 2),
        ({"PATCH": [refuse(503)], "GET": [refuse(404)]}, 2),
        ({"PATCH": [refuse(416)]}, 2),
        ({"PATCH": [refuse(404)]}, 2),
        ({"PATCH": [cut(10)], "GET": [at(7)]}, 1),  # is refused, and looks again
        ({"PATCH": [cut(10)], "GET": [at(1000)]}, 2),
        ({"PATCH": [cut(10)], "GET": [hang_up]}, 1),
        ({"PATCH": [cut(10)], "GET": [refuse(404)], "DELETE": [hang_up]}, 2),
        ({"POST": [refuse(500), hang_up]}, 1),
        ({"HEAD": [refuse(503)]}, 1),
        ({"HEAD": [refuse(405)] * 2}, 2),
        ({"PUT": [unanswered]}, 1),
        ({"PUT": [hang_up]}, 2),
        ({"PUT": [refuse(500)]}, 2),
    ],
)
def test_what_the_target_interrupts_is_completed(copy, source, target, faults, begun):
    store(source, SMALL)
    target.blobs[digest_of(CONFIG)] = CONFIG
    target.faults = {method: list(some) for method, some in faults.items()}

    result = copy()

    assert (result.status, result.rows[0][2]) == (0, "created"), result
    assert target.blobs == source.blobs
    assert target.document("repo", "old") == source.document("repo", "old")
    assert not any(target.faults.values()), target.faults
    posted = len(lines_of_blobs(copy.server, ["POST"])) - len(faults.get("POST", []))
    assert begun in (None, posted)


@pytest.mark.parametrize("kept", [None, 1000])
def test_a_big_blob_goes_on_or_begins_again(copy, source, target, kept):
    store(source, BIG)
    target.blobs[digest_of(CONFIG)] = CONFIG
    target.faults = {"PATCH": [refuse(503), cut(600_000, kept)]}

    copied(copy(), source, target)


@pytest.mark.parametrize("size", [0, 1, 5000, 600_000])
def test_a_big_blob_that_is_cut_is_a_failure(copy, source, target, size):
    """Also where that could have been an idle connection that was closed."""
    store(source, BIG)
    target.blobs[digest_of(CONFIG)] = CONFIG
    target.faults = {"PATCH": [cut(size)] * 2}

    untouched(copy(retries=0), target)
    target.faults = {}
    copied(copy(retries=0), source, target)


@pytest.mark.parametrize(
    "faults",
    [
        {"PATCH": [cut(10)] * 2},
        {"PATCH": [refuse(403)]},
        {"PATCH": [cut(10)], "GET": [hang_up] * 2},
        {"POST": [refuse(403)]},
        {"POST": [refuse(500)] * 2},
        {"POST": [lambda depot, request: answer(202)]},
        {"HEAD": [refuse(403)]},
        {"HEAD": [hang_up] * 4},
        {"PUT": [refuse(400)]},
        {"PUT": [hang_up] * 2},
        {"PUT": [hang_up], "HEAD": [refuse(404), hang_up, hang_up]},
    ],
)
def test_what_the_target_breaks_for_good_sets_no_tag(copy, source, target, faults):
    store(source, SMALL)
    target.blobs[digest_of(CONFIG)] = CONFIG
    target.faults = {method: list(some) for method, some in faults.items()}

    result = copy(retries=1)

    assert result.status > 0 and result.rows[0][2] == "failed", result
    assert target.manifests == {}
    target.faults = {}
    assert copy().rows[0][2] == "created"
    assert target.blobs == source.blobs


def test_where_a_blob_cannot_be_mounted_it_is_streamed(regtag, serve, target):
    """Also after that upload has been lost, whether it could be committed or not."""
    document = store(target, SMALL)
    server = serve(target, early=Depot.early)
    missing = refuse(404)
    target.faults = {"HEAD": [missing] * 4, "PATCH": [cut(10, 0)], "PUT": [hang_up]}

    result = regtag("copy", "--jobs", 1, f"{server.host}/repo:old", f"{server.host}/two:old", retries=3)

    assert result.status == 0, result
    assert target.document("two", "old") == document
    begun = [one for one in server.requests if one.method == "POST"]
    assert len(begun) == 4 and all("mount=" in one.query for one in begun)


# ---- The source ------------------------------------------------------------------------------------


def wrong(request, data):
    return answer(200, bytes(len(data)))


def broken(request, data):
    return [answer(200, data)[:-10], HANG_UP]


def absent(request, data):
    return errors(404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("jobs", [1, 8])
@pytest.mark.parametrize("answers", [wrong, broken, absent])
def test_a_source_that_fails_for_good_sets_no_tag(copy, source, target, answers, jobs):
    store(source, *(SMALL + bytes([number]) for number in range(4)))
    source.blob = answers

    result = copy("--jobs", jobs, retries=0)

    untouched(result, target, REFUSED if answers is wrong else None)
    assert [one.path for one in changes(copy.server.requests) if one.method == "PUT"] == []
    source.blob = None
    copied(copy(), source, target)


@pytest.mark.parametrize("answers", [wrong, broken])
def test_a_target_that_does_not_cancel_uploads_either(copy, source, target, answers):
    store(source, BIG)
    source.blob = answers
    target.faults = {"DELETE": [hang_up] * 2}

    result = copy(retries=0)

    assert result.status > 0 and target.manifests == {}
    assert lines_of_blobs(copy.server, ["PUT", "DELETE"]) == ["DELETE"]


@pytest.mark.parametrize("to", ["repo", "two"])  # where it could be mounted
def test_an_upload_that_begins_while_another_blob_fails_is_cancelled(regtag, serve, target, to):
    """The answer to its POST comes when the other one's has been read: either order is right, this one is rare."""
    store(target, SMALL)
    came, refused = threading.Event(), threading.Event()

    def refusal(depot, request):
        assert came.wait(20)
        yield next(refuse(403)(depot, request))
        refused.set()

    def late(depot, request):
        came.set()
        assert refused.wait(20)
        return [Pause(0.2), depot.blob_answer(request)]

    target.faults = {"HEAD": [refuse(404)] * 2, "POST": [refusal, late]}
    server = serve(target, early=Depot.early)

    result = regtag("copy", "--jobs", 2, f"{server.host}/repo:old", f"{server.host}/{to}:new")

    assert result.status > 0 and result.rows[0][2] == "failed", result
    assert lines_of_blobs(server, ["POST", "DELETE"]) == ["POST", "POST", "DELETE"]
    assert not target.uploads


# ---- Each byte -------------------------------------------------------------------------------------

PLACES = range(len(SMALL))


def changed(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_each_byte_changed_on_the_way_down_is_noticed(copy, source, target):
    store(source, SMALL)
    target.blobs[digest_of(CONFIG)] = CONFIG
    for place in PLACES:
        source.blob = lambda request, data, place=place: answer(200, changed(data, place))

        untouched(copy(retries=0), target, REFUSED)

    assert copy.server.uploads == []


def test_each_byte_changed_on_the_way_up_is_noticed(copy, source, target):
    """By the registry: what it has stored is its own to check, and no request would show it."""
    store(source, SMALL)
    target.blobs[digest_of(CONFIG)] = CONFIG
    for place in PLACES:

        def change(depot, request, place=place):
            yield READ_BODY
            request.body = changed(request.body, place)
            depot.keep(request)
            yield depot.status(request.path, 202)

        target.faults = {"PATCH": [change]}

        untouched(copy(retries=0), target, REFUSED)


def one_for_each_byte():
    """Blobs of the same size."""
    return [b"%02d" % place + SMALL[2:] for place in PLACES]


def test_the_source_may_break_at_each_byte(copy, source, target):
    store(source, *one_for_each_byte())
    seen = set()

    def break_once(request, data):
        whole = source.part(request, data)
        if data == CONFIG or data in seen:
            return whole
        seen.add(data)
        return [whole[: -len(data)] + data[: int(data[:2])], HANG_UP]

    source.blob = break_once

    copied(copy("--jobs", 8), source, target)
    assert len(seen) == len(SMALL)


def test_the_target_may_break_at_each_byte(copy, source, target):
    blobs = one_for_each_byte()
    store(source, *blobs)
    target.blobs[digest_of(CONFIG)] = CONFIG
    target.faults = {"PATCH": [cut_once(place) for place in PLACES]}

    copied(copy("--jobs", 8), source, target)


def cut_once(place):
    """Not if the upload goes on, for one blob is to be interrupted only so often."""

    def steps(depot, request):
        fault = cut(place)
        if depot.uploads[request.path]:
            depot.faults["PATCH"].append(steps)
            return depot.blob_answer(request)
        return fault(depot, request)

    return steps


# ---- Manifests -------------------------------------------------------------------------------------


def index(*children, media_type=OCI_INDEX, **more):
    return {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor(media_type, one) for one in children],
        **more,
    }


def image(number, size=0):
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("application/json", CONFIG),
        "layers": [],
        "annotations": {"number": str(number)},
    }
    return padded(document, size) if size else compact(document)


@pytest.fixture
def shelve(source):
    """Puts manifests into the source: a child by its digest, the last one as repo:old."""
    source.blobs[digest_of(CONFIG)] = CONFIG

    def put(*documents):
        for document in documents:
            kind = OCI_INDEX if b'"manifests"' in document else OCI_MANIFEST
            source.put("repo", "old", kind, document)

    return put


def names_put(server):
    return [one.path.rpartition("/")[2] for one in server.uploads if "/manifests/" in one.path]


@pytest.mark.parametrize("there", [False, True], ids=["absent", "there"])
def test_parents_that_do_not_fit_beside_a_child_are_fetched_again(copy, source, target, shelve, there):
    """Two levels of them, and children on both sides of what is large."""
    large = image(1, 2_000_000)
    inner = compact(index(image(0), large, image(2)))
    outer = padded(index(inner, media_type=OCI_INDEX), 2_500_000)
    shelve(image(0), large, image(2), inner, outer)
    if there:
        target.put("repo", "large", OCI_MANIFEST, large)

    result = copy()

    assert (result.status, result.rows[0][1:3]) == (0, (digest_of(outer), "created"))
    children = [digest_of(one) for one in (image(0), large, image(2), inner)]
    assert names_put(copy.server) == [one for one in children if not there or one != children[1]] + ["old"]
    fetched = [one.path.rpartition("/")[2] for one in copy.origin.requests if "/manifests/" in one.path]
    assert fetched.count(digest_of(inner)) == 2 and fetched.count(digest_of(outer)) == 1


def test_indexes_may_be_four_deep(copy, source, target, shelve):
    levels = [image(0)]
    for _ in range(4):
        levels.append(compact(index(levels[-1], media_type=OCI_INDEX if levels[1:] else OCI_MANIFEST)))
    shelve(*levels)

    assert copy().rows[0][2] == "created"
    assert names_put(copy.server) == [digest_of(one) for one in levels[:-1]] + ["old"]

    levels.append(compact(index(levels[-1])))
    shelve(*levels)
    target.manifests.clear()
    result = copy()
    assert result.status == REFUSED and target.manifests == {}
    result.complaint("more than 4 deep")


def test_a_child_that_cannot_be_checked_is_refused(copy, source, target, shelve):
    document = index(image(0))
    document["manifests"][0]["digest"] = "sha512:" + "0" * 128
    shelve(image(0), compact(document))

    untouched(copy(), target, REFUSED)


def test_an_index_without_a_tag_is_uploaded_by_its_digest(copy, source, target, shelve):
    whole = compact(index(image(0)))
    shelve(image(0), whole)

    result = copy(image=f"@{digest_of(whole)}", to="repo")

    assert result.rows[0][1:3] == (digest_of(whole), "created")
    assert names_put(copy.server) == [digest_of(image(0)), digest_of(whole)]


@pytest.mark.parametrize("method", ["HEAD", "PUT"])
def test_a_target_that_fails_with_a_child_gets_no_tag(copy, source, target, shelve, method):
    whole = compact(index(image(0)))
    shelve(image(0), whole)
    child = digest_of(image(0))
    target.instead[method] = lambda request: (
        [CLOSE] if request.path.endswith(child) else target.usual(request)
    )

    untouched(copy(retries=0), target)


@pytest.mark.parametrize("status, code", [(500, 17), (429, 14)])
def test_a_target_that_cannot_say_whether_a_child_is_there_fails(copy, source, target, shelve, status, code):
    shelve(image(0), compact(index(image(0))))
    child = digest_of(image(0))
    target.instead["HEAD"] = lambda request: (
        refuse(status)(target, request) if request.path.endswith(child) else target.usual(request)
    )

    untouched(copy(retries=1), target, code)
    assert copy.server.uploads == []


@pytest.mark.parametrize("status", [403, 405, 410])
def test_a_head_that_is_refused_does_not_say_that_a_child_is_absent(copy, source, target, shelve, status):
    whole = compact(index(image(0)))
    shelve(image(0), whole)
    child = digest_of(image(0))
    target.instead["HEAD"] = lambda request: (
        refuse(status)(target, request) if request.path.endswith(child) else target.usual(request)
    )

    assert copy().rows[0][1:3] == (digest_of(whole), "created")
