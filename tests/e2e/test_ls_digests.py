"""regtag ls --digests: the digest of every tag, in the order of the list, however many there are."""

import pytest
from fake import errors
from images import DOCKER_MANIFEST, OCI_MANIFEST, compact, digest_of, docker_manifest

MISSING = errors(404, "MANIFEST_UNKNOWN", "manifest unknown")
DENIED = errors(403, "DENIED", "not this one")


def image(number):
    return compact({**docker_manifest(), "annotations": {"org.example.number": str(number)}})


@pytest.fixture
def names(shelf):
    """Tags of three images, far more than one connection takes at a time."""
    names = [f"v{number:03}" for number in range(200)]
    for number, name in enumerate(names):
        shelf.put("repo", name, OCI_MANIFEST, image(number % 3))
    return names


def rows(result):
    return [tuple(line.split("\t")) for line in result.lines]


def test_tags_of_a_real_registry_have_their_digests(regtag, registry, repository):
    documents = {f"v{number}": image(number % 2) for number in range(20)}
    for name, document in documents.items():
        registry.push(repository, name, DOCKER_MANIFEST, document)

    result = regtag("ls", "--digests", f"{registry.host}/{repository}")

    assert (result.status, result.err) == (0, b"")
    found = dict(rows(result))
    assert found.pop("old") == registry.digest(repository, "old")
    assert found == {name: digest_of(document) for name, document in documents.items()}


@pytest.mark.parametrize("jobs", [1, 4, 17])
def test_lines_come_in_the_order_of_the_list(regtag, serve, shelf, names, document, jobs):
    server = serve(shelf)

    result = regtag("ls", "--digests", "--jobs", jobs, f"{server.host}/repo")

    assert (result.status, result.err) == (0, b"")
    expected = [(name, digest_of(image(number % 3))) for number, name in enumerate(names)]
    assert rows(result) == [("old", digest_of(document)), *expected]
    assert server.connections <= jobs
    looks = [request.path for request in server.requests if request.method == "HEAD"]
    assert sorted(looks) == sorted(f"/v2/repo/manifests/{name}" for name in ["old", *names])


def test_json_has_the_digest_as_well(regtag, serve, shelf, document):
    shelf.put("repo", "gone", OCI_MANIFEST, document)
    shelf.hide("gone", MISSING)
    server = serve(shelf)

    result = regtag("ls", "--digests", "--json", f"{server.host}/repo")

    where = f"{server.host}/repo"
    assert result.status == 0
    assert result.objects == [
        {"reference": f"{where}:old", "tag": "old", "digest": digest_of(document)},
        {"reference": f"{where}:gone", "tag": "gone", "digest": None},
    ]


def test_a_tag_that_has_vanished_is_no_failure(regtag, serve, shelf, names):
    shelf.hide(names[50], MISSING)
    server = serve(shelf)

    result = regtag("ls", "--digests", f"{server.host}/repo")

    assert (result.status, result.err) == (0, b"")
    assert [name for name, digest in rows(result) if digest == "-"] == [names[50]]


def test_a_tag_that_cannot_be_looked_up_does_not_stop_the_others(regtag, serve, shelf, names):
    shelf.hide(names[50], DENIED)
    shelf.hide(names[150], MISSING)
    server = serve(shelf)

    result = regtag("ls", "--digests", f"{server.host}/repo")

    assert result.status == 4
    result.complaint(names[50], "not this one")
    assert [name for name, _ in rows(result)] == ["old", *names]
    assert [name for name, digest in rows(result) if digest == "-"] == [names[50], names[150]]


def test_a_limit_holds(regtag, serve, shelf, names):
    server = serve(shelf)

    result = regtag("ls", "--digests", "--limit", 20, f"{server.host}/repo")

    assert result.status == 0
    assert [name for name, _ in rows(result)] == ["old", *names[:19]]
    assert sum(request.method == "HEAD" for request in server.requests) == 20


def test_an_empty_repository_has_no_lines(regtag, serve, shelf):
    shelf.manifests.clear()
    server = serve(shelf)

    result = regtag("ls", "--digests", f"{server.host}/repo")

    assert (result.status, result.out, result.err) == (0, b"", b"")


@pytest.mark.parametrize("verb", ["tag", "ls", "delete"])
def test_more_connections_than_there_can_be_are_a_mistake(regtag, verb):
    arguments = {"tag": ["image:tag", "new"], "ls": ["image"], "delete": ["image:tag"]}[verb]

    result = regtag(verb, "--jobs", 18, *arguments)

    assert result.status == 2
    result.complaint("--jobs", "from 1 to 17")
