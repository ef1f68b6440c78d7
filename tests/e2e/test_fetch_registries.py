"""`fetch` of what oras pushes, from real registries, behind nginx as well."""

import contextlib
import os
import subprocess

import pytest
from fronts import Nginx, SecureRegistry, needs_tls, reached
from images import digest_of
from peers_fixtures import unpacked

pytest_plugins = ["peers_fixtures", "tls_fixtures"]

NAME = "registry.test"
FILES = {
    "one": b"a file\n",
    "with space": b"another\n",
    "Grüße ☺.txt": "ä".encode() * 1000,
    "big": bytes(range(256)) * 8192,
    "empty": b"",
    **{f"number {number}": f"{number}\n".encode() * number for number in range(5, 10)},
}
assert len(FILES) == 10


@pytest.fixture(scope="module")
def oras(tmp_path_factory):
    """Pushes files of a folder: oras(folder, target, name…)."""
    path = unpacked("oras")
    home = tmp_path_factory.mktemp("home")

    def push(folder, target, *names, options=("--plain-http",)):
        subprocess.run(
            [path, "push", *options, target, *names],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )

    return push


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """A folder with what is to be pushed."""
    folder = tmp_path_factory.mktemp("pushed")
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    (folder / "tree/sub").mkdir(parents=True)
    (folder / "tree/sub/leaf").write_bytes(b"leaf\n")
    return folder


@pytest.fixture(scope="module")
def crane_registry(start_crane_registry):
    return start_crane_registry()


@pytest.fixture(scope="module")
def plain(registry, oras, pushed):
    push_all(oras, pushed, registry.host)
    return registry.host, []


@pytest.fixture(scope="module")
def by_crane(crane_registry, oras, pushed):
    push_all(oras, pushed, crane_registry)
    return crane_registry, []


@pytest.fixture(scope="module")
def over_tls(registry_binary, certificate, root, oras, pushed, tmp_path_factory):
    with SecureRegistry(registry_binary, tmp_path_factory.mktemp("secure"), certificate, root) as one:
        push_all(oras, pushed, one.host, ["--ca-file", root.file])
        yield one.host, ["--tls", "--cacert", root.file]


def front(registry, certificate, folder, *settings):
    """nginx before a registry, with blobs elsewhere."""
    chain = folder / "chain.pem"
    chain.write_text(certificate.chain)
    behind = f"proxy_pass http://127.0.0.1:{registry.port};"
    return Nginx(
        folder,
        [
            f"ssl_certificate {chain};",
            f"ssl_certificate_key {certificate.key};",
            "location ~ ^/v2/.*/blobs/ { return 307 https://$http_host/storage$request_uri; }",
            f"location /v2/ {{ {behind} }}",
            f"location /storage/ {{ rewrite ^/storage(/.*)$ $1 break; {behind} {' '.join(settings)} }}",
        ],
    )


@pytest.fixture(scope="module")
def redirected(plain, registry, certificate, root, tmp_path_factory):
    with front(registry, certificate, tmp_path_factory.mktemp("redirected")) as one:
        host = f"{NAME}:{one.port}"
        yield host, ["--cacert", root.file, *reached(host)]


@pytest.fixture(scope="module")
def without_ranges(plain, registry, certificate, root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("without")
    with front(registry, certificate, folder, 'proxy_set_header Range "";') as one:
        host = f"{NAME}:{one.port}"
        yield host, ["--cacert", root.file, *reached(host)]


def push_all(oras, pushed, host, options=("--plain-http",)):
    oras(pushed, f"{host}/oras/one:1", "one", options=options)
    oras(pushed, f"{host}/oras/ten:1", *FILES, options=options)
    oras(pushed, f"{host}/oras/tree:1", "tree", options=options)


WHERE = [
    "plain",
    "by_crane",
    *(pytest.param(one, marks=needs_tls) for one in ["over_tls", "redirected", "without_ranges"]),
]


@pytest.fixture(params=WHERE)
def fetch(request, regtag):
    host, options = request.getfixturevalue(request.param)
    return lambda repository, *args: regtag("fetch", *options, f"{host}/oras/{repository}:1", *args)


def test_one_file_is_what_was_pushed(fetch, tmp_path):
    result = fetch("one", "-o", tmp_path / "file")

    assert result.status == 0 and result.err == b"", result
    assert (tmp_path / "file").read_bytes() == FILES["one"]


def test_ten_files_are_what_was_pushed(fetch, tmp_path):
    result = fetch("ten", "-o", f"{tmp_path}/all/")

    assert result.status == 0 and result.err == b"", result
    assert len(result.lines) == len(FILES)
    assert {one.name: one.read_bytes() for one in (tmp_path / "all").iterdir()} == FILES
    assert all(line.endswith("\tunchanged") for line in fetch("ten", "-o", tmp_path / "all").lines)


def test_a_folder_is_written_as_it_was_packed(fetch, tmp_path):
    result = fetch("tree", "-o", tmp_path)

    assert result.status == 0, result
    result.complaint("tree is a packed folder")
    subprocess.run(["tar", "-xf", "tree", "--one-top-level=out"], cwd=tmp_path, check=True)
    assert (tmp_path / "out/tree/sub/leaf").read_bytes() == b"leaf\n"


def test_an_interrupted_download_goes_on(fetch, tmp_path):
    data = FILES["big"]
    partial = tmp_path / (".regtag-" + digest_of(data)[7:39])
    partial.write_bytes(data[:1_000_000])

    result = fetch("ten", "--title", "big", "-o", tmp_path / "file")

    assert result.status == 0, result
    assert (tmp_path / "file").read_bytes() == data
    with contextlib.suppress(FileNotFoundError):
        assert not partial.stat()
