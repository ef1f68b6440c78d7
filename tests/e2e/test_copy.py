"""`copy`: the same image in another place, its tag set last, and no more requests than that needs."""

import pytest
from copies import (
    AMD,
    ARM,
    BLOBS,
    INDEX,
    Pantry,
    behind,
    changes,
    child,
    of_blobs,
    push_index,
)
from fake import HANG_UP, RESET, STALL, answer, bodiless, errors
from images import (
    CONFIG,
    LAYER,
    OCI_INDEX,
    OCI_MANIFEST,
    compact,
    digest_of,
    layer,
    oci_manifest,
)
from recorder import Recorder

USAGE, NOT_FOUND, GUARD = 2, 3, 12
OTHER = compact(oci_manifest(annotations={"which": "the other"}))


@pytest.fixture(scope="module")
def elsewhere(start_registry):
    """Another registry, which begins empty."""
    return start_registry(delete=True)


@pytest.fixture
def target(elsewhere):
    """A relay in front of it."""
    with Recorder(elsewhere.port) as relay:
        yield relay


@pytest.fixture
def image(registry, repository):
    return f"{registry.host}/{repository}:old"


def test_the_target_gets_the_same_bytes(regtag, registry, elsewhere, repository, image):
    result = regtag("copy", image, f"{elsewhere.host}/{repository}:new")

    digest = registry.digest(repository, "old")
    assert result.rows == [(f"{elsewhere.host}/{repository}:new", digest, "created", "-")]
    assert (result.status, result.err) == (0, b"")
    assert elsewhere.fetch(repository, "new") == registry.fetch(repository, "old")
    for blob in (CONFIG, LAYER):
        _, _, found = elsewhere.request("GET", f"/v2/{repository}/blobs/{digest_of(blob)}")
        assert found == blob


def test_without_a_tag_the_target_gets_that_of_the_image(regtag, elsewhere, repository, image):
    result = regtag("copy", "--json", image, f"{elsewhere.host}/{repository}")

    (line,) = result.objects
    assert line["reference"] == f"{elsewhere.host}/{repository}:old"
    assert (line["result"], line["previous"], line["status"]) == ("created", None, 0)


def test_a_second_run_changes_nothing(regtag, target, repository, image):
    assert regtag("copy", image, f"{target.host}/{repository}").status == 0
    before = len(target.requests)

    result = regtag("copy", image, f"{target.host}/{repository}")

    assert result.rows[0][2] == "unchanged"
    assert changes(target.requests[before:]) == []
    assert of_blobs(target.requests[before:]) == []


def test_within_a_registry_blobs_are_mounted(regtag, registry, recorder, repository):
    result = regtag("copy", f"{recorder.host}/{repository}:old", f"{recorder.host}/{repository}/two:x")

    assert result.rows[0][2] == "created"
    assert registry.digest(f"{repository}/two", "x") == registry.digest(repository, "old")
    asked = of_blobs(recorder.requests)
    assert len(asked) <= 2 * 2 and {one.method for one in asked} <= {"HEAD", "POST"}
    assert not any(one.body for one in asked)


@pytest.mark.parametrize("jobs", [1, 8])
def test_an_index_is_copied_whole_and_its_children_come_first(
    regtag, registry, serve, elsewhere, repository, jobs
):
    target = serve(behind(elsewhere))
    push_index(registry, repository, "index")

    result = regtag(
        "copy", "--jobs", jobs, f"{registry.host}/{repository}:index", f"{target.host}/{repository}"
    )

    assert result.rows[0][1:3] == (digest_of(INDEX), "created")
    put = [one.path.rpartition("/")[2] for one in target.uploads if "/manifests/" in one.path]
    assert put == [digest_of(AMD), digest_of(ARM), "index"]
    assert elsewhere.fetch(repository, "index") == (OCI_INDEX, digest_of(INDEX), INDEX)
    assert elsewhere.fetch(repository, digest_of(ARM))[2] == ARM
    moved = [one for one in target.requests if one.method == "PATCH"]
    assert sorted(len(one.body) for one in moved) == sorted(map(len, BLOBS))


def test_a_platform_of_an_index_is_copied_alone(regtag, registry, elsewhere, repository):
    push_index(registry, repository, "index")

    result = regtag(
        "copy", "--platform", "linux/arm64", f"{registry.host}/{repository}:index", f"{elsewhere.host}/{repository}"
    )

    assert result.rows[0][1:3] == (digest_of(ARM), "created")
    assert elsewhere.digest(repository, "index") == digest_of(ARM)
    assert elsewhere.digest(repository, digest_of(AMD)) is None


def test_a_child_that_is_there_is_not_looked_into(regtag, registry, target, repository):
    push_index(registry, repository, "index")
    image, there = f"{registry.host}/{repository}:index", f"{target.host}/{repository}"
    assert regtag("copy", "--platform", "linux/amd64", image, f"{there}:amd").status == 0
    before = len(target.requests)

    assert regtag("copy", image, there).status == 0

    asked = {one.target.rpartition("/")[2] for one in of_blobs(target.requests[before:])}
    assert digest_of(CONFIG) not in asked


# ---- Guards ----------------------------------------------------------------------------------------


def test_a_guard_that_does_not_hold_leaves_the_target_alone(regtag, target, elsewhere, repository, image):
    elsewhere.push_image(repository, "old", OCI_MANIFEST, OTHER)
    there = f"{target.host}/{repository}"

    for options in (["--no-clobber"], ["--expect", "absent"], ["--expect", digest_of(INDEX)]):
        result = regtag("copy", *options, image, there)
        assert result.status == GUARD, result
        assert result.rows == [(f"{there}:old", result.rows[0][1], "failed", digest_of(OTHER))]
    assert changes(target.requests) == []

    result = regtag("copy", "--confirm", "--expect", digest_of(OTHER), image, there)
    assert result.rows[0][2:] == ("moved", digest_of(OTHER))


def test_a_dry_run_changes_nothing(regtag, target, repository, image, tmp_path):
    journal = tmp_path / "journal"
    result = regtag("copy", "--dry-run", "--journal", journal, image, f"{target.host}/{repository}")

    assert result.rows[0][2] == "created"
    assert result.complaint("nothing was changed")
    assert changes(target.requests) == [] and not journal.exists()


def test_an_image_that_is_not_there_is_reported(regtag, registry, target, repository):
    result = regtag("copy", f"{registry.host}/{repository}:nothing", f"{target.host}/{repository}")

    assert result.status == NOT_FOUND
    assert result.rows == [(f"{target.host}/{repository}:nothing", "-", "failed", "-")]
    result.complaint(f"{registry.host}/{repository}:nothing")


# ---- The journal -----------------------------------------------------------------------------------


def test_undo_reverts_the_tag_and_no_blob(regtag, target, elsewhere, repository, image, tmp_path):
    elsewhere.push_image(repository, "old", OCI_MANIFEST, OTHER)
    there, journal = f"{target.host}/{repository}", tmp_path / "journal"
    copied = regtag("copy", "--journal", journal, image, there)

    fields = [line.split("\t")[1:] for line in journal.read_text().splitlines()]
    digest = copied.rows[0][1]
    assert fields == [
        [f"{there}:old", digest_of(OTHER), digest, "moving"],
        [f"{there}:old", digest_of(OTHER), digest, "moved"],
    ]
    before = len(target.requests)
    assert regtag("undo", journal).rows == [(f"{there}:old", digest_of(OTHER), "moved", digest)]
    assert elsewhere.digest(repository, "old") == digest_of(OTHER)
    assert elsewhere.digest(repository, digest) == digest
    assert of_blobs(target.requests[before:]) == []


def test_without_the_journal_no_tag_is_set(regtag, target, repository, image, tmp_path):
    result = regtag("copy", "--journal", tmp_path, image, f"{target.host}/{repository}")

    assert result.status == 1
    assert result.rows[0][2] == "failed"
    assert changes(target.requests) == []


def test_by_digest_there_is_no_tag_and_no_line_in_the_journal(regtag, registry, target, repository, tmp_path):
    digest = registry.digest(repository, "old")
    there, journal = f"{target.host}/{repository}", tmp_path / "journal"
    command = ["copy", "--journal", journal, f"{registry.host}/{repository}@{digest}", there]

    assert regtag(*command).rows == [(f"{there}@{digest}", digest, "created", "-")]
    assert regtag(*command).rows == [(f"{there}@{digest}", digest, "unchanged", "-")]

    assert not journal.exists()
    put = [one for one in target.requests if one.method == "PUT" and "/manifests/" in one.path]
    assert [one.path.rpartition("/")[2] for one in put] == [digest]


# ---- Foreign layers --------------------------------------------------------------------------------


def test_a_foreign_layer_is_skipped_and_reported(regtag, serve):
    document = oci_manifest()
    foreign = {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar", "size": 7}
    document["layers"].append({**foreign, "digest": digest_of(b"foreign"), "urls": ["https://elsewhere.test/x"]})
    source, target = Pantry(), Pantry()
    source.put("repo", "old", OCI_MANIFEST, compact(document))
    source.blobs = {digest_of(one): one for one in (CONFIG, LAYER)}

    result = regtag("copy", f"{serve(source).host}/repo:old", f"{serve(target).host}/repo")

    assert result.rows[0][2] == "created", result
    result.complaint("skipped", digest_of(b"foreign"))
    assert target.blobs == source.blobs
    assert target.document("repo", "old") == compact(document)


# ---- All tags --------------------------------------------------------------------------------------


@pytest.fixture
def three(registry, repository):
    """A repository with three tags: "old", "v1", and "v2", an index."""
    registry.push_image(repository, "v1", OCI_MANIFEST, OTHER)
    push_index(registry, repository, "v2")
    return f"{registry.host}/{repository}"


def test_all_tags_are_copied(regtag, elsewhere, three, repository, tmp_path):
    journal = tmp_path / "journal"
    result = regtag("copy", "--all-tags", "--journal", journal, three, f"{elsewhere.host}/{repository}")

    assert sorted((row[0].rpartition(":")[2], row[2]) for row in result.rows) == [
        ("old", "created"),
        ("v1", "created"),
        ("v2", "created"),
    ]
    assert (result.status, result.err) == (0, b"")
    assert len(journal.read_text().splitlines()) == 6
    assert elsewhere.digest(repository, "v1") == digest_of(OTHER)
    assert elsewhere.digest(repository, "v2") == digest_of(INDEX)


@pytest.mark.parametrize(
    "options, copied",
    [
        (["--include", "v*"], {"v1", "v2"}),
        (["--exclude", "v*"], {"old"}),
        (["--include", "v[!2]", "--include=o??"], {"v1", "old"}),
        (["--include", "v*", "--exclude", "?[2-9]"], {"v1"}),
    ],
)
def test_some_of_all_tags_are_chosen(regtag, elsewhere, three, repository, options, copied):
    result = regtag("copy", "--dry-run", "-q", "--all-tags", *options, three, f"{elsewhere.host}/{repository}")

    assert {row[0].rpartition(":")[2] for row in result.rows} == copied
    assert set(regtag("ls", *options, three).lines) == copied
    assert (result.status, result.err) == (0, b"")


def test_every_tag_is_told_when_time_is_up(regtag, serve, shelf):
    """With one message for all that were not begun."""
    for number in range(100):
        shelf.put("repo", f"v{number}", OCI_MANIFEST, OTHER)
    server = serve(lambda request: shelf(request) if request.path.endswith("/list") else [STALL])

    result = regtag("copy", "--timeout", "2", "--all-tags", f"{server.host}/repo", f"{server.host}/other")

    assert result.status == 6
    assert [(row[0], row[2]) for row in result.rows] == [
        (f"{server.host}/other:{tag}", "failed") for tag in shelf.tags("repo")
    ]
    told = ["no complete answer came within 2 s", "no time was left for any more tags"]
    for line, part in zip(result.complaints, told, strict=True):
        assert part in line


def test_a_pattern_that_no_tag_has_is_a_failure(regtag, elsewhere, three, repository):
    target = f"{elsewhere.host}/{repository}"

    result = regtag("copy", "-q", "--all-tags", "--include", "nothing", three, target)

    assert (result.status, result.rows) == (3, [])
    assert b"no tag to copy" in result.err
    assert regtag("ls", "--include", "nothing", three).lines == []


def test_ls_lists_at_most_so_many_of_those_chosen(regtag, serve, shelf):
    for tag in ("v1", "v2", "v3"):
        shelf.put("repo", tag, OCI_MANIFEST, OTHER)
    server = serve(shelf)
    repository = f"{server.host}/repo"

    assert regtag("ls", "--include", "v*", "--limit", 2, repository).lines == ["v1", "v2"]
    assert regtag("ls", "--exclude", "o*", "--limit", 9, repository).lines == ["v1", "v2", "v3"]
    digests = regtag("ls", "--digests", "--include", "v[23]", "--limit", 1, repository)
    assert digests.lines == [f"v2\t{digest_of(OTHER)}"]
    assert [one.path for one in server.requests if one.method == "HEAD"] == ["/v2/repo/manifests/v2"]


def test_a_tag_without_the_platform_fails_and_the_others_go_on(regtag, registry, elsewhere, repository):
    push_index(registry, repository, "index")
    other_index = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
    registry.push(repository, "empty", OCI_INDEX, other_index)

    result = regtag(
        "copy",
        "--all-tags",
        "--exclude=old",
        "--platform=linux/arm64",
        f"{registry.host}/{repository}",
        f"{elsewhere.host}/{repository}",
    )

    assert result.status == NOT_FOUND
    assert {row[0].rpartition(":")[2]: row[2] for row in result.rows} == {"index": "created", "empty": "failed"}


def test_guards_hold_for_each_of_all_tags(regtag, elsewhere, three, repository):
    elsewhere.push_image(repository, "v1", OCI_MANIFEST, compact(oci_manifest()))
    there = f"{elsewhere.host}/{repository}"

    for options in (["--no-clobber"], ["--expect=absent"], ["--expect=v1=absent", "--expect=gone=absent"]):
        result = regtag("copy", "--all-tags", "--dry-run", "-q", *options, three, there)
        assert result.status == GUARD
        outcomes = {row[0].rpartition(":")[2]: row[2] for row in result.rows}
        assert outcomes == {"old": "created", "v1": "failed", "v2": "created"}


def test_a_repository_that_cannot_be_listed_is_a_failure(regtag, serve, shelf, elsewhere):
    shelf.instead["GET"] = lambda request: errors(404, "NAME_UNKNOWN", "no such repository")
    result = regtag("copy", "--all-tags", f"{serve(shelf).host}/repo", f"{elsewhere.host}/repo")

    assert (result.status, result.out) == (NOT_FOUND, b"")
    result.complaint("no such repository")


def with_tags(count):
    """A registry with so many images, v0 and so on, each with a layer of its own."""
    source = Pantry()
    for number in range(count):
        own = layer(b"layer %d\n" % number)[1]
        source.blobs.update({digest_of(blob): blob for blob in (CONFIG, own)})
        source.put("repo", f"v{number}", OCI_MANIFEST, child(CONFIG, own))
    return source


def with_token(registry):
    """The same, which wants a token."""

    def respond(request):
        if request.path == "/token":
            return answer(200, b'{"token": "a-token"}')
        if request.value("Authorization") == "Bearer a-token":
            return registry(request)
        challenge = f'WWW-Authenticate: Bearer realm="http://{request.value("Host")}/token"'
        refused = errors(401, "UNAUTHORIZED", "a token is required", challenge)
        return bodiless(refused) if request.method == "HEAD" else refused

    return respond


def test_all_tags_share_connections_and_tokens(regtag, serve):
    seen = []
    for count in (1, 10):
        sides = [serve(with_token(one)) for one in (with_tags(count), Pantry())]
        done = regtag("copy", "--all-tags", "--jobs", 1, *(f"{one.host}/repo" for one in sides))
        assert [row[2] for row in done.rows] == ["created"] * count, done
        tokens = [sum(one.path == "/token" for one in side.requests) for side in sides]
        seen.append(([side.connections for side in sides], tokens))

    assert seen[1] == seen[0]
    assert seen[0][1] == [2, 1]  # the tags are listed before


@pytest.mark.parametrize("options", [["repo:v0", "copied"], ["--all-tags", "repo", "copied"]], ids=["one", "all"])
def test_a_token_of_the_user_is_sent_with_the_first_request(regtag, serve, options):
    server = serve(with_token(with_tags(2)))
    paths = [one if one.startswith("-") else f"{server.host}/{one}" for one in options]

    done = regtag("copy", *paths, env={"REGTAG_TOKEN": "a-token"})

    assert done.status == 0, done
    assert {one.value("Authorization") for one in server.requests} == {"Bearer a-token"}


@pytest.mark.parametrize("ending", [errors(500, "UNKNOWN", "no disk"), [RESET], [HANG_UP]], ids=["500", "reset", "end"])
def test_a_tag_that_fails_costs_the_others_no_more_than_a_connection(regtag, serve, ending):
    target = Pantry()
    target.instead["PUT"] = lambda one: ending if one.path.endswith("/v3") else target.usual(one)
    sides = [serve(one) for one in (with_tags(8), target)]

    done = regtag("copy", "-q", "--all-tags", "--jobs", 1, *(f"{one.host}/repo" for one in sides))

    outcomes = {row[0].rpartition(":")[2]: row[2] for row in done.rows}
    assert outcomes.pop("v3") in ("failed", "uncertain"), done
    assert list(outcomes.values()) == ["created"] * 7, done
    assert sorted(target.tags("repo")) == sorted(outcomes)
    assert sides[1].connections <= 4


# ---- Usage -----------------------------------------------------------------------------------------

DIGEST = digest_of(INDEX)


@pytest.mark.parametrize(
    "args, words",
    [
        (["a.test/x"], ["TARGET is missing"]),
        (["a.test/x", "b.test/x", "c.test/x"], ["too many arguments"]),
        (["a.test/x", "a.test/x"], ["the same"]),
        (["a.test/x", "a.test/x:latest"], ["the same"]),
        (["a.test/x:1", f"b.test/x@{DIGEST}"], ["the target has a digest"]),
        (["a.test/x:1", "b.test/X"], ["b.test/X"]),
        (["--jobs=9", "a.test/x", "b.test/x"], ["--jobs", "from 1 to 8"]),
        (["--all-tags", "a.test/x:1", "b.test/x"], ["--all-tags", "two repositories"]),
        (["--all-tags", "a.test/x", "b.test/x:1"], ["--all-tags", "two repositories"]),
        (["--all-tags", "a.test/x", f"b.test/x@{DIGEST}"], ["--all-tags", "two repositories"]),
        (["--all-tags", f"--expect={DIGEST}", "a.test/x", "b.test/x"], ["--all-tags", "--expect"]),
        (["--all-tags", "a.test/x", "a.test/x"], ["the same"]),
        (["--include=v*", "a.test/x", "b.test/x"], ["--include", "--all-tags"]),
        (["--expect=1=absent", "a.test/x:2", "b.test/x"], ["1=absent"]),
        (["--expect=1=absent", f"a.test/x@{DIGEST}", "b.test/x"], ["--expect", "no tag"]),
        (["--expect=absent", f"a.test/x@{DIGEST}", "b.test/x"], ["--expect", "no tag"]),
        (["--from-json", "a.test/x", "b.test/x"], ["unknown option", "--from-json"]),
        (["--to-", "a.test/x", "b.test/x"], ["unknown option"]),
    ],
)
def test_what_is_no_copy_is_a_usage_error(regtag, args, words):
    result = regtag("copy", *args)

    assert (result.status, result.out) == (USAGE, b"")
    result.complaint(*words)
