"""What bash, zsh and fish complete on regtag's command line: what the program's help lists, each where it belongs."""

import os
import pty
import re
import shutil
import subprocess
from contextlib import suppress

import pytest
from conftest import TOP
from program import environment

FILES = TOP / "src/completions"

pytestmark = pytest.mark.slow

# A line up to where Tab is pressed; what comes of it, or the beginning of that: words that are offered.
CASES = [
    ("", {"tag", "copy", "watch", "undo", "help"}),
    ("dele", {"delete"}),
    ("help ver", {"verify"}),
    ("tag --no-cl", {"--no-clobber"}),
    ("ls --dig", {"--digests"}),
    ("watch --inter", {"--interval"}),
    ("digest --time-fl", {"--time-floor"}),
    ("copy --from-plain", {"--from-plain-http"}),
    ("copy --to-pass", {"--to-password-stdin", "--to-password-file"}),
    ("undo mov", {"moves"}),
    ("load mov", {"moves"}),
    ("tag --journal mov", {"moves"}),
    ("tag --journal=mov", {"moves"}),
    ("save -o mov", {"moves"}),
    ("fetch localhost/a -o mov", {"moves"}),
    ("watch localhost/a -- movin", {"moving-on"}),
]
NOTHING = ["tag --last", "ls --journ", "tag --from-plain", "tag --timeout mov", "tag mov", "bogus --jo"]


@pytest.fixture
def place(regtag, tmp_path):
    """A folder with a file in it, and a PATH in which the program is, and one more."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/regtag").symlink_to(regtag.path)
    (tmp_path / "bin/moving-on").write_text("#!/bin/sh\n")
    (tmp_path / "bin/moving-on").chmod(0o755)
    (tmp_path / "moves").touch()
    return tmp_path


def variables(place):
    return environment({"PATH": f"{place}/bin:{os.environ['PATH']}", "HOME": str(place), "TERM": "dumb"})


def run(place, *command):
    done = subprocess.run(
        command, cwd=place, env=variables(place), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == "", done.stderr
    return done.stdout.splitlines()


def by_bash(place, line):
    """bash takes "=" for a word of its own."""
    words = re.sub("=", " = ", line).split(" ")
    script = """
    . "$0"
    COMP_WORDS=(regtag "$@") COMP_CWORD=$#
    _regtag regtag "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    return run(place, "bash", "--norc", "-c", script, FILES / "regtag.bash", *words)


def by_fish(place, line):
    found = run(place, "fish", "--no-config", "-c", f"source {FILES}/regtag.fish; complete -C'regtag {line}'")
    return [re.sub("^--journal=", "", one.partition("\t")[0]) for one in found]


def by_zsh(place, line):
    """Types it, and reads what is offered below it. With the prompt, the line editor is ready."""
    settings = [
        f"fpath=({FILES} $fpath)",
        "autoload -U compinit; compinit -u -D",
        "bindkey '^I' list-choices",
        "setopt no_beep no_prompt_cr no_prompt_sp",
        "unset zle_bracketed_paste; LISTMAX=500",
        "PS1=$'\\x3e\\x3e\\x3e'",
    ]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(place)
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**variables(place), "COLUMNS": "200", "LINES": "200"})
    os.write(terminal, "; ".join(settings).encode() + b"\n")
    _read_until(terminal, b">>>")
    os.write(terminal, f"regtag {line}\t".encode())
    os.write(terminal, b"\x15echo D''ONE\n")
    seen = _read_until(terminal, b"DONE\r\n>>>")
    os.write(terminal, b"exit\n")
    with suppress(OSError):
        while os.read(terminal, 65536):
            pass
    os.close(terminal)
    os.waitpid(child, 0)
    seen, _, _ = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", seen).partition(b"echo D''ONE")
    lines = seen.decode(errors="replace").splitlines()[1:]
    return [word for one in lines if not one.startswith(">>>") for word in _offered(one)]


def _offered(line):
    """In columns, or with what each is for behind it: NAME -- text"""
    return [line.split()[0]] if " -- " in line else line.split()


def _read_until(terminal, end):
    seen = b""
    while end not in seen:
        seen += os.read(terminal, 65536)
    return seen


SHELLS = {"bash": by_bash, "fish": by_fish, "zsh": by_zsh}


@pytest.fixture(params=SHELLS)
def complete(request, place):
    if shutil.which(request.param) is None:
        pytest.skip(f"there is no {request.param}")
    return lambda line: SHELLS[request.param](place, line)


@pytest.mark.parametrize("line, expected", CASES)
def test_what_fits_is_offered(complete, line, expected):
    found = set(complete(line))

    assert expected <= found
    assert line == "" or found == expected


@pytest.mark.parametrize("line", NOTHING)
def test_what_does_not_belong_there_is_not_offered(complete, line):
    assert [one for one in complete(line) if one] == []


def test_all_options_of_a_command_are_offered(request, complete, regtag):
    if request.node.callspec.params["complete"] == "zsh":
        pytest.skip("it asks before it lists so many, by the size of its terminal")
    for verb in ("tag", "copy", "watch"):
        told = regtag(verb, "--help").out + regtag("help", "options").out
        options = set(re.findall(r"(?m)^  [ -][ a-z][ ,] (--[a-z-]+)", told.decode()))
        offered = {one for one in complete(f"{verb} --") if one}
        sides = {one for one in offered if one.startswith(("--from-", "--to-"))} if verb == "copy" else set()

        assert offered - sides == options
        for one in sides:
            result = regtag(verb, "a/b", "c/d", f"{one}=", retries=None)
            assert b"unknown option" not in result.err, result
