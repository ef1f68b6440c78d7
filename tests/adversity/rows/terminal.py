"""Every control character, escape sequence, mark of direction and ill-formed UTF-8, in every text that somebody else can
place: a terminal gets none of them, and --json stays JSON.
"""

import json
import os
import stat
import unicodedata

from artifacts import TITLE as FILE_NAME
from artifacts import UNPACK
from authority import Certificate, Workshop, openssl
from bundles import WHOLE, layout, named, pack
from copies import AMD
from fake import answer
from fronts import reached
from images import CONFIG, LAYER, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, compact, descriptor, digest_of
from proxies import Proxy
from scenes import NEW, REPO
from tls_server import Front, server_context

TITLE = "terminal"
DIRECTIONS = [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
LINE_ENDS = [0x2028, 0x2029]
ILL_FORMED = {
    **{f"byte-{one:02x}": bytes([one]) for one in (*range(0x80, 0xA0), 0xC0, 0xF5, 0xFE, 0xFF)},
    **{"overlong-nul": b"\xc0\x80", "overlong-escape": b"\xc0\x9b", "overlong-3": b"\xe0\x80\x9b"},
    **{"surrogate": b"\xed\xa0\x80", "low-surrogate": b"\xed\xb0\x80", "pair": b"\xed\xa0\xbd\xed\xb8\x80"},
    **{"too-large": b"\xf4\x90\x80\x80", "cut-2": b"\xc3", "cut-3": b"\xe2\x80", "cut-4": b"\xf0\x9f\x98"},
}
SEQUENCES = {
    "clear": "\033[2J\033[H",
    "color": "\033[31m",
    "title": "\033]0;owned\007",
    "answer-back": "\033[c\005",
    "link": "\033]8;;http://evil.test\033\\here\033]8;;\033\\",
    "device": "\033P+q544e\033\\",
    "csi-8-bit": "\u009b2J",
    "lines": "\r\nregtag: all is well\n",
    "back": "\b\b\b\b\b\b",
    "tab": "a\tb\tmoved",
    "quote": '"\\',
}
ITEMS = {
    **{f"U+{one:04X}": chr(one) for one in (*range(0x20), *range(0x7F, 0xA0), *DIRECTIONS, *LINE_ENDS)},
    **SEQUENCES,
    **ILL_FORMED,
}
MODES = {"text": ["-v"], "json": ["--json"]}
ECDSA = bytes.fromhex("300a06082a8648ce3d040302")  # with SHA-256
MARK = "placeholder0"  # in certificates, to be replaced
UTF8_STRING, IA5_STRING = 0x0C, 0x16


def raw(item):
    """The bytes of an item, with something in front and behind."""
    text = ITEMS[item]
    return b"a" + (text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")) + b"z"


def quoted(item):
    """The same in a string of JSON: escaped, or, where it is no text at all, as it is."""
    text = ITEMS[item]
    return raw(item) if isinstance(text, bytes) else json.dumps(f"a{text}z")[1:-1].encode()


# ---- Where it stands: each place makes a run ready, and returns more words, or a whole command


def instead(method, whole, server="here"):
    """An answer to a request with this method."""

    def place(scene, item):
        found = whole(item)

        def way(passing):
            fits = passing.server == server and passing.request.method == method
            return found if fits else passing.whole

        scene.world.way = way
        return scene.command

    return place


def body(status, before, after, *fields, of=quoted):
    return lambda item: answer(status, before + of(item) + after, *fields)


def field(status, name, text=b"", document=b""):
    """A field of an answer: b"%s" in its text is the item."""

    def whole(item):
        value = text.replace(b"%s", raw(item))
        lines = [b"HTTP/1.1 %d Whatever" % status, name.encode() + b": " + value]
        lines.append(b"Content-Length: %d" % len(document))
        return b"\r\n".join(lines) + b"\r\n\r\n" + document

    return whole


def stated(place):
    """A document at the tag, as JSON with the item in it: %s."""

    def make(scene, item):
        document = place.replace(b"%s", quoted(item))
        scene.world.depot.manifests[REPO, "base"] = (OCI_MANIFEST, document)
        return scene.command

    return make


def of_image(**more):
    """A manifest with the item where "%s" is."""
    whole = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(OCI_CONFIG, CONFIG)}
    return stated(compact({**whole, "layers": [descriptor(OCI_LAYER, LAYER)], **more}))


def of_layer(**more):
    layer = {**descriptor(OCI_LAYER, LAYER), "annotations": {FILE_NAME: "a.bin"}, **more}

    def make(scene, item):
        scene.world.depot.blobs[digest_of(LAYER)] = LAYER
        return of_image(layers=[layer])(scene, item)

    return make


def with_platform(scene, item):
    entry = descriptor(OCI_MANIFEST, AMD, platform={"os": "%s", "architecture": "%s", "variant": "%s"})
    document = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})
    scene.world.depot.manifests[REPO, "base"] = (OCI_INDEX, document.replace(b"%s", quoted(item)))
    return [*scene.command, "--platform", "linux/arm64"]


def of_referrer(**more):
    entry = {**descriptor(OCI_MANIFEST, AMD), "artifactType": "a/b", **more}
    document = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]})

    def make(scene, item):
        whole = answer(200, document.replace(b"%s", quoted(item)), f"Content-Type: {OCI_INDEX}")
        scene.world.way = lambda passing: whole if "/referrers/" in passing.request.target else passing.whole
        return ["referrers", *scene.world.options, scene.image()]

    return make


def by_helper(script, commands):
    """What a credential helper says. Its bytes come from a file, so that a shell need not write them."""

    def make(scene, item):
        folder = scene.world.folder
        (folder / "said").write_bytes(script.replace(b"%s", raw(item)))
        (folder / "quoted").write_bytes(script.replace(b"%s", quoted(item)))
        (folder / "config.json").write_text(json.dumps({"credsStore": "test"}))
        path = folder / "docker-credential-test"
        path.write_text("#!/bin/sh\ncat >/dev/null\n" + commands)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return scene.command

    return make


def config(text):
    """Docker's file."""

    def make(scene, item):
        (scene.world.folder / "config.json").write_bytes(text.replace(b"%s", quoted(item)))
        return scene.command

    return make


def journal(line):
    def make(scene, item):
        old, new = digest_of(b"1").encode(), digest_of(b"2").encode()
        text = line.replace(b"IMAGE", scene.image("new").encode()).replace(b"OLD", old).replace(b"NEW", new)
        before = (scene.world.folder / "moves").read_bytes()
        (scene.world.folder / "moves").write_bytes(before + text.replace(b"%s", raw(item)) + b"\n")
        return scene.command

    return make


def lines(text):
    def make(scene, item):
        (scene.world.folder / "lines").write_bytes(text.replace(b"IMAGE", scene.image().encode()) % raw(item) + b"\n")
        return scene.command

    return make


def archive(change):
    """A tar file for `load`, as `change` makes it of that of a whole image."""

    def make(scene, item):
        (scene.world.folder / "image.tar").write_bytes(change(item))
        return scene.command

    return make


def entry_name(item):
    """A file of this name in front, whose header is patched."""
    data = bytearray(pack([("placeholder", b"x"), *WHOLE]))
    name = raw(item)[:90].ljust(100, b"\0")
    data[:100] = name
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


def ref_name(item):
    files = layout([named(AMD, "%s")], AMD, CONFIG, LAYER)
    assert any(b"%s" in data for _, data in files)
    return pack([(one, data.replace(b"%s", quoted(item)) if one == "index.json" else data) for one, data in files])


def media_type(item):
    files = layout([{**descriptor("%s", AMD)}], AMD, CONFIG, LAYER)
    return pack([(one, data.replace(b"%s", quoted(item)) if one == "index.json" else data) for one, data in files])


def proxied(whole):
    """What a proxy says, to a request and to CONNECT."""

    def make(scene, item):
        del scene
        with_item = whole(item)
        return Proxy(instead=lambda request: with_item)

    return make


def text_argument(scene, item):
    verb, *rest = scene.command
    return [verb, *rest[:-1], scene.image("") + os.fsdecode(raw(item))]


def in_certificate(kind):
    """A server's certificate with the item in it: `kind` is where."""

    def make(scene, item):
        return certificate_of(scene, kind, raw(item))

    return make


REFUSED = b'{"errors":[{"code":"DENIED","message":"no","detail":null}]}'
JSON_TYPE = "Content-Type: application/json"


def error_body(part, of=quoted, status=403):
    before, after = REFUSED.replace(part, part[:-1] + b" %s" + part[-1:]).split(b"%s")
    return body(status, before, after, JSON_TYPE, of=of)


PLACES = {
    # A registry's answers
    "put-message": ("tag", instead("PUT", error_body(b'"no"'))),
    "put-message-raw": ("tag", instead("PUT", error_body(b'"no"', raw))),
    "put-code": ("tag", instead("PUT", error_body(b'"DENIED"'))),
    "put-detail": ("tag", instead("PUT", body(409, b'{"errors":[{"code":"X","detail":"', b'"}]}', JSON_TYPE))),
    "head-message": ("digest", instead("HEAD", field(403, "X", b"%s"))),
    "manifest-message": ("manifest", instead("GET", error_body(b'"no"'))),
    "unknown-message": ("manifest", instead("GET", error_body(b'"no"', status=404))),
    "busy-message": ("manifest", instead("GET", error_body(b'"no"', status=503))),
    "text": ("tag", instead("PUT", body(403, b"", b"\n", "Content-Type: text/plain", of=raw))),
    "html": ("tag", instead("PUT", body(502, b"<h1>", b"</h1>\n", "Content-Type: text/html", of=raw))),
    "reason": ("tag", instead("PUT", lambda item: b"HTTP/1.1 403 " + raw(item) + b"\r\nContent-Length: 0\r\n\r\n")),
    "status-line": ("tag", instead("GET", lambda item: raw(item) + b"\r\n\r\n")),
    "version": ("tag", instead("GET", lambda item: b"HTTP/" + raw(item) + b" 200 OK\r\n\r\n")),
    "field-name": ("tag", instead("GET", lambda item: b"HTTP/1.1 200 OK\r\n" + raw(item) + b": b\r\n\r\n")),
    "warning": ("manifest", instead("GET", field(200, "Warning", b'299 - "%s"', NEW))),
    "content-type": ("manifest", instead("GET", field(200, "Content-Type", b"application/%s", NEW))),
    "encoding": ("manifest", instead("GET", field(200, "Content-Encoding", b"%s", NEW))),
    "length": ("manifest", instead("GET", field(200, "Content-Length", b"%s"))),
    "stated-digest": ("manifest", instead("GET", field(200, "Docker-Content-Digest", b"sha256:%s", NEW))),
    "put-digest": ("tag", instead("PUT", field(201, "Docker-Content-Digest", b"sha256:%s"))),
    "location": ("manifest", instead("GET", field(307, "Location", b"http://%s/x"))),
    "location-path": ("manifest", instead("GET", field(307, "Location", b"/%s"))),
    "location-scheme": ("manifest", instead("GET", field(307, "Location", b"%s"))),
    "realm": ("manifest", instead("GET", field(401, "WWW-Authenticate", b'Bearer realm="%s",service="s"'))),
    "realm-host": ("manifest", instead("GET", field(401, "WWW-Authenticate", b'Bearer realm="http://%s/t"'))),
    "scheme": ("manifest", instead("GET", field(401, "WWW-Authenticate", b"%s realm=x"))),
    "challenge-error": ("manifest", instead("GET", field(401, "WWW-Authenticate", b'Basic realm="a",error="%s"'))),
    "retry-after": ("tag", instead("PUT", field(429, "Retry-After", b"%s"))),
    "link": ("ls", instead("GET", field(200, "Link", b'<%s>; rel="next"', b'{"tags":["a"]}'))),
    "link-path": ("ls", instead("GET", field(200, "Link", b'</v2/%s>; rel="next"', b'{"tags":["a"]}'))),
    # A token server's
    "token-message": ("tag-token", instead("GET", error_body(b'"no"', status=401), "tokens")),
    "token": ("tag-token", instead("GET", body(200, b'{"token":"', b'"}', JSON_TYPE), "tokens")),
    "token-text": ("tag-token", instead("GET", body(500, b"", b"\n", of=raw), "tokens")),
    # Documents
    "tag-name": ("ls", instead("GET", body(200, b'{"name":"r","tags":["a","', b'"]}', JSON_TYPE))),
    "tag-name-raw": ("ls", instead("GET", body(200, b'{"name":"r","tags":["a","', b'"]}', JSON_TYPE, of=raw))),
    "tag-of-digest": ("ls-digests", instead("GET", body(200, b'{"name":"r","tags":["', b'"]}', JSON_TYPE))),
    "media-type": ("manifest", of_image(mediaType="%s")),
    "key-twice": ("manifest", stated(NEW.replace(b"{", b'{"%s":1,"%s":2,', 1))),
    "config-type": ("manifest", of_image(config=descriptor("%s", CONFIG))),
    "config-digest": ("manifest", of_image(config={**descriptor(OCI_CONFIG, CONFIG), "digest": "sha256:%s"})),
    "platform": ("digest", with_platform),
    "title": ("fetch", of_layer(annotations={FILE_NAME: "%s"})),
    "title-of-folder": ("fetch", of_layer(annotations={FILE_NAME: "d-%s/a.bin", UNPACK: "true"})),
    "layer-type": ("fetch", of_layer(mediaType="%s")),
    "layer-digest": ("fetch", of_layer(digest="%s")),
    "unpack": ("fetch", of_layer(annotations={FILE_NAME: "a.bin", UNPACK: "%s"})),
    "copied-layer": ("copy", of_image(layers=[{**descriptor(OCI_LAYER, LAYER), "digest": "sha256:%s"}])),
    "saved-layer": ("save", of_image(layers=[{**descriptor(OCI_LAYER, LAYER), "digest": "sha256:%s"}])),
    "artifact-type": ("digest", of_referrer(artifactType="%s")),
    "referrer-digest": ("digest", of_referrer(digest="%s")),
    "upload-location": ("copy", instead("POST", field(202, "Location", b"/v2/%s"), "there")),
    "upload-host": ("copy", instead("POST", field(202, "Location", b"http://%s/v2/"), "there")),
    # Files and programs of this machine
    "helper-stderr": ("tag-token", by_helper(b"%s", "cat said >&2; exit 1\n")),
    "helper-stdout": ("tag-token", by_helper(b"%s", "cat said; exit 1\n")),
    "helper-answer": ("tag-token", by_helper(b'{"ServerURL":"x","%s":', "cat quoted\n")),
    "helper-user": ("tag-token", by_helper(b'{"Username":"%s","Secret":"x"}', "cat quoted\n")),
    "helper-name": ("tag-token", config(b'{"credsStore":"%s"}')),
    "config": ("tag-token", config(b'{"auths":{"%s":{}}')),
    "config-auth": ("tag-token", config(b'{"auths":{"127.0.0.1":{"auth":"%s"}}}')),
    "journal-line": ("undo", journal(b"%s")),
    "journal-reference": ("undo", journal(b"2026-01-01T00:00:00Z\tIMAGE%s\tOLD\tNEW\tmoved")),
    "journal-digest": ("undo", journal(b"2026-01-01T00:00:00Z\tIMAGE\t%s\tNEW\tmoved")),
    "journal-word": ("undo", journal(b"2026-01-01T00:00:00Z\tIMAGE\tOLD\tNEW\t%s")),
    "line-image": ("tag-from", lines(b"IMAGE%s new")),
    "line-name": ("tag-from", lines(b"IMAGE %s")),
    "tar-entry": ("load", archive(entry_name)),
    "tar-reference": ("load", archive(ref_name)),
    "tar-type": ("load", archive(media_type)),
    "argument": ("digest", text_argument),
    # A proxy, and who speaks TLS
    "proxy-reason": ("proxy", proxied(lambda item: b"HTTP/1.1 502 " + raw(item) + b"\r\n\r\n")),
    "proxy-text": ("proxy", proxied(body(403, b"", b"\n", of=raw))),
    "proxy-no-HTTP": ("proxy", proxied(lambda item: raw(item) + b"\r\n\r\n")),
    "proxy-login": ("proxy", proxied(field(407, "Proxy-Authenticate", b'Basic realm="%s"'))),
    "connect-reason": ("connect", proxied(lambda item: b"HTTP/1.1 502 " + raw(item) + b"\r\n\r\n")),
    "connect-text": ("connect", proxied(body(403, b"", b"\n", of=raw))),
    "subject": ("certificate", in_certificate("subject")),
    "alternative": ("certificate", in_certificate("alternative")),
    "issuer": ("certificate", in_certificate("issuer")),
}
IN_ARGUMENTS = {"argument"}  # which end at a NUL
EVERY = {"certificate": 4, "proxy": 1, "connect": 2}  # of the items; these are slow to arrange


def cases(stage, whole):
    del stage, whole
    for place, (scene, _) in PLACES.items():
        for item in list(ITEMS)[:: EVERY.get(scene, 1)]:
            if place in IN_ARGUMENTS and b"\0" in raw(item):
                continue
            for mode in MODES:
                if mode == "text" or scene not in ("manifest", "save"):
                    yield place, mode, item


# ---- What came of it


def is_bad(character, at_ends):
    kind = unicodedata.category(character)
    code = ord(character)
    return (kind in ("Cc", "Cs") and character not in at_ends) or code in DIRECTIONS or code in LINE_ENDS


def shown(name, data, at_ends):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as failure:
        yield f"{name} is no UTF-8: {failure}: {data[:300]!r}"
        return
    found = sorted({character for character in text if is_bad(character, at_ends)})
    if found:
        yield f"{name} has {', '.join(f'U+{ord(one):04X}' for one in found)}: {data[:300]!r}"


def judge(result, mode, host):
    if result.status < 0:
        yield f"ended by signal {-result.status}"
    if b"Sanitizer" in result.err or b"runtime error" in result.err:
        yield result.err[-300:].decode(errors="replace")
    yield from shown("stdout", result.out, "\n\t" if mode == "text" else "\n")
    yield from shown("stderr", result.err, "\n")
    if any(byte > 0x7E for byte in result.err):
        yield f"stderr is no ASCII: {result.err[:300]!r}"
    for line in result.out.splitlines() if mode == "json" else []:
        try:
            one = json.loads(line)
        except ValueError as failure:
            yield f"no JSON: {failure}: {line[:300]!r}"
            continue
        if host not in one.get("reference", host) or ("status" in one and one["status"] not in range(20)):
            yield f"not what it should be: {line[:300]!r}"


def attempt(stage, case):
    place, mode, item = case
    kind, make = PLACES[place]
    if kind in ("proxy", "connect"):
        return attempt_by_proxy(stage, kind, make, mode, item)
    if kind == "certificate":
        return make(stage, item)(mode)
    scene = stage.scene(kind)
    command = make(scene, item)
    return run(stage, scene, command, mode)


def run(stage, scene, command, mode, **more):
    verb, *rest = command
    plain = scene.name == "manifest" or verb in ("manifest",)
    folder = scene.world.folder
    env = {**scene.world.confined, "DOCKER_CONFIG": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"}
    rest = without_login(rest) if (folder / "config.json").exists() else rest
    words = [stage.program.path, verb, "--timeout", "20", "--retries", "0", *MODES[mode], *rest]
    result = stage.program.run(words, limit=60, cwd=folder, env=env, **more)
    if plain:
        result.out = b""  # that is the document, byte for byte
    return list(judge(result, mode, "/repo"))


def without_login(words):
    """The credentials come from a file or a helper."""
    found = list(words)
    while "--user" in found:
        at = found.index("--user")
        del found[at : at + 4]
    return found


def attempt_by_proxy(stage, kind, make, mode, item):
    scene = stage.scene("digest")
    with make(scene, item) as proxy:
        how = "--plain-http" if kind == "proxy" else "--tls"
        command = ["digest", how, "--proxy", proxy.url, "registry.example:5000/repo:base"]
        return run(stage, scene, command, mode)


# ---- Certificates


class Forge:
    """Certificates with any bytes in them: those of openssl, patched, and signed again. A CA whose subject is shown is
    one between the root and the server, and has expired. Where an item is no UTF-8, its string is one of another kind, in
    which openssl takes any byte; the program does not look at the kind.
    """

    def __init__(self, folder):
        self.folder = folder
        with Workshop(folder) as workshop:
            self.root = workshop.root(key=workshop.key("P-256", "root"))
            between = workshop.intermediate(self.root, MARK, key="P-256", days=(-20, -10))
            self.made = {
                "subject": workshop.server(between),
                "alternative": workshop.server(self.root, names=[f"DNS:{MARK}"]),
                "issuer": workshop.server(workshop.root(MARK, key="P-256")),
            }

    def context(self, kind, text):
        """What a server shows."""
        made = self.made[kind]
        beside = [self.patched(made.issuer, text)] if kind == "subject" else []
        return server_context(self.folder, self.patched(made, text), beside)

    def patched(self, made, text):
        content = made.der[4:]  # behind the header of the outer SEQUENCE
        size = int.from_bytes(content[2:4], "big") + 4
        to_sign = self.folder / "signed"
        to_sign.write_bytes(replaced(content[:size], text[: len(MARK)].ljust(len(MARK), b"-")))
        signature = openssl("dgst", "-sha256", "-sign", made.issuer.key, to_sign)
        whole = to_sign.read_bytes() + ECDSA + b"\x03" + bytes([len(signature) + 1]) + b"\0" + signature
        der = made.file.with_suffix(".der")
        der.write_bytes(b"\x30\x82" + len(whole).to_bytes(2, "big") + whole)
        pem = self.folder / f"patched-{made.file.name}"
        pem.write_bytes(openssl("x509", "-inform", "DER", "-in", der))
        return Certificate(pem, made.key, None, made.start, made.end)


def replaced(der, text):
    """With the text instead of the mark."""
    mark = MARK.encode()
    if not is_utf_8(text):
        der = der.replace(bytes([UTF8_STRING, len(mark)]) + mark, bytes([IA5_STRING, len(mark)]) + mark)
    return der.replace(mark, text)


def is_utf_8(text):
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def certificate_of(stage, kind, text):
    scene = stage.scene("digest")
    folder = scene.world.top / "forge"
    if not folder.exists():
        folder.mkdir()
        scene.world.forge = Forge(folder)

    def attempt_in(mode):
        with Front(scene.world.here.fake.port, scene.world.forge.context(kind, text)) as front:
            host = f"registry.test:{front.port}"
            command = ["digest", "--cacert", str(scene.world.forge.root.file), *reached(host), f"{host}/repo:base"]
            return run(stage, scene, command, mode)

    return attempt_in
