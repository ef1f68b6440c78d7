"""regtag ls: every tag, whatever the pages look like, and an end to it."""

import json

import pytest
from fake import CLOSE, STALL, Drip, answer, chunked, errors

JSON = "Content-Type: application/json"


def tags(*names, name="repo"):
    return json.dumps({"name": name, "tags": names}).encode()


def page(body, *links):
    return answer(200, body, JSON, *[f"Link: {link}" for link in links])


def test_the_tags_of_a_real_registry_are_listed(regtag, registry, recorder, repository):
    image = f"{recorder.host}/{repository}"
    assert regtag("tag", f"{image}:old", "v1", "v2", "latest").status == 0

    result = regtag("ls", image)

    assert (result.status, result.err) == (0, b"")
    assert sorted(result.lines) == ["latest", "old", "v1", "v2"]
    assert recorder.requests[-1].method == "GET"
    assert recorder.requests[-1].path == f"/v2/{repository}/tags/list"


def test_json_has_a_reference_and_a_tag_a_line(regtag, serve):
    server = serve(lambda request: page(tags("one", "two")))

    result = regtag("ls", "--json", f"{server.host}/repo")

    assert result.objects == [
        {"reference": f"{server.host}/repo:{name}", "tag": name} for name in ("one", "two")
    ]
    assert result.status == 0


LINK_FORMS = {
    "relative_path": lambda host, path: f'<{path}>; rel="next"',
    "absolute": lambda host, path: f'<http://{host}{path}>; rel="next"',
    "absolute_with_capitals": lambda host, path: f'<HTTP://{host}{path}>; rel="next"',
    "network_path": lambda host, path: f'<//{host}{path}>; rel="next"',
    "query_only": lambda host, path: f'<?{path.partition("?")[2]}>; rel="next"',
    "relative_to_the_folder": lambda host, path: f'<list?{path.partition("?")[2]}>; rel="next"',
    "with_dots": lambda host, path: f'<../tags/./list?{path.partition("?")[2]}>; rel="next"',
    "unquoted": lambda host, path: f"<{path}>; rel=next",
    "several_relations": lambda host, path: f'<{path}>; rel="prev next"',
    "other_parameters": lambda host, path: f'<{path}>;title="a, b; rel=\\"x\\"" ; REL = "NEXT"',
    "after_another": lambda host, path: f'</v2/other>; rel="first", <{path}>; rel="next"',
    "with_a_comma_in_the_uri": lambda host, path: f'<{path}&a=b,c>; rel="next"',
}


@pytest.mark.parametrize("form", LINK_FORMS)
def test_the_next_page_is_found_through_a_link(regtag, serve, form):
    def respond(request):
        if "last=two" in request.query:
            return page(tags("three", "four"))
        link = LINK_FORMS[form](server.host, "/v2/repo/tags/list?last=two&n=2")
        return page(tags("one", "two"), link)

    server = serve(respond)

    result = regtag("ls", f"{server.host}/repo")

    assert result.err == b""
    assert result.lines == ["one", "two", "three", "four"]
    assert result.status == 0
    assert len(server.requests) == 2
    assert server.requests[1].path == "/v2/repo/tags/list"
    assert server.connections == 1


def test_the_next_page_is_found_in_one_of_several_fields(regtag, serve):
    def respond(request):
        if request.query.startswith("last=one"):
            return page(tags("two"))
        links = ['</v2/x>; rel="prev"', '</v2/repo/tags/list?last=one>; rel="next"', "</v2/y>"]
        return page(tags("one"), *links)

    server = serve(respond)

    result = regtag("ls", f"{server.host}/repo")

    assert result.lines == ["one", "two"]
    assert result.status == 0


@pytest.mark.parametrize(
    "link", ['</v2/repo/tags/list?a>; rel="last"', "</v2/repo/tags/list?a>", '<>; rel="nextone"']
)
def test_a_link_that_is_not_the_next_ends_the_listing(regtag, serve, link):
    server = serve(lambda request: page(tags("one"), link))

    result = regtag("ls", f"{server.host}/repo")

    assert (result.status, result.lines) == (0, ["one"])
    assert len(server.requests) == 1


def test_many_pages_make_one_list_on_one_connection(regtag, serve):
    def respond(request):
        number = int(request.query.partition("page=")[2] or 0)
        links = [f"</v2/repo/tags/list?page={number + 1}>; rel=next"] if number < 49 else []
        return page(tags(f"a{number}", f"b{number}"), *links)

    server = serve(respond)

    result = regtag("ls", f"{server.host}/repo")

    assert result.status == 0
    assert result.lines == [f"{letter}{number}" for number in range(50) for letter in "ab"]
    assert len(server.requests) == 50
    assert server.connections == 1


ELSEWHERE = {
    "another_host": lambda port: f"http://localhost:{port}/v2/repo/tags/list?n=2",
    "another_port": lambda port: f"http://127.0.0.1:{port ^ 1}/v2/repo/tags/list?n=2",
    "another_scheme": lambda port: f"https://127.0.0.1:{port}/v2/repo/tags/list?n=2",
    "another_host_in_short": lambda port: f"//registry.test:{port}/v2/repo/tags/list",
    "a_user": lambda port: f"http://127.0.0.1:{port}@registry.test/v2/repo/tags/list",
    "a_file": lambda port: "file:///etc/passwd",
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_a_link_to_another_origin_is_not_followed(regtag, serve, where):
    server = serve(
        lambda request: page(tags("one"), f'<{ELSEWHERE[where](server.port)}>; rel="next"')
    )

    result = regtag("ls", f"{server.host}/repo")

    assert result.status == 9, result
    result.complaint(server.host)
    assert len(server.requests) == 1


@pytest.mark.parametrize("bad", ["/v2/a b", "/v2/\x01", "/v2/\u00e9", "/" + "x" * 20000])
def test_a_link_that_makes_no_request_line_is_not_followed(regtag, serve, bad):
    server = serve(lambda request: page(tags("one"), f'<{bad}>; rel="next"'))

    result = regtag("ls", f"{server.host}/repo")

    assert result.status == 9, result
    result.complaint(server.host)
    assert len(server.requests) == 1


def test_a_link_to_the_same_page_ends(regtag, serve):
    server = serve(lambda request: page(tags("one"), f'<{request.target}>; rel="next"'))

    result = regtag("ls", "--timeout", "60", f"{server.host}/repo")

    assert result.status in (0, 9), result
    assert set(result.lines) == {"one"}
    assert len(server.requests) <= 10


@pytest.mark.parametrize("length", [2, 3, 7])
@pytest.mark.parametrize("lead_in", [0, 4])
def test_pages_in_a_circle_end(regtag, serve, length, lead_in):
    def respond(request):
        number = int(request.query.partition("page=")[2] or 0)
        following = number + 1 if number + 1 < lead_in + length else lead_in
        return page(tags(f"t{number}"), f'</v2/repo/tags/list?page={following}>; rel="next"')

    server = serve(respond)

    result = regtag("ls", "--timeout", "60", f"{server.host}/repo")

    assert result.status in (0, 9), result
    assert set(result.lines) == {f"t{number}" for number in range(lead_in + length)}
    assert len(server.requests) <= 100


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"repo","tags":null}',
        b'{"name":"repo","tags":[]}',
        b'{"tags":[ ],"name":"repo"}\n',
        b' {"other":{"tags":["not","these"]},"tags":null}',
    ],
)
def test_no_tags_are_an_empty_list(regtag, serve, body):
    server = serve(lambda request: page(body))

    result = regtag("ls", f"{server.host}/repo")

    assert (result.status, result.out, result.err) == (0, b"", b"")


def test_only_the_tags_of_the_outermost_object_are_listed(regtag, serve):
    body = b"""{"a":{"tags":["no"]},"b":["no",{"tags":["no"]}],"tags":["yes"],
        "c":"tags","d":[["no"]],"name":"tags"}"""
    server = serve(lambda request: page(body))

    result = regtag("ls", f"{server.host}/repo")

    assert (result.status, result.lines) == (0, ["yes"])


def test_escapes_in_tags_are_understood(regtag, serve):
    server = serve(lambda request: page(rb'{"t\u0061gs":["v\u0031\u002e0","a\u005fb"]}'))

    result = regtag("ls", f"{server.host}/repo")

    assert (result.status, result.lines) == (0, ["v1.0", "a_b"])


BAD_NAMES = [
    "",
    "a b",
    "../etc",
    "-dash",
    "x" * 129,
    "new\nline",
    "\x1b[31mred",
    "n\u00efve",
    "a\0b",
]


@pytest.mark.parametrize("bad", BAD_NAMES, ids=range(len(BAD_NAMES)))
def test_a_bad_name_does_not_end_the_listing(regtag, serve, bad):
    server = serve(lambda request: page(tags("before", bad, "after")))

    result = regtag("ls", f"{server.host}/repo")

    assert (result.status, result.lines) == (0, ["before", "after"])
    assert len(result.complaints) == 1


def test_something_that_is_no_name_does_not_end_the_listing(regtag, serve):
    body = b'{"tags":["before",7,null,{"a":["x"]},["y"],true,"after"]}'
    server = serve(lambda request: page(body))

    result = regtag("ls", f"{server.host}/repo")

    # What is no string at all may be left out, or be called a broken answer; it is never a tag.
    assert result.lines in (["before", "after"], ["before"])
    assert result.status == (0 if "after" in result.lines else 9)


def test_a_tag_of_the_longest_name_is_listed(regtag, serve):
    server = serve(lambda request: page(tags("x" * 128)))

    result = regtag("ls", f"{server.host}/repo")

    assert (result.status, result.lines) == (0, ["x" * 128])


@pytest.mark.parametrize("limit, expected", [(1, 1), (3, 3), (4, 4), (1000, 6)])
def test_a_limit_ends_the_listing(regtag, serve, limit, expected):
    def respond(request):
        if "last=c" in request.query:
            return page(tags("d", "e", "f"))
        return page(tags("a", "b", "c"), '</v2/repo/tags/list?last=c>; rel="next"')

    server = serve(respond)

    result = regtag("ls", "--limit", str(limit), f"{server.host}/repo")

    assert (result.status, result.err) == (0, b"")
    assert result.lines == list("abcdef")[:expected]
    if limit <= 3:
        assert len(server.requests) == 1


def test_a_limit_does_not_wait_for_the_rest(regtag, serve):
    whole = page(tags("a", "b", "c"))
    server = serve(lambda request: [whole[:-9], STALL])

    result = regtag("ls", "--limit=1", "--timeout", "60", f"{server.host}/repo", limit=40)

    assert result.status == 0
    assert result.lines == ["a"]


@pytest.mark.parametrize("form", ["one_byte_at_a_time", "one_byte_chunks", "until_close"])
def test_a_list_may_come_in_any_split(regtag, serve, form):
    body = tags("one", "t\u0077o", "x" * 128, "three")
    coding = "Transfer-Encoding: chunked"
    forms = {
        "one_byte_at_a_time": [Drip(page(body))],
        "one_byte_chunks": [
            answer(200, chunked(*(body[n : n + 1] for n in range(len(body)))), coding, framed=False)
        ],
        "until_close": [answer(200, body, framed=False), CLOSE],
    }
    server = serve(lambda request: forms[form])

    result = regtag("ls", f"{server.host}/repo")

    assert (result.status, result.err) == (0, b"")
    assert result.lines == ["one", "two", "x" * 128, "three"]


BROKEN_LISTS = {
    "no_json": b"tags: one, two",
    "cut": b'{"tags":["one","two"',
    "nothing": b"",
    "an_array": b'["one","two"]',
    "something_after_it": b'{"tags":["one"]} trailing',
    "no_tags": b'{"name":"repo"}',
    "tags_as_text": b'{"tags":"one"}',
    "tags_as_an_object": b'{"tags":{"one":1}}',
    "bad_utf8": b'{"tags":["one","\xff"]}',
    "too_deep": b'{"a":' + b"[" * 64 + b"]" * 64 + b',"tags":["one"]}',
    "a_key_twice": b'{"tags":["one"],"tags":["two"]}',
}


@pytest.mark.parametrize("what", BROKEN_LISTS)
def test_a_broken_list_is_told(regtag, serve, what):
    server = serve(lambda request: page(BROKEN_LISTS[what]))

    result = regtag("ls", f"{server.host}/repo")

    assert result.status == 9, result
    result.complaint(server.host)
    assert set(result.lines) <= {"one", "two"}


def test_a_list_that_is_cut_is_told(regtag, serve):
    server = serve(lambda request: [page(tags("one", "two"))[:-4], CLOSE])

    result = regtag("ls", f"{server.host}/repo")

    assert result.status == 9
    result.complaint(server.host)


def test_a_repository_that_is_not_there_is_told(regtag, registry):
    result = regtag("ls", f"{registry.host}/no/such/repository")

    assert (result.status, result.out) == (3, b"")
    result.complaint(f"{registry.host}/no/such/repository")


def test_a_failure_on_a_later_page_is_told(regtag, serve):
    link = '</v2/repo/tags/list?last=one>; rel="next"'
    server = serve(
        lambda request: (
            errors(403, "DENIED") if "last=one" in request.query else page(tags("one"), link)
        )
    )

    result = regtag("ls", f"{server.host}/repo")

    assert (result.status, result.lines) == (4, ["one"])
    result.complaint(server.host)


def test_a_connection_closed_between_pages_is_opened_anew(regtag, serve):
    def respond(request):
        if "last=one" in request.query:
            return page(tags("two"))
        return [page(tags("one"), '</v2/repo/tags/list?last=one>; rel="next"'), CLOSE]

    server = serve(respond)

    result = regtag("ls", f"{server.host}/repo")

    assert (result.status, result.lines, result.err) == (0, ["one", "two"], b"")
    assert server.connections == 2
