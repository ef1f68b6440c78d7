"""The heap is never asked for anything: here malloc and its like end the program."""

import shutil
import subprocess

import pytest
from authority import NAME
from fronts import SecureRegistry, needs_tls, reached
from images import OCI_MANIFEST, compact, oci_manifest

pytest_plugins = ["tls_fixtures"]

ASKED = 86
NEVER = """
    #include <stddef.h>
    #include <unistd.h>
    void *malloc(size_t size) { (void)size; _exit(%d); }
    void *calloc(size_t count, size_t size) { return malloc(count * size); }
    void *realloc(void *memory, size_t size) { (void)memory; return malloc(size); }
    void free(void *memory) { if (memory) malloc(0); }
"""


@pytest.fixture(scope="module")
def without(regtag, tmp_path_factory):
    """The environment in which there is no heap."""
    kinds = subprocess.run(["readelf", "-d", regtag.path], stdout=subprocess.PIPE, text=True).stdout
    compiler = shutil.which("gcc") or shutil.which("cc")
    if "NEEDED" not in kinds or "san" in kinds or compiler is None:
        pytest.skip("only a program that loads a C library can be given another malloc")
    library = tmp_path_factory.mktemp("heap") / "never.so"
    build = [compiler, "-shared", "-fPIC", "-fno-builtin", "-x", "c", "-o", library, "-"]
    subprocess.run(build, input=NEVER % ASKED, text=True, check=True)
    variables = {"LD_PRELOAD": str(library)}
    if regtag("--version", env=variables).status != 0:
        pytest.skip("this C library asks for memory before the program begins")
    return variables


def test_tag_in_plain_http(regtag, registry, without):
    registry.push_image("malloc", "old", OCI_MANIFEST, compact(oci_manifest()))
    image = f"{registry.host}/malloc:old"

    tag = regtag("tag", image, "new", env=without)
    ls = regtag("ls", f"{registry.host}/malloc", env=without)

    assert (tag.status, tag.err) == (0, b"")
    assert (ls.status, ls.lines) == (0, ["new", "old"])


@pytest.fixture(scope="module")
def secure(registry_binary, certificate, root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("secure")
    with SecureRegistry(registry_binary, folder, certificate, root) as one:
        one.push_image("malloc", "old", OCI_MANIFEST, compact(oci_manifest()))
        yield one


@needs_tls
def test_tag_in_tls_with_a_file_of_certificates(regtag, secure, root, without):
    host = f"{NAME}:{secure.port}"

    result = regtag(
        *["tag", "--cacert", root.file, *reached(host), f"{host}/malloc:old", "new"], env=without
    )

    assert (result.status, result.err) == (0, b"")


@needs_tls
def test_a_directory_of_certificates_is_read_with_some(regtag, secure, root, without, tmp_path):
    """This one fails, so that the others mean something."""
    shutil.copy(root.file, tmp_path / "root.pem")
    host = f"{NAME}:{secure.port}"
    command = ["digest", "--cacert", tmp_path, *reached(host), f"{host}/malloc:old"]

    assert regtag(*command, env=without).status == ASKED
    assert regtag(*command).status == 0
