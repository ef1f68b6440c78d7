#!/bin/sh
# On a processor of 32 bits the program has 64 for time, file sizes and inode numbers: with 32, a directory on a large
# file system appears empty, and 2038 does not come. What is for other programs, the library and what is beside it,
# uses none of these, so that it matters to nobody how they are compiled.
set -eu

[ "$(uname -m)" = x86_64 ] || { echo "needs a compiler for both sizes of PCs"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/headers/gnu"
: >"$work/headers/gnu/stubs-32.h" # the others are the same for both

# needs FLAGS SOURCE...: made for 32 bits, by the Makefile's rules; what they need from outside, "FILE: NAME"
needs() {
    rm -rf "$work/made"
    MAKEFLAGS='' "${MAKE:-make}" -s --no-print-directory -o packages objects OUT="$work/made" TARGET= SAN= \
        CC="gcc -m32 -isystem $work/headers -isystem /usr/include/x86_64-linux-gnu" CPPFLAGS="$1" CFLAGS=-O0 SOURCES="$2" >"$work/said" 2>&1 ||
        { cat "$work/said" >&2 && exit 1; }
    find "$work/made" -name '*.o' -exec nm -A --undefined-only {} + | sed "s|^.*/obj/||; s|:.* U |: |"
}

narrow='(time|clock_gettime|gettimeofday|nanosleep|ppoll|(f|l)?stat(at)?|readdir|open(at)?|creat|pread|pwrite|lseek|f?truncate|fcntl|mkstemp)'
files=$(grep -lE "\\<$narrow\\(" src/cli/*.c src/net/*.c)
needs "" "$files" >"$work/program"
grep -qE ': readdir(64)?$' "$work/program" || { echo "no symbols can be read"; exit 1; }
! grep -E ": $narrow\$" "$work/program" || { echo "the program has 32 bits for these"; exit 1; }

files=$(grep -lE "\\<$narrow\\(" src/base/*.c src/oci/*.c src/http/*.c src/client/*.c src/registry/*.c src/embed/*.c) || true
needs "-U_FILE_OFFSET_BITS -U_TIME_BITS" "$files" >"$work/library"
! grep -E ": $narrow\$" "$work/library" | grep -vE 'regtag_(sockets|connect)\.o: (clock_gettime|fcntl)$' || exit 1
! grep -nwE 'time_t|off_t|ino_t|stat|timespec|timeval' src/regtag.h src/embed/*.h
