"""429 with Retry-After holds back whatever else is in flight."""

import threading

from fake import Pause, errors
from images import digest_of

WAIT = 10  # seconds that the server waits for what the client is to send
NAMES = [f"v{number}" for number in range(20)]  # more than one connection takes
SLOW_DOWN = errors(429, "TOOMANYREQUESTS", "slow down", "Retry-After: 1")


def test_a_guard_is_checked_again_after_a_pause(regtag, serve, shelf, other_document):
    """The guarded tag was looked up before the pause: nobody knows where it points after it."""
    shelf.put("repo", "guarded", "application/vnd.oci.image.manifest.v1+json", other_document)
    looked, limited = threading.Event(), threading.Event()
    first = []  # the connection that the manifest came on, and the guarded tag will

    def respond(request):
        tag = request.path.rpartition("/")[2]
        if (request.method, tag) == ("GET", "old"):
            first.append(request.connection)
        elif (request.method, tag) == ("HEAD", "guarded") and not looked.is_set():
            looked.set()
            assert limited.wait(WAIT)
            return [Pause(0.3), shelf(request)]
        elif request.method == "HEAD" and request.connection not in first and not limited.is_set():
            assert looked.wait(WAIT)
            limited.set()
            return SLOW_DOWN
        return shelf(request)

    server = serve(respond)
    guard = f"guarded={digest_of(other_document)}"

    result = regtag(
        "tag", "--expect", guard, f"{server.host}/repo:old", "guarded", *NAMES, retries=None
    )

    assert (result.status, result.err) == (0, b""), result
    assert [row[2] for row in result.rows] == ["moved", *["created"] * len(NAMES)]
    guarded = [one.method for one in server.requests if one.path.endswith("/guarded")]
    assert guarded == ["HEAD", "HEAD", "PUT"]
