"""Answers that never end, or are larger, deeper and more than anybody needs; and archives of that kind. The program needs
less than 1 MiB more of memory than without them, keeps its deadline, and says what is wrong. Only what may still become a
document of 4 MiB, the most that is held as a whole, may take as much more: white space, or a long string or number. What `ls`
is told is no mistake, however much it is: all of it is printed where the list ends, and whole lines of it until the deadline.
"""

import hashlib
import itertools
import tempfile
import time

from answers import one_of_each_kind, patiently
from fake import END_OF_HEAD, answer, bodiless
from images import OCI_MANIFEST, compact, oci_manifest
from memory import LEAVE_OUT_OF_TRACE, measure
from program import Result, environment
from rule import judge

TITLE = "bombs"
SCENES = ["tag", "tag-token", "copy-token", "load", "fetch", "save", "delete", "watch", "manifest", "ls", "ls-digests"]
SCENES += ["verify", "referrers"]
WITHIN = 6  # seconds
ROOM, DOCUMENT = 1024, 4096  # KiB
DOCUMENTS = {"body", "chunks", "string", "number"}  # those that may still become one
BLOCK = 65536
MILLION = 1_000_000
OK = b"HTTP/1.1 200 OK\r\n"
WITH_BODY = ("GET", "POST")


def endless(start, block):
    yield start
    while True:
        yield block


def many_headers(passing):
    return OK + b"".join(b"X-%d: y\r\n" % number for number in range(100_000)) + b"\r\n"


def redirects(passing):
    """To a place that redirects to another place, and so on."""
    target = f"{passing.request.path}?n={passing.number}"
    return bodiless(answer(307, b"", f"Location: {target}"))


def with_body(passing, body):
    """The same head, but this body."""
    head = passing.whole[: passing.whole.index(END_OF_HEAD)].split(b"\r\n")
    kept = [one for one in head if not one.lower().startswith((b"content-length:", b"docker-content-digest:"))]
    return b"\r\n".join([*kept, b"Content-Length: %d" % len(body)]) + END_OF_HEAD + body


# Those of any answer.
HEADS = {
    "headers": many_headers,
    "status-line": lambda passing: endless(b"HTTP/1.1 200 ", b"a" * BLOCK),
    "header-line": lambda passing: endless(OK + b"X-Long: ", b"a" * BLOCK),
    "header-name": lambda passing: endless(OK, b"a" * BLOCK),
    "header-lines": lambda passing: endless(OK, b"X-Many: y\r\n" * 5000),
    "interim": lambda passing: endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2500),
    "hints": lambda passing: endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" * 1200),
    "empty-lines": lambda passing: endless(b"", b"\r\n" * 30000),
    "nothing-of-http": lambda passing: endless(b"", b"\0\xff" * 30000),
    "redirect-loop": redirects,
}
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

# Those of an answer with a body.
BODIES = {
    "chunk-extension": lambda passing: endless(CHUNKED + b"5;a=", b"a" * BLOCK),
    "chunk-size": lambda passing: endless(CHUNKED, b"0" * BLOCK),
    "chunks": lambda passing: endless(CHUNKED, b"1\r\n \r\n" * 10000),
    "trailer": lambda passing: endless(CHUNKED + b"0\r\n", b"X-Many: y\r\n" * 5000),
    "body": lambda passing: endless(OK + b"\r\n", b" " * BLOCK),
    "body-of-exabytes": lambda passing: endless(OK + b"Content-Length: 9223372036854775807\r\n\r\n", b"a" * BLOCK),
    "depth": lambda passing: with_body(passing, b"[" * MILLION + b"]" * MILLION),
    "depth-of-objects": lambda passing: with_body(passing, b'{"a":' * MILLION),
    "tokens": lambda passing: with_body(passing, b'{"tags":[' + b"0," * MILLION + b"0]}"),
    "string": lambda passing: with_body(passing, b'{"token":"' + b"a" * 8 * MILLION + b'"}'),
    "number": lambda passing: with_body(passing, b'{"expires_in":' + b"1" * 4 * MILLION + b"}"),
}


def page(names, following=None):
    fields = [f'Link: <{following}>; rel="next"'] if following else []
    return answer(200, compact({"name": "repo", "tags": names}), *fields)


def names_of(count, first=0):
    return [f"v{number:07}" for number in range(first, first + count)]


def million_names(passing):
    del passing
    return names_of(MILLION), None


def link_loop(passing):
    """A page that is followed by itself."""
    return names_of(3), passing.request.target


def links(passing):
    """Pages without end, each of which is new."""
    names = names_of(3, 3 * passing.number)
    return names, f"{passing.request.path}?n=1000&last={names[-1]}"


# Those of a list of tags: the names of a page, and where the next one is.
LISTS = {"million-names": million_names, "link-loop": link_loop, "links": links}
CIRCLES = {"link-loop"}
WAITING_NAMES = {("ls-digests", "million-names")}  # for their digests, where a manifest would be
LOOPS = {"redirect-loop", "link-loop", "links"}

# ---- Archives


def header(name, size=b"0", kind=b"0", magic=b"ustar\x0000"):
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[108:124] = b"0000000\0" * 2
    block[124 : 124 + min(len(size), 12)] = size[:12]
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    block[257:265] = magic
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def octal(size):
    return b"%011o\0" % size


def file(name, data):
    return header(name, octal(len(data))) + data + bytes(-len(data) % 512)


LAYOUT = file(b"oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
END = bytes(1024)
HUGE = b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7  # base 256

ARCHIVES = {
    "entries": lambda: itertools.chain([LAYOUT], itertools.repeat(header(b"a"), 200_000)),
    "entries-of-names": lambda: (header(b"blobs/sha256/%064x" % number) for number in range(100_000)),
    "size": lambda: [LAYOUT, header(b"index.json", HUGE)],
    "octal-size": lambda: [LAYOUT, header(b"index.json", b"77777777777\0")],
    "blob-size": lambda: [LAYOUT, header(b"blobs/sha256/" + b"a" * 64, HUGE)],
    "long-name": lambda: [header(b"././@LongLink", octal(64 << 20), b"L"), b"a" * (64 << 20)],
    "long-names": lambda: itertools.repeat(header(b"././@LongLink", octal(512), b"L") + b"a" * 512, 50_000),
    "endless-name": lambda: [header(b"././@LongLink", HUGE, b"L"), b"a" * MILLION],
    "extended": lambda: [header(b"x", octal(30 * MILLION), b"x"), b"30 path=aaaaaaaaaaaaaaaaaaaaa\n" * MILLION],
    "sparse": lambda: [header(b"index.json", octal(512), b"S"), b"\xff" * 512 * 2000],
    "depth": lambda: [LAYOUT, file(b"index.json", b"[" * MILLION)],
    "tokens": lambda: [LAYOUT, file(b"index.json", b'{"schemaVersion":2,"manifests":[' + b"{}," * MILLION + b"{}]}")],
    "large-index": lambda: [LAYOUT, file(b"index.json", b" " * (64 << 20))],
    "indexes": lambda: itertools.repeat(file(b"index.json", b"{}"), 50_000),
    "nesting": lambda: nested(500),
    "zeros": lambda: [bytes(64 << 20)],
}


def nested(depth):
    """An index in an index in an index, and so on."""
    yield LAYOUT
    inner = compact(oci_manifest())
    kind = OCI_MANIFEST
    for _ in range(depth):
        name = hashlib.sha256(inner).hexdigest()
        yield file(b"blobs/sha256/" + name.encode(), inner)
        entry = {"mediaType": kind, "size": len(inner), "digest": f"sha256:{name}"}
        kind = "application/vnd.oci.image.index.v1+json"
        inner = compact({"schemaVersion": 2, "mediaType": kind, "manifests": [entry]})
    yield file(b"index.json", inner)


# ---- Cases


def bombs_of(passing):
    yield from HEADS
    if passing.request.method in WITH_BODY:
        yield from BODIES
    if is_list(passing):
        yield from LISTS


def is_list(passing):
    return passing.request.path.endswith("/tags/list")


def cases(stage, whole):
    for name in SCENES:
        for passing in one_of_each_kind(stage, name):
            for bomb in bombs_of(passing):
                yield name, passing.number, bomb
    for bomb in ARCHIVES:
        yield "load", "archive", bomb


# A loop of redirects, or of 401, ends with 1 or 4; what can be cut short is 9 or 10; what cannot, ends at the deadline.
STATUSES = {1, 4, 6, 9, 10, 15, 18, 19}
NO_LAYOUT = 2  # of an archive that is something else


def attempt(stage, case):
    return patiently(lambda: list(try_once(stage, case)))


def try_once(stage, case):
    name, number, bomb = case
    normal = usual_memory(stage, name)
    scene = stage.scene(name)
    if number == "archive":
        with open(scene.archive, "wb") as archive:
            for part in itertools.chain(ARCHIVES[bomb](), [END]):
                archive.write(part)
    else:
        scene.world.way = bomb_at(scene, number, bomb)
    began = time.monotonic()
    result, highest = run(stage, scene)
    yield from stage.player.late(scene, time.monotonic() - began, WITHIN)
    yield from judge(scene, result, STATUSES | {NO_LAYOUT} if number == "archive" else STATUSES)
    held = bomb in DOCUMENTS and is_document(scene, number) or (name, bomb) in WAITING_NAMES
    room = ROOM + (DOCUMENT if held else 0)
    if highest - normal >= room:
        yield f"needed {highest} KiB, {highest - normal} more than usual, and ended with {result.status}"
    if bomb in CIRCLES and b"pages form a loop" not in result.err:
        yield f"ended with {result.status}, and said nothing of a circle"
    if number == "archive" or scene.verb == "ls":
        scene.prepare()
    yield from stage.player.again(scene)


def is_document(scene, number):
    """Whether what was asked for is a manifest, a list of referrers, or what is signed."""
    asked = [passing.request.path for passing in scene.world.passed if passing.number == number]
    signed = scene.verb == "verify" and any("/blobs/" in path for path in asked)
    return signed or any("/manifests/" in path or "/referrers/" in path for path in asked)


def bomb_at(scene, number, bomb):
    listed = []

    def explode(passing):
        """What is said; a list of tags has these, for all that `ls` can tell."""
        if is_list(passing):
            scene.listed = listed
        if bomb not in LISTS:
            return {**HEADS, **BODIES}[bomb](passing)
        names, following = LISTS[bomb](passing)
        listed.extend(names)
        return page(names, following)

    def way(passing):
        fits = bomb not in BODIES or passing.request.method in WITH_BODY  # answers may come in another order
        more = bomb in LOOPS and passing.number > number and "n=" in passing.request.query
        return explode(passing) if (passing.number == number and fits) or more else passing.whole

    return way


def run(stage, scene):
    """The result, and how much memory that took, in KiB."""
    command = stage.player.command(scene, retries=0, within=WITHIN)
    variables = environment({**scene.world.confined, **LEAVE_OUT_OF_TRACE})
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        peak = measure(command, out, variables, stderr=err, cwd=scene.world.folder)
        found = []
        for one in (out, err):
            one.seek(0)
            found.append(one.read())
    return Result(peak.status, *found), peak.highest


def usual_memory(stage, name, known={}):
    if name not in known:
        _, known[name] = run(stage, stage.scene(name))
    return known[name]
