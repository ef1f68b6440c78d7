"""--journal and undo: what was moved is written down before and after, and can be moved back."""

import fcntl
import os
import re
import resource
import signal
import subprocess
from collections import Counter
from contextlib import ExitStack

import pytest
from calls import CALL, every_call
from fake import CLOSE, answer, errors
from images import DOCKER_MANIFEST, OCI_MANIFEST, compact, digest_of, oci_manifest

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
THIRD = compact(oci_manifest(annotations={"which": "the third"}))


class Journal:
    """The file, and what stands in it."""

    def __init__(self, path):
        self.path = path

    @property
    def rows(self):
        """Reference, old, new and outcome of each line; a time stands before them."""
        text = self.path.read_text()
        assert not text or text.endswith("\n"), text
        rows = [line.split("\t") for line in text.splitlines()]
        assert all(len(row) == 5 and TIME.fullmatch(row[0]) for row in rows), text
        return [tuple(row[1:]) for row in rows]

    @property
    def outcomes(self):
        return [row[3] for row in self.rows]

    def add(self, *row):
        with open(self.path, "a") as file:
            file.write("\t".join(("2026-11-23T12:31:28Z", *row)) + "\n")


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "moves")


@pytest.fixture
def shelf(shelf, other_document):
    """With a tag "new" that points at the other image; it can delete tags."""

    def delete(request):
        repository, _, tag = request.path.removeprefix("/v2/").rsplit("/", 2)
        found = shelf.manifests.pop((repository, tag), None)
        return answer(202) if found else errors(404, "MANIFEST_UNKNOWN")

    shelf.put("repo", "new", OCI_MANIFEST, other_document)
    shelf.put("repo", "third", OCI_MANIFEST, THIRD)
    shelf.instead["DELETE"] = delete
    return shelf


@pytest.fixture
def server(serve, shelf):
    return serve(shelf)


@pytest.fixture
def tag(regtag, server, journal):
    """tag("old", "new"): moves tags of the shelf's repository, and writes it down."""

    def run(image, *names, **options):
        return regtag("tag", "--journal", journal.path, f"{server.host}/repo:{image}", *names, **options)

    return run


@pytest.fixture
def delete(regtag, server, journal):
    def run(*names):
        images = [f"{server.host}/repo:{name}" for name in names]
        return regtag("delete", "--journal", journal.path, *images)

    return run


@pytest.fixture
def undo(regtag, journal):
    def run(*args, **options):
        return regtag("undo", journal.path, *args, **options)

    return run


def at(shelf, name="new"):
    """The digest that a tag of the shelf points at, or None."""
    document = shelf.document("repo", name)
    return document and digest_of(document)


@pytest.fixture
def new(document):
    """Where `tag old new` puts the tag; and where it was before."""
    return digest_of(document)


@pytest.fixture
def old(other_document):
    return digest_of(other_document)


# ---- What is written down


def test_a_move_is_written_down_before_and_after(tag, server, journal, old, new):
    result = tag("old", "new")

    assert (result.status, result.err) == (0, b""), result
    reference = f"{server.host}/repo:new"
    assert journal.rows == [(reference, old, new, "moving"), (reference, old, new, "moved")]


def test_a_new_tag_was_absent_before(tag, server, journal, new):
    assert tag("old", "fresh").status == 0

    reference = f"{server.host}/repo:fresh"
    assert journal.rows == [(reference, "absent", new, "moving"), (reference, "absent", new, "created")]


def test_a_deleted_tag_is_absent_afterwards(delete, server, journal, old):
    assert delete("new").status == 0

    reference = f"{server.host}/repo:new"
    assert journal.rows == [(reference, old, "absent", "moving"), (reference, old, "absent", "deleted")]


def test_where_a_tag_was_may_be_unknown(tag, server, shelf, journal, new):
    shelf.hide("new", answer(403))
    assert tag("old", "new").status == 0

    reference = f"{server.host}/repo:new"
    assert journal.rows == [(reference, "-", new, "moving"), (reference, "-", new, "set")]


def test_a_journal_is_appended_to(tag, journal):
    tag("old", "new")
    before = journal.path.read_bytes()
    tag("third", "new")

    assert journal.path.read_bytes().startswith(before)
    assert journal.outcomes == ["moving", "moved", "moving", "moved"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_it_is_on_the_disk_before_the_tag_is_touched(tag, delete, shelf, journal, method):
    seen = []
    usual = shelf.instead.get(method, shelf.usual)

    def looking(request):
        seen.append(journal.outcomes)
        return usual(request)

    shelf.instead[method] = looking
    result = tag("old", "new") if method == "PUT" else delete("new")

    assert (result.status, seen) == (0, [["moving"]])


@pytest.mark.parametrize("what", ["unchanged", "no_image", "guarded", "dry_run"])
def test_what_is_no_move_is_not_written_down(regtag, tag, server, journal, what):
    if what == "unchanged":
        result, wanted = tag("old", "old"), 0
    elif what == "no_image":
        result, wanted = tag("nothing", "new"), 3
    else:
        more = ["--no-clobber"] if what == "guarded" else ["--dry-run"]
        args = ["--journal", journal.path, *more, f"{server.host}/repo:old", "new"]
        result, wanted = regtag("tag", *args), 12 if what == "guarded" else 0

    assert result.status == wanted
    assert server.uploads == []
    assert not journal.path.exists() if what == "dry_run" else journal.rows == []


def test_an_upload_that_is_refused_has_failed(tag, undo, shelf, journal, old):
    shelf.instead["PUT"] = lambda request: errors(403, "DENIED")
    assert tag("old", "new").status == 4
    assert journal.outcomes == ["moving", "failed"]

    result = undo()
    assert (result.status, result.out) == (0, b"")
    assert at(shelf) == old


def test_an_upload_that_nobody_answers_is_uncertain(regtag, undo, server, shelf, journal, old):
    def put(request):
        shelf.usual(request)
        shelf.instead["HEAD"] = shelf.instead["GET"] = lambda request: [CLOSE]
        return [CLOSE]

    shelf.instead["PUT"] = put
    args = ["--journal", journal.path, "--retries", "0", f"{server.host}/repo:old", "new"]
    assert regtag("tag", *args).status == 18
    assert journal.outcomes == ["moving", "uncertain"]

    for method in ("PUT", "HEAD", "GET"):
        del shelf.instead[method]
    assert undo().status == 0
    assert at(shelf) == old


def test_an_upload_that_made_the_server_fail_may_yet_arrive(regtag, undo, server, shelf, journal, new):
    shelf.instead["PUT"] = lambda request: answer(500)
    args = ["--journal", journal.path, "--retries", "0", f"{server.host}/repo:old", "new"]
    result = regtag("tag", *args)
    assert ([row[2] for row in result.rows], journal.outcomes) == (["failed"], ["moving", "uncertain"])
    assert [row[2] for row in undo().rows] == ["unchanged"]

    result = regtag("tag", *args)
    assert result.status == 17
    del shelf.instead["PUT"]
    shelf.put("repo", "new", *shelf.manifests["repo", new])
    assert [row[2] for row in undo().rows] == ["moved"]


def test_a_race_that_was_lost_is_not_called_untouched(regtag, undo, server, shelf, journal):
    def put(request):
        told = shelf.usual(request)
        shelf.put("repo", "new", OCI_MANIFEST, THIRD)
        return told

    shelf.instead["PUT"] = put
    args = ["--journal", journal.path, "--confirm", f"{server.host}/repo:old", "new"]
    assert regtag("tag", *args).status == 15
    assert journal.outcomes == ["moving", "uncertain"]

    assert undo().status == 12
    assert at(shelf) == digest_of(THIRD)


def test_several_tags_are_all_written_down(tag, undo, shelf, journal):
    assert tag("old", "a", "old", "b", "new", "c").status == 0
    outcomes = [(row[0].rpartition(":")[2], row[3]) for row in journal.rows]
    assert Counter(outcomes) == Counter(
        [("a", "moving"), ("b", "moving"), ("c", "moving"), ("new", "moving")]
        + [("a", "created"), ("b", "created"), ("c", "created"), ("new", "moved")]
    )

    assert len(undo().rows) == 4
    assert [at(shelf, name) is None for name in ("a", "b", "c", "new")] == [True, True, True, False]


def test_many_programs_may_write_to_one_journal(regtag, server, journal):
    command = [regtag.path, "tag", "--journal", str(journal.path), f"{server.host}/repo:old"]
    names = [f"v{number}" for number in range(12)]
    programs = [
        subprocess.Popen([*command, name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name in names
    ]
    assert [program.wait(60) for program in programs] == [0] * len(names)
    assert Counter(journal.outcomes) == {"moving": len(names), "created": len(names)}


# ---- Journals that cannot be written


def directory(path):
    path.mkdir()
    return path


def pipe(path):
    os.mkfifo(path)
    return path


NO_JOURNALS = {
    "a_directory": directory,
    "a_pipe": pipe,
    "a_directory_that_is_missing": lambda path: path / "moves",
    "a_full_device": lambda path: "/dev/full",
}


@pytest.mark.parametrize("what", NO_JOURNALS)
@pytest.mark.parametrize("verb", ["tag", "delete"])
def test_without_a_journal_nothing_is_sent(regtag, server, tmp_path, what, verb):
    path = NO_JOURNALS[what](tmp_path / "made")
    images = [f"{server.host}/repo:{name}" for name in ("one", "two")]
    args = [f"{server.host}/repo:old", "one", "two"] if verb == "tag" else images

    result = regtag(verb, "--journal", path, *args)

    assert result.status == 1
    assert result.rows == [(image, "-", "failed", "-") for image in images]
    result.complaint("journal", str(path))
    assert server.requests == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_journal_that_must_not_be_written_is_told(tag, server, journal):
    journal.path.touch(0o444)

    tag("old", "new").complaint("journal", "permission denied")
    assert server.requests == []


def test_wrong_usage_makes_no_journal(regtag, server, journal):
    image = f"{server.host}/repo:old"
    for args in (["tag", image, "a/b"], ["delete", image, f"{image}@{digest_of(b'')}"]):
        result = regtag(*args, "--journal", journal.path)
        assert (result.status, result.out) == (2, b"")
    assert not journal.path.exists()
    assert server.requests == []


FAULTS = {"write": "ENOSPC", "fsync": "EIO", "pread64": "EIO"}


def calls_on_the_journal(trace, name):
    """How many-th calls of this name they are."""
    made = [line for line in trace.splitlines() if (match := CALL.match(line)) and match[1] == name]
    return [number for number, line in enumerate(made, 1) if "moves>" in line]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_line_that_cannot_be_written_stops_the_move(
    strace, undo, server, shelf, journal, old, fault
):
    """What is told of the two tags, when it is the first line, the second, ... that cannot be. Before them, the beginning of
    the file is read once."""
    told = [["failed", "failed"], ["moved", "failed"], ["moved", "created"], ["moved", "created"]]
    told = [["failed", "failed"]] * (fault == "pread64") + told
    args = ["tag", "--journal", journal.path, f"{server.host}/repo:old", "new", "fresh"]
    journal.path.write_text("\n")
    result, trace = strace(["-y", "-e", f"trace={fault}"], args)
    assert result.status == 0
    numbers = calls_on_the_journal(trace, fault)
    assert len(numbers) == len(told), trace

    for number, wanted in zip(numbers, told, strict=True):
        shelf.put("repo", "new", *shelf.manifests["repo", old])
        shelf.manifests.pop(("repo", "fresh"), None)
        journal.path.write_text("\n")
        server.requests.clear()

        result, _ = strace(["-e", f"inject={fault}:error={FAULTS[fault]}:when={number}"], args)

        assert result.status == 1, (number, result)
        assert [row[2] for row in result.rows] == wanted
        complaint = result.complaint(str(journal.path))
        words = ["No space"] if fault == "write" else ["Input/output error", "I/O error"]  # musl's
        assert any(one in complaint for one in words), complaint
        assert bool(server.uploads) == (wanted != ["failed", "failed"])
        assert undo().status == 0
        assert (at(shelf), at(shelf, "fresh")) == (old, None)


UNSUPPORTED = ["EINVAL", "EOPNOTSUPP", "ENOSYS", "EBADF"]


@pytest.mark.parametrize("error", [*UNSUPPORTED, "EIO", "ENOSPC", "EDQUOT"])
def test_a_new_journal_in_a_folder_that_cannot_be_synced(strace, server, journal, error):
    args = ["tag", "--journal", journal.path, f"{server.host}/repo:old", "new"]

    result, trace = strace(["-y", "-e", "trace=fsync", "-e", f"inject=fsync:error={error}:when=1"], args)

    assert f"<{journal.path.parent}>) = -1 {error} " in trace
    if error in UNSUPPORTED:
        assert (result.status, result.err) == (0, b""), result
        assert journal.outcomes == ["moving", "moved"]
    else:
        assert result.status == 1, result
        result.complaint("journal", str(journal.path), "nothing was done")
        assert server.requests == []


@pytest.mark.parametrize("room", range(0, 600, 37))
def test_a_full_disk_tears_no_line_but_the_last(regtag, undo, server, shelf, journal, old, new, room):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    args = ["--journal", journal.path, f"{server.host}/repo:old", "new"]
    result = regtag("tag", *args, preexec_fn=limit)

    uploads = len(server.uploads)
    whole = journal.path.read_text().count("\n")
    assert uploads == (1 if whole else 0)
    assert [row[2] for row in result.rows] == (["moved"] if uploads else ["failed"])
    assert result.status == (0 if whole == 2 else 1), result
    if whole < 2:
        result.complaint("journal", "File too large")
    assert at(shelf) == (new if uploads else old)
    assert undo().status == 0
    assert at(shelf) == old


# ---- undo


def test_undo_moves_back(tag, undo, server, shelf, journal, old, new):
    tag("old", "new")

    result = undo()

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{server.host}/repo:new", old, "moved", new)]
    assert at(shelf) == old
    reference = f"{server.host}/repo:new"
    assert journal.rows[2:] == [(reference, new, old, "undo:moving"), (reference, new, old, "undo:moved")]


def test_a_full_disk_fails_every_move_that_is_left(regtag, tag, server, journal):
    tag("old", "new", "fresh", "newest")
    server.requests.clear()
    size = journal.path.stat().st_size

    result = regtag(
        "undo", journal.path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    )

    assert result.status == 1
    assert [row[0].rpartition(":")[2] for row in result.rows] == ["newest", "fresh", "new"]
    assert {row[2] for row in result.rows} == {"failed"}
    assert len(result.complaints) == 2  # for the first one, and for the others
    assert all("File too large; no tag is changed without it" in line for line in result.complaints)
    assert {request.path.rpartition("/")[2] for request in server.requests} == {"newest"}


def test_undo_deletes_what_was_created(tag, undo, server, shelf, new):
    tag("old", "fresh")

    result = undo()

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{server.host}/repo:fresh", "-", "deleted", new)]
    assert at(shelf, "fresh") is None


def test_undo_creates_what_was_deleted(delete, undo, server, shelf, old):
    assert delete("new").status == 0
    assert at(shelf) is None

    result = undo()

    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [(f"{server.host}/repo:new", old, "created", "-")]
    assert at(shelf) == old


def test_undo_goes_back_step_by_step_and_newest_first(tag, delete, undo, shelf, old, new):
    tag("old", "new")
    tag("third", "new", "fresh")
    delete("new")
    third = digest_of(THIRD)

    result = undo()

    assert result.status == 0, result
    steps = [(row[0].rpartition(":")[2], *row[1:]) for row in result.rows]
    assert steps == [
        ("new", third, "created", "-"),
        ("fresh", "-", "deleted", third),
        ("new", new, "moved", third),
        ("new", old, "moved", new),
    ]
    assert (at(shelf), at(shelf, "fresh")) == (old, None)


def test_undo_twice_does_nothing_the_second_time(tag, undo, server, journal):
    tag("old", "new")
    undo()
    before = journal.path.read_bytes()
    server.requests.clear()

    result = undo()

    assert (result.status, result.out) == (0, b"")
    result.complaint("nothing to undo")
    assert undo("-q").err == b""
    assert server.requests == []
    assert journal.path.read_bytes() == before


def test_what_is_moved_after_an_undo_can_be_undone(tag, undo, shelf, old, new):
    for _ in range(3):
        tag("old", "new")
        assert at(shelf) == new
        assert len(undo().rows) == 1
        assert at(shelf) == old


def test_last_takes_back_the_newest_that_were_not_taken_back(tag, undo, shelf, old, new):
    for name in ("a", "b", "c", "d"):
        tag("old", name)

    taken = [
        [row[0][-1] for row in undo("--last", number).rows] for number in ("1", "2", "1", "1")
    ]

    assert taken == [["d"], ["c", "b"], ["a"], []]


def test_a_tag_that_was_moved_since_is_left_alone(tag, undo, shelf, journal, old):
    tag("old", "new", "fresh")
    shelf.put("repo", "new", OCI_MANIFEST, THIRD)
    lines = len(journal.rows)

    result = undo()

    assert result.status == 12
    assert [(row[0].rpartition(":")[2], row[2]) for row in result.rows] == [
        ("fresh", "deleted"),
        ("new", "failed"),
    ]
    result.complaint("refused", digest_of(THIRD))
    assert at(shelf) == digest_of(THIRD)
    assert len(journal.rows) == lines + 2
    shelf.put("repo", "new", *shelf.manifests["repo", old])
    assert [row[2] for row in undo().rows] == ["unchanged"]
    assert undo().out == b""


def test_what_was_unknown_cannot_be_put_back(tag, undo, shelf, new):
    shelf.hide("new", answer(403))
    tag("old", "new")
    shelf.show()

    result = undo()

    assert result.status == 3
    assert [row[2] for row in result.rows] == ["failed"]
    result.complaint("repo:new", "where it pointed before")
    assert at(shelf) == new


def test_an_image_that_is_gone_cannot_be_put_back(tag, undo, shelf, journal, old, new):
    tag("old", "new", "fresh")
    del shelf.manifests["repo", old]

    result = undo()

    assert result.status == 3
    assert [row[2] for row in result.rows] == ["deleted", "failed"]
    assert at(shelf) == new
    assert journal.outcomes[-2:] == ["undo:moving", "undo:deleted"]


def test_an_undo_that_failed_can_be_tried_again(tag, undo, shelf, journal, old, new):
    tag("old", "new")
    shelf.instead["PUT"] = lambda request: errors(403, "DENIED")
    assert undo().status == 4
    assert journal.outcomes[2:] == ["undo:moving", "undo:failed"]
    del shelf.instead["PUT"]

    assert [row[1:] for row in undo().rows] == [(old, "moved", new)]
    assert at(shelf) == old


def test_undo_reads_the_tag_back_if_it_is_to(tag, undo, server):
    tag("old", "new")
    server.requests.clear()

    assert undo("--confirm").status == 0
    assert [request.method for request in server.requests][-2:] == ["PUT", "HEAD"]


def test_undo_tells_json(tag, undo, server, old, new):
    tag("old", "new", "fresh")

    deleted, moved = undo("--json").objects

    assert (deleted["result"], deleted["previous"], deleted["digest"]) == ("deleted", new, None)
    assert (moved["result"], moved["previous"], moved["digest"]) == ("moved", new, old)
    assert moved["reference"] == f"{server.host}/repo:new"
    assert (deleted["status"], moved["status"]) == (0, 0)


def test_a_dry_run_shows_what_undo_would_do(tag, delete, undo, server, shelf, journal):
    tag("old", "new", "fresh")
    tag("third", "new")
    delete("new")
    before = journal.path.read_bytes()
    uploads = len(server.uploads)

    told = undo("--dry-run")

    assert told.status == 0, told
    told.complaint("nothing was changed")
    assert journal.path.read_bytes() == before
    assert len(server.uploads) == uploads
    assert at(shelf) is None
    assert undo().rows == told.rows


def test_a_journal_that_must_not_be_written_can_be_tried_dry(tag, undo, journal):
    tag("old", "new")
    journal.path.chmod(0o444)

    assert [row[2] for row in undo("--dry-run").rows] == ["moved"]


def test_undo_reaches_each_registry(regtag, undo, serve, shelf, server, journal, tag, old):
    second = serve(shelf)
    tag("old", "new")
    regtag("tag", "--journal", journal.path, f"{second.host}/repo:third", "new")

    result = undo()

    assert [row[0] for row in result.rows] == [f"{second.host}/repo:new", f"{server.host}/repo:new"]
    assert at(shelf) == old


HOWS = ["option", "environment", "token"]


@pytest.fixture
def login(tmp_path):
    """login(how): options and environment of credentials that are for any registry."""

    def given(how):
        if how == "environment":
            return [], {"REGTAG_USER": "me", "REGTAG_PASSWORD": "secret"}
        if how == "token":
            return [], {"REGTAG_TOKEN": "secret"}
        file = tmp_path / "password"
        file.write_text("secret")
        file.chmod(0o600)
        return ["--user", "me", "--password-file", file], {}

    return given


@pytest.mark.parametrize("verb", ["undo", "delete"])
@pytest.mark.parametrize("how", HOWS)
def test_a_password_is_not_sent_to_two_registries(
    regtag, serve, shelf, server, journal, login, verb, how
):
    second = serve(shelf)
    images = [f"{one.host}/repo:new" for one in (server, second)]
    for image in images:
        journal.add(image, digest_of(b"a"), digest_of(b"b"), "moved")
    options, env = login(how)
    if verb == "undo":
        options += ["--registry", second.host]

    result = regtag(verb, *(images if verb == "delete" else [journal.path]), *options, env=env)

    assert (result.status, result.out) == (2, b"")
    result.complaint(server.host, second.host, "--registry is" if verb == "undo" else "for one registry")
    assert server.requests + second.requests == []


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--last", "1"]], ids=" ".join)
@pytest.mark.parametrize("how", HOWS)
def test_a_password_goes_to_no_host_that_only_the_journal_names(
    regtag, server, journal, login, how, more
):
    journal.add(f"{server.host}/repo:new", digest_of(b"a"), digest_of(b"b"), "moved")
    options, env = login(how)

    result = regtag("undo", journal.path, *options, *more, env=env)

    assert (result.status, result.out) == (2, b"")
    result.complaint("--registry HOST[:PORT]", "nothing was done")
    assert server.requests == []


@pytest.mark.parametrize("how", HOWS)
def test_a_password_goes_to_the_registry_that_was_named(
    regtag, tag, server, shelf, journal, login, old, how
):
    tag("old", "new")
    journal.path.write_text(journal.path.read_text().replace("127.0.0.1:", "LocalHost:"))
    options, env = login(how)

    result = regtag(
        "undo", "--registry", f"localhost:{server.port}", journal.path, *options, env=env
    )

    assert [row[2] for row in result.rows] == ["moved"], result
    assert at(shelf) == old


def test_without_a_password_a_registry_may_be_named_as_well(tag, undo, server, shelf, journal, old):
    tag("old", "new")
    server.requests.clear()

    assert undo("--registry", "example.com").status == 2
    assert server.requests == []
    assert undo("--registry", server.host).status == 0
    assert at(shelf) == old


def test_the_last_moves_alone_may_be_at_the_registry(regtag, undo, serve, shelf, journal, tag, server):
    second = serve(shelf)
    tag("old", "new")
    regtag("tag", "--journal", journal.path, f"{second.host}/repo:third", "new")

    assert undo("--registry", second.host, "--last", "1").status == 0
    assert undo("--registry", second.host).status == 2


@pytest.mark.parametrize(
    "name", [" ", "host", "a.b/c", "http://a.b", "a.b:", "a.b:x", "me@a.b", "a.b " * 99, "a.b@c:5"]
)
def test_what_no_reference_begins_with_is_no_registry(undo, server, journal, name):
    journal.add(f"{server.host}/repo:new", digest_of(b"a"), digest_of(b"b"), "moved")

    result = undo("--registry", name)

    assert result.status == 2
    result.complaint("--registry", "HOST[:PORT]")


def test_docker_hub_is_named_as_in_a_reference(undo, journal):
    """Nothing is sent: where the tags were is not known."""
    journal.add("busybox:new", "-", digest_of(b"b"), "set")
    journal.add("index.docker.io/me/repo:new", "-", digest_of(b"b"), "set")

    for name in ("docker.io", "index.docker.io"):
        result = undo("--registry", name)
        assert (result.status, len(result.rows)) == (3, 2), result


def test_a_password_on_standard_input_serves_all_images(regtag, tag, server, journal, tmp_path):
    tag("old", "a", "b", "c")
    (tmp_path / "password").write_text("secret\n")
    login = ["--user", "me", "--password-stdin"]

    with open(tmp_path / "password") as given:
        deleted = regtag("delete", f"{server.host}/repo:a", f"{server.host}/repo:b", *login, stdin=given)
    with open(tmp_path / "password") as given:
        undone = regtag("undo", journal.path, "--registry", server.host, *login, stdin=given)

    assert [row[2] for row in deleted.rows] == ["deleted", "deleted"]
    assert [row[2] for row in undone.rows] == ["deleted", "unchanged", "unchanged"]
    assert (deleted.status, undone.status) == (0, 0)


# ---- delete with several images


def images_of(server, *names):
    return [f"{server.host}/repo:{name}" for name in names]


def test_each_image_is_deleted_and_told(delete, server, shelf):
    result = delete("new", "nothing", "third")

    assert result.status == 3
    assert [(row[0], row[2]) for row in result.rows] == list(
        zip(images_of(server, "new", "nothing", "third"), ("deleted", "failed", "deleted"), strict=True)
    )
    assert (at(shelf), at(shelf, "third")) == (None, None)


def test_an_image_that_makes_no_sense_keeps_all_from_being_deleted(delete, server, old):
    for nonsense in ("a b", "", f"new@{old}"):
        result = delete("new", "third", nonsense)

        assert (result.status, result.out) == (2, b"")
    assert server.requests == []


def test_each_image_has_its_own_guard(regtag, server, shelf, old):
    guards = ["--expect", f"new={old}", "--expect", f"third={old}", "--expect", digest_of(b"")]

    result = regtag("delete", *guards, *images_of(server, "new", "third", "old"))

    assert result.status == 12
    assert [row[2] for row in result.rows] == ["deleted", "failed", "failed"]
    assert at(shelf, "third") is not None and at(shelf, "old") is not None


def test_a_guard_for_no_image_at_hand_is_refused(regtag, server, old):
    result = regtag("delete", "--expect", f"fresh={old}", *images_of(server, "new", "third"))

    assert (result.status, result.out) == (2, b"")
    result.complaint("fresh=", "--expect")
    assert server.requests == []


# ---- Journals that are not as they should be


def test_undo_needs_a_journal(undo, regtag, journal):
    undo().complaint(str(journal.path), "no such file")
    assert undo().status == 1
    for path in ("/dev/full", "/"):
        assert regtag("undo", path).status == 1
    assert regtag("undo", "").status == 2
    assert not journal.path.exists()


@pytest.mark.parametrize("line", [1, 2, 3])
def test_a_line_that_nobody_has_written_stops_undo(tag, undo, server, shelf, journal, new, line):
    tag("old", "new")
    lines = journal.path.read_text().splitlines()
    lines.insert(line - 1, "stable was moved by hand")
    journal.path.write_text("\n".join(lines) + "\n")
    server.requests.clear()

    result = undo()

    assert (result.status, result.out) == (2, b"")
    result.complaint(str(journal.path), f"line {line} ")
    assert server.requests == []
    assert at(shelf) == new


FOREIGN = {
    "passwd": b"root:x:0:0:root:/root:/bin/sh\n" * 3,
    "picture": b"\xff\xd8\xff\n\x01",
    "program": b"\x7fELF\2\1\1\0\0\0\0\n",
    "archive": b"oci-layout".ljust(512, b"\0") + b'{"imageLayoutVersion":"1.0.0"}'.ljust(2_000_000, b"\0") + b"\n",
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_a_file_without_a_move_is_no_journal(undo, server, journal, text):
    journal.path.write_bytes(text)

    result = undo()

    assert (result.status, result.out) == (2, b"")
    assert "line" not in result.complaint(f"{journal.path} is not a journal")
    assert server.requests == []


@pytest.mark.parametrize("verb", ["tag", "delete"])
@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_nothing_is_appended_to_what_is_no_journal(tag, delete, server, journal, text, verb):
    journal.path.write_bytes(text)

    result = tag("old", "new") if verb == "tag" else delete("new")

    assert (result.status, [row[2] for row in result.rows]) == (1, ["failed"])
    result.complaint(f"{journal.path}: it is not a journal", "nothing was done")
    assert journal.path.read_bytes() == text
    assert server.requests == []


@pytest.mark.parametrize("text", ["\n", "\0", "2026", "2026-11-23T12:31:28", "2026-11-23T12:31:28Z\t\nx", "\nx"])
def test_what_may_be_left_of_a_journal_is_gone_on_with(tag, journal, text):
    journal.path.write_text(text)

    assert tag("old", "new").status == 0

    assert journal.path.read_text().startswith(text)


@pytest.mark.slow
def test_a_journal_is_read_wherever_it_was_torn(tag, undo, server, shelf, journal, old, new):
    """Cut after each byte, which is what a power cut may do; then it is gone on with."""
    tag("old", "new")
    whole = journal.path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(0, len(whole) + 1, 3):
        journal.path.write_bytes(whole[:cut])
        shelf.put("repo", "new", *shelf.manifests["repo", new if cut >= first else old])

        result = undo()

        assert result.status == 0, (cut, result)
        assert at(shelf) == old
        text = result.err.decode()
        is_torn = cut not in (0, first - 1, first, len(whole) - 1, len(whole))
        assert ("incomplete" in text) == is_torn, (cut, result)
        tag("third", "new")
        assert [row[1:] for row in undo().rows] == [(old, "moved", digest_of(THIRD))], cut
        assert at(shelf) == old
        journal.path.unlink()


@pytest.mark.parametrize("size", [1, 500, 5000, 5_000_000])
def test_blocks_that_a_disk_never_wrote_are_passed_over(tag, undo, shelf, journal, old, size):
    tag("old", "new")
    with open(journal.path, "ab") as file:
        file.write(b"\0" * size)
    tag("third", "new")

    result = undo()

    assert (result.status, len(result.rows)) == (0, 2)
    result.complaint("line 3 ", "incomplete")
    assert at(shelf) == old


def test_torn_lines_are_told_together(tag, undo, journal):
    tag("old", "new")
    with open(journal.path, "a") as file:
        file.write("2026\n2026\n")
    tag("third", "new")
    with open(journal.path, "a") as file:
        file.write("2026-11-23T12:31:28Z\t")

    undo("--dry-run", "--last", "1").complaints[0].index(": 3 lines are incomplete")
    assert "the first is line 3" in undo("--dry-run").complaints[0]
    assert undo("-q").err == b""


def test_what_is_foreign_is_foreign_behind_a_hole_as_well(tag, undo, server, journal):
    tag("old", "new")
    server.requests.clear()
    for size in (1023, 1024, 5000, 40_000):
        whole = journal.path.read_bytes()
        journal.path.write_bytes(whole + b"2026\0\0\0\n" + b"x" * size + b"\n")

        result = undo()

        assert (result.status, result.out) == (2, b""), size
        result.complaint("line 4 ")
        journal.path.write_bytes(whole)
    assert server.requests == []


def reads(trace):
    """How many bytes of the journal were read."""
    lines = [line for line in trace.splitlines() if "moves>" in line and "pread64(" in line]
    return sum(int(line.rpartition("= ")[2]) for line in lines)


@pytest.mark.parametrize("kind", ["torn", "marks"])
def test_a_journal_is_read_twice_however_many_lines_are_odd(
    strace, tag, server, shelf, journal, old, kind
):
    tag("old", "new")
    with open(journal.path, "a") as file:
        mark = f"2026-11-23T12:31:28Z\t{server.host}/repo:%d\t{old}\t{old}\tundo:moved\n"
        for number in range(2000 if kind == "marks" else 20_000):
            file.write(mark % number if kind == "marks" else "2026\n")
    size = journal.path.stat().st_size

    result, trace = strace(["-y", "-e", "trace=pread64"], ["undo", journal.path])

    assert result.status == 0, result
    assert at(shelf) == old
    assert size <= reads(trace) <= 2 * size + 10, (size, reads(trace))


def test_a_sparse_file_is_no_journal(undo, journal):
    journal.path.touch()
    os.truncate(journal.path, 100 << 30)

    assert undo().status == 1
    undo("--dry-run").complaint(str(journal.path), "256 MiB", "nothing was done")


def test_a_journal_that_is_rewritten_meanwhile_is_not_used_any_further(
    tag, undo, server, shelf, journal, new
):
    """The line that is not read again yet is one that would take back something else."""
    tag("old", "new")
    with open(journal.path, "a") as file:
        file.write("2026\n" * 4000)  # the next block
    tag("old", "fresh")
    forged = journal.path.read_text().replace("repo:new\t", "repo:old\t")
    usual = shelf.instead["DELETE"]

    def rewrite(request):
        with open(journal.path, "r+") as file:
            file.write(forged)
        return usual(request)

    shelf.instead["DELETE"] = rewrite
    result = undo("-q")

    assert result.status == 1
    assert [(row[0].rpartition(":")[2], row[2]) for row in result.rows] == [("fresh", "deleted")]
    result.complaint(str(journal.path), "changed it meanwhile", "1 of 2 moves")
    assert (at(shelf), at(shelf, "old"), at(shelf, "fresh")) == (new, new, None)


@pytest.mark.parametrize("mode, told", [(0o600, False), (0o644, False), (0o664, True), (0o646, True)])
def test_a_journal_that_others_can_write_to_is_warned_of(tag, undo, journal, mode, told):
    tag("old", "new")
    journal.path.chmod(mode)

    warnings = [line for line in undo("--dry-run").complaints if "others can write to it" in line]
    assert [str(journal.path) in line for line in warnings] == [True] * told
    assert undo("-q").err == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_journal_that_belongs_to_somebody_else_is_warned_of(tag, undo, journal):
    tag("old", "new")
    os.chown(journal.path, 12345, -1)

    undo().complaint(str(journal.path), "others can write to it")


# ---- Several at once


def test_several_undos_at_once_wait_for_each_other(regtag, tag, delete, server, shelf, journal, old):
    tag("old", "new", "one", "two")
    delete("third")
    third = digest_of(THIRD)
    server.requests.clear()

    started = [
        subprocess.Popen(
            [regtag.path, "undo", journal.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(6)
    ]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in started]

    assert [status for _, _, status in ended] == [0] * 6, ended
    assert sorted(len(out.splitlines()) for out, _, _ in ended) == [0] * 5 + [4]
    assert [at(shelf, name) for name in ("new", "one", "two", "third")] == [old, None, None, third]
    assert len([request for request in server.requests if request.method == "DELETE"]) == 2
    assert len(server.uploads) == 2


@pytest.fixture
def hold():
    """hold(file): locks it as another undo would, or another dry run."""
    with ExitStack() as stack:

        def lock(path, kind=fcntl.LOCK_EX):
            file = stack.enter_context(open(path, "r+b"))
            fcntl.lockf(file, kind)
            return file

        yield lock


def test_an_undo_that_does_not_end_is_waited_for_until_the_deadline(tag, undo, server, journal, hold):
    tag("old", "new")
    hold(journal.path)
    server.requests.clear()

    result = undo("-q", "--timeout", "1")

    assert (result.status, result.out) == (1, b"")
    result.complaint(str(journal.path), "another undo", "--timeout", "nothing was done")
    assert server.requests == []


def test_dry_runs_wait_only_for_undos(tag, undo, journal, hold):
    tag("old", "new")
    hold(journal.path, fcntl.LOCK_SH)

    assert undo("--dry-run").status == 0
    assert undo("-q", "--timeout", "1").status == 1


def test_an_undo_keeps_no_move_from_being_written_down(tag, journal, hold):
    tag("old", "one")
    hold(journal.path)

    assert tag("old", "new").status == 0
    assert journal.outcomes == ["moving", "created", "moving", "moved"]


@pytest.mark.parametrize("problem", ["ENOLCK", "EOPNOTSUPP", "EINVAL", "ENOSYS"])
def test_where_files_cannot_be_locked_undo_goes_on(strace, tag, shelf, journal, old, problem):
    tag("old", "new")
    _, trace = strace(["-e", "trace=fcntl"], ["undo", "--dry-run", journal.path])
    calls = [line for line in trace.splitlines() if "fcntl(" in line]
    number = next(number for number, line in enumerate(calls, 1) if "F_SETLK" in line)

    result, _ = strace(["-e", f"inject=fcntl:error={problem}:when={number}"], ["undo", journal.path])

    assert [row[2] for row in result.rows] == ["moved"]
    assert result.status == 0
    result.complaint("warning", str(journal.path), "lock")
    assert at(shelf) == old


def test_a_journal_that_was_cut_off_at_its_beginning_still_serves(tag, undo, shelf, journal, new):
    tag("old", "new")
    tag("third", "new")
    undo("--last", "1")
    lines = journal.path.read_bytes().splitlines(keepends=True)
    for cut in range(1, len(lines)):
        journal.path.write_bytes(b"".join(lines[cut:]))
        rows = undo("--dry-run").rows
        assert [row[2] for row in rows] == (["moved"] if cut < 2 else []), cut
    assert at(shelf) == new


def test_a_long_journal_is_read_in_little_time_and_memory(regtag, tag, undo, journal, server):
    with open(journal.path, "w") as file:
        for number in range(20_000):
            there = f"{digest_of(b'a')}\t{digest_of(b'%d' % number)}"
            reference = f"2026-11-23T12:31:28Z\t{server.host}/repo:v{number}"
            file.write(f"{reference}\t{there}\tmoving\n{reference}\t{there}\tfailed\n")
    tag("old", "new")

    def little():
        if not os.environ.get("SAN"):  # a sanitizer needs more
            resource.setrlimit(resource.RLIMIT_DATA, (24 << 20, 24 << 20))

    result = undo(limit=20, preexec_fn=little)
    assert (result.status, len(result.rows)) == (0, 1)


# ---- Killed

KILLED = (-signal.SIGKILL, 0)  # a run may take one step less than the one before it


def calls_of(strace, args):
    """With sanitizers, a run takes long, and every third call is enough: without them, each call has its turn."""
    found = every_call(strace, args, 300)
    return found[::3] if os.environ.get("SAN") else found


@pytest.fixture(params=["moved", "created", "deleted"])
def killable(request, server, shelf, journal, old):
    """What is done to the tag that is to be killed, the state before it, and how to get there again."""
    name = {"moved": "new", "created": "fresh", "deleted": "new"}[request.param]
    image = f"{server.host}/repo:{'new' if request.param == 'deleted' else 'old'}"
    more = [] if request.param == "deleted" else [name]
    verb = "delete" if request.param == "deleted" else "tag"

    def reset():
        journal.path.unlink(missing_ok=True)
        shelf.put("repo", "new", *shelf.manifests["repo", old])
        shelf.manifests.pop(("repo", "fresh"), None)

    before = at(shelf, name)
    return [verb, "--journal", journal.path, image, *more], name, before, reset


@pytest.mark.slow
def test_a_move_that_is_killed_anywhere_can_be_undone(
    strace, undo, server, shelf, journal, killable
):
    args, name, before, reset = killable
    calls = calls_of(strace, args)
    after = at(shelf, name)
    moved = 0
    for call, number in calls:
        reset()
        where = f"{call} number {number}"

        result, _ = strace(["-e", f"inject={call}:signal=KILL:when={number}"], args)

        server.settle()
        assert result.status in KILLED, where
        assert at(shelf, name) in (before, after), where
        moved += at(shelf, name) == after
        if journal.path.exists():
            assert set(journal.outcomes) <= {"moving", "moved", "created", "deleted"}, where
            assert journal.rows or at(shelf, name) == before, where
            result = undo()
            assert result.status == 0, (where, result)
            assert at(shelf, name) == before, where
            assert undo().out == b"", where
        assert at(shelf, name) == before, where
    assert 0 < moved < len(calls)


@pytest.mark.slow
def test_an_undo_that_is_killed_anywhere_is_gone_on_with(
    strace, regtag, undo, server, shelf, journal, killable
):
    args, name, before, reset = killable
    regtag(*args)
    after = at(shelf, name)
    calls = calls_of(strace, ["undo", journal.path])
    assert at(shelf, name) == before
    for call, number in calls:
        reset()
        assert regtag(*args).status == 0
        where = f"{call} number {number}"

        result, _ = strace(
            ["-e", f"inject={call}:signal=KILL:when={number}"], ["undo", journal.path]
        )

        server.settle()
        assert result.status in KILLED, where
        assert at(shelf, name) in (before, after), where
        result = undo()
        assert result.status == 0, (where, result)
        assert at(shelf, name) == before, where
        assert undo().out == b"", where


# ---- A real registry


def test_a_real_registry_is_put_back(regtag, registry, repository, journal):
    before = registry.push(repository, "stable", OCI_MANIFEST, THIRD)
    image = f"{registry.host}/{repository}"
    for source in ("old", "stable", "old"):
        assert regtag("tag", "--journal", journal.path, f"{image}:{source}", "stable").status == 0
    digest = registry.digest(repository, "old")
    assert journal.outcomes == ["moving", "moved"]

    result = regtag("undo", journal.path)

    assert result.rows == [(f"{image}:stable", before, "moved", digest)]
    assert registry.fetch(repository, "stable") == (OCI_MANIFEST, before, THIRD)
    assert registry.fetch(repository, "old")[0] == DOCKER_MANIFEST


def test_a_real_registry_deletes_no_tag(regtag, registry, repository, journal):
    image = f"{registry.host}/{repository}"
    assert regtag("tag", "--journal", journal.path, f"{image}:old", "fresh").status == 0

    result = regtag("undo", journal.path)

    assert result.status == 13, result
    result.complaint(f"{image}:fresh")
    assert [row[2] for row in result.rows] == ["failed"]
    assert registry.digest(repository, "fresh") is not None
    assert journal.outcomes == ["moving", "created", "undo:moving", "undo:failed"]
