"""The static program as a board has it: nothing there but busybox and regtag, and nothing can be written.

No /dev and so no /dev/urandom, no /etc, no /proc, no /tmp, no HOME. For another processor's program, EMULATOR says what
runs it, and STATIC where it is if REGTAG is something that starts it.
"""

import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import pytest
from authority import NAME, moment
from board import NOBODY, PLAIN, Board, by_clock, emulator, static_program
from conftest import program_path
from fronts import needs_tls, reached
from images import OCI_MANIFEST, compact, oci_manifest
from tls_server import Front, server_context

pytest_plugins = ["tls_fixtures"]

PROGRAM = static_program(program_path())
if not PROGRAM:
    pytest.skip("a board's program is a static one: make check-targets", allow_module_level=True)

OTHER, NO_CONNECTION, UNTRUSTED, BAD_DATES = 1, 5, 7, 8
BUNDLES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"]
AGENT = Path(__file__).resolve().parent.parent.parent / "src/examples/agent.sh"


@pytest.fixture
def board(regtag, tmp_path):
    one = Board(regtag, PROGRAM, tmp_path)
    alive = one.shell("echo alive")
    if alive.out != b"alive\n":
        pytest.skip(f"no root file system of one's own here: {alive.err.decode(errors='replace').strip()}")
    return one


@pytest.fixture(params=[0, NOBODY], ids=["root", "nobody"])
def user(request):
    if request.param and os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    return request.param


# Where the registry is, for the program: its name, and the options to get there.
Door = namedtuple("Door", "host options")


@pytest.fixture
def front(registry, certificate, tmp_path):
    """TLS in front of docker-registry."""
    with Front(registry.port, server_context(tmp_path, certificate)) as one:
        yield one


WAYS = ["plain", pytest.param("tls", marks=needs_tls), pytest.param("name", marks=needs_tls)]


@pytest.fixture(params=WAYS)
def door(request, registry, board):
    """By a number in plain HTTP, by a number in TLS, and by a name in TLS."""
    if request.param == "plain":
        return Door(registry.host, [])
    front = request.getfixturevalue("front")
    board.put("/ca.pem", request.getfixturevalue("root").pem)
    host = f"{NAME if request.param == 'name' else '127.0.0.1'}:{front.port}"
    where = reached(host) if request.param == "name" else ["--tls"]
    return Door(host, [*where, "--cacert", "/ca.pem"])


def done(result):
    assert (result.status, result.err) == (0, b""), result
    return result


# ---- What there is ---------------------------------------------------------------------------------


def test_there_is_nothing_else_and_nobody_can_write(board, user):
    found = board.shell("find / -xdev -type f; echo; echo >/file", user=user)

    expected = {"/regtag", "/bin/busybox"} | ({"/emulator"} if emulator() else set())
    assert set(found.out.decode().split()) == expected
    assert b"/file: " in found.err and not (board.folder / "file").exists()


def test_help_and_version_need_nothing(board, user):
    for args in (["--version"], ["--help"], ["help", "tag"], ["delete", "--help"], ["watch", "--help"]):
        assert done(board(*args, user=user, closed=["stdin"])).out


# ---- The commands ----------------------------------------------------------------------------------


def test_the_commands_do_what_they_should(board, user, door, registry, repository):
    host, options = door
    image = f"{host}/{repository}"
    _, digest, document = registry.fetch(repository, "old")

    def run(*args):
        return done(board(*args, *options, user=user, closed=["stdin"]))

    assert run("digest", f"{image}:old").lines == [digest]
    assert run("manifest", f"{image}:old").out == document
    assert [row[1] for row in run("tag", f"{image}:old", "new", "newer").rows] == [digest, digest]
    assert registry.fetch(repository, "new")[1:] == (digest, document)
    assert set(run("ls", image).lines) == {"new", "newer", "old"}


def test_a_password_comes_from_a_pipe(board, user, registry, repository):
    host = registry.host
    result = board.shell(
        'echo secret | "$@" --user me --password-stdin',
        *[*board.program, "digest", f"{host}/{repository}:old"],
        user=user,
    )

    assert done(result).lines == [registry.digest(repository, "old")]


def test_tags_are_moved_put_back_and_deleted(board, user, start_registry):
    """docker-registry deletes all tags of a digest or none, so the digest has only one."""
    registry = start_registry(delete=True)
    old, new = (compact(oci_manifest(annotations={"which": which})) for which in ("old", "new"))
    first = registry.push_image("app", "stable", OCI_MANIFEST, old)
    second = registry.push("app", "next", OCI_MANIFEST, new)
    image = f"{registry.host}/app"

    def run(*args):
        result = board(*args, user=user, writable=True, closed=["stdin"])
        assert result.status == 0, result
        return result.rows

    journal = ["--journal", "/state/journal"]
    assert run("tag", *journal, f"{image}:next", "stable") == [(f"{image}:stable", second, "moved", first)]
    assert run("undo", "/state/journal") == [(f"{image}:stable", first, "moved", second)]
    assert registry.digest("app", "stable") == first
    deleted = run("delete", *journal, "--with-siblings", f"{image}:next")
    assert deleted == [(f"{image}:next", "-", "deleted", second)]
    assert registry.digest("app", "next") is None and registry.digest("app", "stable") == first


def test_a_journal_needs_a_place_that_can_be_written(board, user, recorder, repository):
    image = f"127.0.0.1:{recorder.port}/{repository}:old"

    result = board("tag", "--journal", "/journal", image, "new", user=user)

    assert (result.status, result.rows[0][2]) == (OTHER, "failed"), result
    result.complaint("/journal", "read-only")
    assert recorder.connections == 0


@pytest.mark.parametrize("closed", [[], ["stdin"], ["stdin", "stderr"]], ids=["all", "one", "two"])
def test_watch_runs_a_command(board, user, registry, repository, closed):
    """The command has nothing to read, although there is no /dev/null to read it from."""
    digest = registry.digest(repository, "old")
    script = 'read -r line; echo "$line$REGTAG_NEW" >/state/new'

    result = board(
        *["watch", "-q", "--once", "--from", "absent", f"{registry.host}/{repository}:old"],
        *["--", "/bin/sh", "-c", script],
        user=user,
        writable=True,
        closed=closed,
    )

    assert (result.status, result.lines, result.err) == (0, [f"-\t{digest}"], b"")
    assert (board.state / "new").read_text() == f"{digest}\n"


@pytest.mark.parametrize("option", ["-q", "-v"])
def test_a_helper_for_credentials(board, user, registry, repository, option):
    """What it says is not shown, although there is no /dev/null to send it to."""
    board.put(
        "/bin/docker-credential-board",
        "#!/bin/sh\necho chatter >&2\necho '{\"Username\":\"me\",\"Secret\":\"secret\"}'\n",
        0o755,
    )
    board.put("/config.json", '{"credsStore":"board"}')
    image = f"{registry.host}/{repository}:old"

    result = board("digest", option, "--authfile", "/config.json", image, user=user)

    assert (result.status, result.lines) == (0, [registry.digest(repository, "old")]), result
    assert (b"chatter" in result.err) == (option == "-v")


def test_the_agent_for_busybox(board, door, registry, repository):
    """regtag is a command there, whatever starts it. An image is installed once."""
    host, options = door
    words = " ".join(board.program)
    board.put("/bin/regtag", f'#!/bin/sh\nexec {words} "$@"\n', 0o755)
    board.put("/bin/install", '#!/bin/sh\necho "$1" >>/state/log\n', 0o755)
    board.put("/agent.sh", AGENT.read_text(), 0o755)
    image = f"{host}/{repository}:old"
    digest = registry.digest(repository, "old")
    variables = "export PATH=/bin STATE=/state/installed INSTALL=/bin/install INTERVAL=1"

    agent = board.start(f'{variables}; exec "$@"', "/agent.sh", image, "board7", *options, user=PLAIN)
    with agent:
        agent.wait_for(lambda: (board.state / "installed.marked").exists())
        asked = agent.errors()
        agent.wait_for(lambda: registry.digest(repository, "board7-installed"))
        time.sleep(2.5 if not emulator() else 5)  # for another round, or two

    assert registry.digest(repository, "board7-installed") == digest
    assert (board.state / "installed").read_text() == f"{digest}\n"
    assert (board.state / "log").read_text() == f"{image}@{digest}\n"
    assert asked == agent.errors() == ""


# ---- Standard streams that are closed, with no /dev/null to take their place -----------------------


@pytest.mark.parametrize("closed", ["stdin", "stderr", "stdin stderr"])
def test_what_is_said_goes_to_no_connection(board, recorder, registry, repository, closed):
    """With -v there is much to say."""
    host = f"127.0.0.1:{recorder.port}"
    closed = closed.split()

    result = board("tag", "-v", f"{host}/{repository}:old", "new", closed=closed)

    assert result.status == 0 and result.rows, result
    assert [line.split("/")[-1] for line in recorder.request_lines][-1] == "new"
    for conversation in recorder.conversations:
        assert b" ms " not in conversation.sent and b"regtag: " not in conversation.sent


@pytest.mark.parametrize("closed", ["stdout", "stdin stdout", "stdin stdout stderr"])
def test_without_stdout_nothing_is_done(board, recorder, registry, repository, closed):
    host = f"127.0.0.1:{recorder.port}"
    closed = closed.split()

    result = board("tag", f"{host}/{repository}:old", "new", closed=closed)

    assert result.status == OTHER
    assert recorder.connections == 0 and registry.digest(repository, "new") is None
    if "stderr" not in closed:
        result.complaint("stdout is closed")


# ---- Names -----------------------------------------------------------------------------------------


def test_a_name_without_a_name_server(board):
    result = board("digest", "--timeout", "12", "--retries", "0", "--plain-http", "registry.test/a:b")

    assert (result.status, result.out) == (NO_CONNECTION, b"")
    result.complaint("registry.test", "no name server", "/etc/resolv.conf", "--resolve")


def test_an_answer_that_comes_with_the_deadline(board):
    """musl gives up after five seconds."""
    result = board("digest", "--timeout", "5", "--plain-http", "registry.test/a:b")

    assert (result.status, result.out) == (NO_CONNECTION, b"")
    complaint = result.complaint("/etc/resolv.conf")
    assert ("--resolve" in complaint) != ("--timeout" in complaint)


def test_a_name_that_is_looked_up_for_too_long(board):
    start = time.monotonic()

    result = board("digest", "--timeout", "2", "--plain-http", "registry.test/a:b")

    assert time.monotonic() - start < 10
    assert (result.status, result.out) == (NO_CONNECTION, b"")
    result.complaint("registry.test", "looked up", "/etc/resolv.conf", "--timeout")


def test_a_name_is_found_by_an_option(board, user, registry, repository):
    host = f"{NAME}:{registry.port}"

    result = board("digest", "--plain-http", *reached(host), f"{host}/{repository}:old", user=user)

    assert done(result).lines == [registry.digest(repository, "old")]


def test_a_name_is_found_in_etc_hosts(board, user, registry, repository):
    board.put("/etc/hosts", f"127.0.0.1 {NAME}\n")

    result = board("digest", "--plain-http", f"{NAME}:{registry.port}/{repository}:old", user=user)

    assert done(result).lines == [registry.digest(repository, "old")]


# ---- Trust -----------------------------------------------------------------------------------------


@needs_tls
@pytest.mark.parametrize("place", BUNDLES)
def test_the_authorities_of_the_system(board, user, front, registry, repository, crowd, place):
    board.put(place, crowd.read_text())

    result = board("digest", "--tls", f"127.0.0.1:{front.port}/{repository}:old", user=user)

    assert done(result).lines == [registry.digest(repository, "old")]


@needs_tls
def test_no_authorities_are_told(board, user, front, repository):
    result = board("digest", "--tls", f"127.0.0.1:{front.port}/{repository}:old", user=user)

    assert (result.status, result.out) == (UNTRUSTED, b"")
    result.complaint(f"127.0.0.1:{front.port}", *BUNDLES, "--cacert")
    assert all(not one.sent for one in front.settled())


# ---- Randomness ------------------------------------------------------------------------------------


@pytest.fixture
def old_kernel(board):
    """The board, with a kernel that does not know getrandom."""
    if emulator():
        pytest.skip("the emulator itself needs randomness")
    if shutil.which("strace") is None:
        pytest.skip("there is no strace")
    log = board.folder.parent / "strace"
    options = ["-e", "trace=getrandom", "-e", "inject=getrandom:error=ENOSYS"]

    def run(*args, **more):
        result = board(*args, before=["strace", "-qq", "-o", log, *options], **more)
        if not log.exists():
            pytest.skip(f"programs cannot be traced here: {result.err.decode(errors='replace')}")
        assert "INJECTED" in log.read_text()
        return result

    return run


@needs_tls
def test_no_randomness_is_told(board, old_kernel, front, root, repository):
    board.put("/ca.pem", root.pem)
    image = f"127.0.0.1:{front.port}/{repository}:old"

    result = old_kernel("digest", "--tls", "--cacert", "/ca.pem", image)

    assert (result.status, result.out) == (OTHER, b"")
    result.complaint("random", "getrandom", "/dev/urandom")
    assert all(not one.sent for one in front.settled())


@needs_tls
def test_an_old_kernel_has_a_file(board, old_kernel, front, root, registry, repository):
    board.put("/dev/urandom", os.urandom(65536))
    board.put("/ca.pem", root.pem)
    image = f"127.0.0.1:{front.port}/{repository}:old"

    result = old_kernel("digest", "--tls", "--cacert", "/ca.pem", image)

    assert done(result).lines == [registry.digest(repository, "old")]


def test_plain_http_needs_no_randomness(board, old_kernel, registry, repository):
    result = old_kernel("tag", f"{registry.host}/{repository}:old", "new")

    assert done(result).rows
    assert registry.digest(repository, "new") == registry.digest(repository, "old")


# ---- The clock -------------------------------------------------------------------------------------

IN_1970 = 600
EVER = (-365 * 25, 365 * 20)  # whenever the program was built, it was then


@pytest.fixture
def timed(board, registry, repository, workshop, tmp_path):
    """Runs the program in 1970, with a server whose certificate is good from a day to another day."""

    def run(days, *options):
        root = workshop.root("A lasting root", days=EVER)
        board.put("/ca.pem", root.pem)
        with Front(registry.port, server_context(tmp_path, workshop.server(root, days=days))) as front:
            image = f"127.0.0.1:{front.port}/{repository}:old"
            return board(
                *["digest", "--tls", "--cacert", "/ca.pem", *options, image], before=by_clock(IN_1970)
            )

    return run


@needs_tls
def test_in_1970_the_day_of_the_build_is_believed_instead(timed, registry, repository):
    result = timed(EVER, "-v")

    assert result.lines == [registry.digest(repository, "old")], result
    assert b"the clock is before the time floor" in result.err


@needs_tls
def test_in_1970_a_certificate_from_after_the_build_needs_a_floor(timed, registry, repository):
    days, floor = (10, 40), f"{moment(20):%Y-%m-%d}"

    refused = timed(days)

    assert (refused.status, refused.out) == (BAD_DATES, b"")
    refused.complaint("--time-floor")
    assert done(timed(days, "--time-floor", floor)).lines == [registry.digest(repository, "old")]


@needs_tls
def test_a_file_of_the_board_is_a_floor(board, timed, registry, repository):
    """Its newest one is from after the build, and before now: as good as a clock that stands still."""
    board.put("/stamp", "")
    os.utime(board.folder / "stamp", (moment(20).timestamp(),) * 2)

    result = timed((10, 40), "--time-floor", "/stamp")

    assert done(result).lines == [registry.digest(repository, "old")]
