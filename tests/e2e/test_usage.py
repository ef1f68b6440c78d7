"""What regtag says of its own use, and what it makes of a wrong one: before a byte is sent."""

import pytest

A = "a" * 255
TOO_LONG = "a" * 256


@pytest.fixture
def listener(serve):
    """A server that must not be spoken to."""
    server = serve(lambda request: b"")
    yield server
    assert server.connections == 0


def refused(regtag, *args):
    result = regtag(*args)
    assert (result.status, result.out) == (2, b""), result
    return result.complaint()


WRONG = {
    "nothing": [],
    "an_unknown_verb": ["frobnicate"],
    "an_unknown_option": ["tag", "--frobnicate", "{host}/repo", "new"],
    "an_unknown_short_option": ["tag", "-Z", "{host}/repo", "new"],
    "an_option_before_the_verb": ["--frobnicate", "tag", "{host}/repo", "new"],
    "an_option_of_another_verb": ["tag", "--limit", "3", "{host}/repo", "new"],
    "a_value_for_an_option_without": ["tag", "--json=yes", "{host}/repo", "new"],
    "no_image": ["tag"],
    "no_name": ["tag", "{host}/repo:old"],
    "no_repository": ["ls"],
    "no_image_for_digest": ["digest"],
    "no_image_for_manifest": ["manifest"],
    "too_many_repositories": ["ls", "{host}/repo", "{host}/other"],
    "too_many_images": ["digest", "{host}/repo:a", "{host}/repo:b"],
    "too_many_manifests": ["manifest", "{host}/repo:a", "{host}/repo:b"],
    "a_tag_where_a_repository_belongs": ["ls", "{host}/repo:tag"],
    "no_timeout": ["digest", "{host}/repo", "--timeout"],
    "an_empty_timeout": ["digest", "{host}/repo", "--timeout="],
    "timeout_0": ["digest", "{host}/repo", "--timeout", "0"],
    "timeout_x": ["digest", "{host}/repo", "--timeout", "x"],
    "timeout_negative": ["digest", "{host}/repo", "--timeout", "-1"],
    "timeout_with_unit": ["digest", "{host}/repo", "--timeout", "5s"],
    "timeout_plus": ["digest", "{host}/repo", "--timeout", "+5"],
    "timeout_space": ["digest", "{host}/repo", "--timeout", " 5"],
    "timeout_overflow": ["digest", "{host}/repo", "--timeout", "99999999999999999999"],
    "timeout_overflow_32": ["digest", "{host}/repo", "--timeout", "4294967297"],
    "limit_0": ["ls", "{host}/repo", "--limit", "0"],
    "limit_x": ["ls", "{host}/repo", "--limit=x"],
    "limit_overflow": ["ls", "{host}/repo", "--limit", "18446744073709551617"],
    "resolve_without_address": ["digest", "{host}/repo", "--resolve", "a.test:80"],
    "resolve_without_port": ["digest", "{host}/repo", "--resolve", "a.test::127.0.0.1"],
    "resolve_with_a_name": ["digest", "{host}/repo", "--resolve", "a.test:80:b.test"],
    "resolve_with_a_bad_address": ["digest", "{host}/repo", "--resolve", "a.test:80:1.2.3.456"],
    "resolve_with_a_bad_port": ["digest", "{host}/repo", "--resolve", "a.test:65536:1.2.3.4"],
    "tls_and_plain": ["digest", "{host}/repo", "--tls", "--plain-http"],
}


@pytest.mark.parametrize("what", WRONG)
def test_usage_is_refused_for(regtag, listener, what):
    complaint = refused(regtag, *[word.format(host=listener.host) for word in WRONG[what]])

    assert len(complaint) > len("regtag: ")


BAD_REFERENCES = [
    "",
    "/",
    "0" * 64,
    "{host}/",
    "{host}/Repo:old",
    "{host}/repo:",
    "{host}/repo@",
    "{host}/repo:old@",
    "{host}//repo:old",
    "{host}/repo/:old",
    "{host}/../repo:old",
    "{host}/repo/../other:old",
    "{host}/-repo:old",
    "{host}/repo-:old",
    "{host}/re___po:old",
    "{host}/re po:old",
    "{host}/repo:o ld",
    "{host}/repo:old?x=1",
    "{host}/repo?x=1:old",
    "{host}/repo%2fother:old",
    "{host}/repo:old#x",
    "{host}/repo:old\r\nX-Evil: 1",
    "{host}/repo:.old",
    "{host}/repo:" + "x" * 129,
    "{host}/" + TOO_LONG + ":old",
    "{host}/repo@sha256:" + "0" * 63,
    "{host}/repo@sha256:" + "0" * 65,
    "{host}/repo@sha256:" + "A" * 64,
    "{host}/repo@md5:" + "0" * 32,
    "{host}/repo@sha256:" + "0" * 64 + ":old",
    "http://{host}/repo:old",
    "user:word@{host}/repo:old",
    "127.0.0.1:0/repo:old",
    "127.0.0.1:65536/repo:old",
    "127.0.0.1:x/repo:old",
    "127.0.0.1:/repo:old",
    "[::1/repo:old",
    "[::1]x/repo:old",
    "[localhost]/repo:old",
]


@pytest.mark.parametrize("verb", ["tag", "digest", "manifest"])
@pytest.mark.parametrize("bad", BAD_REFERENCES, ids=range(len(BAD_REFERENCES)))
def test_a_bad_reference_is_refused(regtag, listener, verb, bad):
    names = ["new"] if verb == "tag" else []

    refused(regtag, verb, bad.format(host=listener.host), *names)


BAD_NAMES = {
    "nothing": "",
    "a_dot_first": ".hidden",
    "a_dash_first": "-dash",
    "a_path": "../../../x/y?z=1#",
    "a_slash": "a/b",
    "a_colon": "a:b",
    "a_space": "a b",
    "a_newline": "a\n",
    "a_percent": "a%41",
    "not_ascii": "n\u00efve",
    "129_characters": "x" * 129,
    "a_whole_reference": "127.0.0.1:5000/repo:new",
    "a_digest": "sha256:" + "0" * 64,
}


@pytest.mark.parametrize("what", BAD_NAMES)
@pytest.mark.parametrize("where", [0, 1, 2], ids=["first", "between", "last"])
def test_a_bad_name_among_good_ones_is_refused(regtag, listener, what, where):
    names = ["one", "two"]
    names.insert(where, BAD_NAMES[what])

    refused(regtag, "tag", "--", f"{listener.host}/repo:old", *names)


def test_a_name_with_control_characters_is_shown_escaped(regtag, listener):
    complaint = refused(regtag, "tag", f"{listener.host}/repo:old", "a\x1b[31mb\n")

    assert "\x1b" not in complaint and "\n" not in complaint
    assert "\\x1b" in complaint


@pytest.mark.parametrize("args", [["--help"], ["help"], ["help", "help"], ["-h"]])
def test_help_names_every_verb_on_stdout(regtag, args):
    result = regtag(*args)

    assert (result.status, result.err) == (0, b"")
    for verb in (b"tag", b"ls", b"digest", b"manifest", b"help"):
        assert verb in result.out


@pytest.mark.parametrize("verb", ["tag", "ls", "digest", "manifest"])
def test_help_for_a_verb_says_how_it_is_used(regtag, verb):
    results = [regtag("help", verb), regtag(verb, "--help")]

    for result in results:
        assert (result.status, result.err) == (0, b"")
        assert f"regtag {verb}".encode() in result.out
        assert b"--timeout" in result.out
    assert results[0].out == results[1].out


def test_help_wins_over_a_missing_argument_and_needs_no_network(regtag, listener):
    result = regtag("tag", f"{listener.host}/repo:old", "--help")

    assert (result.status, result.err) == (0, b"")
    assert b"regtag tag" in result.out


def test_help_for_an_unknown_verb_is_refused(regtag):
    refused(regtag, "help", "frobnicate")


def test_the_version_is_one_line_on_stdout(regtag):
    result = regtag("--version")

    assert (result.status, result.err) == (0, b"")
    assert len(result.lines) == 1
    assert result.lines[0].startswith("regtag ")
    assert any(one.isdigit() for one in result.lines[0])


@pytest.mark.parametrize(
    "args",
    [
        ["tag", "--timeout", "30", "{image}", "new"],
        ["tag", "{image}", "--timeout=30", "new"],
        ["tag", "{image}", "new", "--timeout", "30"],
        ["tag", "--timeout=30", "--", "{image}", "new"],
        ["tag", "{image}", "--", "new"],
        ["tag", "--plain-http", "{image}", "new", "-q"],
    ],
    ids=range(6),
)
def test_options_may_stand_anywhere_after_the_verb(regtag, serve, shelf, document, args):
    server = serve(shelf)
    image = f"{server.host}/repo:old"

    result = regtag(*[word.format(image=image) for word in args])

    assert (result.status, result.err) == (0, b"")
    assert shelf.document("repo", "new") == document


def test_two_dashes_end_the_options(regtag, listener):
    complaint = refused(regtag, "tag", f"{listener.host}/repo:old", "--", "--json")

    assert "--json" in complaint


def test_a_repository_may_be_of_255_characters(regtag, serve, shelf):
    shelf.put(A, "old", *shelf.manifests["repo", "old"])
    server = serve(shelf)

    assert regtag("tag", f"{server.host}/{A}:old", "new").status == 0
