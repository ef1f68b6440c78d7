"""A watch, and a tag of the tests' own that it watches."""

from contextlib import ExitStack

import pytest
from watcher import Watcher


@pytest.fixture
def watch(regtag):
    """Starts a watch: watch(watched, options…)."""
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
def watched(server):
    return f"{server.host}/repo:old"
