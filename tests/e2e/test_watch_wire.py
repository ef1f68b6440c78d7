"""What `watch` costs a registry: connections, conditions, tokens, and how it heeds its wishes."""

import pytest
from accounts import auths
from conftest import OCI_DOCUMENT, OTHER_DOCUMENT
from fake import CLOSE, answer, bodiless, with_fields
from guarded import PasswordRegistry, TokenRegistry
from images import DOCKER_MANIFEST, OCI_MANIFEST, compact, digest_of, docker_manifest
from recorder import Recorder
from token_server import Signer, Tokens, password_gate, secret, token_gate
from watcher import NEW, OLD, RARELY, point, shell, until

pytest_plugins = ["watch_fixtures", "account_fixtures"]
USER = "somebody"


def ask(watcher, server, times):
    """So many asks, each after the one before has been answered."""
    for _ in range(times):
        watcher.ask_now()
        watcher.err.next("* checking")
        watcher.err.next("* checking again in")


# ---- Connections and conditions


def test_one_connection_and_one_request_an_ask(server, watched, watch):
    watcher = watch(watched, "-v")
    watcher.err.next("* checking again in")
    ask(watcher, server, 20)

    assert server.request_lines == ["HEAD /v2/repo/manifests/old"] * 21
    assert server.connections == 1


def test_a_real_registry_need_not_repeat_itself(registry, recorder, repository, watch):
    image = f"{recorder.host}/{repository}:old"
    new = compact(docker_manifest())
    watcher = watch(image, "-v")
    watcher.err.next("* checking again in")
    watcher.ask_now()
    watcher.err.next("304")
    watcher.err.next("* checking again in")
    moved = registry.push(repository, "old", DOCKER_MANIFEST, new)
    watcher.ask_now()
    watcher.err.next("200")
    watcher.err.next("* checking again in")
    watcher.ask_now()
    watcher.err.next("304")

    watcher.end()

    conditions = [request.value("If-None-Match") for request in recorder.requests]
    assert [one and one.strip('"') for one in conditions[2:]] == [conditions[1].strip('"'), moved]
    assert conditions[0] is None
    assert len(watcher.out.all()) == 1
    assert {request.connection for request in recorder.requests} == {1}


@pytest.mark.parametrize("field", ['ETag: "{}"', 'ETag: W/"{}"', "Docker-Content-Digest: {}"])
def test_a_304_that_names_another_digest_is_a_move(server, shelf, watched, watch, field):
    """As something between may answer that takes every condition for met."""
    watcher = watch(watched, *RARELY)
    watcher.err.next("watching")
    told = shelf.instead["HEAD"] = lambda request: bodiless(answer(304, b"", field.format(NEW)))
    watcher.ask_now()
    watcher.out.next(f"{OLD}\t{NEW}")
    watcher.ask_now()
    until(lambda: len(server.requests) == 3, "the third ask")
    shelf.instead["HEAD"] = lambda request: told(request).replace(NEW.encode(), OLD.encode())
    watcher.ask_now()
    watcher.out.next(f"{NEW}\t{OLD}")

    watcher.end()

    assert len(watcher.out.all()) == 2
    conditions = [request.value("If-None-Match") for request in server.requests]
    assert conditions == [None, f'"{OLD}"', f'"{NEW}"', f'"{NEW}"']


def test_a_connection_that_was_closed_meanwhile_is_no_failure(serve, shelf, watch):
    shelf.instead["HEAD"] = lambda request: [shelf.usual(request), CLOSE]
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", "-v", "--retries", "0")
    watcher.err.next("* checking again in")
    ask(watcher, server, 5)

    watcher.end()

    assert not [line for line in watcher.err.all() if "failure" in line or "lost" in line]
    assert len(server.requests) == 6


def test_a_connection_is_not_kept_for_long(server, watched, watch):
    """Something between may forget it, and would not tell."""
    watcher = watch(watched, *RARELY, "-v")
    watcher.err.next("* checking again in")
    files = len(watcher.descriptors())

    ask(watcher, server, 3)

    assert len(watcher.descriptors()) == files == 3
    assert server.connections == 4
    assert len(server.requests) == 4


# ---- Registries with passwords and tokens


@pytest.fixture
def tokens():
    return Tokens()


@pytest.fixture
def auth(serve, tokens):
    return serve(tokens)


@pytest.fixture
def guarded(serve, shelf, tokens, auth):
    return serve(token_gate(shelf, tokens, auth))


def test_a_token_is_kept(guarded, auth, watch):
    watcher = watch(f"{guarded.host}/repo:old", "-v")
    watcher.err.next("* checking again in")
    ask(watcher, guarded, 10)

    assert len(auth.requests) == 1
    assert len(guarded.requests) == 12  # the first one was refused


def test_a_token_that_has_expired_is_not_shown_again(guarded, tokens, auth, watch):
    tokens.expires_in = 1
    watcher = watch(f"{guarded.host}/repo:old", "--interval", "2", "--jitter", "0", "-v")
    for _ in range(3):
        watcher.err.next("* checking again in")
    watcher.end()

    assert len(auth.requests) == 3
    proofs = [request.value("Authorization") for request in guarded.requests]
    assert len(proofs) <= 6
    assert len({proof for proof in proofs if proof}) == 3
    assert len([proof for proof in proofs if proof]) == 3


def test_a_token_that_is_refused_is_renewed(guarded, tokens, auth, watch):
    watcher = watch(f"{guarded.host}/repo:old", "-v")
    watcher.err.next("* checking again in")
    tokens.forget()
    ask(watcher, guarded, 2)

    watcher.end()

    assert len(auth.requests) == 2
    assert not [line for line in watcher.err.all() if "failure" in line or "denied" in line]


def test_a_password_that_was_changed_is_read_again(account, serve, shelf, watch):
    right = secret("password")
    server = serve(password_gate(shelf, USER, right))
    account.docker_config(auths(server.host, USER, "an old one"))
    watcher = watch(f"{server.host}/repo:old", "-v", "--retries", "0", env=account.env)
    watcher.err.next("* checking again in")
    account.docker_config(auths(server.host, USER, right))

    watcher.ask_now()

    watcher.err.next("answers again, after 1 failure")
    watcher.err.next(f"now at {OLD}")


def test_a_file_that_cannot_be_used_may_be_mended(account, server, watched, watch):
    account.docker_config("{")
    watcher = watch(watched, *RARELY, env=account.env)
    watcher.err.next("config.json")
    account.docker_config("{}")

    watcher.ask_now()

    watcher.err.next("answers again")


def test_a_password_on_stdin_serves_for_ever(account, serve, shelf, watch, tmp_path):
    password = secret("password")
    doors = {"open": False}
    gate = password_gate(shelf, USER, password)
    server = serve(lambda request: gate(request) if doors["open"] else gate.refusal(request))
    (tmp_path / "stdin").write_text(password)
    options = ["--user", USER, "--password-stdin", "--retries", "0", "-v"]
    with open(tmp_path / "stdin", "rb") as stdin:
        watcher = watch(f"{server.host}/repo:old", *RARELY, *options, env=account.env, stdin=stdin)
    watcher.err.next("* checking again in")
    ask(watcher, server, 2)
    doors["open"] = True

    watcher.ask_now()

    watcher.err.next("answers again, after 3 failures")


def test_nothing_on_stdin_is_the_end(account, server, watched, watch):
    watcher = watch(watched, "--user", USER, "--password-stdin", env=account.env)

    assert watcher.status() == 16
    assert len(watcher.err.all()) == 1
    assert not server.requests


def test_a_warning_of_a_file_comes_once(account, serve, shelf, watch):
    server = serve(password_gate(shelf, USER, secret("password")))
    account.docker_config(auths(server.host, USER, "wrong"), mode=0o644)
    watcher = watch(f"{server.host}/repo:old", "-v", "--retries", "0", env=account.env)
    watcher.err.next("* checking again in")
    ask(watcher, server, 3)

    watcher.end()

    assert len([line for line in watcher.err.all() if "chmod" in line]) == 1


def test_secrets_are_nowhere_to_be_seen(account, serve, shelf, watch):
    password = secret("password")
    server = serve(password_gate(shelf, USER, password))
    account.docker_config(auths(server.host, USER, password))
    command = shell("env; cat /proc/$PPID/cmdline /proc/$PPID/environ | tr '\\0' '\\n'")
    image = f"{server.host}/repo:old"
    watcher = watch(image, "-v", "--once", "--from", "absent", command=command, env=account.env)

    assert watcher.status() == 0
    said = "\n".join(watcher.out.all() + watcher.err.all())
    assert password not in said
    assert auths(server.host, USER, password)["auths"][server.host]["auth"] not in said


def test_a_real_registry_with_a_password(account, registry_binary, tmp_path, watch):
    password = secret("password")
    folder = tmp_path / "registry"
    folder.mkdir()
    with PasswordRegistry(registry_binary, folder, USER, password) as registry:
        old = registry.push_image("repo", "old", OCI_MANIFEST, OCI_DOCUMENT)
        account.docker_config(auths(registry.host, USER, password))
        with Recorder(registry.port) as relay:
            account.docker_config(auths(relay.host, USER, password))
            watcher = watch(f"{relay.host}/repo:old", "-v", env=account.env)
            watcher.err.next(f"now at {old}")
            watcher.err.next("* checking again in")
            ask(watcher, relay, 2)
            new = registry.push("repo", "old", OCI_MANIFEST, OTHER_DOCUMENT)
            watcher.ask_now()
            watcher.out.next(f"{old}\t{new}")
            assert len(relay.requests) == 5


def test_a_real_registry_with_tokens(account, registry_binary, tmp_path, serve, watch):
    folder = tmp_path / "registry"
    folder.mkdir()
    signer = Signer(folder)
    tokens = Tokens(signer)
    auth = serve(tokens)
    realm = f"http://{auth.host}/token"
    with TokenRegistry(registry_binary, folder, realm, signer) as registry:
        registry.push_image("repo", "old", OCI_MANIFEST, OCI_DOCUMENT)
        tokens.expires_in = tokens.lifetime = 2
        image = f"{registry.host}/repo:old"
        watcher = watch(image, "--interval", "1", "-v", env=account.env)
        for _ in range(5):
            watcher.err.next("* checking again in")
        watcher.end()

    assert not [line for line in watcher.err.all() if line.startswith("regtag: 127")]
    assert 2 <= len(auth.requests) <= 5


# ---- Registries that want to be left alone


def seconds(line, words="checking again in "):
    """How long it waits, by what it says behind these words."""
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    words = line.partition(words)[2].split()
    return sum(int(count) * units[unit] for count, unit in zip(words[::2], words[1::2]))


EXACTLY = ["--interval", "10", "--jitter", "0", "-v"]


def test_retry_after_is_a_minimum(serve, shelf, watch):
    shelf.instead["HEAD"] = lambda request: answer(429, b"", "Retry-After: 600")
    server = serve(shelf)

    watcher = watch(f"{server.host}/repo:old", *EXACTLY)

    watcher.err.next("slow down")
    assert 590 <= seconds(watcher.err.next("checking again in")) <= 600


def test_a_pause_beyond_the_interval_is_told(serve, shelf, watch):
    """When it begins, and when it has become much longer."""
    pauses = iter(["600", "600", "900", "2h", "600", "10", "600.5", "600"])
    shelf.instead["HEAD"] = lambda request: answer(429, b"", f"Retry-After: {next(pauses)}")
    server = serve(shelf)
    image = f"{server.host}/repo:old"
    watcher = watch(image, *EXACTLY, "--retries", "0")

    told = []
    for _ in range(7):
        watcher.err.next("* checking again in")
        lines = [line for line in watcher.err.seen if "next check" in line]
        told.append(lines[sum(map(len, told)) :])
        watcher.ask_now()

    assert [len(lines) for lines in told] == [1, 0, 0, 1, 0, 0, 1]
    waits = [seconds(lines[0], "the next check is in ") for lines in told if lines]
    for wait, pause in zip(waits, [600, 7200, 600.5]):
        assert pause - 10 <= wait <= pause + 1


def test_a_pause_within_the_interval_is_not_told(serve, shelf, watch):
    shelf.instead["HEAD"] = lambda request: answer(429, b"", "Retry-After: 5")
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", *EXACTLY, "--retries", "0")
    watcher.err.next("* checking again in")

    assert not [line for line in watcher.err.seen if "next check" in line]


def test_a_quiet_watch_does_not_tell_of_pauses(serve, shelf, watch):
    shelf.instead["HEAD"] = lambda request: answer(429, b"", "Retry-After: 600")
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", *EXACTLY[:-1], "--quiet")
    watcher.err.next("slow down")
    watcher.ask_now()
    until(lambda: len(server.requests) == 2, "the second ask")
    watcher.end()

    assert not [line for line in watcher.err.all() if "next check" in line]


def test_retry_after_for_ever_is_a_day(serve, shelf, watch):
    shelf.instead["HEAD"] = lambda request: answer(429, b"", "Retry-After: 999999999999")
    server = serve(shelf)

    watcher = watch(f"{server.host}/repo:old", *EXACTLY)

    assert seconds(watcher.err.next("checking again in")) == 86400


def test_what_is_left_of_a_rate_lasts_for_its_window(serve, shelf, watch):
    left = {"count": 30}

    def metered(request):
        left["count"] -= 1
        field = f"RateLimit-Remaining: {left['count']};w=3600\r\n\r\n".encode()
        return bodiless(shelf.usual(request))[:-2] + field

    shelf.instead["HEAD"] = metered
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", *EXACTLY)
    watcher.err.next("checking again in")
    watcher.ask_now()
    watcher.err.next("* checking")

    assert 100 <= seconds(watcher.err.next("checking again in")) <= 140


def test_a_rate_that_is_not_used_up_slows_nothing_down(serve, shelf, watch):
    def unmetered(request):
        return bodiless(shelf.usual(request))[:-2] + b"RateLimit-Remaining: 100;w=21600\r\n\r\n"

    shelf.instead["HEAD"] = unmetered
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", *EXACTLY)
    for _ in range(3):
        watcher.err.next("* checking")
        line = watcher.err.next("checking again in")
        watcher.ask_now()

    assert seconds(line) == 10


def rated(shelf, left):
    """A function that answers as usual and says what is left of a rate."""
    field = "RateLimit-Remaining: {count};w=21600"
    return lambda request: with_fields(shelf.usual(request), [field.format(**left)])


def test_a_rate_that_is_used_up_does_not_stop_free_requests(serve, shelf, watch):
    """Somebody else behind the same address has used it up, or does so meanwhile."""
    left = {"count": 0}
    shelf.instead["HEAD"] = rated(shelf, left)
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", *EXACTLY)
    for count in [0, 0, 0, 3, 3, 3, 2, 2, 0, 0]:
        left["count"] = count
        watcher.err.next("* checking")
        assert seconds(watcher.err.next("checking again in")) == 10
        watcher.ask_now()

    assert not [line for line in watcher.err.seen if "next check" in line]


def test_a_rate_is_obeyed_once_a_request_is_refused(serve, shelf, watch):
    left = {"count": 0}
    free = shelf.instead["HEAD"] = rated(shelf, left)
    server = serve(shelf)
    watcher = watch(f"{server.host}/repo:old", *EXACTLY, "--retries", "0")
    assert seconds(watcher.err.next("checking again in")) == 10
    refusal = answer(429, b"", "RateLimit-Remaining: 0;w=21600")
    shelf.instead["HEAD"] = lambda request: bodiless(refusal)
    watcher.ask_now()
    watcher.err.next("next check is in 6 h")
    shelf.instead["HEAD"] = free
    watcher.ask_now()

    assert seconds(watcher.err.next("* checking again in 10 s")) == 10


def test_a_rate_of_the_token_server_is_not_the_registrys(serve, shelf, tokens, watch):
    counts = iter(range(100, 0, -1))

    def metered(request):
        return with_fields(tokens(request), [f"RateLimit-Remaining: {next(counts)};w=21600"])

    auth = serve(metered)
    shelf.instead["HEAD"] = rated(shelf, {"count": 50})
    server = serve(token_gate(shelf, tokens, auth))
    watcher = watch(f"{server.host}/repo:old", *EXACTLY)
    for _ in range(3):
        watcher.err.next("* checking")
        assert seconds(watcher.err.next("checking again in")) == 10
        tokens.forget()
        watcher.ask_now()

    assert len(auth.requests) >= 3


def test_jitter_is_jitter(server, watched, watch):
    watcher = watch(watched, "--interval", "1000", "--jitter", "20%", "-v")
    waits = set()
    assert 500 <= seconds(watcher.err.next("checking again in")) <= 1500  # others may have begun with us
    for _ in range(20):
        watcher.ask_now()
        waits.add(seconds(watcher.err.next("checking again in")))

    assert all(800 <= wait <= 1200 for wait in waits), waits
    assert len(waits) > 5
    assert min(waits) < 1000 < max(waits)
