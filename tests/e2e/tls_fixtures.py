"""What the tests of TLS share: authorities, certificates, and servers behind TLS."""

import os
from contextlib import ExitStack

import pytest
from authority import LOOPBACK, NAME, Workshop, bundle
from device import Device
from fake import Fake
from fronts import reached
from tls_server import Front, server_context

STRANGERS = 140  # as many authorities as a system trusts


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    with Workshop(tmp_path_factory.mktemp("workshop")) as one:
        yield one


@pytest.fixture(scope="session")
def root(workshop):
    """The authority that the tests trust."""
    return workshop.root()


@pytest.fixture(scope="session")
def other_root(workshop):
    """An authority that nobody trusts."""
    return workshop.root("Another root")


@pytest.fixture(scope="session")
def certificate(workshop, root):
    """One that nothing is wrong with."""
    return workshop.server(root)


@pytest.fixture(scope="session")
def client_certificate(workshop, root):
    """One that nothing is wrong with either, of a client."""
    return workshop.client(root)


@pytest.fixture(scope="session")
def strangers(workshop):
    return workshop.strangers(STRANGERS)


@pytest.fixture(scope="session")
def crowd(tmp_path_factory, strangers, root):
    """A bundle as systems have it, in which the trusted one is the last of all."""
    return bundle(tmp_path_factory.mktemp("crowd") / "bundle.crt", *strangers, root)


class Site:
    """A server behind TLS: what to call it, and the options that the program needs to find it."""

    def __init__(self, front, server, name):
        self.front = front
        self.server = server
        self.host = f"{name}:{front.port}"
        self.image = f"{self.host}/repo:old"
        self.options = ["--tls"] if name == LOOPBACK else reached(self.host)

    @property
    def uploads(self):
        return self.server.uploads

    @property
    def is_untouched(self):
        """Nobody has sent anything over TLS, not one byte."""
        return all(not one.sent for one in self.front.settled()) and not self.server.requests


@pytest.fixture
def serve_tls(shelf, tmp_path, certificate):
    """Starts a server behind TLS: the shelf, if not told otherwise, with the good certificate."""
    with ExitStack() as stack:

        def start(
            shown=certificate,
            respond=shelf,
            name=NAME,
            beside=None,
            version=None,
            prepare=lambda context: None,
            **options,
        ):
            context = server_context(tmp_path, shown, beside, version)
            prepare(context)
            server = stack.enter_context(Fake(respond))
            front = stack.enter_context(Front(server.port, context, **options))
            return Site(front, server, name)

        yield start


@pytest.fixture
def site(serve_tls):
    return serve_tls()


@pytest.fixture
def device(regtag, tmp_path):
    """A machine with an /etc of its own, which is empty."""
    if os.environ.get("SAN"):
        pytest.skip("a sanitizer needs more than there is on such a machine")
    machine = Device(regtag, tmp_path / "device")
    machine.prepare()
    if machine("--version").status != 0:
        pytest.skip("the program cannot be run in a root file system of its own here")
    return machine
