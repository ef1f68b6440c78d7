"""What regtag does not upload: documents that are not what somebody claims, or not clear."""

import json

import pytest
from fake import CLOSE, answer
from images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    LIMIT,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    compact,
    descriptor,
    digest_of,
    docker_manifest,
    oci_index,
    oci_manifest,
    padded,
)

GOOD = compact(oci_manifest())
INDEX = compact(oci_index(GOOD))


def without(document, key):
    return {name: value for name, value in document.items() if name != key}


def layer_with(**changes):
    return compact(oci_manifest(layers=[{**descriptor(OCI_LAYER, b"x"), **changes}]))


def nested(depth):
    """A manifest that is so many objects and arrays deep."""
    return compact(oci_manifest(annotations={"deep": 0})).replace(
        b'{"deep":0}', b"[" * (depth - 1) + b"]" * (depth - 1)
    )


REFUSED = {
    "no_json": (OCI_MANIFEST, b"this is no JSON"),
    "an_empty_body": (OCI_MANIFEST, b""),
    "json_and_something_after_it": (OCI_MANIFEST, GOOD + b"{}"),
    "a_nul_after_the_end": (OCI_MANIFEST, GOOD + b"\0"),
    "a_byte_order_mark": (OCI_MANIFEST, b"\xef\xbb\xbf" + GOOD),
    "a_trailing_comma": (OCI_MANIFEST, GOOD[:-1] + b",}"),
    "json_that_was_cut": (OCI_MANIFEST, GOOD[:-1]),
    "a_missing_colon": (OCI_MANIFEST, GOOD[:-1] + b',"a" "b"}'),
    "a_raw_newline_in_a_string": (OCI_MANIFEST, GOOD[:-1] + b',"a":"b\nc"}'),
    "bad_utf8": (OCI_MANIFEST, GOOD[:-1] + b',"a":"\xc0\xaf"}'),
    "half_a_surrogate_pair_as_utf8": (OCI_MANIFEST, GOOD[:-1] + b',"a":"\xed\xa0\x80"}'),
    "an_array": (OCI_MANIFEST, b"[" + GOOD + b"]"),
    "a_string": (OCI_MANIFEST, b'"manifest"'),
    "an_empty_object": (OCI_MANIFEST, b"{}"),
    "65_levels": (OCI_MANIFEST, nested(65)),
    "40000_levels": (OCI_MANIFEST, b"[" * 40000),
    "a_duplicate_key": (OCI_MANIFEST, GOOD[:-1] + b',"config":{}}'),
    "a_duplicate_key_that_is_escaped": (
        OCI_MANIFEST,
        GOOD[:-1] + b',"media\\u0054ype":"' + OCI_MANIFEST.encode() + b'"}',
    ),
    "a_duplicate_key_further_down": (
        OCI_MANIFEST,
        compact(oci_manifest(annotations={"a": "1"})).replace(b'"a":"1"', b'"a":"1","a":"2"'),
    ),
    "a_manifest_with_manifests": (OCI_MANIFEST, compact(oci_manifest(manifests=[]))),
    "a_manifest_with_fsLayers": (OCI_MANIFEST, compact(oci_manifest(fsLayers=[]))),
    "a_manifest_with_history": (OCI_MANIFEST, compact(oci_manifest(history=[]))),
    "an_index_with_history": (OCI_INDEX, compact({**oci_index(), "history": []})),
    "a_manifest_with_manifests_and_no_media_type": (
        OCI_MANIFEST,
        compact(without(oci_manifest(manifests=[]), "mediaType")),
    ),
    "an_index_with_layers": (OCI_INDEX, compact({**oci_index(GOOD), "layers": []})),
    "an_index_with_a_config": (
        OCI_INDEX,
        compact({**oci_index(GOOD), "config": oci_manifest()["config"]}),
    ),
    "a_manifest_that_says_it_is_an_index": (
        OCI_MANIFEST,
        compact(oci_manifest(mediaType=OCI_INDEX)),
    ),
    "an_index_that_comes_as_a_manifest": (OCI_MANIFEST, INDEX),
    "a_manifest_that_comes_as_an_index": (OCI_INDEX, GOOD),
    "an_index_shape_without_media_type_that_comes_as_a_manifest": (
        OCI_MANIFEST,
        compact(without(oci_index(GOOD), "mediaType")),
    ),
    "a_docker_manifest_that_comes_as_oci": (OCI_MANIFEST, compact(docker_manifest())),
    "an_oci_manifest_that_comes_as_docker": (DOCKER_MANIFEST, GOOD),
    "a_list_that_comes_as_an_index": (
        OCI_INDEX,
        compact({**oci_index(GOOD), "mediaType": DOCKER_LIST}),
    ),
    "a_docker_manifest_that_comes_as_a_list": (DOCKER_LIST, compact(docker_manifest())),
    "no_schema_version": (OCI_MANIFEST, compact(without(oci_manifest(), "schemaVersion"))),
    "schema_version_3": (OCI_MANIFEST, compact(oci_manifest(schemaVersion=3))),
    "schema_version_as_text": (OCI_MANIFEST, compact(oci_manifest(schemaVersion="2"))),
    "no_config": (OCI_MANIFEST, compact(without(oci_manifest(), "config"))),
    "no_layers": (OCI_MANIFEST, compact(without(oci_manifest(), "layers"))),
    "layers_that_are_no_list": (OCI_MANIFEST, compact(oci_manifest(layers={}))),
    "a_layer_that_is_no_object": (OCI_MANIFEST, compact(oci_manifest(layers=["layer"]))),
    "a_config_that_is_null": (OCI_MANIFEST, compact(oci_manifest(config=None))),
    "an_index_without_manifests": (OCI_INDEX, compact(without(oci_index(), "manifests"))),
    "manifests_that_are_null": (OCI_INDEX, compact({**oci_index(), "manifests": None})),
    "a_layer_without_a_digest": (OCI_MANIFEST, layer_with(digest=None)),
    "a_short_digest": (OCI_MANIFEST, layer_with(digest="sha256:" + "0" * 63)),
    "an_upper_case_digest": (OCI_MANIFEST, layer_with(digest="sha256:" + "A" * 64)),
    "a_short_blake3_digest": (OCI_MANIFEST, layer_with(digest="blake3:" + "0" * 63)),
    "a_digest_without_algorithm": (OCI_MANIFEST, layer_with(digest="0" * 64)),
    "a_negative_size": (OCI_MANIFEST, layer_with(size=-1)),
    "a_size_with_a_fraction": (OCI_MANIFEST, layer_with(size=1.5)),
    "a_size_as_text": (OCI_MANIFEST, layer_with(size="1")),
    "a_size_beyond_64_bits": (OCI_MANIFEST, layer_with(size=2**64)),
    "more_than_4_mib": (OCI_MANIFEST, padded(oci_manifest(), LIMIT + 1)),
    "more_than_4_mib_of_white_space": (OCI_MANIFEST, GOOD + b" " * (LIMIT + 1 - len(GOOD))),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_manifest_is_refused_for(regtag, serve, shelf, what):
    media_type, document = REFUSED[what]
    shelf.put("repo", "bad", media_type, document)
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:bad", "new")

    assert result.status == 10, result
    result.complaint(server.host)
    [(reference, _, what_happened, old)] = result.rows
    assert (reference, what_happened, old) == (f"{server.host}/repo:new", "failed", "-")
    assert server.request_lines[0] == "GET /v2/repo/manifests/bad"
    assert server.uploads == []


@pytest.mark.parametrize("what", ["more_than_4_mib", "more_than_4_mib_of_white_space"])
@pytest.mark.parametrize("framing", ["chunked", "until_close"])
def test_a_manifest_of_unknown_length_ends_at_the_limit(regtag, serve, shelf, what, framing):
    media_type, document = REFUSED[what]
    fields = ["Content-Type: " + media_type, "Docker-Content-Digest: " + digest_of(document)]
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(document), document)
    if framing == "chunked":
        whole = answer(200, chunk, *fields, "Transfer-Encoding: chunked", framed=False)
    else:
        whole = answer(200, document, *fields, framed=False)
    shelf.instead["GET"] = lambda request: [whole, CLOSE]
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:bad", "new")

    assert result.status == 10, result
    result.complaint(server.host)
    assert server.request_lines[0] == "GET /v2/repo/manifests/bad"
    assert server.uploads == []


ACCEPTED = {
    "64_levels": (OCI_MANIFEST, nested(64)),
    "no_media_type_in_it": (OCI_MANIFEST, compact(without(oci_manifest(), "mediaType"))),
    "no_media_type_in_an_index": (OCI_INDEX, compact(without(oci_index(GOOD), "mediaType"))),
    "no_layer_at_all": (OCI_MANIFEST, compact(oci_manifest(layers=[]))),
    "an_empty_index": (OCI_INDEX, compact(oci_index())),
    "unknown_keys": (
        OCI_MANIFEST,
        compact(oci_manifest(subject=descriptor(OCI_MANIFEST, b"x"), artifactType="a/b", other=1)),
    ),
    "a_sha512_layer": (OCI_MANIFEST, layer_with(digest="sha512:" + "0" * 128)),
    "a_sha384_layer": (OCI_MANIFEST, layer_with(digest="sha384:" + "0" * 96)),
    "a_blake3_layer": (OCI_MANIFEST, layer_with(digest="blake3:" + "0" * 64)),
    "a_layer_by_multihash": (OCI_MANIFEST, layer_with(digest="multihash+base58:QmRZxt2b1FVZ")),
    "a_huge_layer": (OCI_MANIFEST, layer_with(size=2**53)),
    "an_empty_layer": (OCI_MANIFEST, layer_with(size=0)),
    "the_same_key_in_two_objects": (
        OCI_MANIFEST,
        compact(oci_manifest(annotations={"mediaType": "text"})),
    ),
}


@pytest.mark.parametrize("what", ACCEPTED)
def test_a_manifest_is_taken_with(regtag, serve, shelf, what):
    media_type, document = ACCEPTED[what]
    shelf.put("repo", "good", media_type, document)
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:good", "new")

    digest = digest_of(document)
    assert result.rows == [(f"{server.host}/repo:new", digest, "created", "-")], result
    assert result.status == 0
    assert shelf.manifests["repo", "new"] == (media_type, document)


def test_a_digest_that_is_not_that_of_the_bytes_is_refused(regtag, serve, shelf, document):
    lie = digest_of(b"something else")
    shelf.instead["GET"] = lambda request: answer(
        200, document, f"Content-Type: {OCI_MANIFEST}", f"Docker-Content-Digest: {lie}"
    )
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 10
    result.complaint(server.host)
    assert server.uploads == []


@pytest.mark.parametrize("told", ["its_own", "the_pinned", "none"])
def test_another_manifest_than_the_pinned_is_refused(
    regtag, serve, shelf, document, other_document, told
):
    pin = digest_of(document)
    stated = {"its_own": digest_of(other_document), "the_pinned": pin, "none": None}[told]
    fields = [f"Docker-Content-Digest: {stated}"] if stated else []
    shelf.instead["GET"] = lambda request: answer(
        200, other_document, f"Content-Type: {OCI_MANIFEST}", *fields
    )
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old@{pin}", "new")

    assert result.status == 10
    result.complaint(server.host)
    assert server.uploads == []


@pytest.mark.parametrize("status", [201, 202, 203, 206, 226])
def test_an_answer_that_is_not_200_is_no_manifest(regtag, serve, shelf, document, status):
    shelf.instead["GET"] = lambda request: answer(
        status,
        document,
        f"Content-Type: {OCI_MANIFEST}",
        f"Docker-Content-Digest: {digest_of(document)}",
    )
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 9
    result.complaint(server.host)
    assert server.uploads == []


def test_a_manifest_without_a_stated_digest_is_taken(regtag, serve, shelf, document):
    shelf.instead["GET"] = lambda request: answer(200, document, f"Content-Type: {OCI_MANIFEST}")
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.rows == [(f"{server.host}/repo:new", digest_of(document), "created", "-")]
    assert result.status == 0


def test_a_body_that_ends_early_is_not_uploaded(regtag, serve, shelf):
    def cut(request):
        return [shelf.usual(request)[:-10], CLOSE]

    shelf.instead["GET"] = cut
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 9
    result.complaint(server.host)
    assert server.uploads == []


def test_a_body_that_is_shorter_than_it_states_is_not_uploaded(regtag, serve, shelf, document):
    stated = f"Content-Length: {len(document) + 1}"
    shelf.instead["GET"] = lambda request: [
        answer(200, document, f"Content-Type: {OCI_MANIFEST}", stated, framed=False),
        CLOSE,
    ]
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 9
    assert server.uploads == []


def test_bytes_beyond_the_stated_length_are_not_uploaded(regtag, serve, shelf, document):
    stated = f"Content-Length: {len(document)}"
    shelf.instead["GET"] = lambda request: [
        answer(200, document + b"}}}", f"Content-Type: {OCI_MANIFEST}", stated, framed=False)
    ]
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert [request.body for request in server.uploads] in ([], [document])
    assert (result.status == 0) == (shelf.document("repo", "new") == document)


def test_a_web_page_is_no_manifest(regtag, serve, shelf):
    page = b"<!doctype html><title>Sign in</title>"
    shelf.instead["GET"] = lambda request: answer(200, page, "Content-Type: text/html")
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.status == 9
    result.complaint(server.host)
    assert server.uploads == []


def test_a_manifest_of_more_tokens_than_there_is_room_for_is_refused_clearly(regtag, serve, shelf):
    many = json.dumps([0] * 40000).encode()
    document = compact(oci_manifest())[:-1] + b',"other":' + many + b"}"
    shelf.put("repo", "many", OCI_MANIFEST, document)
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:many", "new")

    assert result.status == 10
    result.complaint(server.host)
    assert server.uploads == []
