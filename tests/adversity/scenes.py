"""The runs that everything is tried on: a verb, what it begins with, and how one sees whether it is done.

A scene is old, where nothing has changed, or new, where all that was asked for is there; with several names, some may be old
and others new. `state` says which, or what is wrong.
"""

import io
import json
import tarfile

from artifacts import artifact, file_layer
from bundles import WHOLE, pack
from copies import AMD, ARM, BLOBS, INDEX
from images import OCI_INDEX, OCI_MANIFEST, compact, descriptor, digest_of, oci_manifest
from signing import Key, key_sum, sign_simply, signature_tag
from world import WRITTEN_SHORT

OLD = compact(oci_manifest(annotations={"which": "the old one"}))
NEW = compact(oci_manifest(annotations={"which": "the new one"})) + b"\n"
FILES = {"firmware.bin": bytes(range(256)) * 20, "etc/notes.txt": b"what is new\n"}
ARTIFACT = artifact(*(file_layer(data, name) for name, data in FILES.items()))
REPO = "repo"


class Scene:
    """`args` are the words behind `regtag`; `meant` are names that a run may leave in its folder, or their beginning."""

    name = verb = None
    tls = token = False
    meant = ()
    reads_only = False
    patience = 0  # seconds beyond the deadline that it may take
    unsure = frozenset()  # what a run ends with that cannot tell where a tag points
    repeated = (0,)  # what a second run may end with, when all is done

    def __init__(self, world):
        self.world = world
        self.begin()

    def begin(self):
        """Everything as it is before the first run."""
        self.world.reset()
        self.world.depot.put(REPO, "base", OCI_MANIFEST, NEW)
        self.prepare()

    def prepare(self):
        pass

    def image(self, tag="base", server=None):
        return f"{(server or self.world.here).host}/{REPO}:{tag}"

    @property
    def args(self):
        raise NotImplementedError

    @property
    def command(self):
        """With all that it takes to reach the servers; the deadline and the attempts are the row's business."""
        verb, *rest = self.args
        return [verb, *self.world.options, *self.login, *rest]

    @property
    def login(self):
        return self.world.login()

    def state(self):
        """"old", "new", "mixed", where each part is one of them, or what is wrong."""
        raise NotImplementedError

    def complete(self, result):
        """Whether what was printed is what a run has to print that has ended with 0."""
        raise NotImplementedError


# ---- Verbs that move tags


class Tag(Scene):
    name, verb = "tag", "tag"
    names = ("new",)

    def prepare(self):
        for name in self.names[::2]:
            self.world.depot.put(REPO, name, OCI_MANIFEST, OLD)
        self.before = {name: self.world.depot.document(REPO, name) for name in self.names}

    @property
    def args(self):
        return ["tag", self.image(), *self.names]

    @property
    def depot(self):
        return self.world.depot

    @property
    def wanted(self):
        return NEW

    def state(self):
        found = set()
        for name in self.names:
            document = self.depot.document(REPO, name)
            if document == self.wanted:
                found.add("new")
            elif document == self.before[name]:
                found.add("old")
            else:
                return f"{name} is neither old nor new: {document!r}"
        return found.pop() if len(found) == 1 else "mixed"

    def complete(self, result):
        good = ("created", "moved", "unchanged", "set")
        return [row[2] in good for row in result.rows] == [True] * len(self.names)


class TagTls(Tag):
    name, tls = "tag-tls", True


class TagFolder(TagTls):
    """The CA is in a folder, among other files."""

    name = "tag-ca-folder"

    @property
    def args(self):
        return ["tag", "--cacert", self.world.root.file.parent, *super().args[1:]]


class TagToken(Tag):
    name, token = "tag-token", True


class TagLookup(Tag):
    """The registry's address is written as only a resolver understands it."""

    name = "tag-lookup"

    @property
    def args(self):
        return ["tag", "--plain-http", self.image().replace("127.0.0.1", WRITTEN_SHORT), *self.names]


class TagJournal(Tag):
    name = "tag-journal"
    meant = ("moves",)

    @property
    def args(self):
        return ["tag", "--journal", "moves", *super().args[1:]]


class TagTwo(Tag):
    name, names = "tag-2", ("new", "newer")


class TagEight(Tag):
    """All are in flight on one connection."""

    name, names = "tag-8", tuple(f"new-{number}" for number in range(8))

    @property
    def args(self):
        return ["tag", "--jobs", "1", *super().args[1:]]


class TagHundred(Tag):
    name, names = "tag-100", tuple(f"new-{number:02}" for number in range(100))


class TagFrom(Tag):
    name, names = "tag-from", ("new", "newer", "newest")

    def prepare(self):
        super().prepare()
        lines = "".join(f"{self.image()} {name}\n" for name in self.names)
        (self.world.folder / "lines").write_text(lines)

    meant = ("lines",)

    @property
    def args(self):
        return ["tag", "--from", "lines"]


class TagSigned(Tag):
    name = "tag-signed"
    meant = ("key.pem",)

    def prepare(self):
        super().prepare()
        sign(self.world)

    @property
    def args(self):
        return ["tag", "--verify-key", "key.pem", *super().args[1:]]


def sign(world):
    """The image, with the one key of this world, which is made once."""
    if not world.key:
        world.key = Key(world.top / "key")
        world.signature = sign_simply(world.key, digest_of(NEW))
    (world.folder / "key.pem").write_bytes(world.key.public.read_bytes())
    manifest, payload = world.signature
    world.depot.blobs[digest_of(payload)] = payload
    world.depot.put(REPO, signature_tag(digest_of(NEW)), OCI_MANIFEST, manifest)
    return world.key


class Delete(Tag):
    name, verb = "delete", "delete"
    wanted = None
    repeated = (0, 3)

    @property
    def args(self):
        return ["delete", self.image("new")]

    def complete(self, result):
        return [row[2] for row in result.rows] in (["deleted"], ["unchanged"])


class Undo(Tag):
    """What moved the tag is in the journal; `old` is where it points until it is undone."""

    name, verb = "undo", "undo"
    unsure = {12}
    meant = ("moves",)
    wanted = OLD

    def prepare(self):
        self.world.depot.put(REPO, "old", OCI_MANIFEST, OLD)
        self.world.depot.put(REPO, "new", OCI_MANIFEST, NEW)
        self.before = {"new": NEW}
        line = [self.image("new"), digest_of(OLD), digest_of(NEW)]
        rows = (["2026-01-01T00:00:00Z", *line, word] for word in ("moving", "moved"))
        (self.world.folder / "moves").write_text("".join("\t".join(row) + "\n" for row in rows))

    @property
    def args(self):
        return ["undo", "moves"]

    def complete(self, result):
        """There is nothing left to undo in a second run."""
        return result.out == b"" or super().complete(result)


class Watch(Scene):
    """The tag has moved already; the command is to run once, with what is new."""

    name, verb = "watch", "watch"
    meant = ("seen",)
    patience = 3  # the deadline is that of each check, the next of which is right

    def prepare(self):
        self.seen = self.world.folder / "seen"

    @property
    def args(self):
        command = ["/bin/sh", "-c", 'printf "%s\\n" "$REGTAG_NEW" >>seen']
        return ["watch", "--once", "--from", digest_of(OLD), "--interval", "1", self.image(), "--", *command]

    def state(self):
        told = self.seen.read_text() if self.seen.exists() else ""
        if told == "":
            return "old"
        return "new" if set(told.split()) == {digest_of(NEW)} else f"the command was told {told!r}"

    def complete(self, result):
        return True


class Copy(Tag):
    """An index of two images, to a registry that has another one under the tag."""

    name, verb = "copy", "copy"
    wanted = INDEX

    def prepare(self):
        put_index(self.world.depot)
        self.world.target.put(REPO, "new", OCI_MANIFEST, OLD)
        self.before = {"new": OLD}

    @property
    def depot(self):
        return self.world.target

    @property
    def args(self):
        return ["copy", self.image(), self.image("new", self.world.there)]

    def state(self):
        found = super().state()
        if found != "new":
            return found
        held = self.world.target
        missing = [one for one in BLOBS if held.blobs.get(digest_of(one)) != one]
        missing += [one for one in (AMD, ARM) if held.document(REPO, digest_of(one)) != one]
        return f"the tag is new, but {len(missing)} of what it needs is missing" if missing else "new"


def put_index(depot):
    depot.blobs.update({digest_of(one): one for one in BLOBS})
    for one in (AMD, ARM):
        depot.put(REPO, digest_of(one), OCI_MANIFEST, one)
    depot.put(REPO, "base", OCI_INDEX, INDEX)


class CopyToken(Copy):
    name, token = "copy-token", True

    @property
    def login(self):
        return self.world.login("from-") + self.world.login("to-")


class Load(Copy):
    name, verb = "load", "load"
    meant = ("image.tar",)

    def prepare(self):
        super().prepare()
        self.archive = self.world.folder / "image.tar"
        self.archive.write_bytes(pack(WHOLE))

    @property
    def args(self):
        return ["load", "image.tar", self.image("new", self.world.there)]


# ---- Verbs that write files


class Fetch(Scene):
    """Two files, one of which has been there in an older form."""

    name, verb = "fetch", "fetch"
    meant = ("firmware.bin", "etc", ".regtag-")
    before = b"the old firmware\n"

    def prepare(self):
        depot = self.world.depot
        depot.blobs.update({digest_of(data): data for data in FILES.values()})
        depot.put(REPO, "base", OCI_MANIFEST, ARTIFACT)
        (self.world.folder / "firmware.bin").write_bytes(self.before)

    @property
    def args(self):
        return ["fetch", self.image(), "-o", "."]

    def state(self):
        found = set()
        for name, data in FILES.items():
            file = self.world.folder / name
            held = file.read_bytes() if file.exists() else None
            if held == data:
                found.add("new")
            elif held == (self.before if name == "firmware.bin" else None):
                found.add("old")
            else:
                return f"{name} is neither old nor new: {held[:100]!r}"
        return found.pop() if len(found) == 1 else "mixed"

    def complete(self, result):
        return [line.split("\t")[3] in ("fetched", "unchanged") for line in result.lines] == [True, True]


class Save(Scene):
    """An archive, where an older file is."""

    name, verb = "save", "save"
    meant = ("image.tar", ".regtag-")
    before = b"the old archive\n"
    good = None  # what a run without a fault writes

    def prepare(self):
        put_index(self.world.depot)
        (self.world.folder / "image.tar").write_bytes(self.before)

    @property
    def args(self):
        return ["save", "-o", "image.tar", self.image()]

    def state(self):
        file = self.world.folder / "image.tar"
        held = file.read_bytes() if file.exists() else None
        if held == self.before:
            return "old"
        return "new" if held and is_archive(held) else "the archive is neither old nor new"

    def complete(self, result):
        return [line.split("\t")[1] for line in result.lines] == [digest_of(INDEX)]


def is_archive(data):
    """All that the index needs, under its name, and an end."""
    whole = dict(WHOLE)
    wanted = {f"blobs/sha256/{digest_of(one)[7:]}": one for one in (INDEX, AMD, ARM, *BLOBS)}
    try:
        found = read_archive(data)
    except (ValueError, KeyError, tarfile.TarError):
        return False
    index = json.loads(found.pop("index.json"))
    mark = found.pop("oci-layout")
    return found == wanted and index["manifests"][0]["digest"] == digest_of(INDEX) and mark == whole["oci-layout"]


def read_archive(data):
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        return {one.name: archive.extractfile(one).read() for one in archive if one.isreg()}


# ---- Verbs that only print


class Printing(Scene):
    """`wanted` is what is printed: all of it, or, where a run has failed, as much of it as is said to be right."""

    reads_only = True
    whole = True  # nothing is printed unless all is well

    def state(self):
        return "new"

    def complete(self, result):
        return result.out == self.wanted


class Digest(Printing):
    name, verb = "digest", "digest"

    @property
    def args(self):
        return ["digest", self.image()]

    @property
    def wanted(self):
        return digest_of(NEW).encode() + b"\n"


class Manifest(Printing):
    name, verb = "manifest", "manifest"
    wanted = NEW

    @property
    def args(self):
        return ["manifest", self.image()]


class List(Printing):
    name, verb = "ls", "ls"
    whole = False
    tags = [f"v{number}" for number in range(9)]

    def prepare(self):
        for tag in self.tags:
            self.world.depot.put(REPO, tag, OCI_MANIFEST, OLD)
        self.listed = ["base", *self.tags]  # what the registry says that there is

    @property
    def args(self):
        return ["ls", f"{self.world.here.host}/{REPO}"]

    @property
    def wanted(self):
        return "".join(f"{tag}\n" for tag in self.listed).encode()


class ListDigests(List):
    name = "ls-digests"

    @property
    def args(self):
        return ["ls", "--digests", *super().args[1:]]

    @property
    def wanted(self):
        return "".join(f"{tag}\t{self._digest(tag)}\n" for tag in self.listed).encode()

    def _digest(self, tag):
        document = self.world.depot.document(REPO, tag)
        return digest_of(document) if document else "-"


class Verify(Printing):
    name, verb = "verify", "verify"
    sum = None
    meant = ("key.pem",)

    def prepare(self):
        self.key = sign(self.world)

    @property
    def args(self):
        return ["verify", "--verify-key", "key.pem", self.image()]

    @property
    def wanted(self):
        if not self.sum:
            self.sum = key_sum(self.key.public)
        fields = [self.image(), digest_of(NEW), "verified", self.sum]
        return "\t".join(fields).encode() + b"\n"


class Referrers(Printing):
    """A registry without such a list has an index of them, at a tag."""

    name, verb = "referrers", "referrers"
    whole = False
    listed = descriptor(OCI_MANIFEST, OLD, artifactType="application/vnd.example.sbom")

    def prepare(self):
        index = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [self.listed]})
        self.world.depot.put(REPO, digest_of(NEW).replace(":", "-"), OCI_INDEX, index)

    @property
    def args(self):
        return ["referrers", self.image()]

    @property
    def wanted(self):
        return f"{digest_of(OLD)}\t{self.listed['artifactType']}\t{len(OLD)}\n".encode()


SCENES = {
    one.name: one
    for one in (
        *(Tag, TagTls, TagFolder, TagToken, TagLookup),
        *(TagJournal, TagTwo, TagHundred, TagFrom, TagSigned),
        *(Delete, Undo, Watch, Copy, CopyToken, Load),
        *(Fetch, Save),
        *(Digest, Manifest, List, ListDigests, Verify),
        *(TagEight, Referrers),
    )
}
