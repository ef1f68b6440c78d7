"""A program that was compiled against today's headers, with a library of tomorrow: one member more in each struct."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from images import LAYER, OCI_MANIFEST, compact, oci_manifest
from program import Program

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = TOP / os.environ.get("BUILD", "build")
MBEDTLS = TOP / os.environ.get("MBEDTLS_DIR", "build/third_party/mbedtls")
SANITIZER = os.environ.get("SAN")

HEADERS = ["regtag.h", "embed/regtag_address.h", "embed/regtag_sockets.h", "embed/regtag_blocking.h"]
LIBRARY = ["regtag", "regtag_sockets", "regtag_connect", "regtag_address", "regtag_blocking", "regtag_sha256"]
STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\};", re.MULTILINE | re.DOTALL)
RESERVED = re.compile(r"^    (void \*|uint32_t )reserved(?:\[(\d+)\])?;", re.MULTILINE)

OTHER = compact(oci_manifest(annotations={"which": "other"}))


def grown(body):
    """A struct's members and one more, which takes the place of one that is reserved, if there is any."""
    reserved = RESERVED.search(body)
    if not reserved:
        return body + "    void *of_tomorrow;\n"
    kind, left = reserved[1], int(reserved[2] or 1) - 1
    rest = f"\n    {kind}reserved[{left}];" if left else ""
    return body.replace(reserved[0], f"    {kind}of_tomorrow;{rest}")


def grow(header):
    """Adds a member to each struct; the names of the structs."""
    text = header.read_text()
    header.write_text(STRUCT.sub(lambda s: f"struct {s[1]} {{\n{grown(s[2])}}};", text))
    return [s[1] for s in STRUCT.finditer(text)]


def run(*command, folder):
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def compile_all(folder, names):
    compiler = os.environ.get("CC", "cc").split()
    options = ["-g", f"-fsanitize={SANITIZER}"] if SANITIZER else ["-Os"]
    mbedtls = [
        *["-isystem", MBEDTLS / "include", "-isystem", TOP / "third_party"],
        "-DMBEDTLS_CONFIG_FILE=<regtag_mbedtls.h>",
    ]
    for name in names:
        run(*compiler, *options, *mbedtls, "-c", f"{name}.c", folder=folder)


@pytest.fixture(scope="module")
def tomorrow(tmp_path_factory):
    """A folder with the objects of a library whose structs have all grown."""
    tree, folder = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("tomorrow")
    shutil.copytree(TOP / "src", tree / "src")
    shutil.copy(TOP / "LICENSE", tree)
    names = [name for header in HEADERS for name in grow(tree / "src" / header)]
    assert len(names) == len(set(names)) >= 15, names
    run("src/amalgamate", "9.9.9", TOP / "build/amalgamation/jsmn.h", folder, folder=tree)
    compile_all(folder, LIBRARY)
    return folder


@pytest.fixture(scope="module")
def program_of_today(tomorrow, tmp_path_factory):
    """Makes a program: its own source sees the headers of today."""
    folder = tmp_path_factory.mktemp("today")
    for source in [TOP / "build/amalgamation", TOP / "src/examples", TOP / "tests/library"]:
        for one in source.glob("*.[ch]"):
            shutil.copy(one, folder)

    def make(name, *parts):
        compile_all(folder, [name, *parts])
        objects = [folder / f"{one}.o" for one in (name, *parts)]
        objects += [tomorrow / f"{one}.o" for one in LIBRARY]
        options = [f"-fsanitize={SANITIZER}"] if SANITIZER else []
        mbedtls = [BUILD / "mbedtls.a"]
        if os.environ.get("TLS") != "0":
            mbedtls += [BUILD / "obj/src" / one for one in ("net/tls_arena.o", "base/wipe.o")]
        compiler = os.environ.get("CC", "cc").split()
        run(*compiler, *options, "-Wl,--gc-sections", "-o", name, *objects, *mbedtls, folder=folder)
        return Program(folder / name)

    return make


def test_a_call_that_waits(program_of_today, registry, repository):
    digest = registry.digest(repository, "old")

    result = program_of_today("once", "tls_none")("-", f"{registry.host}/{repository}:old", "one", "two")

    assert (result.status, result.err) == (0, b""), result
    assert result.lines == [f"one {digest}", f"two {digest}"]


def test_a_file(program_of_today, registry, repository, tmp_path):
    file = tmp_path / "file"

    result = program_of_today("fetch", "tls_none")("-", f"{registry.host}/{repository}:old", file)

    assert (result.status, result.err) == (0, b""), result
    assert file.read_bytes() == LAYER


def test_steps(program_of_today, registry, repository):
    digest = registry.digest(repository, "old")
    other = registry.push_image(f"{repository}/other", "old", OCI_MANIFEST, OTHER)
    image, another = f"{registry.host}/{repository}", f"{registry.host}/{repository}/other"

    result = program_of_today("pair")("both", f"{image}:old", f"{another}:old", f"{image}:none")

    assert result.lines[:3] == [f"0 {digest}", f"0 {other}", "3 "], result


def test_names_that_a_program_looks_up(program_of_today, registry, repository):
    digest = registry.digest(repository, "old")

    result = program_of_today("resolving")(f"name.test:{registry.port}/{repository}:old", "127.0.0.2", "127.0.0.1")

    assert result.lines == ["0", digest], result
