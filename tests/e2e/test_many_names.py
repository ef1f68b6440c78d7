"""Tens of thousands of names on one command line: the time for each does not grow with their number."""

import resource
import time

import pytest
from fake import STALL, Shelf
from images import digest_of

FEW, MANY = 10_000, 40_000
SECONDS = 2


def names(count):
    return [f"v{number}" for number in range(count)]


@pytest.fixture
def measured(regtag):
    """Runs the program; what came of it, and the seconds that it computed and that it took."""

    def run(*args, **options):
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        result = regtag(*args, **options)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        computed = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return result, computed, time.monotonic() - begun

    return run


def told(result, wanted, word="failed"):
    """Whether there is one line for each name, in the order given, and all say this."""
    return [row[0].rpartition(":")[2] for row in result.rows] == wanted and {
        row[2] for row in result.rows
    } == {word}


def grows_evenly(few, many):
    """Four times as many names take less than eight times as long; very little is not measured."""
    return many < 8 * few or many < 0.5


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_many_names_end_at_the_deadline(measured, serve, shelf, method):
    """Whether nothing is known yet of the image, or of the first tag: --expect has to see that."""
    shelf.instead[method] = lambda request: [STALL]
    server = serve(shelf)
    args = ["--timeout", SECONDS, "--stall", "0", "--expect", "absent", f"{server.host}/repo:old"]

    few, few_computed, few_took = measured("tag", *args, *names(FEW))
    many, many_computed, many_took = measured("tag", *args, *names(MANY))

    assert (few.status, many.status) == (6, 6)
    assert told(few, names(FEW)) and told(many, names(MANY))
    assert len(many.complaints) == (1 if method == "GET" else MANY)
    assert grows_evenly(few_computed, many_computed), (few_computed, many_computed)
    # A second for telling it; more where the machine needs more even for few.
    assert many_took - SECONDS < max(1, 8 * (few_took - SECONDS)), (few_took, many_took)


def test_many_names_of_an_image_that_is_not_there(measured, serve):
    server = serve(Shelf())
    image = f"{server.host}/repo:old"

    few, few_computed, _ = measured("tag", image, *names(FEW))
    many, many_computed, _ = measured("tag", image, *names(MANY))

    assert (few.status, many.status) == (3, 3)
    assert told(few, names(FEW)) and told(many, names(MANY))
    assert grows_evenly(few_computed, many_computed), (few_computed, many_computed)


def test_many_names_without_a_journal(measured, serve, tmp_path):
    """Here the command itself tells of each name, and the library does not come to it."""
    server = serve(lambda request: [STALL])
    args = ["tag", "--journal", tmp_path / "missing" / "moves", f"{server.host}/repo:old"]

    few, few_computed, _ = measured(*args, *names(FEW))
    many, many_computed, _ = measured(*args, *names(MANY))

    assert (few.status, many.status) == (1, 1)
    assert told(few, names(FEW)) and told(many, names(MANY))
    assert grows_evenly(few_computed, many_computed), (few_computed, many_computed)
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
    set_by_then = results.index("failed")
    assert 0 < set_by_then < len(wanted)
    assert results == ["created"] * set_by_then + ["failed"] * (len(wanted) - set_by_then)
    assert all(shelf.document("repo", name) == document for name in wanted[:set_by_then])
    assert len(server.uploads) == set_by_then
    assert {row[1] for row in result.rows} == {digest_of(document)}
