"""Every command on every page is run as it stands there, each section by itself.

registry.example is a registry behind TLS, reached through a proxy of the tests'. What would build or test for minutes
is not run again in the middle of the tests: `make` is asked whether it knows the goal, and .ci/run is the proof that it
works."""

import os
import re
import shlex
import subprocess
from contextlib import ExitStack

import pages
import pytest
from conftest import OTHER_DOCUMENT, TOP
from copies import Pantry
from fake import Fake
from fronts import unpacked
from images import (
    CONFIG,
    LAYER,
    OCI_INDEX,
    OCI_MANIFEST,
    compact,
    digest_of,
    docker_style,
    oci_manifest,
)
from program import environment
from proxies import Proxy
from signing import Key, put_signature
from tls_server import Front, server_context

pytest_plugins = ["tls_fixtures"]
pytestmark = pytest.mark.skipif(
    bool(os.environ.get("SAN")) or os.environ.get("TLS") == "0" or os.environ.get("SYSTEM_MBEDTLS") == "1",
    reason="the pages are about build/regtag",
)

SCRIPTS = list(pages.scripts())
MAKEFILE = (TOP / "Makefile").read_text()
LIMIT = 300  # seconds

# Make does these here; of all others it is only asked whether there is such a goal.
QUICK = {"help", "lib", "amalgamation", "examples", "install", "demo", "probe"}

# What is made by others is made up: a test suite, an installer, a password manager.
STAND_INS = {
    "run_tests": "exit 0",
    "install-image": 'echo "installed $1"',
    "pass": "echo secret",
    "docker": "exit 0",
    "skopeo": "exit 0",  # test_save_peers.py runs what reads an archive
    "oras": "exit 0",
}

# Files that somebody has sent, and what is in them.
SENT = {"bundle.tar": ["registry.example/team/app:1.4", "registry.example/team/app:multi"]}


def started_with():
    """What makes a make of the tests' build the same thing again, and nothing new: a makefile's variables, but none of
    its jobs, and the same date."""
    variables = os.environ.get("MAKEFLAGS", "").partition(" -- ")[2]
    epoch = TOP / "build/obj/epoch"
    date = {"SOURCE_DATE_EPOCH": epoch.read_text().strip()} if epoch.exists() else {}
    return {"MADE_WITH": f"-- {variables}" if variables else "", **date}


class Relay(Proxy):
    """Leads every name to the same registry, by the port that is asked for."""

    def __init__(self, front, plain):
        super().__init__(known=(".example", ".local"))
        self._places = {443: front, 5000: front, 80: plain}

    def _dial(self, port):
        return super()._dial(self._places[port])


@pytest.fixture
def library():
    """What registry.example has."""
    shelf = Pantry()
    shelf.put_files("firmware", "stable", {"boot.img": b"boot", "root.img": b"root"})
    shelf.blobs |= {digest_of(one): one for one in (CONFIG, LAYER)}
    arm = {"mediaType": OCI_MANIFEST, "digest": digest_of(OTHER_DOCUMENT), "size": len(OTHER_DOCUMENT)}
    arm["platform"] = {"os": "linux", "architecture": "arm", "variant": "v7"}
    index = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [arm]})
    for repository in ("team/app", "agent"):
        shelf.put(repository, "multi", OCI_INDEX, index)
        for tag in ("1.5", "main"):
            shelf.put(repository, tag, OCI_MANIFEST, OTHER_DOCUMENT)
        for tag in ("1.4", "1.0", "stable", "tested", "old"):
            shelf.put(repository, tag, OCI_MANIFEST, docker_style(oci_manifest()))
    return shelf


@pytest.fixture
def place(library, tmp_path, workshop, certificate_of_the_pages, root):
    """A folder like the repository's, in which commands can leave files, and an environment to run them in."""
    for entry in TOP.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "ca.pem").write_text(root.pem)
    (tmp_path / "client.pem").write_text(certificate_of_the_pages.pem)
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o600)
    with ExitStack() as stack:
        server = stack.enter_context(Fake(library))
        shown = server_context(tmp_path, certificate_of_the_pages)
        front = stack.enter_context(Front(server.port, shown))
        relay = stack.enter_context(Relay(front.port, server.port))
        yield tmp_path, {
            "http_proxy": relay.url,
            "https_proxy": relay.url,
            "no_proxy": "127.0.0.1",
            "SSL_CERT_FILE": str(root.file),
            "HOME": os.environ.get("HOME", "/"),
            "TMPDIR": str(tmp_path),
        }


@pytest.fixture(scope="module")
def certificate_of_the_pages(workshop, root):
    return workshop.server(root, names=("DNS:registry.example", "DNS:registry.local"))


@pytest.fixture(scope="module")
def programs(regtag, tmp_path_factory):
    """What is found before anything else: the program under test, a make that notes what is asked of it, stand-ins."""
    unpacked("busybox-static", "**/bin/busybox")
    folder = tmp_path_factory.mktemp("programs")
    (folder / "regtag").symlink_to(regtag.path)
    quick = "|".join(sorted(QUICK))
    script = f"""#!/bin/sh
printf '%s\\n' "$@" "" >>"$ASKED"
case " $* " in
*" TARGET="*|*" CROSS_COMPILE="*|*_DIR=*) exit 0 ;;
esac
for word; do
    case $word in
    *=*|-*) ;;
    {quick}) exec env MAKEFLAGS="$MADE_WITH" /usr/bin/make -C {TOP} "$@" ;;
    esac
done
"""
    for name, text in {**STAND_INS, "make": script.partition("\n")[2]}.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return folder


def sign(library, folder):
    """What the commands verify."""
    key = Key(folder / "keys")
    (folder / "cosign.pub").symlink_to(key.public)
    put_signature(library, "team/app", key, digest_of(library.document("team/app", "1.4")))


def send_files(text, folder, env):
    """Those that the commands are about."""
    for name, images in SENT.items():
        if name in text:
            subprocess.run(["regtag", "save", *images, "-o", name], cwd=folder, env=env, check=True)


def check_make(words):
    """There are such goals, and such variables."""
    for word in words:
        name, is_set, value = word.partition("=")
        if is_set:
            assert re.search(rf"^{name} *[:?]?=|^#.*\b{name}\b|\$\({name}\)", MAKEFILE, re.MULTILINE), word
        elif not word.startswith(("-", "build/")):
            assert re.search(rf"^\.PHONY:(.|\\\n)*\b{word}\b", MAKEFILE, re.MULTILINE), word
        for target in value.split() if name in ("TARGET", "TARGETS") else []:
            assert (TOP / f"toolchains/{target}.mk").exists(), target


AGAIN = [
    one._replace(title=f"{one.title} again", text=2 * one.text) for one in SCRIPTS if "--no-clobber" in one.text
]


@pytest.mark.parametrize("script", [*SCRIPTS, *AGAIN], ids=lambda script: script.name)
def test_the_commands_of_a_section_work(script, place, programs, library):
    folder, variables = place
    asked = folder / "asked-of-make"
    asked.touch()
    variables |= {"PATH": f"{programs}:{os.environ['PATH']}", "ASKED": str(asked), **started_with()}
    env = {**environment({}), "MAKEFLAGS": "", **variables}
    send_files(script.text, folder, env)
    if "cosign.pub" in script.text:
        sign(library, folder)

    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script.text],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"{script.text}\n{done.stdout}"
    for words in asked.read_text().split("\n\n"):
        check_make(words.splitlines())


def test_the_manuals_update_agent_works(place, programs, library):
    """It looks, installs and marks, once: the second time that it wants to sleep, it fails to."""
    folder, variables = place
    text = pages.manuals_agent().replace("/var/lib/agent", str(folder)).replace("/etc/agent", str(folder))
    (folder / "agent").write_text(text)
    for name, lines in {"sleep": f"mkdir {folder}/slept", "install_and_test": f"echo $1 >{folder}/installed"}.items():
        (folder / "bin").mkdir(exist_ok=True)
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{lines}\n")
        (folder / "bin" / name).chmod(0o755)

    done = subprocess.run(
        ["/bin/sh", folder / "agent"],
        env={**environment({}), **variables, "PATH": f"{folder}/bin:{programs}:{os.environ['PATH']}"},
        timeout=LIMIT,
        capture_output=True,
        text=True,
        check=False,
    )

    stable = digest_of(library.document("agent", "stable"))
    assert "regtag: " not in done.stderr, done.stderr
    assert (folder / "installed").read_text() == f"registry.example/agent@{stable}\n"
    marks = [tag for tag in library.tags("agent") if tag.startswith("proved-on-")]
    assert [digest_of(library.document("agent", tag)) for tag in marks] == [stable]


def goals():
    """Of make, as they are named in the middle of sentences."""
    for page in pages.pages():
        for command in re.findall(r"`make ([^`]+)`", pages.prose(page)):
            yield pytest.param(command, id=f"{page.parent.name}/{page.name}: {command}")


@pytest.mark.parametrize("command", goals())
def test_make_knows_what_a_sentence_names(command):
    check_make(shlex.split(re.sub(r"\.\.\.|FOLDER", "", command)))


def options():
    """Of the program; the pages of the tests name those of scripts."""
    for page in pages.pages():
        if TOP / "tests" in page.parents:
            continue
        for option in sorted(set(re.findall(r"`(--[a-z-]+)", pages.prose(page)))):
            yield pytest.param(option, id=f"{page.parent.name}/{page.name}: {option}")


@pytest.mark.parametrize("option", options())
def test_the_manual_has_each_option_that_is_named(option):
    manual = (TOP / "src/regtag.1").read_text()
    assert f"Fl -{option[2:]}" in manual or f", -{option[2:]}" in manual


def test_the_manual_has_every_option_of_the_program():
    manual = (TOP / "src/regtag.1").read_text()
    table = (TOP / "src/cli/options.c").read_text()
    names = re.findall(r'^    \{"([a-z-]+)", ".*"?', table, re.MULTILINE)

    assert len(names) > 30
    assert [name for name in names if not re.search(rf"^\.It Fl (\w , )?-{name}\b", manual, re.MULTILINE)] == []
