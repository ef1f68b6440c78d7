#!/usr/bin/python3
"""What the bytes of programs with the verbs tag and digest are spent on, part by part: tests/benchmarks/parts.py [TARGET...]

Without arguments, of all targets that are built; or, with --map FILE..., of what linkers' maps say, such as those of another
version. Each program is linked without optimisation across files, so that the parts add up to more than the program.
`make figures` shows it for this machine's target.
"""

import re
import sys
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "tests/benchmarks")]

from sizes import IN_MEMORY, LINE, built, make  # noqa: E402
from tables import number, show  # noqa: E402

# The first that fits, of an object's name in the map; \b stands at its file's name.
PARTS = [
    ("mbedTLS: TLS 1.2 and 1.3", r"mbedtls.*\bssl_"),
    ("mbedTLS: X.509, ASN.1, PEM", r"mbedtls.*\b(x509|regtag_x509|asn1|oid|pem|base64)"),
    ("mbedTLS: public keys, RSA", r"mbedtls.*\b(pk|rsa|regtag_rsa)"),
    ("mbedTLS: elliptic curves", r"mbedtls.*\bec(p|dh|dsa)"),
    ("mbedTLS: numbers", r"mbedtls.*\bbignum"),
    ("mbedTLS: PSA", r"mbedtls.*\b(regtag_)?psa_"),
    ("mbedTLS: ciphers, hashes", r"mbedtls"),
    ("TLS in src", r"\b(tls_(?!options)|regtag_tls|regtag_chain)"),
    ("C library: name lookup", r"libc\.a.*\b(lookup_|res_|resolvconf|\w*addrinfo|dns?_|inet_|if_name)|\blibc_(addr|file)"),
    ("C library: messages", r"libc\.a.*\bstrerror|\blibc_error"),
    ("C library: the rest", r"(libc|libgcc)\.a|crt[1in]\.o|cli/(heap|libc)"),
    ("name lookup, sockets, proxies", r"src/net/|src/embed/|\bproxy_env"),
    ("options, help, hints", r"src/cli/(options|command|hint|verb|tls_options|main)\.o"),
    ("credentials", r"src/cli/(credentials|authfile|helper|secrets|process)\.o"),
    ("journal", r"src/cli/(journal\w*|file_\w+|undo_\w+)\.o"),
    ("the rest of cli", r"src/cli/"),
    ("logins, tokens, redirects", r"\b(auth|challenge|login|mask|realm|token|redirect|base64|remote)\.o"),
]

LIBRARY = ["registry", "client", "http", "oci", "base"]


def by_part(map_file):
    """Bytes of what is in memory, by part."""
    text = map_file.read_text()
    counts = Counter()
    output = ""
    for line in text[text.index("Linker script and memory map") :].splitlines():
        if re.match(r"[.\w]", line):
            output = line.split()[0]
        found = LINE.match(line)
        if found and int(found[2], 16) and IN_MEMORY.match(output) and not found[4].startswith("load"):
            counts[part_of(found[4])] += int(found[3], 16)
    return counts


def part_of(source):
    for name, pattern in PARTS:
        if re.search(pattern, source):
            return name
    inside = re.search(r"libregtag\.a\((\w+)\.o\)", source)
    rooms = [room for room in LIBRARY if inside and (TOP / f"src/{room}/{inside[1]}.c").exists()]
    return f"src/{rooms[0]}" if rooms else "no object of its own"


def map_of(target, tls):
    """Of the program, linked once more."""
    name = target if tls else f"{target}-plain"
    out = f"build/sizes/{name}-tag"
    make(target, tls, out, "VERBS=tag digest", "CFLAGS=-fno-lto", f"LDFLAGS=-Wl,-Map={out}/map")
    return TOP / out / "map"


def table(maps):
    """`maps`: files by what stands above their column."""
    found = {title: by_part(file) for title, file in maps.items()}
    order = [name for name, _ in PARTS] + sorted({part for one in found.values() for part in one})
    rows = []
    for part in dict.fromkeys(order):
        if any(one[part] for one in found.values()):
            rows.append([part, *(number(one[part]) for one in found.values())])
    rows.append(["sum", *(number(sum(one.values())) for one in found.values())])
    show(
        "What the bytes of tag and digest are",
        ["bytes", *found],
        rows,
        "Text and data of programs with these two verbs, by the linker's map, without LTO, which makes them some percent "
        "smaller. A string that two objects have is counted where it comes first.",
    )


def of_targets(targets):
    table({f"{name}\n{'TLS' if tls else 'plain'}": map_of(name, tls) for name in targets for tls in (False, True)})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--map"]:
        table({Path(one).parent.name: Path(one) for one in sys.argv[2:]})
    else:
        of_targets(sys.argv[1:] or built())
