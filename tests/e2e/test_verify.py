"""`verify`, and `--verify-key` of the commands that act only on what is signed."""

import functools
import itertools
import shutil

import pytest
from artifacts import Store
from fake import answer, errors
from images import OCI_INDEX, OCI_MANIFEST, compact, descriptor, digest_of, oci_manifest
from program import LONG
from recorder import Recorder
from signing import CosignKey, Key, key_sum, put_signature, sign_in_bundle, signature_tag
from watcher import RARELY, point, shell, until

pytest_plugins = ["peers_fixtures", "watch_fixtures"]

RSA = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
P384 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")
OLDER = ["--new-bundle-format=false"]
DOCUMENTS = [compact({**oci_manifest(), "annotations": {"number": str(number)}}) for number in range(3)]
OLD, NEW, THIRD = (digest_of(one) for one in DOCUMENTS)


@pytest.fixture(scope="module", autouse=True)
def able(regtag, tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    key = Key(tmp_path_factory.mktemp("able"))
    if b"without signatures" in regtag("verify", "127.0.0.1:1/repo", "--verify-key", key.public).err:
        pytest.skip("this build checks no signatures")


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("other"))


# ---- Signed by cosign


@pytest.fixture(scope="module")
def keys(cosign, tmp_path_factory):
    """keys(name): a key as cosign has it. Each is made when it is needed, as are the images: cosign takes its time."""
    folder = tmp_path_factory.mktemp("keys")

    @functools.lru_cache(None)
    def make(name):
        (folder / name).mkdir()
        imported = {"p384": P384, "rsa": RSA}.get(name)
        return CosignKey(cosign, folder / name, imported and Key(folder / name, *imported))

    return make


@pytest.fixture(scope="module")
def signed(request, keys, oras_tool, tmp_path_factory):
    """signed(registry, key, format): an image with one signature, and something else that is attached; and its digest."""
    folder = tmp_path_factory.mktemp("signed")

    @functools.lru_cache(None)
    def start(server):
        return request.getfixturevalue("start_crane_registry")()

    @functools.lru_cache(None)
    def push(server, name, form):
        host = start(server) if server == "crane" else request.getfixturevalue("registry").host
        image = f"{host}/signed/{name}-{form}"
        (folder / "file").write_text(image)
        (folder / "sbom").write_text("what is in it")
        oras_tool("push", "--plain-http", f"{image}:base", "file", cwd=folder)
        sbom = ["attach", "--plain-http", "--artifact-type", "application/spdx+json"]
        oras_tool(*sbom, f"{image}:base", "sbom", cwd=folder)
        digest = oras_tool("resolve", "--plain-http", f"{image}:base")
        keys(name).sign(f"{image}@{digest}", *(OLDER if form == "older" else []))
        return image, digest

    return push


SAMPLE = [("docker-registry", "p256", "older"), ("docker-registry", "rsa", "bundle"), ("crane", "p384", "bundle")]
ALL = itertools.product(["docker-registry", "crane"], ["p256", "p384", "rsa"], ["older", "bundle"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "server, name, form", [*SAMPLE, *(pytest.param(*one, marks=LONG) for one in ALL if one not in SAMPLE)]
)
def test_signed_by_cosign(regtag, signed, keys, other, server, name, form):
    image, digest = signed(server, name, form)
    public = keys(name).public
    row = f"{image}:base\t{digest}\tverified\t{key_sum(public)}"

    assert regtag("verify", f"{image}:base", "--verify-key", public).lines == [row]
    refused = regtag("tag", f"{image}:base", "new", "--verify-key", other.public)
    assert (refused.status, refused.rows) == (19, [(f"{image}:new", "-", "failed", "-")])
    refused.complaint("another key", signature_tag(digest))
    assert regtag("digest", f"{image}:new").status == 3
    both = ["--verify-key", other.public, "--verify-key", public]
    moved = regtag("tag", f"{image}:base", "new", *both)
    assert moved.rows == [(f"{image}:new", digest, "created", "-")]
    listed = [line.split("\t") for line in regtag("referrers", f"{image}:base").lines]
    assert len(listed) == (2 if form == "bundle" else 1)
    sbom = regtag("referrers", f"{image}:base", "--artifact-type", "application/spdx+json", "--json")
    assert regtag("copy", "--referrers", f"{image}:base", f"{image}-copy").err == b""
    assert regtag("verify", f"{image}-copy:base", "--verify-key", public).status == 0
    assert len(regtag("referrers", f"{image}-copy:base").lines) == len(listed)
    assert [one["artifactType"] for one in sbom.objects] == ["application/spdx+json"]
    assert [sbom.objects[0]["digest"], "application/spdx+json", str(sbom.objects[0]["size"])] in listed


@pytest.mark.slow
def test_moved_and_fetched_only_if_signed(regtag, signed, keys, other, tmp_path):
    image, digest = signed("docker-registry", "rsa", "bundle")
    good, bad = (["--verify-key", one.public] for one in (keys("rsa"), other))
    copy, file = f"{image}-copied:new", tmp_path / "file"

    assert regtag("copy", f"{image}:base", copy, *bad).status == 19
    assert regtag("digest", copy).status == 3
    assert regtag("fetch", f"{image}:base", "-o", file, *bad).status == 19
    assert not file.exists()
    assert regtag("copy", f"{image}:base", copy, *good).status == 0
    assert regtag("digest", copy).lines == [digest]
    assert regtag("fetch", f"{image}:base", "-o", file, *good).status == 0
    assert file.read_text() == image


@pytest.mark.slow
@pytest.mark.parametrize("name, form, cost", [("p256", "older", 4), ("rsa", "bundle", 5)])
def test_what_one_signature_costs(regtag, registry, signed, keys, name, form, cost):
    image, digest = signed("docker-registry", name, form)
    repository = image.split("/", 1)[1]
    with Recorder(registry.port) as relay:
        image = f"127.0.0.1:{relay.port}/{repository}"
        assert regtag("tag", f"{image}:base", "cost").status == 0
        without = len(relay.requests)
        assert regtag("tag", f"{image}:base", "price", "--verify-key", keys(name).public).status == 0
        lines = relay.request_lines[without:]

    assert len(lines) - without == cost
    tag = digest.replace(":", "-")
    asked = [line.split(" ", 1)[1].split("?")[0].removeprefix(f"/v2/{repository}") for line in lines]
    assert asked[2:5] == [f"/manifests/{tag}.sig", f"/referrers/{digest}", f"/manifests/{tag}"]


# ---- In a registry made of memory


@pytest.fixture
def store():
    one = Store()
    one.put("repo", "old", OCI_MANIFEST, DOCUMENTS[0])
    return one


@pytest.fixture
def image(serve, store):
    return f"{serve(store).host}/repo:old"


def test_json(regtag, image, store, key, tmp_path):
    put_signature(store, "repo", key, OLD)
    good = regtag("verify", "--json", image, "--verify-key", key.public)
    assert good.objects == [
        {"reference": image, "digest": OLD, "result": "verified", "key": key_sum(key.public), "status": 0}
    ]
    point(store, DOCUMENTS[1])
    bad = regtag("verify", "--json", image, "--verify-key", key.public)
    assert bad.status == 19
    assert bad.objects[0] == {
        "reference": image,
        "digest": None,
        "result": "failed",
        "key": None,
        "status": 19,
        "error": bad.objects[0]["error"],
    }
    assert "there is no signature" in bad.objects[0]["error"]
    (tmp_path / "auth.json").write_text("{")
    lost = regtag("verify", "--json", image, "--verify-key", key.public, "--authfile", tmp_path / "auth.json")
    assert [(one["result"], one["status"]) for one in lost.objects] == [("failed", lost.status)] == [("failed", 16)]


def test_a_signature_from_elsewhere_counts_and_one_of_another_image_does_not(regtag, image, store, key):
    put_signature(store, "repo", key, OLD)  # its docker-reference is another repository's
    assert regtag("verify", image, "--verify-key", key.public).status == 0

    put_signature(store, "repo", key, OLD, of=NEW)
    refused = regtag("verify", image, "--verify-key", key.public)
    assert (refused.status, refused.out) == (19, b"")
    refused.complaint("another digest")


@pytest.mark.parametrize("first", [0, 5, 32])
def test_a_signature_on_another_page_of_the_list(regtag, serve, store, key, first):
    manifest, bundle = sign_in_bundle(key, OLD)
    store.blobs[digest_of(bundle)] = bundle
    store.put("repo", "bundle", OCI_MANIFEST, manifest)
    missing = [descriptor(OCI_MANIFEST, str(number).encode()) for number in range(first)]

    def respond(request):
        if "/referrers/" not in request.path:
            return store(request)
        entries = missing if request.path.endswith(OLD) else [descriptor(OCI_MANIFEST, manifest)]
        link = ['Link: </v2/repo/referrers/more>; rel="next"'] if request.path.endswith(OLD) else []
        listed = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
        return answer(200, listed, f"Content-Type: {OCI_INDEX}", *link)

    server = serve(respond)
    done = regtag("verify", f"{server.host}/repo:old", "--verify-key", key.public)

    pages = [one.path for one in server.requests if "/referrers/" in one.path]
    if first < 32:
        assert (done.status, done.lines) == (0, [f"{server.host}/repo:old\t{OLD}\tverified\t{key_sum(key.public)}"])
        assert pages == [f"/v2/repo/referrers/{OLD}", "/v2/repo/referrers/more"]
    else:
        assert (done.status, len(pages)) == (19, 1)
        done.complaint("no more than 32 of each")


def test_keys_come_from_the_environment(regtag, image, store, key, other):
    put_signature(store, "repo", key, OLD)
    variable = {"REGTAG_VERIFY_KEY": f"{other.public}::{key.public}"}
    assert regtag("verify", image, env=variable).status == 0
    assert regtag("tag", image, "new", env={"REGTAG_VERIFY_KEY": str(other.public)}).status == 19
    assert regtag("ls", image.rsplit(":", 1)[0], env={"REGTAG_VERIFY_KEY": "/nowhere"}).status == 0
    # Those of the options take their place.
    assert regtag("verify", image, "--verify-key", other.public, env=variable).status == 19


def test_each_line_of_a_file_is_verified(regtag, serve, store, key, tmp_path):
    server = serve(store)
    for number, document in enumerate(DOCUMENTS):
        store.put("repo", str(number), OCI_MANIFEST, document)
    for signed in (OLD, THIRD):
        put_signature(store, "repo", key, signed)
    (tmp_path / "list").write_text("".join(f"{server.host}/repo:{number} new{number}\n" for number in range(3)))

    done = regtag("tag", "--from", tmp_path / "list", "--verify-key", key.public)

    assert (done.status, [row[2] for row in done.rows]) == (19, ["created", "failed", "created"])
    assert server.connections == 1


@pytest.mark.parametrize("verb", ["tag", "fetch", "copy", "watch", "verify"])
def test_a_key_of_no_use(regtag, image, key, tmp_path, verb):
    more = {"tag": ["new"], "fetch": ["-o", "-"], "copy": ["127.0.0.1:1/a/b"]}.get(verb, [])
    garbage = tmp_path / "garbage"
    garbage.write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    for path in (tmp_path / "missing", key.private, garbage):
        refused = regtag(verb, image, *more, "--verify-key", path)
        assert (refused.status, refused.out) == (2, b"")
        assert refused.complaint("--verify-key").startswith(f"regtag: --verify-key {path}: ")
        refused = regtag(verb, image, *more, env={"REGTAG_VERIFY_KEY": f"{key.public}:{path}"})
        assert (refused.status, refused.out) == (2, b"")
        refused.complaint(f"REGTAG_VERIFY_KEY {path}: ")


def test_what_makes_no_sense(regtag, image, key):
    many = ["--verify-key", key.public] * 9
    for args, words in {
        ("verify", image): "--verify-key FILE is missing",
        ("verify", image, *many): "more than 8",
        ("ls", image, *many[:2]): "no option",
        ("fetch", "--blob", f"127.0.0.1:1/repo@{OLD}", "-o", "-", *many[:2]): "no signature",
    }.items():
        refused = regtag(*args)
        assert (refused.status, refused.out) == (2, b"")
        refused.complaint(words)
    variable = {"REGTAG_VERIFY_KEY": ":".join([str(key.public)] * 9)}
    assert regtag("verify", image, env=variable).status == 2
    assert regtag("verify", image, env={"REGTAG_VERIFY_KEY": "x" * 5000}).status == 2


@pytest.mark.parametrize("verb", ["verify", "tag", "fetch"])
def test_a_variable_that_names_no_file_does_not_do_without(regtag, image, verb):
    more = {"tag": ["new"], "fetch": ["-o", "-"]}.get(verb, [])
    refused = regtag(verb, image, *more, env={"REGTAG_VERIFY_KEY": "::"})
    assert (refused.status, refused.out) == (2, b"")
    refused.complaint("REGTAG_VERIFY_KEY names no file")


def test_a_key_may_be_a_pipe(regtag, image, store, key):
    put_signature(store, "repo", key, OLD)
    command = [*shell('cat "$0" | "$@"'), key.public]
    command += regtag.command("verify", image, "--verify-key", "/dev/stdin")
    assert regtag.run(command).status == 0


# ---- watch


def test_watch_runs_the_command_only_for_what_is_signed(serve, store, watch, key):
    server = serve(store)
    run = shell("echo ran $REGTAG_OLD $REGTAG_NEW")
    watcher = watch(f"{server.host}/repo:old", *RARELY, "--verify-key", key.public, command=run)
    watcher.err.next("watching", OLD)

    point(store, DOCUMENTS[1])
    watcher.ask_now()
    watcher.err.next("there is no signature")
    watcher.ask_now()
    until(lambda: sum(signature_tag(NEW) in one.path for one in server.requests) == 2, "a second look")
    put_signature(store, "repo", key, THIRD)
    point(store, DOCUMENTS[2])
    watcher.ask_now()
    watcher.out.next(f"{OLD}\t{THIRD}")
    watcher.out.next(f"ran {OLD} {THIRD}")
    complaints = [line for line in watcher.err.seen if "there is no signature" in line]
    assert len(complaints) == 1, watcher.err.seen


def test_watch_sees_a_signature_that_comes_later_than_the_image(serve, store, watch, key):
    image = f"{serve(store).host}/repo:old"
    watcher = watch(image, *RARELY, "--verify-key", key.public, command=shell("echo ran $REGTAG_NEW"))
    watcher.err.next("watching", OLD)

    point(store, DOCUMENTS[1])
    watcher.ask_now()
    watcher.err.next("there is no signature")
    put_signature(store, "repo", key, NEW)
    watcher.ask_now()
    watcher.err.next("is signed, after 1 failure")
    watcher.out.next(f"ran {NEW}")


def test_while_lookups_of_signatures_fail_each_check_tries_once(serve, store, watch, key):
    def looked():
        count = sum(one.path.endswith(signature_tag(NEW)) for one in server.requests)
        server.requests.clear()
        return count

    def respond(request):
        return errors(503, "UNKNOWN", "away") if request.path.endswith(signature_tag(NEW)) else store.usual(request)

    server = serve(store)
    image = f"{server.host}/repo:old"
    watcher = watch(image, "-v", *RARELY, "--verify-key", key.public, command=shell("echo ran $REGTAG_NEW"))
    watcher.err.next("checking again in")
    point(store, DOCUMENTS[1])
    store.instead["GET"] = respond
    counts = []
    for _ in range(3):
        watcher.ask_now()
        watcher.err.next("cannot look for its signature")
        watcher.err.next("checking again in")
        counts.append(looked())
    assert counts == [3, 1, 1]

    del store.instead["GET"]
    watcher.ask_now()
    watcher.err.next("there is no signature")
    watcher.err.next("checking again in")
    looked()
    store.instead["GET"] = respond  # that there is none was an answer
    watcher.ask_now()
    watcher.err.next("cannot look for its signature")
    watcher.err.next("checking again in")
    assert looked() == 3


def test_watch_does_nothing_when_the_tag_is_gone(serve, store, watch, key):
    image = f"{serve(store).host}/repo:old"
    watcher = watch(image, *RARELY, "--verify-key", key.public, command=shell("echo ran"))
    watcher.err.next("watching", OLD)

    point(store, None)
    watcher.ask_now()
    watcher.err.next("the tag is gone")
    assert watcher.out.seen == []


def test_watch_once_ends_with_its_status(serve, store, watch, key):
    image = f"{serve(store).host}/repo:old"
    watcher = watch(image, *RARELY, "--once", "--from", NEW, "--verify-key", key.public, command=["true"])
    watcher.err.next("there is no signature")
    assert watcher.status() == 19
    assert watcher.out.seen == []
