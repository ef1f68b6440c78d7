#!/bin/sh
# What `make amalgamation` leaves compiles alone, in an empty folder, however an embedder compiles, without a warning;
# of the library nothing is seen from outside but what regtag.h says; and it is made the same every time.
set -eu

made=build/amalgamation
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$made"/* "$work"

version=$(sed -n 's/^#define REGTAG_VERSION "\(.*\)"$/\1/p' "$made/regtag.c" | head -n 1)
env LC_ALL=en_US.UTF-8 src/amalgamate "$version" "$made/jsmn.h" "$work/again"
diff -r "$made" "$work/again"

cd "$work"
for file in *.[ch]; do
    grep -q "Permission is hereby granted" "$file" || { echo "$file does not carry the license"; exit 1; }
    ! grep -q "SPDX" "$file" || { echo "$file names the license twice"; exit 1; }
done
${CC:-cc} -c regtag.c
promised=$(sed -n 's/.*[ *]\(regtag_[a-z_0-9]*\)(.*/\1/p' regtag.h)
seen=$(nm --defined-only --extern-only regtag.o | awk '{ print $3 }' | sort)
for name in $seen; do
    echo "$promised" | grep -qxF "$name" || { echo "regtag.c: $name is no function of regtag.h"; exit 1; }
done
[ -n "$seen" ]

# try COMPILER FLAGS... FILE: not a word, whatever is asked for
try() {
    if "$@" >said 2>&1 && [ ! -s said ]; then return; fi
    echo "$*"
    cat said
    exit 1
}
echo '#include "regtag_blocking.h"' >header.cc
for compiler in gcc clang; do
    command -v "$compiler" >/dev/null || continue
    for file in regtag.c regtag_sockets.c regtag_connect.c regtag_address.c regtag_blocking.c; do
        try "$compiler" -fsyntax-only -Wall -Wextra "$file"
        try "$compiler" -fsyntax-only -Wall -Wextra -std=c99 -pedantic "$file"
        try "$compiler" -fsyntax-only -Wall -Wextra -std=c11 -pedantic "$file"
    done
    for plus in g++ clang++; do
        ! command -v "$plus" >/dev/null || try "$plus" -fsyntax-only -Wall -Wextra header.cc
    done
done
