"""The memory that regtag needs does not grow with what a server sends."""

import hashlib
import os

import pytest
from fake import answer
from memory import LEAVE_OUT_OF_TRACE, measure
from program import environment

MILLION = 1_000_000
PER_PAGE = 5_000
ROOM = 256 if os.environ.get("SAN") else 64  # KiB by which two runs may differ; a sanitizer keeps books
COARSE = 1024  # KiB by which the kernel's own count may: a million names are ten times that


def names(first, count):
    return (f"v{number:07}" for number in range(first, first + count))


def listing(first, count):
    return ('{"name":"repo","tags":["' + '","'.join(names(first, count)) + '"]}').encode()


def one_page(count):
    body = answer(200, listing(0, count), "Content-Type: application/json")
    return lambda request: body


def many_pages(request):
    first = int(request.query.partition("from=")[2] or 0)
    links = []
    if first + PER_PAGE < MILLION:
        links.append(f'Link: </v2/repo/tags/list?from={first + PER_PAGE}>; rel="next"')
    return answer(200, listing(first, PER_PAGE), *links)


@pytest.fixture(scope="module")
def all_names():
    return hashlib.sha256("".join(f"{name}\n" for name in names(0, MILLION)).encode()).hexdigest()


def list_tags(regtag, server, target, *options):
    """Lists the tags into the file."""
    command = [regtag.path, "ls", f"{server.host}/repo", "--timeout", "100", *options]
    with open(target, "wb") as out:
        peak = measure(command, out, environment(LEAVE_OUT_OF_TRACE))
    assert peak.status == 0
    return peak


@pytest.mark.parametrize("form", ["one_page", "many_pages"])
def test_a_million_tags_need_no_more_memory_than_three(regtag, serve, tmp_path, all_names, form):
    three = list_tags(regtag, serve(one_page(3)), tmp_path / "three")
    assert (tmp_path / "three").read_text().split() == list(names(0, 3))

    big = serve(one_page(MILLION) if form == "one_page" else many_pages)
    million = list_tags(regtag, big, tmp_path / "million")

    assert hashlib.sha256((tmp_path / "million").read_bytes()).hexdigest() == all_names
    assert million.own - three.own < ROOM, (three, million)
    assert million.highest - three.highest < COARSE, (three, million)


def test_more_uploads_than_are_under_way_at_once_need_no_more_memory(regtag, serve, shelf, tmp_path):
    server = serve(shelf)
    peaks = []
    for count in (64, 400):
        command = regtag.command("tag", f"{server.host}/repo:old", *names(0, count))
        with open(tmp_path / "out", "wb") as out:
            peaks.append(measure(command, out, environment(LEAVE_OUT_OF_TRACE)))
        assert peaks[-1].status == 0
        assert len((tmp_path / "out").read_text().splitlines()) == count

    # The names themselves are arguments: they are there before the program begins.
    assert peaks[1].own - peaks[0].own < ROOM, peaks


def test_a_long_error_needs_no_more_memory_than_a_short_one(regtag, serve, tmp_path):
    peaks = []
    for length in (10, 8 * 1024 * 1024):
        body = b'{"errors":[{"code":"DENIED","message":"' + b"x" * length + b'"}]}'
        refusal = answer(403, body)
        server = serve(lambda request, refusal=refusal: refusal)
        with open(tmp_path / "out", "wb") as out:
            command = regtag.command("manifest", f"{server.host}/repo:old")
            peaks.append(measure(command, out, environment(LEAVE_OUT_OF_TRACE)))
        assert peaks[-1].status == 4

    assert peaks[1].own - peaks[0].own < ROOM, peaks
    assert peaks[1].highest - peaks[0].highest < COARSE, peaks
