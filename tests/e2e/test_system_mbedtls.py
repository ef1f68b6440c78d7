"""A program that is linked with a mbedTLS as Debian 13 has it, whose package is unpacked and not installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from program import LONG

TOP = Path(__file__).resolve().parent.parent.parent
pytestmark = [
    LONG,
    pytest.mark.skipif(os.environ.get("SYSTEM_MBEDTLS") == "1", reason="that is how the program is made"),
    pytest.mark.skipif(os.environ.get("TLS") == "0", reason="it is about TLS"),
    pytest.mark.skipif(bool(os.environ.get("SAN")), reason="made without sanitizers"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="Debian's package is that of amd64"),
]
FILES = [f"test_tls_{name}.py" for name in ("trust", "clock", "servers", "words", "pins", "clients", "refusals")]


def test_a_program_that_is_linked_with_it(tmp_path):
    unpack = [TOP / "third_party/unpack", "libmbedtls-dev", "trixie"]
    done = subprocess.run(unpack, stdout=subprocess.PIPE, text=True)
    if done.returncode and os.environ.get("OFFLINE") == "1":
        pytest.skip("OFFLINE=1, and libmbedtls-dev is not in the cache")
    done.check_returncode()
    root = Path(done.stdout.strip()) / "usr"
    options = [f"CPPFLAGS=-isystem {root}/include", f"LDFLAGS=-L{root}/lib/x86_64-linux-gnu", "CFLAGS=-Werror"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTEST"))}

    make = ["make", "-s", "-j2", "SYSTEM_MBEDTLS=1", f"OUT={tmp_path}", "PKG_CONFIG=false", *options]
    subprocess.run([*make, f"{tmp_path}/regtag"], cwd=TOP, env=env, check=True)

    env.update(SYSTEM_MBEDTLS="1", BUILD=str(tmp_path), REGTAG=f"{tmp_path}/regtag")
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(TOP / "tests/e2e" / one for one in FILES)]
    subprocess.run(tests, cwd=TOP, env=env, check=True)
