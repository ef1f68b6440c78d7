"""`load --verify-key`: signatures that are in the layout, on a machine that has no network."""

import shutil

import pytest
from bundles import blob, entry, index, named, pack
from copies import AMD, ARM, BLOBS, INDEX, Pantry
from images import CONFIG, LAYER, OCI_INDEX, OCI_MANIFEST, compact, digest_of
from signing import Key, sign_in_bundle, sign_simply, signature_tag

MARK = ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


@pytest.fixture(scope="module")
def key(regtag, tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    one = Key(tmp_path_factory.mktemp("key"))
    if b"without signatures" in regtag("verify", "127.0.0.1:1/repo", "--verify-key", one.public).err:
        pytest.skip("this build checks no signatures")
    return one


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("other"))


@pytest.fixture
def load(regtag, serve, key, tmp_path):
    """load(entries, contents, options…): what came of it, and the registry."""

    def run(entries, contents, *options, target="repo:new", public=key.public):
        pantry = Pantry()
        pantry.host = serve(pantry).host
        path = tmp_path / "layout.tar"
        path.write_bytes(pack([MARK, index(*entries), *map(blob, contents)]))
        done = regtag("load", path, f"{pantry.host}/{target}", "--verify-key", public, *options)
        return done, pantry

    return run


def signed(key, digest, form, name=None):
    """An entry of index.json, and what it leads to."""
    if form == "bundle":
        manifest, layer = sign_in_bundle(key, digest)
        return entry(manifest), [manifest, layer, CONFIG]
    manifest, layer = sign_simply(key, digest)
    return named(manifest, name or signature_tag(digest)), [manifest, layer, CONFIG]


@pytest.mark.parametrize("form", ["older", "bundle"])
def test_only_what_is_signed(load, key, other, form):
    line, contents = signed(key, digest_of(AMD), form)
    entries, contents = [line, named(AMD, "v1")], [AMD, CONFIG, LAYER, *contents]

    done, pantry = load(entries, contents, "--image", "v1")
    assert done.status == 0, done
    assert pantry.document("repo", "new") == AMD
    done, pantry = load(entries, contents, "--image", "v1", public=other.public)
    assert (done.status, done.rows[0][2]) == (19, "failed"), done
    done.complaint("another key")
    assert not pantry.manifests and not pantry.blobs


@pytest.mark.parametrize("form", ["older", "bundle"])
def test_the_signature_of_another_image_is_refused(load, key, form):
    line, contents = signed(key, digest_of(ARM), form, signature_tag(digest_of(AMD)))

    done, pantry = load([named(AMD, "v1"), line], [AMD, CONFIG, LAYER, *contents], "--image", "v1")
    assert done.status == 19, done
    done.complaint("another digest" if form == "older" else "there is no signature")
    assert not pantry.manifests and not pantry.blobs


def test_nothing_is_signed(load):
    done, pantry = load([named(AMD, "v1")], [AMD, CONFIG, LAYER])
    assert done.status == 19, done
    done.complaint("there is no signature")
    assert not pantry.manifests and not pantry.blobs


@pytest.mark.parametrize("tag", ["sha256-" + "x" * 64 + ".sig", "sha256-" + "0" * 65 + ".sig", "sha256-" + "0" * 64])
def test_a_name_like_that_of_a_signature_is_no_way_around(load, tag):
    done, pantry = load([named(AMD, tag)], [AMD, CONFIG, LAYER], target="repo")
    assert done.status == 19, done
    assert not pantry.manifests and not pantry.blobs


def test_damaged_signatures(load, key):
    line, contents = signed(key, digest_of(AMD), "older")
    for damaged in range(2):
        less = [one for number, one in enumerate(contents) if number != damaged]
        done, pantry = load([line, named(AMD, "v1")], [AMD, CONFIG, LAYER, *less], "--image", "v1")
        assert done.status == 19, done
        assert not pantry.manifests and not pantry.blobs


@pytest.mark.parametrize("of", [INDEX, ARM], ids=["index", "child"])
def test_a_platform_needs_a_signature_of_its_own_or_of_its_index(load, key, of):
    line, contents = signed(key, digest_of(of), "bundle")
    entries = [named(INDEX, "v1", OCI_INDEX), line]

    done, pantry = load(entries, [INDEX, AMD, ARM, *BLOBS, *contents], "--platform", "linux/arm64")
    assert done.status == 0, done
    assert pantry.document("repo", "new") == ARM
    done, pantry = load(entries, [INDEX, AMD, ARM, *BLOBS, *contents], "--platform", "linux/amd64")
    assert done.status == (0 if of == INDEX else 19), done


def test_all_images_with_their_signatures(load, key):
    line, contents = signed(key, digest_of(AMD), "older")
    entries = [named(AMD, "v1"), line, named(ARM, "v2")]

    done, pantry = load(entries, [AMD, ARM, *BLOBS, *contents], target="repo")
    assert done.status == 19, done
    assert [row[2] for row in done.rows] == ["created", "created", "failed"]
    assert sorted(pantry.tags("repo")) == [signature_tag(digest_of(AMD)), "v1"]


@pytest.mark.parametrize("form", ["older", "bundle"])
@pytest.mark.parametrize("platform", [[], ["--platform", "linux/arm64"]], ids=["whole", "arm64"])
def test_saved_with_what_refers_to_it(regtag, serve, key, other, tmp_path, form, platform):
    source, target, archive = Pantry(), Pantry(), tmp_path / "saved.tar"
    hosts = [serve(one).host for one in (source, target)]
    image = ARM if platform else INDEX
    source.blobs.update({digest_of(data): data for data in BLOBS})
    for document, media_type in ((AMD, OCI_MANIFEST), (ARM, OCI_MANIFEST), (INDEX, OCI_INDEX)):
        source.put("repo", digest_of(document), media_type, document)
    source.put("repo", "v1", OCI_INDEX, INDEX)
    line, contents = signed(key, digest_of(image), form)
    source.blobs.update({digest_of(data): data for data in contents})
    source.put("repo", line["digest"], OCI_MANIFEST, contents[0])
    if form == "older":
        source.put("repo", signature_tag(digest_of(image)), OCI_MANIFEST, contents[0])
    else:
        listed = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [line]})
        source.put("repo", digest_of(image).replace(":", "-"), OCI_INDEX, listed)

    saved = regtag("save", "-o", archive, "--referrers", f"{hosts[0]}/repo:v1", *platform)
    assert saved.status == 0, saved
    assert [row.split("\t")[1] for row in saved.lines] == [digest_of(image), line["digest"]]
    for public, status in ((other.public, 19), (key.public, 0)):
        done = regtag("load", "--image", "v1", archive, f"{hosts[1]}/repo:new", "--verify-key", public)
        assert done.status == status, done
        assert target.document("repo", "new") == (image if status == 0 else None)


def test_a_pipe_has_them_too_late(regtag, key):
    command = [*("sh", "-c", 'cat /dev/null | "$@"', "sh")]
    command += regtag.command("load", "-", "127.0.0.1:1/repo:new", "--verify-key", key.public)
    done = regtag.run(command)
    assert done.status == 2, done
    done.complaint("write it to a file first")
