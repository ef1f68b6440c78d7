"""Where a name and a password come from, when they are sent, and helpers that have them."""

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from accounts import answering, auths, entry
from fake import answer, errors
from guarded import PasswordRegistry
from images import OCI_MANIFEST
from program import LONG
from recorder import Recorder
from token_server import Gate, basic, password_gate, secret, user_and_password

pytest_plugins = ["account_fixtures"]
USER = "somebody"
NO_CREDENTIALS = "credentials not found in native keychain"
ENDS_WITHIN = 30  # seconds; much more than the deadlines here, for a slow machine


@pytest.fixture
def password():
    return secret("password")


@pytest.fixture
def server(serve, shelf, password):
    """A registry with `repo:old` in it, for which one needs the password."""
    return serve(password_gate(shelf, USER, password))


def proofs(server):
    """What was sent in Authorization, request by request."""
    return [request.value("Authorization") for request in server.requests]


def only_after_the_challenge(server, password):
    first, *others = proofs(server)
    return first is None and others and set(others) == {basic(USER, password)}


# ---- Sources


def from_stdin(account, host, user, password):
    return {"args": ["--user", user, "--password-stdin"], "secret": password + "\n"}


def from_a_password_file(account, host, user, password):
    path = account.write("password", password + "\n")
    return {"args": ["--user", user, "--password-file", path]}


def from_the_environment(account, host, user, password):
    return {"env": {"REGTAG_USER": user, "REGTAG_PASSWORD": password}}


def from_an_authfile(account, host, user, password):
    return {"args": ["--authfile", account.write("given.json", auths(host, user, password))]}


def from_registry_auth_file(account, host, user, password):
    path = account.write("named.json", auths(host, user, password))
    return {"env": {"REGISTRY_AUTH_FILE": str(path)}}


def from_podmans_file(account, host, user, password):
    path = account.write("run/containers/auth.json", auths(host, user, password))
    return {"env": {"XDG_RUNTIME_DIR": str(path.parent.parent)}}


def from_docker_config(account, host, user, password):
    path = account.write("docker/config.json", auths(host, user, password))
    return {"env": {"DOCKER_CONFIG": str(path.parent)}}


def from_the_home(account, host, user, password):
    account.docker_config(auths(host, user, password))
    return {}


def from_a_variable(account, host, user, password):
    return {"env": {"DOCKER_AUTH_CONFIG": json.dumps(auths(host, user, password))}}


SOURCES = [
    from_stdin,
    from_a_password_file,
    from_the_environment,
    from_an_authfile,
    from_registry_auth_file,
    from_podmans_file,
    from_docker_config,
    from_the_home,
    from_a_variable,
]
BY_ORDER = [SOURCES[:2], *([one] for one in SOURCES[2:])]


def run_with(account, args, *given):
    """Runs it with what several sources said that it takes."""
    options = {"env": {}}
    for one in given:
        args = [*args, *one.get("args", [])]
        options["env"].update(one.get("env", {}))
        if "secret" in one:
            options["secret"] = one["secret"]
    return account(*args, **options)


def each(source):
    return source.__name__


@pytest.mark.parametrize("source", SOURCES, ids=each)
def test_a_password_comes_from(account, server, shelf, document, password, source):
    given = source(account, server.host, USER, password)

    result = run_with(account, ["tag", f"{server.host}/repo:old", "new"], given)

    assert (result.status, result.err) == (0, b""), result
    assert shelf.document("repo", "new") == document
    assert only_after_the_challenge(server, password)


@pytest.mark.parametrize("rank", range(len(BY_ORDER) - 1), ids=lambda rank: each(BY_ORDER[rank][0]))
def test_one_source_goes_before_those_behind_it(account, server, password, rank):
    right = [source(account, server.host, USER, password) for source in BY_ORDER[rank][:1]]
    wrong = [
        source(account, server.host, "another", secret("wrong"))
        for level in BY_ORDER[rank + 1 :]
        for source in level
    ]

    result = run_with(account, ["digest", f"{server.host}/repo:old"], *right, *wrong)

    assert result.status == 0, result
    assert only_after_the_challenge(server, password)


def test_anonymous_takes_nothing_from_anywhere(account, server, password):
    given = [source(account, server.host, USER, password) for source in SOURCES[4:]]

    result = run_with(account, ["digest", "--anonymous", f"{server.host}/repo:old"], *given)

    assert result.status == 4, result
    assert set(proofs(server)) == {None}


def test_a_file_without_the_host_gives_way_to_the_next(account, server, password):
    given = [
        from_podmans_file(account, "elsewhere.test", "another", secret("wrong")),
        from_the_home(account, server.host, USER, password),
    ]

    result = run_with(account, ["digest", f"{server.host}/repo:old"], *given)

    assert result.status == 0, result


def test_a_named_docker_config_stands_for_that_of_the_home(account, server, password):
    given = [
        from_docker_config(account, "elsewhere.test", "another", secret("wrong")),
        from_the_home(account, server.host, USER, password),
    ]

    result = run_with(account, ["digest", f"{server.host}/repo:old"], *given)

    assert result.status == 4, result
    assert set(proofs(server)) == {None}


def test_credentials_of_another_host_stay_at_home(account, server, password):
    port = int(server.host.rpartition(":")[2])
    others = [f"127.0.0.1:{port - 1}", "127.0.0.1:80", "localhost", f"127.0.0.2:{port}", "127.0.0"]
    account.docker_config({"auths": {host: entry(USER, password) for host in others}})

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 4, result
    assert set(proofs(server)) == {None}


def test_no_home_at_all_is_no_error(account, server):
    result = account("digest", f"{server.host}/repo:old", env={"HOME": ""})

    assert result.status == 4, result


def test_the_entry_of_the_namespace_is_the_nearest(account, server, password):
    account.docker_config(
        {
            "auths": {
                server.host: entry("another", secret("wrong")),
                f"{server.host}/repo": entry(USER, password),
                f"{server.host}/repo/more": entry("another", secret("wrong")),
            }
        }
    )

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 0, result


# ---- What is sent


@pytest.fixture(scope="module")
def htpasswd(registry_binary, tmp_path_factory, shelf_document):
    """A docker-registry that knows one user, by an entry made with bcrypt."""
    folder = tmp_path_factory.mktemp("htpasswd")
    with PasswordRegistry(registry_binary, folder, USER, secret("password")) as one:
        one.push_image("team/repo", "old", OCI_MANIFEST, shelf_document)
        yield one


@pytest.fixture(scope="module")
def shelf_document():
    from conftest import OCI_DOCUMENT  # pylint: disable=import-outside-toplevel

    return OCI_DOCUMENT


def test_a_docker_registry_with_htpasswd_takes_four_requests(account, htpasswd):
    user, password = user_and_password(htpasswd.authorization)
    with Recorder(htpasswd.port) as recorder:
        account.docker_config(auths(recorder.host, user, password))

        result = account("tag", f"{recorder.host}/team/repo:old", "new")

        digest = htpasswd.digest("team/repo", "old")
        assert result.rows == [(f"{recorder.host}/team/repo:new", digest, "created", "-")], result
        assert (result.status, result.err) == (0, b"")
        assert htpasswd.digest("team/repo", "new") == digest
        assert recorder.request_lines == [
            "GET /v2/team/repo/manifests/old",
            "GET /v2/team/repo/manifests/old",
            "HEAD /v2/team/repo/manifests/new",
            "PUT /v2/team/repo/manifests/new",
        ]
        assert recorder.connections == 1
        assert only_after_the_challenge(recorder, password)


def test_a_docker_registry_refuses_a_wrong_password(account, htpasswd):
    user, _ = user_and_password(htpasswd.authorization)
    wrong = secret("wrong")
    account.docker_config(auths(htpasswd.host, user, wrong))

    result = account("tag", f"{htpasswd.host}/team/repo:old", "wrong")

    assert result.status == 4
    complaint = result.complaint(f"{htpasswd.host}/team/repo")
    assert wrong not in complaint
    assert htpasswd.digest("team/repo", "wrong") is None


def test_a_refused_password_is_not_tried_for_ever(account, server):
    result = account(
        "tag",
        f"{server.host}/repo:old",
        "a",
        "b",
        "c",
        "--user",
        USER,
        "--password-stdin",
        secret="no",
    )

    assert result.status == 4
    assert len(server.requests) <= 3
    assert server.uploads == []


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_a_password_is_tried_out_by_few_where_only_writing_needs_it(
    account, serve, shelf, document, password, right
):
    def allows(authorization, _, action):
        return action == "pull" or user_and_password(authorization) == (USER, password)

    server = serve(Gate(shelf, allows, 'Basic realm="the tests"'))
    account.docker_config(auths(server.host, USER, password if right else secret("wrong")))
    names = [f"v{number}" for number in range(40)]

    result = account("tag", f"{server.host}/repo:old", *names)

    tried = [request for request in server.uploads if request.value("Authorization")]
    if right:
        assert result.status == 0, result
        assert all(shelf.document("repo", name) == document for name in names)
    else:
        assert result.status == 4, result
        assert len(result.rows) == 40
        assert len(tried) <= 2


def test_a_registry_that_asks_for_nothing_gets_nothing(account, serve, shelf, password):
    server = serve(shelf)
    account.docker_config(auths(server.host, USER, password))

    result = account("tag", f"{server.host}/repo:old", "new")

    assert result.status == 0
    assert proofs(server) == [None, None, None]


def test_one_challenge_is_enough_for_many_tags(account, server, password):
    account.docker_config(auths(server.host, USER, password))
    names = [f"v{number}" for number in range(5)]

    result = account("tag", f"{server.host}/repo:old", *names)

    assert result.status == 0
    assert [request.method for request in server.requests] == ["GET", "GET", *["HEAD"] * 5, *["PUT"] * 5]
    assert only_after_the_challenge(server, password)


def test_one_challenge_is_enough_for_many_pages(account, serve, password):
    def pages(request):
        number = int(request.query.partition("page=")[2] or 1)
        links = [f'Link: </v2/repo/tags/list?page={number + 1}>; rel="next"'] if number < 4 else []
        return answer(200, json.dumps({"tags": [f"v{number}"]}).encode(), *links)

    server = serve(password_gate(pages, USER, password))
    account.docker_config(auths(server.host, USER, password))

    result = account("ls", f"{server.host}/repo")

    assert (result.status, result.lines) == (0, ["v1", "v2", "v3", "v4"]), result
    assert len(server.requests) == 5
    assert only_after_the_challenge(server, password)


PASSWORDS = {
    "of_one_character": "x",
    "with_colons": ":pass:word:",
    "with_spaces_around": "  pass word  ",
    "with_quotes": "\"pass'\\word`$(id)",
    "of_other_letters": "pässwörd 密码 🔑",
    "with_percent_signs": "pass%41word%",
    "of_16_kib": "0123456789abcdef" * 1024,
    "of_lines": '{\n  "type": "service_account",\r\n\t"key": "a\\nb"\n}\n\n',
}


@pytest.mark.parametrize("kind", PASSWORDS)
@pytest.mark.parametrize("source", SOURCES[:4], ids=each)
def test_a_password_may_be(account, serve, shelf, source, kind):
    server = serve(password_gate(shelf, USER, PASSWORDS[kind]))
    given = source(account, server.host, USER, PASSWORDS[kind])

    result = run_with(account, ["digest", f"{server.host}/repo:old"], given)

    assert result.status == 0, result


@pytest.mark.parametrize("source", [*SOURCES[:4], None], ids=lambda one: one and each(one))
def test_a_longer_password_is_refused(account, server, source):
    password = "x" * (16 * 1024 + 1)
    if source:
        given = source(account, server.host, USER, password)
    else:
        account.helper("test", answering(USER, password))
        account.docker_config({"credsStore": "test"})
        given = {}

    result = run_with(account, ["digest", f"{server.host}/repo:old"], given)

    assert result.status == 16, result
    assert "x" * 9 not in result.complaint("16384")
    assert server.connections == 0


@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["none", "lf", "crlf"])
@pytest.mark.parametrize("where", ["stdin", "file"])
def test_the_end_of_the_line_is_no_part_of_the_password(account, server, password, where, end):
    said = (password + end).encode()
    if where == "stdin":
        args, options = ["--password-stdin"], {"secret": said}
    else:
        args, options = ["--password-file", account.write("password", said)], {}

    result = account("digest", f"{server.host}/repo:old", "--user", USER, *args, **options)

    assert result.status == 0, result


CHALLENGES = {
    "scheme_in_lower_case": ['basic realm="x"'],
    "scheme_in_upper_case": ['BASIC REALM="x"'],
    "without_a_realm": ["Basic"],
    "with_a_charset": ['Basic realm="a, b=\\"c\\"", charset="UTF-8"'],
    "behind_another_one": ['Negotiate, Basic realm="x"'],
    "before_another_one": ['Basic realm="x", Digest realm="y", nonce="z"'],
    "in_another_field": ["Negotiate", 'Basic realm="x"'],
    "without_quotation_marks": ["Basic realm=/"],
    "with_a_charset_behind_a_semicolon": ['Basic realm="x"; charset=UTF-8'],
    "behind_one_that_is_broken": ['Digest realm="x"y, nonce="z", Basic realm="x"'],
    "before_one_that_is_broken": ['Basic realm="x", Bearer realm="y'],
    "beside_a_bearer_without_a_realm": ['Bearer service="y", Basic realm="x"'],
}


@pytest.mark.parametrize("kind", CHALLENGES)
def test_a_challenge_may_be_written(account, serve, shelf, password, kind):
    allows = password_gate(shelf, USER, password).allows
    server = serve(Gate(shelf, allows, *CHALLENGES[kind]))
    account.docker_config(auths(server.host, USER, password))

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert only_after_the_challenge(server, password)


UNANSWERABLE = {
    "none": [],
    "an_empty_one": [""],
    "unknown_schemes": ['Digest realm="x", nonce="y"', "Negotiate"],
    "a_scheme_that_only_begins_so": ['Basically realm="x"'],
}


@pytest.mark.parametrize("kind", UNANSWERABLE)
def test_a_challenge_that_cannot_be_answered_gets_no_password(
    account, serve, shelf, password, kind
):
    server = serve(Gate(shelf, lambda *_: False, *UNANSWERABLE[kind]))
    account.docker_config(auths(server.host, USER, password))

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 4, result
    result.complaint(f"{server.host}/repo")
    assert set(proofs(server)) == {None}


def test_a_refusal_that_is_not_401_gets_no_password(account, serve, password):
    refusal = errors(403, "DENIED", "no", 'WWW-Authenticate: Basic realm="x"')
    server = serve(lambda request: refusal)
    account.docker_config(auths(server.host, USER, password))

    result = account("manifest", f"{server.host}/repo:old")

    assert result.status == 4
    assert proofs(server) == [None]


# ---- Files that cannot be used

UNUSABLE_OPTIONS = {
    "user_without_password": ["--user", USER],
    "stdin_without_user": ["--password-stdin"],
    "file_without_user": ["--password-file", "password"],
    "two_passwords": ["--user", USER, "--password-stdin", "--password-file", "password"],
    "no_user": ["--user", "", "--password-stdin"],
    "a_colon_in_the_user": ["--user", "some:body", "--password-stdin"],
    "a_user_and_anonymous": ["--user", USER, "--password-stdin", "--anonymous"],
}


@pytest.mark.parametrize("kind", UNUSABLE_OPTIONS)
def test_options_that_do_not_go_together_are_refused(account, server, password, kind):
    account.write("password", password)

    result = account(
        "digest",
        f"{server.host}/repo:old",
        *UNUSABLE_OPTIONS[kind],
        secret=password,
        cwd=account.home,
    )

    assert (result.status, result.out) == (2, b""), result
    result.complaint()
    assert server.connections == 0


BROKEN_FILES = {
    "no_json": b"auths: {}",
    "half_of_it": b'{"auths":{"x":{"auth":',
    "a_list": b"[]",
    "a_word": b'"auths"',
    "something_behind": b'{"auths":{}} {}',
    "auths_as_a_list": b'{"auths":[]}',
    "an_entry_as_a_word": b'{"auths":{"{host}":"c29tZWJvZHk6cGFzc3dvcmQ="}}',
    "auth_as_a_number": b'{"auths":{"{host}":{"auth":1}}}',
    "auth_that_is_no_base64": b'{"auths":{"{host}":{"auth":"*"}}}',
    "auth_without_a_colon": b'{"auths":{"{host}":{"auth":"c29tZWJvZHk="}}}',
    "nested_deeply": b'{"auths":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "a_helper_as_a_number": b'{"credHelpers":{"{host}":7}}',
    "helpers_as_a_word": b'{"credHelpers":"x"}',
    "a_store_as_a_list": b'{"credsStore":["x"]}',
}


@pytest.mark.parametrize("kind", BROKEN_FILES)
@pytest.mark.parametrize("where", ["named", "home"])
def test_a_file_that_cannot_be_understood_is_no_absent_one(account, server, where, kind):
    content = BROKEN_FILES[kind].replace(b"{host}", server.host.encode())
    path = account.docker_config(content)
    named = ["--authfile", path] if where == "named" else []

    result = account("digest", f"{server.host}/repo:old", *named)

    assert (result.status, result.out) == (16, b""), result
    result.complaint(path.name)
    assert set(proofs(server)) <= {None}


def test_a_named_file_must_be_there(account, server):
    for args, env in (
        (["--authfile", account.home / "nothing.json"], {}),
        (["--authfile", account.home], {}),
        (["--user", USER, "--password-file", account.home / "nothing.json"], {}),
        (["--user", USER, "--password-file", account.home], {}),
        ([], {"REGISTRY_AUTH_FILE": str(account.home)}),
    ):
        result = account("digest", f"{server.host}/repo:old", *args, env=env)

        assert (result.status, result.out) == (16, b""), (args, env, result)
        result.complaint()


def test_a_file_that_is_too_large_is_refused(account, server, password):
    path = account.write("large", password + "x" * (1 << 20))
    for args in (["--user", USER, "--password-file", path], ["--authfile", path]):
        result = account("digest", f"{server.host}/repo:old", *args)

        assert result.status == 16, (args, result)
        assert password not in result.complaint()


def test_a_large_file_with_many_hosts_is_fine(account, server, password):
    others = {f"registry-{number}.test": entry(USER, "x" * 60) for number in range(200)}
    account.docker_config({"auths": {**others, server.host: entry(USER, password)}})

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 0, result


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o644, 0o604], ids=oct)
@pytest.mark.parametrize("kind", ["password", "authfile", "home"])
def test_a_file_that_others_can_read_is_warned_of(account, server, password, kind, mode):
    args = []
    if kind == "password":
        path = account.write("password", password, mode=mode)
        args = ["--user", USER, "--password-file", path]
    elif kind == "authfile":
        path = account.write("given.json", auths(server.host, USER, password), mode=mode)
        args = ["--authfile", path]
    else:
        path = account.docker_config(auths(server.host, USER, password), mode=mode)

    result = account("digest", f"{server.host}/repo:old", *args)
    quiet = account("digest", "-q", f"{server.host}/repo:old", *args)

    assert (result.status, quiet.status, quiet.err) == (0, 0, b""), (result, quiet)
    if mode & 0o044:
        assert password not in result.complaint(str(path))
    else:
        assert result.err == b""


# ---- Helpers


@pytest.fixture
def helped(account, server):
    """The user's helper `test` is named for the server, and does what the script says."""

    def run(script, *args, config=None, **options):
        account.helper("test", script)
        account.docker_config(config or {"credHelpers": {server.host: "test"}})
        return account("digest", f"{server.host}/repo:old", *args, **options)

    return run


def test_a_helper_is_asked_for_the_host(helped, account, server, password):
    notes = account.work / "notes"

    result = helped(f'echo "$# $1 $host" >{notes}\n{answering(USER, password)}')

    assert (result.status, result.err) == (0, b""), result
    assert notes.read_text() == f"1 get {server.host}\n"
    assert only_after_the_challenge(server, password)


def test_a_helper_sees_the_end_of_its_input(account, server, password):
    path = account.helper("test", "")
    path.write_text(f"#!/bin/sh\ncat >{account.work}/all\n{answering(USER, password)}\n")
    account.docker_config({"credHelpers": {server.host: "test"}})

    result = account("digest", f"{server.host}/repo:old")

    assert result.status == 0, result
    assert (account.work / "all").read_text().rstrip("\n") == server.host


def test_a_helper_need_not_read(account, server, password):
    path = account.helper("test", "")
    path.write_text(f"#!/bin/sh\nexec <&-\n{answering(USER, password)}\n")
    account.docker_config({"credHelpers": {server.host: "test"}})

    for _ in range(5):
        assert account("digest", f"{server.host}/repo:old").status == 0


def test_a_helper_starts_clean(helped, account, password):
    script = f"""
        grep -E 'Sig(Ign|Blk)' /proc/self/status >{account.work}/signals
        for one in /proc/$$/fd/*; do
            echo "${{one##*/}} $(readlink "$one")"
        done >{account.work}/files
        {answering(USER, password)}"""

    assert helped(script).status == 0

    for line in (account.work / "signals").read_text().splitlines():
        assert int(line.split()[1], 16) & 1 << (signal.SIGPIPE - 1) == 0, line
    for line in (account.work / "files").read_text().splitlines():
        number, target = line.split(" ", 1)
        assert int(number) <= 2 or not target.startswith("socket:"), line


@pytest.mark.parametrize(
    "config",
    [
        {"credsStore": "test"},
        {"credsStore": "test", "auths": {"{host}": {}}},
        {"credsStore": "absent", "credHelpers": {"{host}": "test"}},
        {"credsStore": "absent", "credHelpers": {"{host}": "test", "elsewhere.test": "absent"}},
    ],
    ids=["store", "store_and_entry", "helper_before_store", "own_helper"],
)
def test_a_helper_is_named_by(helped, server, password, config):
    config = json.loads(json.dumps(config).replace("{host}", server.host))

    result = helped(answering(USER, password), config=config)

    assert result.status == 0, result
    assert only_after_the_challenge(server, password)


def test_a_helper_of_another_host_is_not_asked(helped, account, server, password):
    notes = account.work / "notes"
    config = {
        "credHelpers": {"elsewhere.test": "test"},
        "auths": {server.host: entry(USER, password)},
    }

    result = helped(f"echo asked >{notes}; exit 1", config=config)

    assert result.status == 0, result
    assert not notes.exists()


def test_a_helper_may_say_more_than_is_asked(helped, server, password):
    said = {
        "ServerURL": server.host,
        "Username": USER,
        "Secret": password,
        "More": [1, {"a": None}],
    }

    assert helped(f"echo noise >&2; echo '{json.dumps(said)}'").status == 0


@pytest.mark.parametrize("status", [0, 1], ids=["status_0", "status_1"])
def test_a_helper_that_has_nothing_means_nobody(helped, server, status):
    result = helped(f"echo {NO_CREDENTIALS}; exit {status or 1}")

    assert result.status == 4, result
    assert set(proofs(server)) == {None}


FAILING_HELPERS = {
    "that_fails": "echo the store is locked; exit 1",
    "that_fails_silently": "exit 3",
    "that_fails_with_a_good_answer": answering(USER, "whatever") + "; exit 1",
    "that_is_killed": "kill -9 $$",
    "that_says_nothing": "exit 0",
    "that_says_no_json": "echo hello",
    "that_says_a_list": "echo '[]'",
    "that_says_an_empty_object": "echo '{}'",
    "that_says_no_secret": """echo '{"Username":"somebody"}'""",
    "that_says_a_number": """echo '{"Username":"somebody","Secret":1}'""",
    "that_says_two_things": """echo '{"Username":"a","Secret":"b"}{}'""",
    "that_says_half": """printf '{"Username":"a","Secret":"b"'""",
    "that_does_not_stop_talking": "yes",
    "that_says_too_much": answering(USER, "x" * 100_000),
}


@pytest.mark.parametrize("kind", FAILING_HELPERS)
def test_a_helper(helped, server, kind):
    result = helped(FAILING_HELPERS[kind])

    assert (result.status, result.out) == (16, b""), result
    result.complaint("docker-credential-test")
    assert set(proofs(server)) <= {None}


def test_the_words_of_a_failing_helper_are_passed_on_escaped(helped):
    result = helped(r"printf 'the \033[31mstore\007 is locked\n'; exit 1")

    assert result.status == 16
    result.complaint("store", "is locked")


def is_gone(pid):
    """Whether the process has ended; a process that nobody waited for counts."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return False


def test_a_helper_that_hangs_is_ended_at_the_deadline(helped, account):
    start = time.monotonic()

    result = helped(f"echo $$ >{account.work}/pid; exec sleep 1000", "--timeout", "2")

    assert result.status == 16, result
    result.complaint("docker-credential-test")
    assert time.monotonic() - start < ENDS_WITHIN
    assert is_gone(int((account.work / "pid").read_text()))


@pytest.mark.slow
@LONG
@pytest.mark.parametrize("args, least", [[[], 60], [["--stall", "1"], 60], [["--stall", "70"], 70]])
def test_a_helper_that_hangs_has_a_minute_where_a_run_has_a_day(account, server, args, least):
    account.helper("test", "exec sleep 1000")
    account.docker_config({"credsStore": "test"})
    start = time.monotonic()

    result = account("fetch", f"{server.host}/repo:old", "-o", account.work / "file", *args)

    assert result.status == 16, result
    result.complaint("docker-credential-test", "in time")
    assert least <= time.monotonic() - start < least + ENDS_WITHIN


def test_a_helper_that_ignores_signals_is_ended_too(helped, account):
    script = f"trap '' TERM INT HUP; echo $$ >{account.work}/pid; while :; do sleep 1; done"

    result = helped(script, "--timeout", "2")

    assert result.status == 16, result
    assert is_gone(int((account.work / "pid").read_text()))


def test_a_helper_that_has_left_its_process_group_is_ended_too(helped, account):
    code = "import os, time; os.setpgid(0, os.getpgid(os.getppid())); time.sleep(1000)"
    script = f"echo $$ >{account.work}/pid; exec {sys.executable} -c '{code}'"

    result = helped(script, "--timeout", "1", limit=30)

    assert result.status == 16, result
    assert is_gone(int((account.work / "pid").read_text()))


def test_a_session_of_its_own_that_a_helper_leaves_behind_does_not_hold_up(helped, account, password):
    """It has all that the helper had open."""
    script = f"""
        setsid sh -c 'echo $$ >{account.work}/pid; exec sleep 1000' &
        while [ ! -s {account.work}/pid ]; do sleep 0.01; done
        {answering(USER, password)}"""
    try:
        result = helped(script, "-v", limit=30)
    finally:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((account.work / "pid").read_text()), signal.SIGKILL)

    assert result.status == 0, result


@pytest.mark.parametrize("fault", ["retval=1", "error=EIO"], ids=["short", "failed"])
def test_a_helper_that_cannot_be_asked_is_not_run_and_nobody_is_killed(
    strace, account, server, monkeypatch, fault
):
    """The first write is that of the host to its standard input."""
    account.helper("test", f"touch {account.work}/ran")
    config = account.docker_config({"credHelpers": {server.host: "test"}})
    monkeypatch.setenv("PATH", account.env["PATH"])
    options = ["-f", "-e", "trace=write,kill", "-e", f"inject=write:{fault}:when=1"]

    result, trace = strace(options, ["digest", "--authfile", config, f"{server.host}/repo:old"])

    assert result.status == 16, result
    assert "docker-credential-test" in result.err.decode()
    assert "Input/output error" in result.err.decode()
    assert f", {len(server.host)})" in trace.splitlines()[0]  # strace may not read the memory of a user's program
    assert "kill(" not in trace
    assert not (account.work / "ran").exists()


def test_what_a_helper_leaves_behind_does_not_hold_up(helped, account, password):
    script = f"sleep 1000 & echo $! >{account.work}/pid; {answering(USER, password)}"
    start = time.monotonic()
    try:
        result = helped(script, "--timeout", "3")
    finally:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((account.work / "pid").read_text()), signal.SIGKILL)

    # The answer may be taken, or the wait for its end given up; what counts is that it ends.
    assert result.status in (0, 16), result
    assert time.monotonic() - start < ENDS_WITHIN


def leave_out(account, host):
    return "PATH"


def make_it_no_program(account, host):
    path = account.bin / "docker-credential-test"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o600)
    return "PATH"


def make_it_one_of_windows(account, host):
    path = account.bin / "docker-credential-test"
    path.write_bytes(b"MZ\x90\0not for this machine")
    path.chmod(0o700)
    return "cannot be run: Exec format error"


def make_it_run_by_nothing(account, host):
    path = account.bin / "docker-credential-test"
    path.write_text("#!/nowhere/at/all\n")
    path.chmod(0o700)
    return "cannot be run: No such file"


def make_it_run_something_missing(account, host):
    account.helper("test", "exec docker-credential-elsewhere")
    return "cannot be run"


NOT_RUN = [
    leave_out,
    make_it_no_program,
    make_it_one_of_windows,
    make_it_run_by_nothing,
    make_it_run_something_missing,
]


def named_by_the_host(host):
    return {"credHelpers": {host: "test"}}


def named_beside_an_entry(host):
    return {"credHelpers": {host: "test"}, "auths": {host: entry(USER, "x")}}


def named_for_an_entry(host):
    return {"credsStore": "test", "auths": {host: {}}}


def named_for_all(host):
    return {"credsStore": "test"}


NAMED = [named_by_the_host, named_beside_an_entry, named_for_an_entry, named_for_all]


@pytest.mark.parametrize("config", NAMED, ids=each)
@pytest.mark.parametrize("break_it", NOT_RUN, ids=each)
def test_a_helper_that_cannot_be_run_leads_to_no_other_login(
    account, server, password, config, break_it
):
    words = break_it(account, server.host)
    podman = account.write("run/containers/auth.json", config(server.host))
    account.docker_config(auths(server.host, USER, password))
    env = {"XDG_RUNTIME_DIR": str(podman.parent.parent)}

    result = account("digest", f"{server.host}/repo:old", env=env)

    assert (result.status, result.out) == (16, b""), result
    warning, error = result.complaints
    assert "trying without a login" in warning
    for line in warning, error:
        assert f"{podman}: docker-credential-test" in line and words in line, line
    assert "401" in error
    assert set(proofs(server)) == {None}


@pytest.mark.parametrize("quiet", [[], ["-q"]], ids=["loud", "quiet"])
def test_a_helper_that_cannot_be_run_does_not_matter_where_none_is_needed(
    account, serve, shelf, quiet
):
    server = serve(shelf)
    account.docker_config({"credsStore": "absent"})

    result = account("tag", f"{server.host}/repo:old", "new", *quiet)

    assert result.status == 0, result
    if quiet:
        assert result.err == b""
    else:
        result.complaint("docker-credential-absent", "trying without a login")


def test_a_helper_that_cannot_be_run_is_why_each_name_failed(account, server):
    account.docker_config({"credsStore": "absent"})

    result = account("tag", "--json", f"{server.host}/repo:old", "one", "two")

    assert result.status == 16, result
    for row in result.objects:
        assert row["status"] == 16 and "docker-credential-absent" in row["error"], row


def test_a_refusal_that_is_not_401_is_not_the_helpers_fault(account, serve):
    server = serve(lambda request: errors(403, "DENIED", "no"))
    account.docker_config({"credsStore": "absent"})

    assert account("manifest", f"{server.host}/repo:old").status == 4


def test_a_helper_that_was_not_found_may_come_later(account, server, password):
    account.docker_config({"credsStore": "late"})
    assert account("digest", f"{server.host}/repo:old").status == 16

    account.helper("late", answering(USER, password))

    assert account("digest", f"{server.host}/repo:old").status == 0


@pytest.mark.parametrize(
    "name",
    [
        "../test",
        "a/../test",
        "/bin/true",
        "a b",
        "a;touch pwned",
        "$(touch pwned)",
        ".",
        "tést",
        "a\n",
    ],
)
@pytest.mark.parametrize("member", ["credHelpers", "credsStore"])
def test_a_name_that_is_none_of_a_helper_is_refused(account, server, member, name):
    account.helper("test", "touch pwned")
    named = {"credHelpers": {server.host: name}, "credsStore": name}[member]
    account.docker_config({member: named, "auths": {server.host: {}}})

    result = account("digest", f"{server.host}/repo:old")

    assert (result.status, result.out) == (16, b""), result
    result.complaint()
    assert list(account.work.iterdir()) == []
    assert set(proofs(server)) <= {None}
