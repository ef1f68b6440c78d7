"""Several tags with one request, where the registry can: fewer requests, and nothing said too soon."""

import pytest
from fake import CLOSE, RESET, VERSION, answer, errors
from images import OCI_MANIFEST, digest_of
from together import Together


@pytest.fixture
def shelf(document):
    one = Together()
    one.put("repo", "old", OCI_MANIFEST, document)
    return one


@pytest.fixture
def digest(document):
    return digest_of(document)


def names(count):
    return [f"v{number}" for number in range(count)]


def methods(server):
    return [request.method for request in server.requests]


def tag(regtag, server, wanted, *options, **more):
    return regtag("tag", *options, f"{server.host}/repo:old", *wanted, **more)


def one_by_one(server):
    """The tags that were set by a request of their own."""
    return [put.path.rsplit("/", 1)[1] for put in server.uploads if not put.query]


def all_created(result, server, wanted, digest):
    assert (result.status, result.err) == (0, b""), result
    assert result.rows == [
        (f"{server.host}/repo:{name}", digest, "created", "-") for name in wanted
    ]
    return True


@pytest.mark.parametrize("count", [2, 3, 30])
def test_one_upload_sets_them_all(regtag, serve, shelf, document, digest, count):
    server = serve(shelf)

    result = tag(regtag, server, names(count))

    assert all_created(result, server, names(count), digest)
    assert {shelf.document("repo", name) for name in names(count)} == {document}
    assert shelf.together == [names(count)]
    assert one_by_one(server) == []
    assert methods(server).count("PUT") == 1
    assert len(server.requests) <= 1 + count + 1
    assert server.connections == 1


def test_the_upload_is_by_digest_with_its_tags_in_the_query(regtag, serve, shelf, document, digest):
    server = serve(shelf)

    tag(regtag, server, ["one", "v1.0_x-2"])

    [put] = server.uploads
    assert put.target == f"/v2/repo/manifests/{digest}?tag=one&tag=v1.0_x-2"
    assert put.body == document
    assert put.value("Content-Type") == OCI_MANIFEST


def test_one_name_is_set_by_its_name(regtag, serve, shelf, digest):
    server = serve(shelf)

    result = tag(regtag, server, ["one"])

    assert all_created(result, server, ["one"], digest)
    assert shelf.together == []
    assert one_by_one(server) == ["one"]


def test_what_is_there_already_is_left_out(regtag, serve, shelf, document, digest):
    shelf.put("repo", "there", OCI_MANIFEST, document)
    server = serve(shelf)

    result = tag(regtag, server, ["one", "there", "two"])

    assert result.status == 0, result
    assert [row[2:] for row in result.rows] == [
        ("created", "-"),
        ("unchanged", digest),
        ("created", "-"),
    ]
    assert [name for tags in shelf.together for name in tags] == ["one", "two"]


def test_the_past_of_each_is_told(regtag, serve, shelf, other_document, digest):
    shelf.put("repo", "two", OCI_MANIFEST, other_document)
    server = serve(shelf)

    result = tag(regtag, server, ["one", "two", "three"])

    assert result.status == 0, result
    assert [row[1:] for row in result.rows] == [
        (digest, "created", "-"),
        (digest, "moved", digest_of(other_document)),
        (digest, "created", "-"),
    ]
    assert len(shelf.together) == 1


def test_what_is_guarded_is_set_by_itself(regtag, serve, shelf, digest):
    """From the look to the upload it takes no longer than need be."""
    server = serve(shelf)

    result = tag(regtag, server, ["one", "two", "three"], "--expect", "absent")

    assert all_created(result, server, ["one", "two", "three"], digest)
    assert shelf.together == []
    assert one_by_one(server) == ["one", "two", "three"]


@pytest.mark.parametrize("count", [2, 5, 30])
def test_a_registry_that_does_not_know_it_costs_one_request(regtag, serve, shelf, digest, count):
    shelf.knows_it = False
    server = serve(shelf)

    result = tag(regtag, server, names(count))

    assert all_created(result, server, names(count), digest)
    assert shelf.together == [names(count)]
    assert one_by_one(server) == names(count)
    assert len(server.requests) <= 1 + 2 * count + 1


def test_distribution_is_not_even_asked(regtag, serve, shelf, digest):
    shelf.fields = [VERSION]
    server = serve(shelf)

    result = tag(regtag, server, names(5))

    assert all_created(result, server, names(5), digest)
    assert shelf.together == []
    assert len(server.requests) == 11


@pytest.mark.parametrize("refusal", [414, 431])
@pytest.mark.parametrize(
    "longest, count, asked",
    [(2, 5, [5, 2, 2]), (10, 25, [25, 12, 6, 6, 6, 6]), (1, 3, [3])],
)
def test_more_than_the_server_takes_are_split(
    regtag, serve, shelf, document, digest, refusal, longest, count, asked
):
    """In halves, until it takes them; one that is left goes by itself."""
    shelf.longest = longest
    shelf.too_many = refusal
    server = serve(shelf)

    result = tag(regtag, server, names(count))

    assert all_created(result, server, names(count), digest)
    assert {shelf.document("repo", name) for name in names(count)} == {document}
    assert [len(tags) for tags in shelf.together] == asked


@pytest.mark.parametrize("longest, asked", [(1, [7]), (3, [7, 3])])
def test_fewer_than_asked_for_are_finished(regtag, serve, shelf, document, digest, longest, asked):
    """So many as were set at once are asked for the next time."""
    shelf.longest = longest
    shelf.too_many = None
    server = serve(shelf)

    result = tag(regtag, server, names(7))

    assert all_created(result, server, names(7), digest)
    assert {shelf.document("repo", name) for name in names(7)} == {document}
    assert [len(tags) for tags in shelf.together] == asked


@pytest.mark.parametrize("refusal", [400, 404, 405, 409, 412, 413, 501])
def test_a_refusal_of_all_is_not_one_of_each(regtag, serve, shelf, digest, refusal):
    """Whatever is against them together, one by one they are set."""
    shelf.longest = 0
    shelf.too_many = refusal
    server = serve(shelf)

    result = tag(regtag, server, names(3))

    assert all_created(result, server, names(3), digest)
    assert one_by_one(server) == names(3)
    assert len(shelf.together) == 1


def test_a_tag_that_is_not_confirmed_is_tried_by_itself(regtag, serve, shelf, digest):
    shelf.broken = {"two"}
    server = serve(shelf)

    result = tag(regtag, server, ["one", "two", "three"])

    assert all_created(result, server, ["one", "two", "three"], digest)
    assert one_by_one(server) == ["two"]


def test_a_tag_that_is_refused_by_itself_has_its_own_line(regtag, serve, shelf, digest):
    shelf.broken = {"two"}

    def respond(request):
        if request.method == "PUT" and request.path.endswith("/two"):
            return errors(409, "TAG_IMMUTABLE", "no")
        return shelf(request)

    server = serve(respond)

    result = tag(regtag, server, ["one", "two", "three"])

    assert result.status == 13, result
    result.complaint(f"{server.host}/repo:two")
    assert [row[1:3] for row in result.rows] == [
        (digest, "created"),
        (digest, "failed"),
        (digest, "created"),
    ]


FORMS = {
    "commas": lambda tags: [f"OCI-Tag: {','.join(tags)}"],
    "commas_and_spaces": lambda tags: [f"OCI-Tag: {', '.join(tags)}"],
    "white_space": lambda tags: [f"OCI-Tag: \t{' ,  '.join(tags)} "],
    "empty_elements": lambda tags: [f"OCI-Tag: ,,{', ,'.join(tags)},"],
    "a_field_each": lambda tags: [f"OCI-Tag: {tag}" for tag in tags],
    "lower_case": lambda tags: [f"oci-tag: {', '.join(tags)}"],
    "another_order": lambda tags: [f"OCI-Tag: {', '.join(reversed(tags))}"],
    "one_too_many": lambda tags: [f"OCI-Tag: {', '.join([*tags, 'other'])}"],
}


@pytest.mark.parametrize("form", FORMS)
def test_what_was_set_may_be_told_in(regtag, serve, shelf, digest, form):
    shelf.told = FORMS[form]
    server = serve(shelf)

    result = tag(regtag, server, ["one", "two", "three"])

    assert all_created(result, server, ["one", "two", "three"], digest)
    assert one_by_one(server) == []


LIES = {
    "other_names": lambda tags: ["OCI-Tag: four, five"],
    "beginnings": lambda tags: ["OCI-Tag: " + ", ".join(tag[:-1] for tag in tags)],
    "longer_names": lambda tags: ["OCI-Tag: " + ", ".join(tag + "x" for tag in tags)],
    "other_letters": lambda tags: ["OCI-Tag: " + ", ".join(tag.upper() for tag in tags)],
    "nothing": lambda tags: ["OCI-Tag: "],
    "another_field": lambda tags: ["X-OCI-Tag: " + ", ".join(tags)],
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_not_named_was_not_set(regtag, serve, shelf, digest, lie):
    """Each of them is set by itself, and so is where it should be in any case."""
    shelf.told = LIES[lie]
    server = serve(shelf)

    result = tag(regtag, server, ["one", "two"])

    assert all_created(result, server, ["one", "two"], digest)
    assert one_by_one(server) == ["one", "two"]


def test_another_digest_confirms_none_of_them(regtag, serve, shelf, other_document):
    def respond(request):
        whole = shelf(request)
        if request.method == "PUT" and request.query:
            mine = digest_of(request.body).encode()
            whole = whole.replace(mine, digest_of(other_document).encode())
        return whole

    server = serve(respond)

    result = tag(regtag, server, ["one", "two"])

    # Named as they are, they may be confirmed one by one afterwards; but not by this answer.
    assert result.status in (0, 15), result
    assert result.status == 15 or one_by_one(server) == ["one", "two"]


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["closed", "reset"])
@pytest.mark.parametrize("kept", [True, False], ids=["stored", "not_stored"])
def test_an_upload_of_many_that_is_not_answered_is_found_out(
    regtag, serve, shelf, document, digest, end, kept
):
    lost = []

    def respond(request):
        if request.method == "PUT" and request.query and len(lost) < 2:
            lost.append(request)
            if kept:
                shelf(request)
            return [end]
        return shelf(request)

    server = serve(respond)

    result = tag(regtag, server, ["one", "two", "three"], retries=None)

    assert result.status == 0, result
    assert {row[1] for row in result.rows} == {digest}
    assert shelf.document("repo", "two") == document


def test_an_answer_of_5xx_to_many_is_tried_again(regtag, serve, shelf, document, digest):
    failed = []

    def respond(request):
        if request.method == "PUT" and not failed:
            failed.append(request)
            return answer(503, b"", "Retry-After: 0")
        return shelf(request)

    server = serve(respond)

    result = tag(regtag, server, ["one", "two", "three"], retries=None)

    assert result.status == 0, result
    assert {row[1] for row in result.rows} == {digest}
    assert shelf.document("repo", "three") == document


def test_confirm_reads_each_of_them_back(regtag, serve, shelf, other_document, digest):
    def respond(request):
        whole = shelf(request)
        if request.method == "PUT" and "tag=two" in request.query:
            shelf.put("repo", "two", OCI_MANIFEST, other_document)
        return whole

    server = serve(respond)

    result = tag(regtag, server, ["one", "two", "three"], "--confirm")

    assert result.status == 15, result
    result.complaint(f"{server.host}/repo:two")
    assert [row[1:3] for row in result.rows] == [
        (digest, "created"),
        (digest, "failed"),
        (digest, "created"),
    ]


def test_a_dry_run_asks_for_nothing_of_the_kind(regtag, serve, shelf):
    server = serve(shelf)

    result = tag(regtag, server, names(5), "--dry-run")

    assert result.status == 0, result
    assert server.uploads == []


def test_a_hundred_names_are_set_in_a_few_uploads(regtag, serve, shelf, document, digest):
    server = serve(shelf)

    result = tag(regtag, server, names(100))

    assert all_created(result, server, names(100), digest)
    assert {shelf.document("repo", name) for name in names(100)} == {document}
    assert methods(server).count("PUT") < 20


def test_the_longest_names_are_set_too(regtag, serve, shelf, document, digest):
    wanted = [f"{number:02}" + "n" * 126 for number in range(40)]
    server = serve(shelf)

    result = tag(regtag, server, wanted)

    assert all_created(result, server, wanted, digest)
    assert {shelf.document("repo", name) for name in wanted} == {document}
