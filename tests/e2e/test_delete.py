"""regtag delete: the tag and nothing else, or a reason why not."""

import re

import pytest
from accounts import auths
from fake import CLOSE, RESET, STALL, answer, bodiless, errors
from images import DOCKER_MANIFEST, OCI_MANIFEST, compact, docker_style, oci_manifest
from images import docker_manifest
from recorder import Recorder
from token_server import Tokens, parameters, password_gate, secret, token_gate

pytest_plugins = ["account_fixtures"]
USER = "somebody"


def methods(server):
    return [request.method for request in server.requests]


@pytest.fixture
def siblings(shelf, document, other_document):
    """The shelf with more tags of the image, and one of another."""
    for name in ("second", "third"):
        shelf.put("repo", name, OCI_MANIFEST, document)
    shelf.put("repo", "stranger", OCI_MANIFEST, other_document)
    return shelf


def only_by_digest(shelf, refusal):
    """A registry that does not know how to delete a tag."""

    def delete(request):
        by_digest = ":" in request.path.rsplit("/")[-1]
        return shelf.usual(request) if by_digest else refusal

    return delete


DIGEST_INVALID = errors(400, "DIGEST_INVALID", "provided digest did not match uploaded content")


def told_to_go(result):
    """The references that are told to be deleted as well."""
    return re.findall(r"^regtag: (\S+) will be deleted", result.err.decode(), re.MULTILINE)


NOT_BY_TAG = {
    "400_digest_invalid": DIGEST_INVALID,
    "400_unsupported": errors(400, "UNSUPPORTED", "not by tag"),
    "501_unsupported": errors(501, "UNSUPPORTED", "The operation is unsupported."),
    "405_unsupported": errors(405, "UNSUPPORTED", "The operation is unsupported."),
    "405_in_plain_text": answer(405, b"Method not allowed\n", "Content-Type: text/plain"),
    "405_in_html": answer(405, b"<html>no</html>", "Content-Type: text/html"),
}


# ---- A tag


def test_a_tag_is_deleted_and_its_siblings_stay(regtag, serve, siblings, document, image):
    server = serve(siblings)

    result = regtag("delete", f"{server.host}/repo:old")

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{server.host}/repo:old", "-", "deleted", image)]
    assert siblings.tags("repo") == ["second", "third", "stranger"]
    assert siblings.document("repo", image) == document
    assert server.request_lines == [
        "HEAD /v2/repo/manifests/old",
        "DELETE /v2/repo/manifests/old",
        "HEAD /v2/repo/manifests/old",
        "GET /v2/repo/manifests/old",
    ]
    assert server.connections == 1


def test_several_tags_are_deleted(regtag, serve, siblings, image, other):
    server = serve(siblings)
    where = f"{server.host}/repo"

    result = regtag("delete", f"{where}:old", f"{where}:stranger")

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [
        (f"{where}:old", "-", "deleted", image),
        (f"{where}:stranger", "-", "deleted", other),
    ]
    assert siblings.tags("repo") == ["second", "third"]


@pytest.mark.parametrize("more", [0, 20])
@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["really", "dry"])
def test_a_tag_that_is_given_twice_is_deleted_once(regtag, serve, siblings, image, document, options, more):
    names = ["old", *(f"more-{number}" for number in range(more)), "missing", "second"]
    for name in names[1:-2]:
        siblings.put("repo", name, OCI_MANIFEST, document)
    server = serve(siblings)
    given = [f"{server.host}/repo:{name}" for name in [*names[:-1], "old", *names]]

    result = regtag("delete", *options, *given)

    assert result.status == 3, result
    assert [row[0].rpartition(":")[2] for row in result.rows] == names
    assert [row[2] for row in result.rows] == [*["deleted"] * (more + 1), "failed", "deleted"]
    assert methods(server).count("DELETE") == (0 if options else more + 2)


def test_a_tag_that_is_not_named_is_not_guessed(regtag, serve, shelf, other_document):
    shelf.put("repo", "latest", OCI_MANIFEST, other_document)
    server = serve(shelf)

    result = regtag("delete", f"{server.host}/repo")

    assert (result.status, result.out) == (2, b"")
    result.complaint(f"{server.host}/repo", "tag")
    assert sorted(shelf.tags("repo")) == ["latest", "old"]
    assert server.requests == []


def test_json_tells_what_was_deleted(regtag, serve, shelf, image):
    server = serve(shelf)

    [told] = regtag("delete", "--json", f"{server.host}/repo:old").objects

    assert told["reference"] == f"{server.host}/repo:old"
    assert (told["result"], told["status"], told["previous"]) == ("deleted", 0, image)
    assert told["digest"] in (None, "-")


@pytest.mark.parametrize("missing", ["tag", "repository"])
def test_what_is_not_there_is_not_deleted(regtag, serve, shelf, missing):
    server = serve(shelf)
    name = "repo:nothing" if missing == "tag" else "nothing:old"

    result = regtag("delete", f"{server.host}/{name}")

    assert result.status == 3, result
    result.complaint(f"{server.host}/{name}")
    assert result.rows == [(f"{server.host}/{name}", "-", "failed", "-")]
    assert "DELETE" not in methods(server)


def test_what_fails_does_not_stop_the_others(regtag, serve, siblings, image):
    server = serve(siblings)
    where = f"{server.host}/repo"

    result = regtag("delete", f"{where}:second", f"{where}:nothing", f"{where}:third")

    assert result.status == 3, result
    result.complaint(f"{where}:nothing")
    assert result.rows == [
        (f"{where}:second", "-", "deleted", image),
        (f"{where}:nothing", "-", "failed", "-"),
        (f"{where}:third", "-", "deleted", image),
    ]


@pytest.mark.parametrize("tag", ["", ":old"], ids=["bare", "with_a_tag"])
def test_a_digest_is_no_tag(regtag, serve, shelf, image, tag):
    """Deleting a manifest takes all its tags along: that is not what this is for."""
    server = serve(shelf)

    result = regtag("delete", f"{server.host}/repo{tag}@{image}")

    assert result.status == 2, result
    result.complaint("digest")
    assert server.connections == 0


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_deletion_is_done_with(regtag, serve, shelf, image, status):
    def delete(request):
        shelf.usual(request)
        return answer(status) if status != 204 else answer(204, framed=False)

    shelf.instead["DELETE"] = delete
    server = serve(shelf)

    result = regtag("delete", f"{server.host}/repo:old")

    assert (result.status, result.err) == (0, b""), result
    assert [row[2:] for row in result.rows] == [("deleted", image)]


def test_a_deletion_that_is_told_but_not_done_is_found_out(regtag, serve, shelf):
    shelf.instead["DELETE"] = lambda request: answer(202)
    server = serve(shelf)

    result = regtag("delete", f"{server.host}/repo:old")

    assert result.status in (15, 18), result
    result.complaint(f"{server.host}/repo:old")
    assert [row[2] for row in result.rows] in (["failed"], ["uncertain"])


def test_a_deletion_that_cannot_be_seen_is_uncertain(regtag, serve, shelf, image):
    deleted = []

    def delete(request):
        deleted.append(request)
        return shelf.usual(request)

    shelf.instead["DELETE"] = delete
    shelf.instead["HEAD"] = lambda request: (
        bodiless(answer(500)) if deleted else shelf.usual(request)
    )
    server = serve(shelf)

    result = regtag("delete", f"{server.host}/repo:old")

    assert result.status == 18, result
    assert result.rows == [(f"{server.host}/repo:old", "-", "uncertain", image)]


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["closed", "reset"])
def test_a_deletion_that_was_done_but_not_answered_is_found_out(regtag, serve, shelf, image, end):
    def delete(request):
        if shelf.document("repo", "old"):
            shelf.usual(request)
        return [end]

    shelf.instead["DELETE"] = delete
    server = serve(shelf)

    result = regtag("delete", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert result.rows == [(f"{server.host}/repo:old", "-", "deleted", image)]


def test_a_deletion_that_is_never_answered_is_left_at_the_deadline(regtag, serve, shelf):
    shelf.instead["DELETE"] = lambda request: [STALL]
    server = serve(shelf)

    result = regtag("delete", "--timeout", "2", f"{server.host}/repo:old", limit=30)

    assert result.status in (6, 18), result
    assert [row[2] for row in result.rows] in (["failed"], ["uncertain"])


def test_without_a_stated_digest_it_is_computed(regtag, serve, shelf, image):
    def silent(request):
        whole = shelf.usual(request)
        lines = whole.split(b"\r\n")
        return b"\r\n".join(one for one in lines if not one.startswith(b"Docker-Content-Digest"))

    shelf.instead["HEAD"] = shelf.instead["GET"] = silent
    server = serve(shelf)

    result = regtag("delete", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert result.rows == [(f"{server.host}/repo:old", "-", "deleted", image)]


@pytest.mark.parametrize(
    "refusal, status",
    [
        (errors(401, "UNAUTHORIZED"), 4),
        (errors(403, "DENIED"), 4),
        (errors(403, "DENIED", "the tag is protected"), 13),
        (errors(403, "TAG_IMMUTABLE"), 13),
        (errors(423, "LOCKED"), 13),
        (errors(429, "TOOMANYREQUESTS", "", "Retry-After: 60"), 14),
        (errors(500, "UNKNOWN"), 17),
    ],
    ids=["401", "403", "protected", "immutable", "423", "429", "500"],
)
def test_a_refused_deletion_has_its_status(regtag, serve, shelf, image, refusal, status):
    shelf.instead["DELETE"] = lambda request: refusal
    server = serve(shelf)

    result = regtag("delete", "--timeout", "5", f"{server.host}/repo:old")

    assert result.status == status, result
    code = re.search(rb'"code":"(\w+)"', refusal)[1].decode()
    result.complaint(f"{server.host}/repo:old", *([] if status == 4 else [code]))
    assert result.rows == [(f"{server.host}/repo:old", "-", "failed", image)]
    assert shelf.tags("repo") == ["old"]


# ---- A tag that vanishes, or seems to


MISSING = errors(404, "MANIFEST_UNKNOWN", "manifest unknown")
GONE = [MISSING, errors(410, "MANIFEST_UNKNOWN"), answer(404)]


@pytest.fixture
def gone_first(shelf):
    """Somebody else deletes the tag right before it is to be deleted."""

    def delete(request):
        shelf.manifests.pop(("repo", "old"), None)
        return MISSING

    shelf.instead["DELETE"] = delete
    return shelf


def test_a_tag_that_is_gone_meanwhile_is_told(regtag, serve, gone_first):
    server = serve(gone_first)

    result = regtag("delete", f"{server.host}/repo:old")

    assert result.status == 3, result
    result.complaint("no such tag", "MANIFEST_UNKNOWN")
    assert result.rows == [(f"{server.host}/repo:old", "-", "failed", "-")]
    assert methods(server) == ["HEAD", "DELETE", "HEAD", "GET"]


@pytest.mark.parametrize("refusal", GONE, ids=["404", "410", "404_without_body"])
def test_a_tag_that_is_there_is_not_said_to_be_missing(regtag, serve, shelf, image, refusal):
    shelf.instead["DELETE"] = lambda request: refusal
    server = serve(shelf)

    result = regtag("delete", "--ignore-missing", f"{server.host}/repo:old")

    assert result.status == 13, result
    result.complaint(f"{server.host}/repo:old", "cannot be deleted", "--with-siblings")
    assert result.rows == [(f"{server.host}/repo:old", "-", "failed", image)]


def test_a_registry_that_finds_only_digests_deletes_the_manifest(regtag, serve, siblings, image):
    siblings.instead["DELETE"] = only_by_digest(siblings, MISSING)
    server = serve(siblings)

    result = regtag("delete", "--with-siblings", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert siblings.tags("repo") == ["stranger"]


def test_a_tag_of_which_nobody_knows_is_uncertain(regtag, serve, shelf, image):
    def delete(request):
        shelf.hide("old", errors(403, "DENIED"))
        return MISSING

    shelf.instead["DELETE"] = delete
    server = serve(shelf)

    result = regtag("delete", f"{server.host}/repo:old")

    assert result.status == 18, result
    assert result.rows == [(f"{server.host}/repo:old", "-", "uncertain", image)]


def test_a_tag_that_was_moved_meanwhile_stays(regtag, serve, shelf, image, other, other_document):
    def delete(request):
        shelf.put("repo", "old", OCI_MANIFEST, other_document)
        return MISSING

    shelf.instead["DELETE"] = delete
    server = serve(shelf)

    result = regtag("delete", "--expect", image, f"{server.host}/repo:old")

    assert result.status == 12, result
    assert result.rows == [(f"{server.host}/repo:old", "-", "failed", other)]


def test_a_deletion_that_arrives_late_is_done(regtag, serve, shelf, image):
    """The first request is answered by nobody, and carried out after the second look."""

    def delete(request):
        if methods(server).count("DELETE") == 1:
            return [CLOSE]
        shelf.manifests.pop(("repo", "old"), None)
        return MISSING

    shelf.instead["DELETE"] = delete
    server = serve(shelf)

    result = regtag("delete", f"{server.host}/repo:old", retries=2)

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{server.host}/repo:old", "-", "deleted", image)]


@pytest.mark.parametrize("missing", ["tag", "repository"])
@pytest.mark.parametrize("guard", [[], ["--expect", "sha256:" + "0" * 64], ["--expect", "absent"]])
def test_what_is_missing_may_be_ignored(regtag, serve, shelf, tmp_path, missing, guard):
    server = serve(shelf)
    name = "repo:nothing" if missing == "tag" else "nothing:old"
    where = f"{server.host}/{name}"

    result = regtag("delete", "--ignore-missing", "--journal", tmp_path / "j", *guard, where)

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(where, "-", "unchanged", "-")]
    assert "DELETE" not in methods(server)
    assert (tmp_path / "j").read_bytes() == b""


def test_what_is_gone_meanwhile_may_be_ignored(regtag, serve, gone_first, tmp_path):
    server = serve(gone_first)
    where = f"{server.host}/repo:old"

    result = regtag("delete", "--ignore-missing", "--json", "--journal", tmp_path / "j", where)

    [told] = result.objects
    assert (result.status, result.err, told["result"]) == (0, b"", "unchanged"), result
    outcomes = [line.split("\t")[4] for line in (tmp_path / "j").read_text().splitlines()]
    assert outcomes == ["moving", "unchanged"]
    assert regtag("undo", tmp_path / "j").out == b""


@pytest.mark.parametrize("refusal, status", [(errors(403, "DENIED"), 4), (answer(500), 17)])
def test_what_cannot_be_seen_is_not_ignored(regtag, serve, shelf, image, refusal, status):
    shelf.hide(None, refusal)
    server = serve(shelf)

    result = regtag("delete", "--ignore-missing", "--expect", image, f"{server.host}/repo:nothing")

    assert result.status == (12 if status == 4 else status), result


def test_the_others_are_deleted_where_one_is_ignored(regtag, serve, shelf, image):
    server = serve(shelf)
    where = f"{server.host}/repo"

    result = regtag("delete", "--ignore-missing", f"{where}:nothing", f"{where}:old")

    assert (result.status, result.err) == (0, b""), result
    assert [row[2] for row in result.rows] == ["unchanged", "deleted"]


# ---- Guards


@pytest.mark.parametrize("how", ["for_all", "by_name"])
def test_a_tag_that_is_as_expected_is_deleted(regtag, serve, shelf, image, how):
    server = serve(shelf)
    guard = image if how == "for_all" else f"old={image}"

    result = regtag("delete", "--expect", guard, f"{server.host}/repo:old")

    assert (result.status, result.err) == (0, b""), result
    assert shelf.tags("repo") == []


def test_a_tag_that_is_not_as_expected_stays(regtag, serve, shelf, image, other):
    server = serve(shelf)

    result = regtag("delete", "--expect", other, f"{server.host}/repo:old")

    assert result.status == 12, result
    result.complaint(f"{server.host}/repo:old", image, other)
    assert result.rows == [(f"{server.host}/repo:old", "-", "failed", image)]
    assert shelf.tags("repo") == ["old"]
    assert "DELETE" not in methods(server)


def test_a_tag_that_cannot_be_seen_stays_where_one_is_expected(regtag, serve, shelf, image):
    shelf.hide("old", errors(403, "DENIED"))
    server = serve(shelf)

    result = regtag("delete", "--expect", image, f"{server.host}/repo:old")

    assert result.status in (4, 12), result
    assert "DELETE" not in methods(server)


def test_a_dry_run_deletes_nothing(regtag, serve, siblings, image):
    server = serve(siblings)

    result = regtag("delete", "--dry-run", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert result.rows == [(f"{server.host}/repo:old", "-", "deleted", image)]
    result.complaint("nothing")
    assert "DELETE" not in methods(server)
    assert "old" in siblings.tags("repo")


# ---- Siblings


@pytest.mark.parametrize("what", NOT_BY_TAG)
def test_a_registry_that_cannot_delete_a_tag_alone_is_told(regtag, serve, siblings, image, what):
    siblings.instead["DELETE"] = only_by_digest(siblings, NOT_BY_TAG[what])
    server = serve(siblings)

    result = regtag("delete", f"{server.host}/repo:old")

    assert result.status == 13, result
    result.complaint(f"{server.host}/repo:old", '"regtag delete --with-siblings --dry-run" lists')
    assert result.rows == [(f"{server.host}/repo:old", "-", "failed", image)]
    assert siblings.tags("repo") == ["old", "second", "third", "stranger"]
    assert methods(server).count("DELETE") == 1


@pytest.mark.parametrize("what", NOT_BY_TAG)
def test_with_siblings_the_manifest_is_deleted(regtag, serve, siblings, image, what):
    siblings.instead["DELETE"] = only_by_digest(siblings, NOT_BY_TAG[what])
    server = serve(siblings)
    where = f"{server.host}/repo"

    result = regtag("delete", "--with-siblings", f"{where}:old")

    assert result.status == 0, result
    assert result.rows == [(f"{where}:old", "-", "deleted", image)]
    assert told_to_go(result) == [f"{where}:{name}" for name in ("second", "third")]
    assert len(result.err.splitlines()) == 2
    assert siblings.tags("repo") == ["stranger"]
    assert f"DELETE /v2/repo/manifests/{image}" in server.request_lines


def test_siblings_are_told_before_they_go(regtag, serve, siblings):
    """The words come before the request: whoever reads along knows what was about to happen."""
    siblings.instead["DELETE"] = only_by_digest(siblings, DIGEST_INVALID)
    server = serve(siblings)

    result = regtag("delete", "--with-siblings", "-v", f"{server.host}/repo:old")

    assert result.status == 0, result
    said = result.err.decode()
    deletion = said.index("DELETE /v2/repo/manifests/sha256:")
    lines = [line for line in said[:deletion].splitlines() if line.startswith("regtag: ")]
    assert any("second" in line for line in lines), said
    assert any("third" in line for line in lines), said


def test_with_siblings_a_tag_is_still_deleted_alone_where_that_can_be(regtag, serve, siblings):
    server = serve(siblings)

    result = regtag("delete", "--with-siblings", f"{server.host}/repo:old")

    assert (result.status, result.err) == (0, b""), result
    assert siblings.tags("repo") == ["second", "third", "stranger"]


def test_a_list_of_tags_that_cannot_be_had_keeps_all(regtag, serve, siblings):
    """Without it nobody knows what would go along."""
    siblings.instead["DELETE"] = only_by_digest(siblings, DIGEST_INVALID)

    def respond(request):
        if request.path.endswith("/tags/list"):
            return errors(403, "DENIED", "no lists")
        return siblings(request)

    server = serve(respond)

    result = regtag("delete", "--with-siblings", f"{server.host}/repo:old")

    assert result.status != 0, result
    assert siblings.tags("repo") == ["old", "second", "third", "stranger"]


def test_a_dry_run_with_siblings_deletes_nothing(regtag, serve, siblings):
    siblings.instead["DELETE"] = only_by_digest(siblings, DIGEST_INVALID)
    server = serve(siblings)

    result = regtag("delete", "--dry-run", "--with-siblings", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert [row[2] for row in result.rows] == ["deleted"]
    assert told_to_go(result) == [f"{server.host}/repo:{name}" for name in ("second", "third")]
    assert result.err.count(b"if the registry cannot delete a tag alone") == 2
    assert "DELETE" not in methods(server)
    assert siblings.tags("repo") == ["old", "second", "third", "stranger"]


def test_a_dry_run_without_siblings_lists_none(regtag, serve, siblings):
    server = serve(siblings)

    result = regtag("delete", "--dry-run", f"{server.host}/repo:old")

    assert told_to_go(result) == []
    assert not any("/tags/list" in line for line in server.request_lines)


# ---- Siblings that change between the look that is reported and the deletion


class Meanwhile:
    """A registry that deletes manifests only, where somebody else acts before the second list of tags."""

    def __init__(self, shelf, act):
        self.shelf, self.act = shelf, act
        self.lists = 0
        shelf.instead["DELETE"] = only_by_digest(shelf, DIGEST_INVALID)

    def __call__(self, request):
        if request.path.endswith("/tags/list"):
            self.lists += 1
            if self.lists == 2:
                self.act(self.shelf)
        return self.shelf(request)


def deletions(server):
    return [line for line in server.request_lines if line.startswith("DELETE")]


def point(name, document):
    return lambda shelf: shelf.put("repo", name, OCI_MANIFEST, document)


@pytest.mark.parametrize("name", ["late", "stranger"], ids=["created", "moved"])
@pytest.mark.parametrize("options", [[], ["-q"]], ids=["", "quiet"])
def test_nothing_is_deleted_if_more_would_go_than_was_listed(
    regtag, serve, siblings, document, image, name, options
):
    server = serve(Meanwhile(siblings, point(name, document)))
    where = f"{server.host}/repo"

    result = regtag("delete", "--with-siblings", *options, f"{where}:old")

    assert result.status == 12, result
    assert result.rows == [(f"{where}:old", "-", "failed", image)]
    listed = [] if options else [f"{where}:{one}" for one in ("second", "third")]
    assert told_to_go(result) == listed
    assert re.search(rf"nothing was deleted: .*\b{name}\b", result.err.decode())
    assert deletions(server) == ["DELETE /v2/repo/manifests/old"]
    assert {"old", "second", "third", name} <= set(siblings.tags("repo"))


def test_fewer_than_were_listed_are_deleted(regtag, serve, siblings, other_document):
    server = serve(Meanwhile(siblings, point("third", other_document)))

    result = regtag("delete", "--with-siblings", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert siblings.tags("repo") == ["third", "stranger"]


def test_siblings_may_be_listed_in_another_order(regtag, serve, siblings):
    def turn(shelf):
        shelf.manifests = dict(reversed(shelf.manifests.items()))

    server = serve(Meanwhile(siblings, turn))

    result = regtag("delete", "--with-siblings", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert siblings.tags("repo") == ["stranger"]


@pytest.mark.parametrize("missing", [False, True], ids=["moved", "gone"])
def test_a_tag_that_is_elsewhere_by_then_leaves_its_siblings_alone(
    regtag, serve, siblings, other_document, missing
):
    def act(shelf):
        shelf.remove("repo", "old") if missing else shelf.put("repo", "old", OCI_MANIFEST, other_document)

    server = serve(Meanwhile(siblings, act))

    result = regtag("delete", "--with-siblings", f"{server.host}/repo:old")

    assert result.status == (3 if missing else 12), result
    assert deletions(server) == ["DELETE /v2/repo/manifests/old"]
    assert {"second", "third"} <= set(siblings.tags("repo"))


def test_a_tag_that_cannot_be_seen_by_then_leaves_its_siblings_alone(regtag, serve, siblings):
    server = serve(Meanwhile(siblings, lambda shelf: shelf.hide("old", errors(403, "DENIED"))))

    result = regtag("delete", "--with-siblings", f"{server.host}/repo:old")

    assert result.status == 4, result
    assert "nothing was deleted" in result.complaints[-1]
    assert deletions(server) == ["DELETE /v2/repo/manifests/old"]
    assert {"second", "third"} <= set(siblings.tags("repo"))


def test_siblings_are_looked_up_again_before_a_retry(regtag, serve, siblings, document):
    """The first DELETE of the manifest is lost, and may yet be carried out: that is uncertain."""

    def delete(request):
        if request.path.endswith("/old"):
            return DIGEST_INVALID
        siblings.put("repo", "late", OCI_MANIFEST, document)
        return [CLOSE]

    siblings.instead["DELETE"] = delete
    server = serve(siblings)

    result = regtag("delete", "--with-siblings", f"{server.host}/repo:old", retries=2)

    assert result.status == 18, result
    assert [row[2] for row in result.rows] == ["uncertain"]
    assert len(deletions(server)) == 2
    assert "late" in siblings.tags("repo")


# ---- Undo


@pytest.fixture
def created(regtag, serve, shelf, tmp_path):
    """A tag was added to an image, on a registry that cannot delete a tag alone."""
    shelf.instead["DELETE"] = only_by_digest(shelf, DIGEST_INVALID)
    server = serve(shelf)
    assert regtag("tag", "--journal", tmp_path / "j", f"{server.host}/repo:old", "new").status == 0
    return server


@pytest.mark.parametrize("refusal", [*NOT_BY_TAG, "404"])
def test_undo_does_not_recommend_to_delete_the_image(regtag, created, shelf, tmp_path, refusal):
    shelf.instead["DELETE"] = only_by_digest(shelf, NOT_BY_TAG.get(refusal, MISSING))

    result = regtag("undo", tmp_path / "j")

    assert result.status == 13, result
    told = result.complaint(
        f"{created.host}/repo:new", "the tag stays", "other tags"
    )
    assert "--with-siblings" not in told
    assert [row[2] for row in result.rows] == ["failed"]
    assert shelf.tags("repo") == ["old", "new"]


def test_undo_says_the_same_in_json(regtag, created, tmp_path):
    [told] = regtag("undo", "--json", tmp_path / "j").objects

    assert told["status"] == 13
    assert "the tag stays" in told["error"] and "--with-siblings" not in told["error"]


# ---- Siblings on many pages


def test_siblings_on_many_pages_are_all_told(regtag, serve, shelf, document, other_document):
    names = [f"v{number}" for number in range(7)]
    for name in names:
        shelf.put("repo", name, OCI_MANIFEST, document)
    shelf.instead["DELETE"] = only_by_digest(shelf, DIGEST_INVALID)

    def respond(request):
        if not request.path.endswith("/tags/list"):
            return shelf(request)
        tags = shelf.tags("repo")
        first = int(request.query.partition("from=")[2] or 0)
        listed = ",".join(f'"{tag}"' for tag in tags[first : first + 2])
        more = [f'Link: </v2/repo/tags/list?from={first + 2}>; rel="next"']
        return answer(
            200, f'{{"tags":[{listed}]}}'.encode(), *(more if first + 2 < len(tags) else [])
        )

    server = serve(respond)

    result = regtag("delete", "--with-siblings", f"{server.host}/repo:old")

    assert result.status == 0, result
    for name in names:
        assert name in result.err.decode()
    assert shelf.tags("repo") == []


# ---- A real registry


@pytest.fixture(scope="module")
def deleting(start_registry):
    return start_registry(delete=True)


def fill(registry, repository):
    registry.push_image(repository, "old", DOCKER_MANIFEST, docker_style(docker_manifest()))
    registry.push(repository, "sibling", DOCKER_MANIFEST, docker_style(docker_manifest()))
    return registry.push(repository, "stranger", OCI_MANIFEST, compact(oci_manifest()))


def test_docker_registry_cannot_delete_a_tag_alone(regtag, deleting):
    fill(deleting, "alone")
    where = f"{deleting.host}/alone"

    result = regtag("delete", f"{where}:old")

    assert result.status == 13, result
    result.complaint(f"{where}:old", "--with-siblings")
    assert deleting.digest("alone", "old") == deleting.digest("alone", "sibling") is not None


def test_docker_registry_deletes_all_tags_of_a_manifest(regtag, deleting):
    stranger = fill(deleting, "together")
    digest = deleting.digest("together", "old")
    where = f"{deleting.host}/together"

    result = regtag("delete", "--with-siblings", f"{where}:old")

    assert result.status == 0, result
    assert result.rows == [(f"{where}:old", "-", "deleted", digest)]
    assert "sibling" in result.err.decode() and "stranger" not in result.err.decode()
    assert deleting.digest("together", "old") is None
    assert deleting.digest("together", "sibling") is None
    assert deleting.digest("together", "stranger") == stranger


def test_docker_registry_that_forbids_deletion_is_told(regtag, registry, repository):
    result = regtag("delete", "--with-siblings", f"{registry.host}/{repository}:old")

    assert result.status == 13, result
    assert [row[2] for row in result.rows] == ["failed"]
    assert registry.digest(repository, "old") is not None


def test_a_deletion_takes_four_requests_on_one_connection(regtag, serve, shelf):
    server = serve(shelf)
    with Recorder(server.port) as recorder:
        assert regtag("delete", f"{recorder.host}/repo:old").status == 0

    assert methods(recorder) == ["HEAD", "DELETE", "HEAD", "GET"]
    assert recorder.connections == 1
    for request in recorder.requests:
        assert request.length == 0
        assert request.value("Content-Type") is None


# ---- Credentials


def test_a_password_is_enough(account, serve, shelf):
    password = secret("password")
    server = serve(password_gate(shelf, USER, password))
    account.docker_config(auths(server.host, USER, password))

    result = account("delete", f"{server.host}/repo:old")

    assert (result.status, result.err) == (0, b""), result
    assert methods(server) == ["HEAD", "HEAD", "DELETE", "HEAD", "GET"]


def test_a_token_is_asked_for_that_allows_to_delete(account, serve, shelf):
    """distribution wants the action `delete` (registry/handlers/app.go)."""
    tokens = Tokens()
    tokens.accounts[USER] = secret("password")
    auth = serve(tokens)
    server = serve(token_gate(shelf, tokens, auth))
    account.docker_config(auths(server.host, USER, tokens.accounts[USER]))

    result = account("delete", f"{server.host}/repo:old")

    assert (result.status, result.err) == (0, b""), result
    asked = [set(parameters(one.query)["scope"].split(":")[2].split(",")) for one in auth.requests]
    assert {"pull", "delete"} <= set.union(*asked)
    assert shelf.tags("repo") == []
