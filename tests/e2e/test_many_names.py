"""Tens of thousands of names on one command line: each is told once, and the deadline holds.

That what each takes does not grow with their number is counted in tests/unit/test_many.c.
"""

import resource
import time

import pytest
from fake import STALL, Shelf
from images import digest_of

FEW, MANY = 10_000, 40_000
SECONDS = 2


def names(count):
    return [f"v{number}" for number in range(count)]


def told(result, wanted, word="failed"):
    """Whether there is one line for each name, in the order given, and all say this."""
    return [row[0].rpartition(":")[2] for row in result.rows] == wanted and {
        row[2] for row in result.rows
    } == {word}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_many_names_end_at_the_deadline(regtag, serve, shelf, method):
    """Whether nothing is known yet of the image, or of the first tag: --expect has to see that."""
    shelf.instead[method] = lambda request: [STALL]
    server = serve(shelf)
    args = ["--timeout", SECONDS, "--stall", "0", "--expect", "absent", f"{server.host}/repo:old"]
    begun = time.monotonic()

    result = regtag("tag", *args, *names(MANY))

    assert result.status == 6
    assert told(result, names(MANY))
    assert len(result.complaints) == (1 if method == "GET" else MANY)
    assert time.monotonic() - begun < 60  # not the minutes that comparing each with each would take here


def test_many_names_of_an_image_that_is_not_there(regtag, serve):
    server = serve(Shelf())

    result = regtag("tag", f"{server.host}/repo:old", *names(MANY))

    assert result.status == 3
    assert told(result, names(MANY))


def test_many_names_without_a_journal(regtag, serve, tmp_path):
    """Here the command itself tells of each name, and the library does not come to it."""
    server = serve(lambda request: [STALL])
    args = ["tag", "--journal", tmp_path / "missing" / "moves", f"{server.host}/repo:old"]

    result = regtag(*args, *names(MANY))

    assert result.status == 1
    assert told(result, names(MANY))
    assert server.connections == 0


@pytest.mark.parametrize("way", ["the_deadline", "no_journal"])
def test_names_that_are_repeated_are_told_once(regtag, serve, tmp_path, way):
    server = serve(lambda request: [STALL])
    wanted = [f"v{number * 7919 % FEW}" for number in range(FEW)]
    given = [*wanted, *reversed(wanted), *wanted[::3], "v0"]
    options = ["--timeout", SECONDS] if way == "the_deadline" else ["--journal", tmp_path / "no" / "moves"]

    result = regtag("tag", *options, f"{server.host}/repo:old", *given)

    assert told(result, wanted)


def test_names_that_were_told_are_not_told_again(regtag, serve, shelf, document, tmp_path):
    """The journal becomes full on the way: what is left has failed, each name once."""
    server = serve(shelf)
    wanted = names(300)
    given = [name for name in wanted for _ in range(2)] + wanted

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    result = regtag(
        "tag", "--journal", tmp_path / "moves", f"{server.host}/repo:old", *given, preexec_fn=limit
    )

    assert result.status == 1, result
    assert [row[0].rpartition(":")[2] for row in result.rows] == wanted
    results = [row[2] for row in result.rows]
    created = [name for name, outcome in zip(wanted, results, strict=True) if outcome == "created"]
    assert set(results) == {"created", "failed"}
    assert all(shelf.document("repo", name) == document for name in created)
    assert len(server.uploads) == len(created)
    assert {row[1] for row in result.rows} == {digest_of(document)}
