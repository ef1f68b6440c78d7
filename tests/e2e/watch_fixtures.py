"""A watch, and a tag of the tests' own that it watches."""

from contextlib import ExitStack

import pytest
from conftest import OCI_DOCUMENT, OTHER_DOCUMENT
from images import OCI_MANIFEST, compact, digest_of
from watcher import Watcher

THIRD_DOCUMENT = compact({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "third": True})
OLD, NEW, THIRD = (digest_of(one) for one in (OCI_DOCUMENT, OTHER_DOCUMENT, THIRD_DOCUMENT))
RARELY = ["--interval", "86400", "--jitter", "0"]  # only when it is told to


def point(shelf, document):
    """Moves the tag `repo:old`; None deletes it."""
    if document is None:
        del shelf.manifests["repo", "old"]
    else:
        shelf.put("repo", "old", OCI_MANIFEST, document)


def shell(script):
    return ["sh", "-c", script]


@pytest.fixture
def watch(regtag):
    """Starts a watch: watch(image, options…)."""
    with ExitStack() as stack:

        def start(*args, command=(), before=(), program=regtag.path, **options):
            words = [*before, program, "watch", *args]
            words += ["--", *command] if command else []
            return stack.enter_context(Watcher(words, **options))

        yield start


@pytest.fixture
def server(serve, shelf):
    return serve(shelf)


@pytest.fixture
def image(server):
    return f"{server.host}/repo:old"
