"""nginx in front of a registry: redirections, a password, a limit, and a registry that is gone."""

import pytest
from accounts import auths
from fronts import Nginx, needs_tls, reached
from guarded import bcrypt
from images import DOCKER_MANIFEST, docker_manifest, docker_style
from token_server import secret

pytest_plugins = ["account_fixtures", "tls_fixtures"]
pytestmark = needs_tls

USER = "somebody"
NAME = "registry.test"
FRONTS = ["direct", "away", "guarded", "limited", "broken"]


@pytest.fixture(scope="module")
def password():
    return secret("password")


@pytest.fixture(scope="module")
def nginx(registry, certificate, password, tmp_path_factory):
    """Repositories are elsewhere, guarded, limited or broken, as their names say."""
    folder = tmp_path_factory.mktemp("nginx")
    chain = folder / "chain.pem"
    chain.write_text(certificate.chain)
    passwords = folder / "passwords"
    passwords.write_text(f"{USER}:{bcrypt(password)}\n")
    behind = f"proxy_pass http://127.0.0.1:{registry.port};"
    settings = [
        f"ssl_certificate {chain};",
        f"ssl_certificate_key {certificate.key};",
        f"location /v2/direct/ {{ {behind} }}",
        f"location /elsewhere/ {{ rewrite ^/elsewhere(/.*)$ $1 break; {behind} }}",
        "location /v2/away/ { return 307 /elsewhere$request_uri; }",
        f"location /v2/guarded/ {{ auth_basic x; auth_basic_user_file {passwords}; {behind} }}",
        'location /v2/limited/ { add_header Retry-After "60" always; return 429; }',
        "location /v2/broken/ { proxy_pass http://127.0.0.1:1; }",
    ]
    with Nginx(folder, settings) as one:
        for name in FRONTS:
            document = docker_style(docker_manifest())
            registry.push_image(f"{name}/repo", "old", DOCKER_MANIFEST, document)
        yield one


@pytest.fixture
def run(account, nginx, root):
    """Tags the image of a repository."""

    def run(repository):
        host = f"{NAME}:{nginx.port}"
        options = ["--cacert", root.file, *reached(host), "--timeout", "20"]
        return account("tag", *options, f"{host}/{repository}/repo:old", "new")

    return run


@pytest.mark.parametrize("repository", ["direct", "away"])
def test_an_image_is_tagged_through_it(run, registry, repository):
    result = run(repository)

    assert (result.status, result.err) == (0, b""), result
    digest = registry.digest(f"{repository}/repo", "old")
    assert registry.digest(f"{repository}/repo", "new") == digest


def test_it_wants_a_password(run, account, nginx, registry, password):
    host = f"{NAME}:{nginx.port}"
    account.docker_config(auths(host, USER, secret("wrong")))
    wrong = run("guarded")
    account.docker_config(auths(host, USER, password))
    right = run("guarded")

    assert wrong.status == 4, wrong
    assert (right.status, right.err) == (0, b""), right
    assert registry.digest("guarded/repo", "new") == registry.digest("guarded/repo", "old")


@pytest.mark.parametrize("repository, status", [("limited", 14), ("broken", 17)])
def test_it_refuses(run, registry, repository, status):
    result = run(repository)

    assert result.status == status, result
    result.complaint(f"{NAME}", "429" if repository == "limited" else "502")
    assert registry.digest(f"{repository}/repo", "new") is None
