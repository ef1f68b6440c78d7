"""Two hundred at once: whoever says that it is done has seen what it expected, and is confirmed.

The window between the look and the upload cannot be closed from outside, so that many may get through;
but none of them says what it has not seen, and what was put is all in the journals.
"""

import os
from collections import Counter

import pytest
from images import digest_of
from program import environment
from races import called, contestant, deeds, end, held_up, push_contestants, reached, start
from recorder import Recorder

CONTESTANTS = 40 if os.environ.get("SAN") else 200  # a sanitizer needs much memory
HONEST = (5, 6, 17, 18)  # the statuses of those who could not do it, and say so
SECONDS = 150  # there are more processes than processors


@pytest.fixture
def arena(start_registry):
    return start_registry()


@pytest.mark.parametrize("confirm", [False, True], ids=["plain", "with_confirm"])
def test_two_hundred_move_one_tag_at_once(regtag, arena, tmp_path, confirm):
    digests = push_contestants(arena, "race", CONTESTANTS)
    before = arena.digest("race", "stable")
    options = ["--confirm"] if confirm else []

    with Recorder(arena.port) as relay:
        hosts = [called(number, relay.port) for number in range(CONTESTANTS)]
        with held_up(arena):
            processes = [
                start(
                    regtag.command(
                        *["tag", "--timeout", SECONDS, "--expect", before, *options],
                        *["--journal", tmp_path / str(number), *reached(host)],
                        *[f"{host}/race@{digest}", "stable"],
                        retries=20,  # docker-registry has 500 for a tag that is being written
                    ),
                    env=environment({}),
                )
                for number, (host, digest) in enumerate(zip(hosts, digests))
            ]
        results = end(processes, SECONDS + 30)
    did = deeds(relay.conversations)

    last = arena.digest("race", "stable")
    put = {deed.sent for mine in did.values() for deed in mine if deed.method == "PUT"}
    statuses = Counter(status for status, _, _ in results)
    for host, digest, (status, out, err) in zip(hosts, digests, results, strict=True):
        mine = [deed for deed in did[host] if deed.method != "GET"]
        looks = [deed.digest for deed in mine if deed.method == "HEAD"]
        puts = [deed for deed in mine if deed.method == "PUT"]
        [(reference, _, happened, previous)] = [tuple(out.decode().rstrip("\n").split("\t"))]
        assert reference == f"{host}/race:stable"
        for earlier, deed in zip(mine, mine[1:]):
            if deed.method == "PUT":
                assert deed.sent == digest
                assert (earlier.method, earlier.digest) == ("HEAD", before), "put without a look"
        if status == 0:
            assert (happened, previous) == ("moved", before)
            assert (puts[-1].status, puts[-1].digest) == (201, digest) or looks[-1] == digest
            assert looks[-1] == digest or not confirm
        elif status == 12:
            assert (happened, previous) == ("failed", looks[-1])
            assert previous not in (before, None)
            assert before.encode() in err and previous.encode() in err
        elif status == 15:
            assert happened == "failed" and confirm
            assert puts and looks[-1] not in (digest, None)
        else:
            assert status in HONEST, (status, out, err)
            assert happened in ("failed", "uncertain")
    assert last in put
    assert statuses[0] + statuses[15] >= 1
    honest = [result for result in results if result[0] in HONEST]
    assert len(honest) <= CONTESTANTS // 10, (statuses, honest[:3])
    for number, (host, digest) in enumerate(zip(hosts, digests)):
        lines = read_journal(tmp_path / str(number))
        assert {line[:3] for line in lines} <= {(f"{host}/race:stable", before, digest)}
        outcomes = [line[3] for line in lines]
        assert lines or digest not in put, "every digest that was put is in a journal"
        assert digest in put or not lines or results[number][0] in HONEST
        assert not lines or outcomes[0] == "moving"
        if results[number][0] == 0:
            assert outcomes[-1] == "moved"


def read_journal(file):
    """Reference, old and new digest, and outcome of each line."""
    text = file.read_text() if file.exists() else ""
    return [tuple(line.split("\t"))[1:] for line in text.splitlines()]


def test_contestants_differ():
    """Else the race would be none."""
    assert len({digest_of(contestant(number)) for number in range(CONTESTANTS)}) == CONTESTANTS
