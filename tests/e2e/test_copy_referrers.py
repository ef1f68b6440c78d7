"""`copy --referrers`: an image with what is attached to it, which is there before the image's tag is."""

import json
import shutil

import pytest
from bundles import entry
from copies import AMD, ARM, BLOBS, INDEX, Pantry, changes
from fake import answer
from images import CONFIG, OCI_INDEX, OCI_MANIFEST, compact, digest_of
from signing import Key, sign_in_bundle, sign_simply, signature_tag


class Listing(Pantry):
    """A registry that lists referrers, as version 1.1 of the specification wants it; or `listed`, if that is set."""

    listed = None

    def _usual(self, request):
        repository, kind, reference = request.path.removeprefix("/v2/").rsplit("/", 2)
        if kind == "referrers" and self.listed:
            return answer(200, self.listed, f"Content-Type: {OCI_INDEX}")
        if kind == "referrers":
            found = [entry(one) for one in self._referrers(repository, reference)]
            listed = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found})
            return answer(200, listed, f"Content-Type: {OCI_INDEX}")
        subject = self._subject(request.body) if (request.method, kind) == ("PUT", "manifests") else None
        if not subject:
            return super()._usual(request)
        self.put(repository, reference, request.value("Content-Type"), request.body)
        digest = digest_of(request.body)
        return answer(201, b"", f"Docker-Content-Digest: {digest}", f"OCI-Subject: {subject}")

    @staticmethod
    def _subject(document):
        return json.loads(document).get("subject", {}).get("digest")

    def _referrers(self, repository, digest):
        held = {one for (where, _), (_, one) in self.manifests.items() if where == repository}
        return [one for one in sorted(held) if self._subject(one) == digest]


@pytest.fixture(scope="module")
def key(regtag, tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    one = Key(tmp_path_factory.mktemp("key"))
    if b"without signatures" in regtag("verify", "127.0.0.1:1/repo", "--verify-key", one.public).err:
        pytest.skip("this build checks no signatures")
    return one


class Pair:
    """A source that has an index as repo:v1, and a target that has nothing."""

    def __init__(self, serve, source, target):
        self.source, self.target = source(), target()
        self.servers = [serve(one) for one in (self.source, self.target)]
        self.image, self.copied = (f"{one.host}/repo:v1" for one in self.servers)
        self.source.blobs.update({digest_of(data): data for data in BLOBS})
        for document, media_type in ((AMD, OCI_MANIFEST), (ARM, OCI_MANIFEST), (INDEX, OCI_INDEX)):
            self.source.put("repo", digest_of(document), media_type, document)
        self.source.put("repo", "v1", OCI_INDEX, INDEX)

    def sign(self, key, form, image=INDEX):
        """The digest of the signature's manifest."""
        digest = digest_of(image)
        manifest, layer = (sign_in_bundle if form == "bundle" else sign_simply)(key, digest)
        self.source.blobs.update({digest_of(data): data for data in (layer, CONFIG)})
        self.source.put("repo", digest_of(manifest), OCI_MANIFEST, manifest)
        if form == "older":
            self.source.put("repo", signature_tag(digest), OCI_MANIFEST, manifest)
        elif not isinstance(self.source, Listing):
            listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry(manifest)]}
            self.source.put("repo", digest.replace(":", "-"), OCI_INDEX, compact(listed))
        return digest_of(manifest)

    def uploaded(self):
        """What the manifests were uploaded as, in this order."""
        asked = self.servers[1].requests
        return [one.path.rpartition("/")[2] for one in asked if one.method == "PUT" and "/manifests/" in one.path]


@pytest.fixture
def pair(serve):
    return lambda source=Pantry, target=Pantry: Pair(serve, source, target)


ALIKE = [(Pantry, Pantry), (Pantry, Listing), (Listing, Listing)]


@pytest.mark.parametrize("form", ["older", "bundle"])
@pytest.mark.parametrize("sides", ALIKE, ids=lambda sides: "-".join(one.__name__ for one in sides))
def test_a_copy_is_as_signed_as_the_image(regtag, pair, key, sides, form):
    both = pair(*sides)
    signature = both.sign(key, form)
    row = (both.copied, digest_of(INDEX), "created", "-")

    done = regtag("copy", "--referrers", both.image, both.copied)
    assert (done.status, done.rows) == (0, [row]), done
    assert not done.err
    assert both.uploaded()[-1] == "v1"
    assert both.target.document("repo", signature) is not None
    assert regtag("verify", both.copied, "--verify-key", key.public).status == 0
    before = len(changes(both.servers[1].requests))
    again = regtag("copy", "--referrers", both.image, both.copied)
    assert again.rows == [(both.copied, digest_of(INDEX), "unchanged", digest_of(INDEX))]
    assert len(changes(both.servers[1].requests)) == before


def test_a_target_without_a_list(regtag, pair, key):
    both = pair(Listing, Pantry)
    signature = both.sign(key, "bundle")

    done = regtag("copy", "--referrers", both.image, both.copied)
    assert done.status == 0, done
    assert f"does not list referrers: {signature} is there" in done.err.decode()
    assert both.target.document("repo", signature) is not None
    assert regtag("verify", both.copied, "--verify-key", key.public).status == 19


def test_without_the_option_nothing_comes_along(regtag, pair, key):
    both = pair(Listing, Listing)
    both.sign(key, "bundle")
    assert regtag("copy", both.image, both.copied).status == 0
    assert regtag("verify", both.copied, "--verify-key", key.public).status == 19


@pytest.mark.parametrize("suffix", [".sig", ".att", ".sbom"])
def test_what_cosign_attaches_by_a_tag(regtag, pair, suffix):
    both = pair()
    tag = digest_of(INDEX).replace(":", "-") + suffix
    both.source.put("repo", tag, OCI_MANIFEST, AMD)

    done = regtag("copy", "--referrers", "--expect", "v1=absent", both.image, both.copied)
    assert done.status == 0, done
    assert both.target.document("repo", tag) == AMD
    assert sorted(both.target.tags("repo")) == sorted([tag, "v1"])


def test_one_platform(regtag, pair, key):
    both = pair(Listing, Listing)
    of_index, of_child = (both.sign(key, "bundle", one) for one in (INDEX, ARM))

    done = regtag("copy", "--referrers", "--platform", "linux/arm64", both.image, both.copied)
    assert done.rows == [(both.copied, digest_of(ARM), "created", "-")], done
    assert both.target.document("repo", of_child) is not None
    assert both.target.document("repo", of_index) is None
    assert regtag("verify", both.copied, "--verify-key", key.public).status == 0


def test_all_tags(regtag, pair, key):
    both = pair(Listing, Listing)
    both.source.put("repo", "v2", OCI_MANIFEST, ARM)
    signatures = [both.sign(key, "bundle", one) for one in (INDEX, ARM)]

    sides = [one.removesuffix(":v1") for one in (both.image, both.copied)]
    done = regtag("copy", "--referrers", "--all-tags", *sides)
    assert [row[2] for row in done.rows] == ["created", "created"], done
    assert all(both.target.document("repo", one) is not None for one in signatures)


def test_by_digest(regtag, pair, key):
    both = pair(Listing, Listing)
    signature = both.sign(key, "bundle")
    image, copied = both.image.replace(":v1", f"@{digest_of(INDEX)}"), both.copied.removesuffix(":v1")

    done = regtag("copy", "--referrers", image, copied)
    assert (done.status, done.rows[0][1]) == (0, digest_of(INDEX)), done
    assert both.uploaded()[-1] == digest_of(INDEX)
    assert both.target.document("repo", signature) is not None and not both.target.tags("repo")


@pytest.mark.parametrize(
    "options, status",
    [(["--dry-run"], 0), (["--expect", "v1=sha256:" + "0" * 64], 12), (["--platform", "linux/s390x"], 3)],
    ids=["dry-run", "guard", "platform"],
)
def test_nothing_comes_along_with_what_is_not_copied(regtag, pair, key, options, status):
    both = pair(Listing, Listing)
    both.sign(key, "older")
    both.sign(key, "bundle")

    done = regtag("copy", "--referrers", *options, both.image, both.copied)
    plain = regtag("copy", *options, both.image, both.copied)
    assert (done.status, plain.status) == (status, status), done
    assert done.rows == plain.rows and len(done.rows) == 1
    assert not changes(both.servers[1].requests)


@pytest.mark.parametrize("form", ["older", "bundle"])
def test_nothing_comes_along_with_an_image_by_another_key(regtag, pair, key, tmp_path, form):
    both = pair(Listing, Listing)
    both.sign(Key(tmp_path / "other"), form)

    done = regtag("copy", "--referrers", both.image, both.copied, "--verify-key", key.public)
    assert (done.status, done.rows[0][2]) == (19, "failed"), done
    assert not changes(both.servers[1].requests)
    both.sign(key, form)
    done = regtag("copy", "--referrers", both.image, both.copied, "--verify-key", key.public)
    assert (done.status, done.rows[0][2]) == (0, "created"), done


@pytest.mark.parametrize("form", ["older", "bundle"])
def test_no_image_without_its_signature(regtag, pair, key, form):
    both = pair(Listing, Listing)
    signature = both.sign(key, form)
    layer = json.loads(both.source.document("repo", signature))["layers"][0]["digest"]
    del both.source.blobs[layer]

    done = regtag("copy", "--referrers", both.image, both.copied)
    assert (done.status, done.rows[0][2]) == (3, "failed"), done
    done.complaint("is attached to it", signature_tag(digest_of(INDEX)) if form == "older" else signature)
    assert both.target.document("repo", "v1") is None


def test_a_tag_that_is_taken_for_the_digest(regtag, pair):
    """As GitLab does: it answers with the image itself."""
    both = pair()
    tag = digest_of(INDEX).replace(":", "-")
    both.source.put("repo", tag, OCI_INDEX, INDEX)

    assert regtag("copy", "--referrers", both.image, both.copied).status == 0
    assert both.target.tags("repo") == ["v1"]


def test_a_tag_that_moves_meanwhile(regtag, pair, key):
    """The image is that whose signatures were copied."""
    both = pair(Listing, Listing)
    both.sign(key, "bundle")

    def move(request):
        if "/referrers/" in request.path:
            both.source.put("repo", "v1", OCI_MANIFEST, AMD)
        return both.source.usual(request)

    both.source.instead["GET"] = move
    done = regtag("copy", "--referrers", both.image, both.copied)
    assert done.rows == [(both.copied, digest_of(INDEX), "created", "-")], done
    assert regtag("verify", both.copied, "--verify-key", key.public).status == 0


@pytest.mark.parametrize("command", ["referrers", "copy", "save"])
def test_an_index_of_referrers_that_is_not_what_the_registry_states(regtag, pair, tmp_path, command):
    both = pair()
    listed = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry(AMD)]})
    both.source.put("repo", digest_of(INDEX).replace(":", "-"), OCI_INDEX, listed)
    wrong = listed.replace(digest_of(AMD).encode(), digest_of(ARM).encode())
    both.source.instead["GET"] = lambda request: both.source.usual(request).replace(listed, wrong)
    arguments = {
        "referrers": [both.image],
        "copy": ["--referrers", both.image, both.copied],
        "save": ["--referrers", "-o", tmp_path / "saved.tar", both.image],
    }

    done = regtag(command, *arguments[command])
    assert done.status == 10, done
    done.complaint(f"the list of referrers that arrived is {digest_of(wrong)}, but the registry states {digest_of(listed)}")
    assert command == "copy" or not done.out
    assert not changes(both.servers[1].requests)
    assert not (tmp_path / "saved.tar").exists()


@pytest.mark.parametrize("digest", ["sha512:" + "0" * 128, "blake3:" + "0" * 64])
@pytest.mark.parametrize("verb", ["copy", "save"])
def test_what_is_attached_by_a_digest_that_cannot_be_checked(regtag, pair, tmp_path, verb, digest):
    both = pair(Listing)
    listed = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{**entry(AMD), "digest": digest}]})
    both.source.listed = listed

    target = [both.copied] if verb == "copy" else ["-o", tmp_path / "saved"]
    result = regtag(verb, "--referrers", both.image, *target)
    assert result.status == 10, result
    result.complaint(digest[:70], "only sha256 digests can be checked")
    assert not changes(both.servers[1].requests) and not list(tmp_path.iterdir())
