"""Whatever fails, and wherever: the tag is old or new, 0 means new, and a second run succeeds."""

import signal
import time
from collections import Counter

import pytest
from calls import CALL
from fake import CLOSE, READ_BODY, RESET, Take, answer
from images import LIMIT, OCI_MANIFEST, digest_of, oci_manifest, padded

TIMEOUT = 30  # seconds; nothing here has to wait for it

FAULTS = {
    "socket": ["EMFILE", "ENOBUFS", "ENOMEM"],
    "connect": ["ECONNRESET", "ECONNREFUSED", "EINTR", "ENOBUFS", "ENETUNREACH", "ETIMEDOUT"],
    "poll": ["EINTR", "ENOMEM"],
    "ppoll": ["EINTR", "ENOMEM"],
    "recvfrom": ["ECONNRESET", "EINTR", "EAGAIN", "ENOBUFS", "ETIMEDOUT"],
    "recvmsg": ["ECONNRESET", "EINTR", "EAGAIN", "ENOBUFS", "ETIMEDOUT"],
    "read": ["ECONNRESET", "EINTR", "EAGAIN", "EIO"],
    "readv": ["ECONNRESET", "EINTR", "EAGAIN", "EIO"],
    "sendto": ["ECONNRESET", "EINTR", "EAGAIN", "ENOBUFS", "EPIPE"],
    "sendmsg": ["ECONNRESET", "EINTR", "EAGAIN", "ENOBUFS", "EPIPE"],
    "write": ["ECONNRESET", "EINTR", "EAGAIN", "ENOBUFS", "EPIPE", "ENOSPC"],
    "writev": ["ECONNRESET", "EINTR", "EAGAIN", "ENOBUFS", "EPIPE", "ENOSPC"],
    "getsockopt": ["ENOBUFS"],
    "setsockopt": ["ENOBUFS"],
    "fcntl": ["EINTR"],
    "close": ["EINTR", "EIO"],
}
EVERY_FAULT = sorted({fault for faults in FAULTS.values() for fault in faults}) + ["KILL"]
NO_FAULT_AT_ALL = {"poll", "ppoll", "recvfrom", "recvmsg", "sendto", "sendmsg"}  # for EINTR, EAGAIN


def tag_new(host):
    return ["tag", "--timeout", str(TIMEOUT), f"{host}/repo:old", "new"]


@pytest.fixture
def calls(strace, serve, shelf, document):
    """The calls of a run without a fault, from the first socket on: name and how many-th of it."""
    server = serve(shelf)
    names = ",".join(f"?{name}" for name in FAULTS)
    result, trace = strace(["-e", f"trace={names}"], tag_new(server.host))
    assert result.status == 0 and shelf.document("repo", "new") == document
    count = Counter()
    found = []
    for line in trace.splitlines():
        if match := CALL.match(line):
            count[match[1]] += 1
            if count["socket"]:
                found.append((match[1], count[match[1]]))
    assert count["connect"] and len(found) < 200, found
    return found


@pytest.mark.parametrize("earlier", ["no_tag", "another_image"])
@pytest.mark.parametrize("fault", EVERY_FAULT)
def test_a_failing_call_leaves_the_tag_old_or_new(
    regtag, strace, calls, serve, shelf, document, other_document, fault, earlier
):
    old = other_document if earlier == "another_image" else None
    server = serve(shelf)
    runs = 0
    for name, number in calls:
        if fault != "KILL" and fault not in FAULTS[name]:
            continue
        kind = "signal=KILL" if fault == "KILL" else f"error={fault}"
        where = f"{fault} at {name} number {number}"
        shelf.manifests.pop(("repo", "new"), None)
        if old:
            shelf.put("repo", "new", OCI_MANIFEST, old)
        before = time.monotonic()

        result, _ = strace(["-e", f"inject={name}:{kind}:when={number}"], tag_new(server.host))

        assert time.monotonic() - before < TIMEOUT - 5, (where, result)
        now = shelf.document("repo", "new")
        assert now in (old, document), where
        assert result.status == -signal.SIGKILL or 0 <= result.status < 20, (where, result)
        assert result.status != 0 or now == document, (where, result)
        if fault in ("EINTR", "EAGAIN") and name in NO_FAULT_AT_ALL:
            assert result.status == 0, (where, result)
        again = regtag(*tag_new(server.host))
        assert (again.status, shelf.document("repo", "new")) == (0, document), where
        runs += 1
    if not runs:
        pytest.skip(f"no call that is made fails with {fault}")


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["closed", "reset"])
def test_an_answer_to_an_upload_that_is_lost_at_any_byte_is_found_out(
    regtag, serve, shelf, document, end
):
    whole = answer(201, b"OK", f"Docker-Content-Digest: {digest_of(document)}")
    cut = 0

    def put(request):
        shelf.usual(request)
        return [whole[:cut], end]

    shelf.instead["PUT"] = put
    server = serve(shelf)
    for cut in range(len(whole)):
        shelf.manifests.pop(("repo", "new"), None)

        result = regtag(*tag_new(server.host))

        assert result.status == 0, (cut, result)
        assert [row[1:3] for row in result.rows] == [(digest_of(document), "created")]
        assert shelf.document("repo", "new") == document


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["closed", "reset"])
def test_a_manifest_that_is_lost_at_any_byte_is_not_uploaded(regtag, serve, shelf, document, end):
    cut = 0
    shelf.instead["GET"] = lambda request: [shelf.usual(request)[:cut], end]
    server = serve(shelf)
    whole = len(document) + 100
    for cut in range(0, whole, 13):
        result = regtag(*tag_new(server.host))

        assert result.status in (5, 9), (cut, result)
        result.complaint(server.host)
        assert [row[2] for row in result.rows] == ["failed"]
    assert server.uploads == []


@pytest.mark.parametrize("taken", [0, 1, LIMIT // 2, LIMIT - 1])
@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
def test_an_upload_that_is_cut_off_is_not_called_done(regtag, serve, shelf, taken, always):
    big = padded(oci_manifest(), LIMIT)
    shelf.put("repo", "old", OCI_MANIFEST, big)

    def put(request):
        if always or len(server.uploads) == 1:
            return [Take(taken), RESET]
        return [READ_BODY, answer(500)]

    shelf.instead["PUT"] = put
    server = serve(shelf, early=lambda request: request.method == "PUT")

    result = regtag(*tag_new(server.host))

    assert result.status not in (0, 1, 2), result
    assert [row[2] for row in result.rows] in (["failed"], ["uncertain"])
    assert shelf.document("repo", "new") is None
