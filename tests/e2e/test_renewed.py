"""Where a registry wants another token in the middle of something, all goes on with the same bytes and places."""

import threading

import pytest
from copies import AMD, Pantry
from fake import CLOSE, answer, bodiless, errors
from images import CONFIG, LAYER, OCI_MANIFEST, digest_of
from token_server import Tokens, bearer_challenge

PATIENCE = 10  # seconds, if the requests come otherwise than usual


@pytest.fixture
def source():
    pantry = Pantry()
    pantry.blobs = {digest_of(one): one for one in (CONFIG, LAYER)}
    pantry.put("repo", "old", OCI_MANIFEST, AMD)
    return pantry


@pytest.fixture
def refuse(serve):
    """An answer that asks for a new token."""
    server = serve(Tokens())
    field = f"WWW-Authenticate: {bearer_challenge(f'http://{server.host}/token')}"
    return lambda: errors(401, "UNAUTHORIZED", "authentication required", field)


def copy(regtag, one, other):
    return regtag("copy", f"{one.host}/repo:old", f"{other.host}/repo:new")


def test_what_the_source_says_about_its_token_is_not_uploaded(regtag, serve, source, refuse):
    target, refused = Pantry(), threading.Event()

    def ask_for_login(request):
        if "/blobs/" in request.path and not refused.is_set():
            refused.set()
            return refuse()
        return source(request)

    result = copy(regtag, serve(ask_for_login), serve(target))

    assert (result.status, result.err) == (0, b""), result
    assert target.blobs == source.blobs


def test_what_is_uploaded_again_is_not_what_came_meanwhile(regtag, serve, source, refuse):
    """The layer comes on the connection on which the config has come, while the target refuses that."""
    target, uploaded, came = Pantry(), threading.Event(), threading.Event()

    def hand_out(request):
        if request.path.endswith(digest_of(LAYER)):
            came.set()
        return source(request)

    def ask_for_login(request):
        if request.method == "HEAD" and request.path.endswith(digest_of(LAYER)):
            uploaded.wait(PATIENCE)
        if request.method == "PATCH" and not uploaded.is_set():
            uploaded.set()
            came.wait(PATIENCE)
            return refuse()
        return target(request)

    result = copy(regtag, serve(hand_out), serve(ask_for_login))

    assert (result.status, result.err) == (0, b""), result
    assert target.blobs == source.blobs


@pytest.mark.parametrize("retries", [0, 4])
def test_an_answer_about_another_digest_commits_no_blob(regtag, serve, source, retries):
    """It may be that to another request."""
    target, lost = Pantry(), []

    def respond(request):
        if request.method == "PUT" and "/blobs/" in request.path and not lost:
            lost.append(request)
            return answer(200, b"", f"Docker-Content-Digest: {digest_of(b'another')}")
        return target(request)

    args = [f"{serve(source).host}/repo:old", f"{serve(respond).host}/repo:new"]
    result = regtag("copy", *args, retries=retries)

    assert lost
    if retries:
        assert (result.status, target.blobs) == (0, source.blobs), result
    else:
        assert result.status == 15, result
        result.complaint("another digest")
        assert target.document("repo", "new") is None


@pytest.mark.parametrize("closes", [False, True])
def test_a_challenge_behind_a_redirect_leads_back_to_where_that_led(regtag, serve, refuse, closes):
    """Several requests are redirected at the same time, and each of them is then asked for a token."""
    shelf = Pantry()
    shelf.put("repo", "old", OCI_MANIFEST, AMD)
    other = AMD + b"\n"
    names = [f"new-{number}" for number in range(9)]
    for name in names[::2]:
        shelf.put("repo", name, OCI_MANIFEST, other)

    def respond(request):
        if not request.target.startswith("/moved"):
            return bodiless_for(request, answer(307, b"", f"Location: /moved{request.target}"))
        if request.value("Authorization") is None:
            return bodiless_for(request, refuse())
        request.target = request.target.removeprefix("/moved")
        return shelf(request)

    server = serve((lambda request: [respond(request), CLOSE]) if closes else respond)

    result = regtag("tag", f"{server.host}/repo:old", *names, retries=4, limit=90)

    assert (result.status, result.err) == (0, b""), result
    assert [row[2] for row in result.rows] == ["moved", "created"] * 4 + ["moved"]
    assert {shelf.document("repo", name) for name in names} == {AMD}


def bodiless_for(request, whole):
    return bodiless(whole) if request.method == "HEAD" else whole
