"""Answers that can be understood, but are not true: of digests, sizes, places and types, of what is stored, and of who else
may be asked. What can be noticed is; and nobody gets a password or a token who should not.
"""

from answers import kind_of, one_of_each_kind
from fake import END_OF_HEAD, answer, bodiless
from images import OCI_INDEX, OCI_MANIFEST, compact, digest_of, oci_manifest
from rule import judge
from scenes import NEW, OLD

TITLE = "lies"
SCENES = ["tag", "tag-8", "tag-token", "tag-signed", "copy-token", "copy", "load", "fetch", "save", "delete", "undo"]
SCENES += ["manifest", "verify", "referrers", "ls-digests", "digest", "watch"]
ZEROS = "sha256:" + "0" * 64
OTHER = compact(oci_manifest(annotations={"which": "nobody asked for it"}))
WITHIN = 4  # seconds: some are waited for in vain
NOTICED = {1, 3, 4, 5, 6, 9, 10, 12, 13, 15, 17, 18, 19}


def with_field(name, value):
    """The same with this field instead of its own, or one more."""

    def lie(passing, world):
        head, _, body = passing.whole.partition(END_OF_HEAD)
        kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(name.lower().encode() + b":")]
        said = value(passing, world) if callable(value) else value
        more = [] if said is None else [f"{name}: {said}".encode()]
        return b"\r\n".join([*kept, *more]) + END_OF_HEAD + body

    return lie


def with_status(status, *fields):
    def lie(passing, world):
        said = answer(status, b"", *(one(passing, world) if callable(one) else one for one in fields))
        return bodiless(said) if passing.request.method == "HEAD" else said

    return lie


def document(data, digest=None, media_type=OCI_MANIFEST):
    """Another one than was asked for."""

    def lie(passing, world):
        fields = [f"Content-Type: {media_type}", f"Docker-Content-Digest: {digest or digest_of(data)}"]
        found = answer(200, data, *fields)
        return bodiless(found) if passing.request.method == "HEAD" else found

    return lie


def elsewhere(path=lambda passing: passing.request.target):
    """The same place of another origin."""

    def place(passing, world):
        return f"http://{world.stranger.host}{path(passing)}"

    return place


def location(place):
    return lambda passing, world: f"Location: {place(passing, world)}"


def challenge(realm):
    said = 'WWW-Authenticate: Bearer realm="{}",service="registry.test"'
    return lambda passing, world: said.format(realm(passing, world))


def shorter(passing, world):
    """As much is missing as is not said."""
    head, _, body = passing.whole.partition(END_OF_HEAD)
    return with_field("Content-Length", str(len(body) // 2))(passing, world)


ANY = {
    "wrong-digest": with_field("Docker-Content-Digest", ZEROS),
    "malformed-digest": with_field("Docker-Content-Digest", "sha256:0"),
    "digest-of-the-old": with_field("Docker-Content-Digest", digest_of(OLD)),
    "no-digest": with_field("Docker-Content-Digest", None),
    "two-digests": with_field("Docker-Content-Digest", f"{ZEROS}\r\nDocker-Content-Digest: {digest_of(NEW)}"),
    "another-type": with_field("Content-Type", "text/html"),
    "index-type": with_field("Content-Type", OCI_INDEX),
    "two-lengths": with_field("Content-Length", "5\r\nContent-Length: 7"),
    "negative-length": with_field("Content-Length", "-1"),
    "shorter": shorter,
    "longer": with_field("Content-Length", "100000"),
    "another-encoding": with_field("Content-Encoding", "gzip"),
    "no-framing": with_field("Transfer-Encoding", "identity"),
    "range-of-all": with_field("Range", "0-99999999"),
    "range-of-nothing": with_field("Range", "0-0"),
    "range-backwards": with_field("Range", "9-3"),
    "content-range": with_field("Content-Range", "bytes 5-9/10"),
    "upload-elsewhere": with_field("Location", elsewhere()),
    "upload-nowhere": with_field("Location", "http://[::1"),
    "link-elsewhere": with_field("Link", lambda passing, world: f'<{elsewhere()(passing, world)}>; rel="next"'),
    "created": with_status(201),
    "no-content": with_status(204),
    "partial": with_status(206, "Content-Range: bytes 3-3/4"),
    "not-modified": with_status(304),
    "not-found": with_status(404),
    "out-of-range": with_status(416),
    "empty": with_status(200),
    "redirect-elsewhere": with_status(307, location(elsewhere())),
    "redirect-to-file": with_status(307, "Location: file:///etc/passwd"),
    "redirect-to-other-scheme": with_status(302, "Location: gopher://127.0.0.1/"),
    "redirect-without-place": with_status(307),
    "realm-elsewhere": with_status(401, challenge(elsewhere(lambda passing: "/token"))),
    "realm-of-anyone": with_status(401, challenge(lambda passing, world: "https://registry.invalid/token")),
    "basic": with_status(401, 'WWW-Authenticate: Basic realm="give me your password"'),
    "other-manifest": document(OTHER),
    "other-manifest-same-digest": document(OTHER, digest_of(NEW)),
    "wrong-body": document(b'{"token":"x","tags":["y"],"schemaVersion":2}', digest_of(NEW)),
    "tags-of-others": document(b'{"name":"repo","tags":["../../etc/passwd","a b","\\u001b[2J"]}', None, "application/json"),
}

# What a server says of which nobody can tell that it is wrong: then it is believed. So is one that says that it has a blob.
BELIEVED = ["digest", "watch", "ls-digests", "referrers"]
UNDONE = ("undo", "digest-of-the-old")  # so there is nothing left to do
SAYS_NEW = {"wrong-body", "other-manifest-same-digest", "two-digests"}
CONSISTENT = {"other-manifest", "moves-between"}
THERE = {"created", "empty", "partial", "no-content", "wrong-body", "tags-of-others", "other-manifest-same-digest"}


def cases(stage, whole):
    for name in SCENES:
        for passing in one_of_each_kind(stage, name):
            for lie in ANY:
                for lasting in ("once",) if name == "watch" else ("once", "always"):  # it goes on for ever
                    yield name, passing.number, lie, lasting
    for lie in STORED:
        for name in ("tag", "tag-8", "tag-token", "load", "copy"):
            yield name, 0, lie, "always"


# ---- Of what is stored


def store_nothing(scene, *fields):
    """201, and it is where it was."""
    depot = scene.depot
    depot.instead["PUT"] = lambda request: answer(201, b"", *fields) if "/manifests/" in request.path else depot.usual(request)


def store_another(scene):
    """What is pushed is not what is kept."""
    depot = scene.depot

    def put(request):
        if "/manifests/" not in request.path:
            return depot.usual(request)
        repository, _, reference = request.path.removeprefix("/v2/").rsplit("/", 2)
        depot.put(repository, reference, OCI_MANIFEST, OLD)
        return answer(201, b"", f"Docker-Content-Digest: {digest_of(OLD)}")

    depot.instead["PUT"] = put


def move_between(scene):
    """Another image is behind the tag when it is asked for once more."""
    depot = scene.world.depot

    def get(request):
        found = depot.usual(request)
        depot.put("repo", "base", OCI_MANIFEST, OTHER)
        return found

    depot.instead["HEAD"] = depot.instead["GET"] = get


STORED = {
    "stores-nothing": store_nothing,
    "stores-nothing-and-says-another": lambda scene: store_nothing(scene, f"Docker-Content-Digest: {ZEROS}"),
    "stores-another": store_another,
    "moves-between": move_between,
}
KEPT = {"stores-another"}  # a tag that was not there is neither old nor new then: the registry's doing
CONFIRMS_ANOTHER = 15


# ---- Trying


def liar(scene, number, lie, lasting):
    """Lies in one answer, or in those of its kind from then on."""
    kinds = []

    def way(passing):
        if passing.number == number:
            kinds.append(kind_of(passing))
        hit = passing.number == number or (lasting and kind_of(passing) in kinds)
        return lie(passing, scene.world) if hit else passing.whole

    return way


def judged(scene, found, number, lie):
    """Of what was found broken, what is not the lie's."""
    method = next((one.request.method for one in scene.world.passed if one.number == number), "")
    believed = scene.name in BELIEVED or (scene.name, lie) == UNDONE or lie in CONSISTENT or (lie in SAYS_NEW and method == "HEAD")
    for one in found:
        if believed and is_of_contents(one) or lie in THERE and "of what it needs is missing" in one:
            continue
        if lie in KEPT and "is neither old nor new" in one:
            continue
        if lie == "basic" and "a password was sent to" in one:
            continue  # it is for them
        yield one


def is_of_contents(broken):
    words = "neither old nor new", "the command was told", "what is there is", "and printed", "is missing"
    return any(one in broken for one in words)


def attempt(stage, case):
    name, number, lie, lasting = case
    scene = stage.scene(name)
    if lie in STORED:
        STORED[lie](scene)
    else:
        scene.world.way = liar(scene, number, ANY[lie], lasting == "always")
    result, seconds = stage.player.run(scene, retries=0, within=WITHIN)
    found = [*judge(scene, result, NOTICED), *stage.player.late(scene, seconds, WITHIN)]
    broken = list(judged(scene, found, number, lie))
    if lie in STORED and lie not in CONSISTENT and result.status != CONFIRMS_ANOTHER:
        broken.append(f"ended with {result.status}, and the registry has another image")
    if name not in BELIEVED and (name, lie) != UNDONE and lie not in STORED:
        broken += judged(scene, list(stage.player.again(scene)), number, lie)
    for server in (scene.world.here, scene.world.there, scene.world.stranger):
        server.fake.forgive()
    return broken
