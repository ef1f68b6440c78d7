"""One byte a second, or nothing at all, in each part of an answer, in the handshake and in the lookup of a name: every run
ends at its deadline, or when nothing has moved for as long as --stall says.
"""

from answers import answers, patiently, silence
from fake import END_OF_HEAD, Drip, chunked
from tls_server import Ending

TITLE = "slow"
WAITING = 8  # these wait, they do not compute
SCENES = ["tag", "tag-token", "copy", "load", "fetch", "save", "delete", "undo", "watch", "digest", "ls", "verify"]
WITHIN = 2  # seconds
HANDSHAKE = 830  # bytes, about
# The process that looks names up asks whether its parent is there, and is stopped then.
SLOW_LOOKUP = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=getppid:signal=STOP"]
LATE = {6, 18}  # 18 behind an upload
NOT_CONNECTED = {5}


def in_chunks(whole):
    """The same with a chunked body and a trailer."""
    head, _, body = whole.partition(END_OF_HEAD)
    fields = [one for one in head.split(b"\r\n") if not one.lower().startswith(b"content-length:")]
    head = b"\r\n".join([*fields, b"Transfer-Encoding: chunked", b"Trailer: X-After"])
    return head + END_OF_HEAD + chunked(body, trailer=b"X-After: all\r\n")


def parts(passing):
    """The name of a part, the answer, and where the part begins in it."""
    whole = passing.whole
    head = whole.index(END_OF_HEAD) + len(END_OF_HEAD)
    yield "whole", whole, 0
    yield "status-line", whole, 9
    yield "headers", whole, whole.index(b"\r\n") + 8
    if head == len(whole):
        return
    yield "body", whole, (head + len(whole)) // 2
    whole = in_chunks(whole)
    head = whole.index(END_OF_HEAD) + len(END_OF_HEAD)
    yield "chunk-size", whole, head + 1
    yield "chunk", whole, head + 8
    yield "trailer", whole, whole.rindex(b"X-After") + 3


def cases(stage, whole):
    for pace in ("byte", "nothing"):
        for name in SCENES:
            seen = set()
            for passing in answers(stage, name):
                kind = passing.request.method, passing.request.path.rsplit("/", 2)[-2]
                if kind not in seen:
                    seen.add(kind)
                    for part, _, _ in parts(passing):
                        yield name, passing.number, part, pace
        for share in (0, 10, 40, 70, 99):
            yield "tag-tls", share, "handshake", pace
    if stage.has("strace"):
        yield "tag-lookup", 0, "lookup", "nothing"


def attempt(stage, case):
    return patiently(lambda: try_once(stage, case))


def try_once(stage, case):
    name, number, part, pace = case
    scene = stage.scene(name)
    before = ()
    if name == "tag-tls":
        arrange_handshake(scene, number, pace)
    elif name == "tag-lookup":
        before = SLOW_LOOKUP
    else:
        scene.world.way = lambda passing: slowly(passing, part, pace) if passing.number == number else passing.whole
    return stage.play(scene, allowed=NOT_CONNECTED if before else LATE, retries=0, within=WITHIN, before=before)


def slowly(passing, part, pace):
    found = {one: (whole, at) for one, whole, at in parts(passing)}
    whole, at = found.get(part, found["whole"])
    return [whole[:at], Drip(whole[at:], 1.0) if pace == "byte" else silence]


def arrange_handshake(scene, share, pace):
    front = scene.world.here.front
    at = HANDSHAKE * share // 100
    if pace == "byte":
        front.slow_from = at
    else:
        front.most, front.ending = at, Ending.STALL
