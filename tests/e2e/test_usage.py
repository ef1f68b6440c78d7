"""What regtag says of its own use, and what it makes of a wrong one: before a byte is sent."""

import re
import shlex

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


@pytest.mark.parametrize("scheme", ["http://", "https://", "docker://", "oci://", "HTTPS://"])
@pytest.mark.parametrize("verb", ["tag", "delete", "watch", "ls", "digest", "manifest"])
def test_a_scheme_before_a_reference_is_to_be_left_out(regtag, listener, verb, scheme):
    names = ["new"] if verb == "tag" else []
    name = f"{scheme}{listener.host}/repo" + ("" if verb == "ls" else ":old")

    complaint = refused(regtag, verb, name, *names)

    assert f'"{name}" is not a reference: leave out the "{scheme}"' in complaint
    assert ("--plain-http" in complaint) == scheme.startswith("http")


@pytest.mark.parametrize("transport", ["docker:", "oci:", "https:"])
def test_a_transport_before_a_host_is_to_be_left_out(regtag, listener, transport):
    for host in listener.host, "localhost", "registry.test":
        assert f'leave out the "{transport}"' in refused(regtag, "digest", f"{transport}{host}/repo:old")


@pytest.mark.parametrize("port", ["x", "65536", "5000x"])
def test_a_bad_port_is_no_transport(regtag, port):
    assert "leave out" not in refused(regtag, "digest", f"myhost:{port}/repo")


EMPTY = {
    "the host": ["/repo:old", ":5000/repo"],
    "the port": ["myhost:/repo", "[::1]:/repo"],
    "the repository": ["{host}/", "{host}/:old", "{host}//repo", "{host}/repo/:old", ":old", "@sha256:0"],
    "the tag": ["{host}/repo:", "{host}/repo:@sha256:0", "repo:"],
    "the digest": ["{host}/repo@", "{host}/repo:old@"],
}


@pytest.mark.parametrize("part", EMPTY)
def test_the_empty_part_of_a_reference_is_named(regtag, listener, part):
    for image in EMPTY[part]:
        complaint = refused(regtag, "digest", image.format(host=listener.host))
        assert re.search(f": {part} is empty.*variable", complaint), complaint


@pytest.mark.parametrize("image", ["localhost", "localhost:1.0", "registry.test:1.0", "registry.test:5000"])
@pytest.mark.parametrize("verb", ["tag", "digest", "ls"])
def test_a_host_alone_lacks_a_repository(regtag, verb, image):
    complaint = refused(regtag, verb, image, *(["new"] if verb == "tag" else []))

    assert f'"{image}"' in complaint and "repository is missing" in complaint


def test_a_token_server_is_named_without_a_scheme(regtag, listener):
    complaint = refused(regtag, "digest", f"{listener.host}/repo", "--allow-realm", "https://auth.test")

    assert '--allow-realm "https://auth.test": ' in complaint and "HOST:PORT" in complaint


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


@pytest.mark.parametrize("name", ["127.0.0.1:5000/repo:new", "team/repo", "repo:new", "https://a.test/b:c"])
def test_a_new_tag_comes_without_the_repository(regtag, listener, name):
    complaint = refused(regtag, "tag", f"{listener.host}/repo:old", name)

    assert f'"{name}" is not a tag: leave out the repository' in complaint


def test_a_bad_tag_without_a_repository_is_told_of_none(regtag, listener):
    complaint = refused(regtag, "tag", f"{listener.host}/repo:old", ".new")

    assert "repository" not in complaint


MISSING = {
    "IMAGE": [["digest"], ["manifest"], ["delete"], ["watch"], ["tag"]],
    "REPOSITORY": [["ls"]],
    "JOURNAL": [["undo"]],
    "NAME, the new tag,": [["tag", "127.0.0.1:1/repo:old"]],
}


@pytest.mark.parametrize("name", MISSING)
def test_an_argument_that_is_missing_or_empty_is_named(regtag, name):
    for args in MISSING[name]:
        assert re.search(f" {name} is missing.* regtag {args[0]} ", refused(regtag, *args))
        assert re.search(f" {name} is empty.*variable", refused(regtag, *args, ""))


def test_a_command_that_is_empty_is_told_before_a_tag_moves(regtag, listener):
    complaint = refused(regtag, "watch", f"{listener.host}/repo:old", "--once", "--from", "absent", "--", "", "x")

    assert re.search(" COMMAND is empty.*variable", complaint)


@pytest.mark.parametrize(
    "args",
    [
        ["tag", "--expect", "127.0.0.1:1/repo:old", "new"],
        ["tag", "127.0.0.1:1/repo:old", "--expect", "new"],
        ["delete", "--expect", "127.0.0.1:1/repo:old"],
    ],
)
def test_an_argument_taken_for_the_value_of_expect_is_missing(regtag, args):
    complaint = refused(regtag, *args)

    assert "is missing" in complaint and "--expect DIGEST" in complaint
    assert "--expect" not in refused(regtag, args[0])


def options_with_values(regtag):
    """The options that the help names with a value, and a verb that takes each."""
    for verb, args in ("tag", ["a", "b"]), ("ls", ["a"]), ("watch", ["a"]), ("undo", ["j"]), ("options", []):
        for line in regtag("help", verb).lines:
            if found := re.match(r" +(--[a-z-]+) \S+  ", line):
                yield found[1], [verb, *args] if args else ["digest", "a"]


def test_an_option_whose_value_is_missing_or_empty_is_named(regtag, listener):
    options = dict(options_with_values(regtag))
    assert {"--journal", "--platform", "--expect", "--limit", "--last", "--from", "--pin"} <= set(options)
    for option, args in options.items():
        assert refused(regtag, *args, option).endswith(f" {option} needs a value")
        if option not in ("--proxy", "--no-proxy"):
            for empty in [option, ""], [f"{option}="]:
                complaint = refused(regtag, *args, *empty)
                assert re.search(f" {option} is empty.*variable", complaint)


@pytest.mark.parametrize("option", ["--proxy", "--no-proxy"])
def test_no_proxy_is_an_empty_one(regtag, serve, shelf, option):
    server = serve(shelf)

    assert regtag("digest", f"{server.host}/repo:old", option, "").status == 0


FILES = {
    "--password-file": (["--user", "me"], 16),
    "--authfile": ([], 16),
    "--cacert": ([], 2),
    "--time-floor": ([], 2),
}


@pytest.mark.parametrize("option", FILES)
def test_a_file_that_is_not_there_is_told_with_its_option(regtag, listener, option):
    others, status = FILES[option]

    result = regtag("digest", f"{listener.host}/repo", *others, option, "nosuch")

    assert result.status == status, result
    assert option in result.complaint("nosuch")


@pytest.mark.parametrize("option", FILES)
def test_a_file_with_a_long_name_is_told_with_what_is_wrong(regtag, listener, option):
    others, status = FILES[option]

    result = regtag("digest", f"{listener.host}/repo", *others, option, "x" * 5000)

    assert result.status == status, result
    # The C library says "File name" or "Filename".
    result.complaint(option, "neither a date" if option == "--time-floor" else "name too long")


def test_a_file_of_a_variable_is_told_with_the_variable(regtag, listener):
    result = regtag("digest", f"{listener.host}/repo", env={"REGISTRY_AUTH_FILE": "nosuch"})

    assert result.status == 16, result
    result.complaint("REGISTRY_AUTH_FILE nosuch: No such file")


def test_a_name_with_control_characters_is_shown_escaped(regtag, listener):
    complaint = refused(regtag, "tag", f"{listener.host}/repo:old", "a\x1b[31mb\n")

    assert "\x1b" not in complaint and "\n" not in complaint
    assert "\\x1b" in complaint


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["help"],
        ["-h"],
        ["help", "help"],
        ["help", "--help"],
        ["help", "version"],
        ["help", "--version"],
    ],
)
def test_help_names_every_verb_on_stdout(regtag, args):
    result = regtag(*args)

    assert (result.status, result.err) == (0, b"")
    for verb in (b"tag", b"ls", b"digest", b"manifest", b"help"):
        assert verb in result.out


def test_help_knows_every_word_that_it_lists(regtag):
    lines = [line.split() for line in regtag("help").lines if line.startswith("  ")]
    words = [words[0] for words in lines if words[0] != "regtag"]
    assert {"tag", "watch", "undo", "help", "--version"} <= set(words)
    for word in [*words, "version"]:
        result = regtag("help", word)
        assert (result.status, result.err) == (0, b""), word
        assert word.encode() in result.out


@pytest.mark.parametrize("verb", ["tag", "ls", "digest", "manifest"])
def test_help_for_a_verb_says_how_it_is_used(regtag, verb):
    results = [regtag("help", verb), regtag(verb, "--help")]

    for result in results:
        assert (result.status, result.err) == (0, b"")
        assert f"regtag {verb}".encode() in result.out
        assert b"regtag help options" in result.out
        assert b"--timeout" not in result.out
    assert results[0].out == results[1].out


VERBS = ["tag", "copy", "delete", "watch", "undo", "ls", "digest", "manifest"]
VERBS += ["fetch", "save", "load", "verify", "referrers"]


@pytest.mark.parametrize("topic", [*VERBS, "options"])
def test_help_fits_a_terminal(regtag, topic):
    assert [line for line in regtag("help", topic).lines if len(line) > 80] == []


@pytest.mark.parametrize("verb", VERBS)
def test_help_for_a_verb_has_an_example_that_is_valid(regtag, verb):
    lines = regtag("help", verb).lines
    words = shlex.split(lines[lines.index("Example:") + 1])

    assert words[:2] == ["regtag", verb]
    before = words.index("--") if "--" in words else len(words)
    assert refused(regtag, *words[1:before], "--timeout", "0", *words[before:]).startswith("regtag: --timeout")


@pytest.mark.slow
def test_an_option_is_shown_with_its_verbs_or_with_those_of_all(regtag):
    def options(of):
        return {found[1] for line in regtag("help", of).lines if (found := re.search(r"^ .*?(--[a-z-]+)  *\S", line))}

    common = options("options")
    assert {"--timeout", "--user", "--cacert", "--proxy", "--help"} <= common
    assert {"--expect", "--journal", "--json"} <= options("tag")
    for verb in VERBS:
        assert not options(verb) & common
        for option in options(verb) | common:
            assert "unknown option" not in regtag(verb, option, "--help").err.decode(), (verb, option)


def test_help_wins_over_a_missing_argument_and_needs_no_network(regtag, listener):
    result = regtag("tag", f"{listener.host}/repo:old", "--help")

    assert (result.status, result.err) == (0, b"")
    assert b"regtag tag" in result.out


@pytest.mark.parametrize("args", [["help", "tag"], ["tag", "--help"], ["tag", "--cacert", "nosuch", "--help"]])
def test_help_needs_none_of_the_files_that_a_run_would_need(regtag, args):
    result = regtag(*args, env={"REGTAG_VERIFY_KEY": "nosuch"})

    assert (result.status, result.err) == (0, b"")
    assert b"usage: regtag tag" in result.out


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
