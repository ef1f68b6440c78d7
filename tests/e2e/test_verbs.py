"""A program that was built with VERBS="tag digest", beside one with all verbs; and what is taken for a mistyped name."""

import os
import re
from pathlib import Path

import pytest
from program import VERBS, Program

HERE = ["tag", "digest"]
LEFT_OUT = sorted(VERBS - set(HERE))
WORDS = re.compile(rf"\b({'|'.join(LEFT_OUT)})\b")


@pytest.fixture(scope="module")
def small(regtag):
    path = Path(os.environ.get("TWO_VERBS") or Path(regtag.path).parent / "tag/regtag").absolute()
    if not path.exists():
        pytest.skip("there is no program with two verbs")
    return Program(path)


def refused(regtag, *args):
    result = regtag(*args)
    assert (result.status, result.out) == (2, b""), result
    return result.complaint()


def options(regtag, topic):
    return set(re.findall(r"^ .*?(--[a-z-]+)", regtag("help", topic).out.decode(), re.MULTILINE))


def test_help_lists_the_verbs_of_the_build(small):
    listed = [line.split()[0] for line in small("help").lines if line.startswith("  ")]

    assert listed == [*HERE, "help", "help", "--version"]


@pytest.mark.parametrize("topic", ["help", "options", *HERE])
def test_help_names_no_verb_that_was_left_out(small, topic):
    text = small("help", topic).out.decode()

    # "manifest" is a thing as well as a verb, and certificates are verified by all.
    assert text and not WORDS.search(re.sub("manifest|not verify", "", text)), text


@pytest.mark.parametrize("verb", LEFT_OUT)
def test_a_verb_that_was_left_out_is_told_from_an_unknown_one(small, verb):
    for args in ([verb], [verb, "127.0.0.1:1/repo:old"], ["help", verb]):
        complaint = refused(small, *args)

        assert f'leaves out "{verb}"' in complaint and complaint.endswith(" tag digest")
    assert "unknown command" in refused(small, f"{verb}x")


def test_an_option_of_left_out_verbs_only_is_unknown(regtag, small):
    if regtag("help", "ls").status != 0:
        pytest.skip("there is no program with all verbs to compare with")
    kept = set().union(*(options(regtag, verb) for verb in HERE))
    lost = set().union(*(options(regtag, verb) for verb in LEFT_OUT)) - kept

    assert {"--last", "--digests", "--with-siblings", "--interval"} <= lost
    for option in lost:
        for verb in HERE:
            assert refused(small, verb, f"{option}=1").startswith(f'regtag: unknown option "{option}"')
    # What verifies goes with the command of that name.
    assert kept - {"--verify-key"} == set().union(*(options(small, verb) for verb in HERE))
    assert options(small, "options") == options(regtag, "options")


def test_it_tags_and_keeps_a_journal(small, serve, shelf, tmp_path):
    server = serve(shelf)
    journal = tmp_path / "journal"

    result = small("tag", f"{server.host}/repo:old", "new", "--journal", journal, "--no-clobber")

    assert (result.status, result.err, [row[2] for row in result.rows]) == (0, b"", ["created"])
    assert shelf.document("repo", "new") == shelf.document("repo", "old")
    assert small("digest", f"{server.host}/repo:new").lines == [result.rows[0][1]]
    assert journal.read_text().endswith("\tcreated\n")


def test_no_advice_names_a_verb_that_was_left_out(small, serve, shelf):
    server = serve(shelf)

    result = small("digest", f"{server.host}/repo:nothing")

    assert result.status == 3
    assert "regtag ls" not in result.complaint("no such image")


def test_advice_names_a_verb_that_is_there(regtag, serve, shelf):
    if regtag("help", "ls").status != 0:
        pytest.skip("this build has no ls")
    server = serve(shelf)

    regtag("digest", f"{server.host}/repo:nothing").complaint("no such image", '"regtag ls ')


MEANT = {
    "tga": "tag",
    "tagg": "tag",
    "tg": "tag",
    "tab": "tag",
    "digset": "digest",
    "digst": "digest",
    "tag --no-clober": "--no-clobber",
    "tag --no-clbober=x": "--no-clobber",
    "tag --jorunla": "--journal",
    "digest --timeuot=3": "--timeout",
    "digest --tsl": "--tls",
}


@pytest.mark.parametrize("typed", MEANT)
def test_a_mistyped_name_is_answered_with_the_one_that_was_meant(small, typed):
    assert f" (did you mean {MEANT[typed]}?); see " in refused(small, *typed.split())


@pytest.mark.parametrize("typed", ["", "t", "gat", "push", "tag --lcok", "tag --", "digest --no-clober", "tag --noclbbr"])
def test_nothing_is_meant_by_something_else(small, typed):
    assert "did you mean" not in refused(small, *(typed.split() or [""]))


@pytest.mark.parametrize("args", [["help", "tag", "ls"], ["--help", "tag", "x"], ["--version", "x"], ["help", "options", "x"]])
def test_help_and_version_take_no_more_than_they_use(small, args):
    assert f'too many arguments: "{args[-1]}"' in refused(small, *args)


@pytest.mark.parametrize("word", ["--version", "version", "-V"])
def test_the_version_is_printed(small, word):
    assert re.fullmatch(rb"regtag [0-9.]+\n", small(word).out)


def test_keys_are_not_ignored_where_nothing_can_be_verified(small):
    refused(small, "tag", "127.0.0.1:1/repo:old", "new", "--verify-key", "key.pub")
    complaint = small("tag", "127.0.0.1:1/repo:old", "new", env={"REGTAG_VERIFY_KEY": "key.pub"})
    assert complaint.status == 2
    complaint.complaint("REGTAG_VERIFY_KEY", "cannot check signatures")
