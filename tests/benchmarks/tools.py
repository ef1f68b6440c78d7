"""The programs that are compared, each with the commands by which its users do the same thing.

A task is a list of command lines, run one after the other: a program that takes one name at a time
needs as many of them as there are names. Behind TLS, all of them find the authority that they trust by
SSL_CERT_FILE.
"""

import glob
import gzip
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, NamedTuple

from images import DOCKER_MANIFEST

TOP = Path(__file__).resolve().parent.parent.parent
PEERS = ("crane", "oras")  # in Debian's forky; older releases have none or only one of them

# What they do: from the tag of an image they make new ones.
REPOSITORY = "figures/image"
ONE = ["new"]
FOUR = [f"few-{number}" for number in range(4)]
HUNDRED = [f"new-{number:03}" for number in range(100)]


class Tool(NamedTuple):
    name: str
    path: str
    tag: Callable  # from (host, repository, old tag, names, whether by TLS) to a task
    ls: Callable = None  # from (host, repository) to a task
    digest: Callable = None  # from (host, repository, tag) to a command


def regtag(path):
    def tag(host, repository, old, names, secure=False):
        options = ["--tls"] if secure else []  # on this machine it does without, unless it is told
        return [[path, "tag", *options, f"{host}/{repository}:{old}", *names]]

    return Tool(
        "regtag",
        path,
        tag,
        lambda host, repository: [[path, "ls", f"{host}/{repository}"]],
    )


def curl(path, folder):
    """The recipe as it has to be for the manifest to stay the same: most copies of it are wrong."""
    saved = f"{folder}/manifest.json"

    def tag(host, repository, old, names, secure=False):
        api = f"{'https' if secure else 'http'}://{host}/v2/{repository}/manifests"
        get = [path, "-fsS", "-H", f"Accept: {DOCKER_MANIFEST}", "-o", saved, f"{api}/{old}"]
        put = [path, "-fsS", "-X", "PUT", "-H", f"Content-Type: {DOCKER_MANIFEST}"]
        put += ["--data-binary", f"@{saved}"]
        return [get, *([*put, f"{api}/{name}"] for name in names)]

    return Tool("curl recipe", path, tag)


def crane(path):
    return Tool(
        "crane",
        path,
        lambda host, repository, old, names, secure=False: [
            [path, "tag", f"{host}/{repository}:{old}", name] for name in names
        ],
        lambda host, repository: [[path, "ls", f"{host}/{repository}"]],
        lambda host, repository, tag: [path, "digest", f"{host}/{repository}:{tag}"],
    )


def oras(path):
    def tag(host, repository, old, names, secure=False):
        options = [] if secure else ["--plain-http"]
        return [[path, "tag", *options, f"{host}/{repository}:{old}", *names]]

    return Tool(
        "oras",
        path,
        tag,
        lambda host, repository: [[path, "repo", "tags", "--plain-http", f"{host}/{repository}"]],
        lambda host, repository, tag: [path, "resolve", "--plain-http", f"{host}/{repository}:{tag}"],
    )


def skopeo(path):
    def tag(host, repository, old, names, secure=False):
        command = [path, "--insecure-policy", "copy", "-q", "--all", "--preserve-digests"]
        command += [] if secure else ["--src-tls-verify=false", "--dest-tls-verify=false"]
        image = f"docker://{host}/{repository}"
        return [[*command, f"{image}:{old}", f"{image}:{name}"] for name in names]

    return Tool(
        "skopeo",
        path,
        tag,
        lambda host, repository: [
            [path, "list-tags", "--tls-verify=false", f"docker://{host}/{repository}"]
        ],
    )


def busybox_wget(folder):
    """Only half of it: wget can fetch a manifest, but there is no PUT in it. None where it is not to be had."""
    path = unpacked("busybox-static", "**/bin/busybox")
    if path is None:
        return None

    def tag(host, repository, old, names, secure=False):
        url = f"http://{host}/v2/{repository}/manifests/{old}"
        accept = f"Accept: {DOCKER_MANIFEST}"
        return [[path, "wget", "-q", "-O", f"{folder}/fetched", "--header", accept, url]]

    return Tool("busybox wget", path, tag)


def find(program, folder, variables):
    """The tools that there are, and a word on each that there is not."""
    tools = [regtag(program)]
    missing = []
    if shutil.which("curl"):
        tools.append(curl(shutil.which("curl"), folder))
    else:
        missing.append("curl: it is not installed")
    for name, make in zip(PEERS, (crane, oras)):
        path = unpacked(name, f"usr/bin/{name}", "forky")
        if path is None:
            missing.append(f"{name}: Debian forky's package is not to be had from this mirror")
        elif not _starts(path, variables):
            missing.append(f"{name}: Debian forky's program does not run on this release")
        else:
            tools.append(make(path))
    if shutil.which("skopeo"):
        tools.append(skopeo(shutil.which("skopeo")))
    else:
        missing.append("skopeo: it is not installed, and its package brings too much to unpack")
    return tools, missing


def unpacked(name, program, *suite):
    """The path of a program in a package of Debian's, which is fetched the first time."""
    done = subprocess.run(
        [TOP / "third_party/unpack", name, *suite],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = glob.glob(f"{done.stdout.strip()}/{program}", recursive=True)
    return found[0] if done.returncode == 0 and found else None


def _starts(path, variables):
    done = subprocess.run([path, "--help"], env=variables, capture_output=True)
    return done.returncode == 0


def shared_libraries(path):
    """The files that the dynamic loader adds to a program."""
    done = subprocess.run(
        ["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return sorted(set(re.findall(r"(?:=> |^\s*)(/\S+)", done.stdout, re.MULTILINE)))


def version(tool):
    """Its name and version; of Debian's packages, that of the package they came in."""
    asked = "version" if tool.name in PEERS else "--version"
    said = subprocess.run([tool.path, asked], capture_output=True, text=True).stdout
    found = re.search(r"\d+\.\d+[.\d]*", said)
    return f"{tool.name} {found[0]}" if found else f"{tool.name} {_packaged(tool.name)}"


def registry_version(program):
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"\d+\.\d+[.\d]*", said)
    return f"docker-registry {found[0] if found else ''}".strip()


def _packaged(name):
    """crane does not know its own version where Debian has built it."""
    text = f"{unpacked(name, 'usr/share/doc', 'forky')}/{name}/changelog.Debian.gz"
    with gzip.open(text, "rt") as changelog:
        return re.search(r"\(([\d.]+)", changelog.readline())[1]
