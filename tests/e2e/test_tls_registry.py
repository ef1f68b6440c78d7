"""A real registry behind TLS: its own, or that of nginx in front of it."""

import pytest
from authority import LOOPBACK, NAME
from fronts import Nginx, SecureRegistry, needs_tls, reached
from images import LIMIT, OCI_MANIFEST, compact, digest_of, oci_manifest, padded

pytest_plugins = ["tls_fixtures"]
pytestmark = needs_tls

SMALL = compact(oci_manifest())
BIG = padded(oci_manifest(), LIMIT)


@pytest.fixture(scope="module")
def secure(registry_binary, certificate, root, tmp_path_factory):
    """docker-registry, which speaks TLS 1.3 with whoever can."""
    folder = tmp_path_factory.mktemp("secure")
    with SecureRegistry(registry_binary, folder, certificate, root) as one:
        one.push_image("repo", "old", OCI_MANIFEST, SMALL)
        one.push("repo", "big", OCI_MANIFEST, BIG)
        yield one


@pytest.fixture(scope="module")
def nginx(secure, certificate, tmp_path_factory):
    """nginx in front of it, which speaks TLS 1.2 only."""
    folder = tmp_path_factory.mktemp("nginx")
    chain = folder / "chain.pem"
    chain.write_text(certificate.chain)
    settings = [
        f"ssl_certificate {chain};",
        f"ssl_certificate_key {certificate.key};",
        "ssl_protocols TLSv1.2;",
        f"location / {{ proxy_pass https://127.0.0.1:{secure.port};",
        "proxy_set_header Host $http_host; }",
    ]
    with Nginx(folder, settings) as one:
        yield one


@pytest.fixture(params=["docker_registry_with_tls_1.3", "nginx_with_tls_1.2"])
def host(request, secure, nginx):
    port = secure.port if request.param.startswith("docker") else nginx.port
    return f"{NAME}:{port}"


@pytest.fixture
def run(regtag, root, host):
    def run(verb, image, *args, **options):
        settings = ["--cacert", root.file, *reached(host)]
        result = regtag(verb, *settings, f"{host}/{image}", *args, **options)
        assert (result.status, result.err) == (0, b""), result
        return result

    return run


def test_tag(run, secure, host):
    new = f"new-{host.rpartition(':')[2]}"

    result = run("tag", "repo:old", new)

    assert result.rows == [(f"{host}/repo:{new}", digest_of(SMALL), "created", "-")]
    assert secure.fetch("repo", new) == (OCI_MANIFEST, digest_of(SMALL), SMALL)


def test_tag_by_its_digest(run, secure, host):
    new = f"by-digest-{host.rpartition(':')[2]}"

    run("tag", f"repo@{digest_of(SMALL)}", new)

    assert secure.digest("repo", new) == digest_of(SMALL)


def test_digest(run):
    assert run("digest", "repo:old").lines == [digest_of(SMALL)]


def test_manifest(run):
    assert run("manifest", "repo:old").out == SMALL


def test_a_manifest_as_large_as_may_be(run, secure, host):
    new = f"big-{host.rpartition(':')[2]}"

    assert run("manifest", "repo:big").out == BIG
    run("tag", "repo:big", new)

    assert secure.fetch("repo", new) == (OCI_MANIFEST, digest_of(BIG), BIG)


def test_a_hundred_tags(run, secure, host):
    repository = f"many/{host.rpartition(':')[2]}"
    secure.push_image(repository, "old", OCI_MANIFEST, SMALL)
    names = [f"v{number}" for number in range(100)]

    result = run("tag", f"{repository}:old", *names)

    assert [row[1:] for row in result.rows] == [(digest_of(SMALL), "created", "-")] * 100
    listed = run("ls", repository).lines
    assert sorted(listed) == sorted(["old", *names])
    assert {secure.digest(repository, name) for name in names[::25]} == {digest_of(SMALL)}


def test_by_its_address(regtag, root, secure):
    where = f"{LOOPBACK}:{secure.port}"

    result = regtag("digest", "--tls", "--cacert", root.file, f"{where}/repo:old")

    assert (result.status, result.lines) == (0, [digest_of(SMALL)]), result


def test_what_is_not_there_is_told_as_ever(regtag, root, host):
    settings = ["--cacert", root.file, *reached(host)]

    result = regtag("digest", *settings, f"{host}/repo:nothing")

    assert (result.status, result.out) == (3, b""), result
    result.complaint(f"{host}/repo:nothing")


def test_verbose_shows_the_same_over_tls(regtag, root, host):
    result = regtag("digest", "-v", "--cacert", root.file, *reached(host), f"{host}/repo:old")

    assert (result.status, result.lines) == (0, [digest_of(SMALL)])
    said = result.err.decode()
    assert "/v2/repo/manifests/old" in said and " 200 " in said


@pytest.mark.parametrize("jobs", [4, 17])
def test_many_handshakes_at_once(run, host, jobs):
    """Each name is looked up: it is not `set` for want of memory on one of the connections."""
    names = [f"{jobs}-{host.rpartition(':')[2]}-{number}" for number in range(100)]

    result = run("tag", "repo:old", *names, "--jobs", jobs)

    digest = digest_of(SMALL)
    assert result.rows == [(f"{host}/repo:{name}", digest, "created", "-") for name in names]
