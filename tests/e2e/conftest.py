import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
pytest.register_assert_rewrite("program")

from fake import Fake, Shelf  # noqa: E402
from fronts import unpacked  # noqa: E402
from images import (  # noqa: E402
    DOCKER_MANIFEST,
    OCI_MANIFEST,
    compact,
    digest_of,
    docker_manifest,
    docker_style,
    oci_manifest,
)
from memory import LEAVE_OUT_OF_TRACE  # noqa: E402
from program import Program  # noqa: E402
from recorder import Recorder  # noqa: E402
from registry import Registry  # noqa: E402
from system_mbedtls import leave_out  # noqa: E402

TOP = HERE.parent.parent


def program_path():
    builds = [TOP / "build/regtag", TOP / "build/plain/regtag"]
    path = os.environ.get("REGTAG") or next((one for one in builds if one.exists()), builds[0])
    return Path(path).resolve()


def settle():
    """What differs by who starts the tests, and how. An ordinary user's PATH lacks what only root needs, as chroot; and
    a folder for temporary files may have a name that no socket and no #! line can take.
    """
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    if not re.fullmatch(r"[\w/.+-]{1,40}", os.environ.get("TMPDIR", "/tmp"), re.ASCII):
        del os.environ["TMPDIR"]
    tempfile.tempdir = None  # to be looked up again
    os.umask(0o022)


def pytest_configure():
    settle()
    if not os.access(program_path(), os.X_OK):
        raise pytest.UsageError(f"no program to test at {program_path()}: run make first")


def pytest_collection_modifyitems(items):
    leave_out(items)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Where there is no openssl, a test is skipped that needs it, be it in a fixture or later."""
    report = (yield).get_result()
    lacking = call.excinfo and isinstance(call.excinfo.value, FileNotFoundError)
    if lacking and call.excinfo.value.filename == "openssl":
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, "Skipped: there is no openssl")


@pytest.fixture(scope="session")
def regtag():
    """The program under test: regtag("ls", …) runs it."""
    return Program(program_path())


@pytest.fixture(scope="session")
def strace(regtag, tmp_path_factory):
    """Runs the program under strace; skips where that is not there or not allowed."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace")
    log = tmp_path_factory.mktemp("strace") / "log"

    def run(options, args):
        command = ["strace", "-qq", "-o", log, *options, *regtag.command(*args)]
        result = regtag.run(command, env={**LEAVE_OUT_OF_TRACE, "REGTAG_TRANSITIONS": ""})
        return result, log.read_text(errors="replace") if log.exists() else ""

    result, trace = run(["-e", "trace=execve"], ["--version"])
    if result.status != 0 or "execve" not in trace:
        pytest.skip(f"programs cannot be traced here: {result.err.decode(errors='replace')}")
    return run


@pytest.fixture(scope="session")
def registry_binary():
    path = os.environ.get("REGISTRY")
    if not path:
        path = unpacked("docker-registry", "usr/bin/docker-registry")
    return str(path)


@pytest.fixture(scope="session")
def start_registry(registry_binary, tmp_path_factory):
    """Starts a docker-registry that runs to the end of all tests."""
    with ExitStack() as stack:

        def start(folder=None, **options):
            folder = folder or tmp_path_factory.mktemp("registry")
            return stack.enter_context(Registry(registry_binary, folder, **options))

        yield start


@pytest.fixture(scope="session")
def registry(start_registry):
    """A docker-registry with default settings; each test has its own repository in it."""
    return start_registry()


@pytest.fixture
def repository(request, registry):
    """A repository of the test's own, with an image in Docker's form under the tag "old"."""
    name = "e2e/" + "".join(one if one.isalnum() else "-" for one in request.node.name.lower())
    name = name.replace("--", "-").strip("-")
    registry.push_image(name, "old", DOCKER_MANIFEST, docker_style(docker_manifest()))
    return name


@pytest.fixture
def recorder(registry):
    """A relay in front of the registry, that keeps what goes over it."""
    with Recorder(registry.port) as relay:
        yield relay


@pytest.fixture
def serve():
    """Starts a fake server: serve(function from request to answer)."""
    with ExitStack() as stack:
        yield lambda respond, **options: stack.enter_context(Fake(respond, **options))


@pytest.fixture
def shelf():
    """A registry in a dict, with the image `repo:old` in it."""
    one = Shelf()
    one.put("repo", "old", OCI_MANIFEST, OCI_DOCUMENT)
    return one


OCI_DOCUMENT = docker_style(oci_manifest()) + b"\n"
OTHER_DOCUMENT = compact(oci_manifest(annotations={"which": "the other"}))


@pytest.fixture
def dead_port():
    """A port of 127.0.0.1 where nobody listens, and nobody will while the test runs."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def document():
    """What `repo:old` of the shelf is."""
    return OCI_DOCUMENT


@pytest.fixture
def other_document():
    """Another image."""
    return OTHER_DOCUMENT


@pytest.fixture
def image(document):
    """The digest of `repo:old`."""
    return digest_of(document)


@pytest.fixture
def other(other_document):
    return digest_of(other_document)
