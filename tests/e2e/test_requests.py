"""What regtag puts on the wire."""

import pytest
from fake import answer
from images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1,
    SCHEMA1_SIGNED,
    digest_of,
)

ACCEPTED = [
    OCI_INDEX,
    OCI_MANIFEST,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_ARTIFACT,
    SCHEMA1_SIGNED,
    SCHEMA1,
]


def requests_of(regtag, recorder, *args):
    result = regtag(*args)
    assert result.status == 0, result
    return recorder.requests


@pytest.mark.parametrize("verb, method", [("tag", "GET"), ("manifest", "GET"), ("digest", "HEAD")])
def test_one_accept_field_names_every_type_in_order(regtag, recorder, repository, verb, method):
    names = ["new"] if verb == "tag" else []

    first, *_ = requests_of(regtag, recorder, verb, f"{recorder.host}/{repository}:old", *names)

    assert first.method == method
    accept = first.value("Accept")
    assert [one.strip() for one in accept.split(",")] == ACCEPTED
    assert "q=" not in accept and "*" not in accept


def test_every_request_asks_for_bytes_as_they_are(regtag, recorder, repository):
    image = f"{recorder.host}/{repository}"
    for args in (["tag", f"{image}:old", "a", "b"], ["ls", image], ["digest", f"{image}:old"]):
        assert regtag(*args).status == 0

    requests = recorder.requests

    assert [request.method for request in requests] == [
        *["GET", "HEAD", "HEAD", "PUT", "PUT"],
        *["GET"],
        *["HEAD"],
    ]
    for request in requests:
        assert request.version == "HTTP/1.1"
        assert request.values("Host") == [recorder.host]
        assert request.values("Accept-Encoding") == ["identity"] or request.method == "PUT"
        assert request.value("Expect") is None
        assert request.value("Authorization") is None


def test_an_upload_states_its_length_and_bare_type(regtag, registry, recorder, repository):
    get, head, put = requests_of(
        regtag, recorder, "tag", f"{recorder.host}/{repository}:old", "new"
    )

    for asked in (get, head):
        assert asked.values("Content-Length") in ([], ["0"])
        assert asked.value("Content-Type") is None
    assert put.values("Content-Type") == [DOCKER_MANIFEST]
    document = registry.fetch(repository, "old")[2]
    assert put.values("Content-Length") == [str(len(document))]
    assert put.body == document


def test_parameters_of_the_content_type_are_not_sent_back(regtag, serve, shelf, document):
    digest = digest_of(document)
    shelf.instead["GET"] = lambda request: answer(
        200,
        document,
        f"Content-Type: {OCI_MANIFEST.upper()} ; charset=utf-8",
        f"Docker-Content-Digest: {digest}",
    )
    server = serve(shelf)

    result = regtag("tag", f"{server.host}/repo:old", "new")

    assert result.rows == [(f"{server.host}/repo:new", digest, "created", "-")]
    [put] = server.uploads
    assert put.value("Content-Type") == OCI_MANIFEST
    assert put.body == document


def test_a_proxy_is_not_asked_for_a_loopback_address(regtag, registry, repository, dead_port):
    nowhere = f"http://127.0.0.1:{dead_port}"
    proxies = {"http_proxy": nowhere, "https_proxy": nowhere, "all_proxy": nowhere}

    result = regtag("digest", f"{registry.host}/{repository}:old", env=proxies)

    assert result.lines == [registry.digest(repository, "old")]
    assert result.status == 0
