"""What `copy` does while an answer is on its way: the source is asked for a blob while its upload begins, and the target
for its tag while the last blob is committed, and in these tests the answer comes only after that. And what it shows of its
progress.
"""

import re
import threading

import pytest
from artifacts import file_layer
from depot import Depot, hang_up, refuse
from fake import Pause, answer, errors
from images import CONFIG, digest_of
from terminal import on_a_terminal

SMALL = b"a small blob\n"
PATIENCE = 20


@pytest.fixture
def source():
    depot = Depot()
    depot.put_layers("repo", "old", [(CONFIG, file_layer(SMALL)), (SMALL, file_layer(SMALL))])
    return depot


@pytest.fixture
def target():
    """The config is there already, so that there is one blob to copy."""
    depot = Depot()
    depot.blobs[digest_of(CONFIG)] = CONFIG
    return depot


@pytest.fixture
def copy(regtag, serve, source, target):
    origin, server = serve(source), serve(target, early=Depot.early)

    def run(*options, retries=0):
        images = f"{origin.host}/repo:old", f"{server.host}/repo:old"
        return regtag("copy", "--jobs", 2, *options, *images, retries=retries)

    run.requests = server.requests
    return run


def methods(requests, kind):
    return [one.method for one in requests if f"/{kind}/" in one.path]


def after(event, then):
    """A fault that waits."""

    def fault(depot, request):
        assert event.wait(PATIENCE)
        return then(depot, request)

    return fault


def test_the_source_is_asked_while_the_upload_begins(copy, source, target):
    asked = threading.Event()

    def blob(request, data):
        asked.set()
        return source.part(request, data)

    source.blob = blob
    target.faults = {"POST": [after(asked, Depot.blob_answer)]}

    assert copy().rows[0][2] == "created"


@pytest.mark.parametrize(
    "answered, more",
    [
        (Depot.blob_answer, ["DELETE"]),
        (refuse(403), []),  # may be read first
        (hang_up, ["POST", "DELETE"]),  # resent at once
    ],
)
def test_a_source_that_fails_meanwhile_is_the_reason(copy, source, target, answered, more):
    asked = threading.Event()

    def blob(request, data):
        yield answer(200, data[:-1])  # not as long as it should be
        asked.set()

    source.blob = blob
    target.faults = {"POST": [after(asked, answered)]}

    result = copy()

    assert result.rows[0][2] == "failed"
    if more:
        assert f"it has {len(SMALL) - 1} bytes instead of {len(SMALL)}" in result.err.decode()
    assert [one for one in methods(copy.requests, "blobs") if one != "HEAD"] == ["POST", *more]
    assert not target.uploads and not target.manifests


def look(target):
    """An event for the second HEAD of the tag."""
    looked, seen = threading.Event(), []

    def head(request):
        if "/manifests/" in request.path:
            seen.append(request)
            if len(seen) > 1:
                looked.set()
        return target.usual(request)

    target.instead["HEAD"] = head
    return looked


def test_the_tag_is_looked_up_while_the_last_blob_is_committed(copy, target):
    target.faults = {"PUT": [after(look(target), Depot.blob_answer)]}

    assert copy().rows[0][2] == "created"
    assert methods(copy.requests, "manifests") == ["HEAD", "HEAD", "PUT"]


def test_it_is_looked_up_anew_if_the_blob_is_uploaded_again(copy, target):
    target.faults = {"PUT": [after(look(target), refuse(500))]}

    assert copy(retries=3).rows[0][2] == "created"
    assert methods(copy.requests, "manifests") == ["HEAD", "HEAD", "HEAD", "PUT"]


def test_a_blob_that_is_refused_meanwhile_sets_no_tag(copy, target):
    target.faults = {"PUT": [after(look(target), refuse(403))]}

    result = copy()

    assert (result.status, result.rows[0][2]) == (4, "failed")
    assert methods(copy.requests, "manifests") == ["HEAD", "HEAD"]


def test_a_guard_is_checked_right_before_the_tag_is_set(copy, target):
    order = []
    target.instead["HEAD"] = lambda request: (order.append(request.path), target.usual(request))[1]
    target.faults = {"PUT": [lambda depot, request: (order.append("commit"), depot.blob_answer(request))[1]]}

    assert copy("--no-clobber").rows[0][2] == "created"
    assert "commit" in order[:-1] and order[-1] == "/v2/repo/manifests/old"  # the other blob may be looked up last


def test_a_manifest_that_is_refused_is_the_last_request(copy, target):
    target.instead["PUT"] = lambda request: (
        errors(400, "MANIFEST_INVALID") if "/manifests/" in request.path else target.usual(request)
    )

    assert copy().rows[0][2] == "failed"
    assert methods(copy.requests, "manifests") == ["HEAD", "HEAD", "PUT"]


# ---- Progress


@pytest.mark.parametrize("options, shows", [([], True), (["-q"], False)])
def test_a_terminal_shows_how_far_all_blobs_are(regtag, serve, source, target, options, shows):
    """The second half comes after more than a second."""
    big = bytes(2_000_000)
    source.put_layers("repo", "old", [(CONFIG, file_layer(CONFIG)), (big, file_layer(big))])
    source.blob = lambda request, data: [answer(200, data)[:-1_000_000], Pause(1.1), data[1_000_000:]]
    images = f"{serve(source).host}/repo:old", f"{serve(target, early=Depot.early).host}/repo:old"

    text = on_a_terminal(regtag, "copy", *options, *images)

    shown = text.split(b"\r\x1b[K")
    assert shown[0] == shown[-1] == b""
    assert len(shown) > 2 if shows else shown == [b""], shown
    assert all(re.fullmatch(rb"\d\.\d MB of 2\.0 MB, \d+ %, [\d.]+ [kM]B/s", one) for one in shown[1:-1]), shown


def test_what_is_quick_shows_nothing(regtag, serve, source, target):
    images = f"{serve(source).host}/repo:old", f"{serve(target, early=Depot.early).host}/repo:old"

    assert on_a_terminal(regtag, "copy", *images) == b""
