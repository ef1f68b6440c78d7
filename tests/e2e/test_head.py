"""A registry whose HEAD does not find, or refuses, what its GET finds (as Nexus, and some gateways do)."""

import pytest
from fake import answer, bodiless, errors
from images import OCI_MANIFEST
from watcher import NEW, OLD, RARELY, point, shell

pytest_plugins = ["watch_fixtures"]
STATUSES = [400, 402, 403, 404, 405, 406, 410, 412, 415, 423, 451, 501]
# A tag may have been created between HEAD and GET, so that a single one of these proves nothing about HEAD.
DENIALS = (403, 404, 410)
UNSUPPORTED = [400, 405, 501]
EVERY_STATUS = pytest.mark.parametrize("status", STATUSES)


def lie(shelf, status, tag=None):
    """Answers HEAD with this status, whether the tag is there or not."""
    shelf.hide(tag, answer(status), ["HEAD"])


def ask(watcher, times):
    """So many asks, each after the one before has been answered."""
    for _ in range(times):
        watcher.ask_now()
        watcher.err.next("* asks")
        watcher.err.next("* asks again in")


def asked(server):
    """METHOD TAG of each request."""
    return [f"{request.method} {request.path.rsplit('/')[-1]}" for request in server.requests]


@pytest.fixture
def shelf(shelf, other_document):
    """With a tag "new" that points at the other image."""
    shelf.put("repo", "new", OCI_MANIFEST, other_document)
    return shelf


@pytest.fixture
def tag(regtag, server):
    """tag(options…): moves "new" to where "old" points."""
    return lambda *options: regtag("tag", *options, f"{server.host}/repo:old", "new")


# ---- Guards


@EVERY_STATUS
@pytest.mark.parametrize(
    "guard", [["--no-clobber"], ["--expect", "absent"], ["--expect", "new=absent"]], ids=" ".join
)
def test_a_tag_that_is_there_is_not_overwritten(
    tag, server, shelf, other_document, image, other, status, guard
):
    lie(shelf, status)

    result = tag(*guard)

    assert result.status == 12, result
    assert result.rows == [(f"{server.host}/repo:new", image, "failed", other)]
    result.complaint(f"{server.host}/repo:new", other)
    assert shelf.document("repo", "new") == other_document
    assert asked(server) == ["GET old", "HEAD new", "GET new"]


@EVERY_STATUS
@pytest.mark.parametrize("name", ["", "new="])
def test_a_tag_that_is_where_it_is_expected_is_moved(tag, server, shelf, image, other, status, name):
    lie(shelf, status)

    result = tag("--expect", name + other)

    assert (result.status, result.err) == (0, b"")
    assert result.rows == [(f"{server.host}/repo:new", image, "moved", other)]
    assert asked(server) == ["GET old", "HEAD new", "GET new", "PUT new"]
    assert server.connections == 1


@EVERY_STATUS
def test_a_tag_that_is_elsewhere_is_left_alone(tag, server, shelf, other_document, image, status):
    lie(shelf, status)

    result = tag("--expect", image)

    assert result.status == 12, result
    assert shelf.document("repo", "new") == other_document
    assert server.uploads == []


@EVERY_STATUS
@pytest.mark.parametrize("missing", [404, 410])
def test_a_guarded_tag_that_is_absent_takes_one_get_more(
    tag, server, shelf, document, image, status, missing
):
    shelf.remove("repo", "new")
    lie(shelf, status)
    shelf.hide("new", errors(missing, "MANIFEST_UNKNOWN"), ["GET"])

    result = tag("--no-clobber")

    assert (result.status, result.err) == (0, b"")
    assert result.rows == [(f"{server.host}/repo:new", image, "created", "-")]
    assert shelf.document("repo", "new") == document
    assert asked(server) == ["GET old", "HEAD new", "GET new", "PUT new"]
    assert server.connections == 1


def test_a_real_registry_takes_one_get_more(regtag, registry, recorder, repository):
    result = regtag("tag", "--no-clobber", f"{recorder.host}/{repository}:old", "new")

    assert [row[2] for row in result.rows] == ["created"]
    assert asked(recorder) == ["GET old", "HEAD new", "GET new", "PUT new"]
    assert recorder.connections == 1
    assert registry.digest(repository, "new") == registry.digest(repository, "old")


@pytest.mark.parametrize("there", [True, False])
def test_without_a_guard_the_requests_are_as_ever(tag, server, shelf, document, image, there):
    if not there:
        shelf.remove("repo", "new")
    lie(shelf, 404)

    result = tag()

    assert (result.status, result.err) == (0, b"")
    assert result.rows == [(f"{server.host}/repo:new", image, "created", "-")]
    assert shelf.document("repo", "new") == document
    assert asked(server) == ["GET old", "HEAD new", "PUT new"]
    assert server.connections == 1


@pytest.mark.parametrize("status", [one for one in STATUSES if one != 404])
def test_without_a_guard_a_refused_head_leads_to_a_get(tag, server, shelf, image, other, status):
    lie(shelf, status)

    result = tag()

    assert result.rows == [(f"{server.host}/repo:new", image, "moved", other)]
    assert asked(server) == ["GET old", "HEAD new", "GET new", "PUT new"]
    assert server.connections == 1


# ---- After the upload


@EVERY_STATUS
def test_what_is_confirmed_is_read_back_with_get(tag, server, shelf, status):
    shelf.afterwards["HEAD"] = lambda request: answer(status, framed=False)

    result = tag("--confirm")

    assert (result.status, result.err) == (0, b"")
    assert [row[2] for row in result.rows] == ["moved"]
    assert asked(server) == ["GET old", "HEAD new", "PUT new", "HEAD new", "GET new"]


@EVERY_STATUS
def test_an_upload_that_a_server_failed_to_answer_is_found_with_get(tag, server, shelf, status):
    def put(request):
        shelf.usual(request)
        return errors(502, "UNKNOWN")

    shelf.instead["PUT"] = put
    shelf.afterwards["HEAD"] = lambda request: answer(status, framed=False)

    result = tag()

    assert (result.status, result.err) == (0, b"")
    assert [row[2] for row in result.rows] == ["moved"]
    assert asked(server) == ["GET old", "HEAD new", "PUT new", "HEAD new", "GET new"]


# ---- digest


@EVERY_STATUS
def test_the_digest_is_that_of_what_is_got(regtag, server, shelf, image, status):
    lie(shelf, status)

    result = regtag("digest", f"{server.host}/repo:old")

    assert (result.status, result.err) == (0, b"")
    assert result.lines == [image]
    assert asked(server) == ["HEAD old", "GET old"]
    assert server.connections == 1


@EVERY_STATUS
@pytest.mark.parametrize("missing", [404, 410])
def test_an_absent_image_is_told_with_the_words_of_the_get(regtag, server, shelf, status, missing):
    lie(shelf, status)
    shelf.hide("new", errors(missing, "MANIFEST_UNKNOWN", "nothing of that name"), ["GET"])

    result = regtag("digest", f"{server.host}/repo:new")

    assert (result.status, result.out) == (3, b"")
    result.complaint(f"{server.host}/repo:new", "nothing of that name")
    assert asked(server) == ["HEAD new", "GET new"]


@EVERY_STATUS
@pytest.mark.parametrize("refusal, expected", [(403, 4), (500, 17)])
def test_an_image_that_get_does_not_tell_of_is_not_called_absent(
    regtag, server, shelf, status, refusal, expected
):
    lie(shelf, status)
    shelf.hide("new", errors(refusal, "UNKNOWN"), ["GET"])

    result = regtag("digest", f"{server.host}/repo:new", retries=0)

    assert (result.status, result.out) == (expected, b"")


# ---- watch


@EVERY_STATUS
def test_watch_sees_what_is_got_and_asks_with_a_condition(server, shelf, image, watch, status):
    lie(shelf, status)
    command = shell('echo "${REGTAG_OLD:--} ${REGTAG_NEW:--}"')
    watcher = watch(f"{server.host}/repo:old", *RARELY, command=command)
    assert watcher.err.next("watching").endswith(image)
    point(shelf, shelf.document("repo", "new"))
    watcher.ask_now()
    watcher.out.next(f"{OLD} {NEW}")

    assert watcher.end() == 0
    head = ["HEAD old"] if status in DENIALS else []
    assert asked(server) == ["HEAD old", "GET old", *head, "GET old"]
    conditions = [request.value("If-None-Match") for request in server.requests]
    assert conditions == [None, None, *[f'"{OLD}"'] * (1 + len(head))]


@EVERY_STATUS
def test_watch_does_not_take_a_lie_for_a_deletion(server, shelf, watch, status):
    """It begins while the tag is to be seen."""
    command = shell('echo "command ${REGTAG_NEW:--}"')
    watcher = watch(f"{server.host}/repo:old", *RARELY, "-v", command=command)
    watcher.err.next("* asks again in")
    lie(shelf, status)
    watcher.ask_now()
    watcher.err.next("* asks")
    watcher.err.next("* asks again in")
    point(shelf, shelf.document("repo", "new"))
    watcher.ask_now()
    watcher.out.next(f"command {NEW}")

    assert watcher.end() == 0
    assert [line for line in watcher.out.all() if line.startswith("command")] == [f"command {NEW}"]
    head = ["HEAD old"] if status in DENIALS else []
    assert asked(server) == ["HEAD old", "HEAD old", "GET old", *head, "GET old"]


@EVERY_STATUS
def test_watch_tells_when_a_tag_is_gone_and_when_it_comes(server, shelf, watch, status):
    shelf.remove("repo", "new")
    document = shelf.document("repo", "old")
    shelf.remove("repo", "old")
    lie(shelf, status)
    watcher = watch(f"{server.host}/repo:old", *RARELY)
    watcher.err.next("not there yet")
    point(shelf, document)
    watcher.ask_now()
    watcher.out.next(f"-\t{OLD}")
    point(shelf, None)
    watcher.ask_now()
    watcher.out.next(f"{OLD}\t-")

    assert watcher.end() == 0
    first = [] if status in UNSUPPORTED else ["HEAD old"]
    second = ["HEAD old"] if status in [*UNSUPPORTED, *DENIALS] else []
    assert asked(server) == ["HEAD old", "GET old", *first, "GET old", *second, "GET old"]


@EVERY_STATUS
@pytest.mark.parametrize("times", [1, 5])
def test_watch_tries_head_again_after_odd_answers(server, shelf, watch, status, times):
    """GETs may count as pulls, HEADs are free."""
    watcher = watch(f"{server.host}/repo:old", *RARELY, "-v")
    watcher.err.next("* asks again in")
    lie(shelf, status)
    ask(watcher, times)
    shelf.show()
    before = len(server.requests)
    ask(watcher, 5)

    watcher.end()

    methods = [request.method for request in server.requests[before:]]
    assert len(methods) == 5
    assert methods.count("GET") <= 1


def test_watch_is_not_misled_by_the_page_of_a_portal(server, shelf, image, watch):
    watcher = watch(f"{server.host}/repo:old", *RARELY, "-v")
    watcher.err.next("* asks again in")
    page = answer(200, b"<html>", "Content-Type: text/html")
    shelf.hide(None, bodiless(page), ["HEAD"])
    ask(watcher, 1)
    shelf.show()
    ask(watcher, 5)

    watcher.end()

    assert watcher.out.all() == []
    assert asked(server)[:3] == ["HEAD old", "HEAD old", "GET old"]
    assert len(asked(server)) == 8
    assert asked(server)[3:].count("GET old") <= 1


# ---- delete


@EVERY_STATUS
def test_a_tag_that_head_denies_is_deleted(regtag, server, shelf, other, status):
    lie(shelf, status)

    result = regtag("delete", f"{server.host}/repo:new")

    assert (result.status, result.err) == (0, b"")
    assert result.rows == [(f"{server.host}/repo:new", "-", "deleted", other)]
    assert shelf.tags("repo") == ["old"]
    assert asked(server) == ["HEAD new", "GET new", "DELETE new", "GET new"]


@EVERY_STATUS
def test_a_guarded_tag_that_head_denies_is_not_deleted(regtag, server, shelf, image, status):
    lie(shelf, status)

    result = regtag("delete", "--expect", image, f"{server.host}/repo:new")

    assert result.status == 12, result
    assert shelf.document("repo", "new")
    assert asked(server) == ["HEAD new", "GET new"]


@EVERY_STATUS
def test_a_deletion_without_effect_is_not_taken_for_one(regtag, server, shelf, other, status):
    def delete(_):
        lie(shelf, status)
        return answer(202)

    shelf.instead["DELETE"] = delete

    result = regtag("delete", f"{server.host}/repo:new")

    assert result.status == 18, result
    result.complaint(other)
    assert asked(server) == ["HEAD new", "DELETE new", "HEAD new", "GET new"]


@EVERY_STATUS
@pytest.mark.parametrize("hidden", ["twin", "new", None])
def test_siblings_that_head_denies_are_told(
    regtag, server, shelf, other_document, document, status, hidden
):
    shelf.put("repo", "twin", OCI_MANIFEST, other_document)
    lie(shelf, status, hidden)

    def delete(request):
        by_digest = ":" in request.path.rsplit("/")[-1]
        return shelf.usual(request) if by_digest else errors(405, "UNSUPPORTED")

    shelf.instead["DELETE"] = delete

    result = regtag("delete", "--with-siblings", f"{server.host}/repo:new")

    assert result.status == 0, result
    assert [row[2] for row in result.rows] == ["deleted"]
    assert f"{server.host}/repo:twin goes with it" in result.err.decode()
    assert "repo:old" not in result.err.decode()
    assert shelf.tags("repo") == ["old"]
    assert shelf.document("repo", "old") == document


# ---- undo


@EVERY_STATUS
def test_a_move_is_undone(regtag, tag, server, shelf, other_document, tmp_path, status):
    assert tag("--journal", tmp_path / "moves").status == 0
    lie(shelf, status)

    result = regtag("undo", tmp_path / "moves")

    assert (result.status, result.err) == (0, b"")
    assert [row[2] for row in result.rows] == ["moved"]
    assert shelf.document("repo", "new") == other_document


@EVERY_STATUS
def test_a_creation_is_undone(regtag, tag, server, shelf, tmp_path, status):
    shelf.remove("repo", "new")
    assert tag("--journal", tmp_path / "moves").status == 0
    lie(shelf, status)

    result = regtag("undo", tmp_path / "moves")

    assert (result.status, result.err) == (0, b"")
    assert [row[2] for row in result.rows] == ["deleted"]
    assert shelf.tags("repo") == ["old"]


@EVERY_STATUS
def test_a_tag_that_was_moved_meanwhile_is_left_alone_by_undo(
    regtag, tag, server, shelf, tmp_path, status
):
    shelf.remove("repo", "new")
    assert tag("--journal", tmp_path / "moves").status == 0
    shelf.put("repo", "new", OCI_MANIFEST, b'{"schemaVersion":2}')
    lie(shelf, status)

    result = regtag("undo", tmp_path / "moves")

    assert result.status == 12, result
    assert shelf.document("repo", "new") == b'{"schemaVersion":2}'
