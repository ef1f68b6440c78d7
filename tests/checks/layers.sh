#!/bin/sh
# src/client and src/registry are layered, each file on those below it: no cycle of includes, none of calls. The client
# knows no verb, and nobody knows a verb but its own file, so that a program links only those that it calls. And no
# source is longer than can be read at one go.
set -eu

build=${BUILD:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# none WHAT: nothing must come in on stdin
none() {
    cat >"$work/found"
    [ -s "$work/found" ] || return 0
    echo "$1:"
    cat "$work/found"
    touch "$work/failed"
}

failed() { [ -e "$work/failed" ]; }

# cycle FILE: the members of one, if the pairs "A B", A needing B, have any
cycle() { tsort "$1" 2>&1 >/dev/null | sed 's/^tsort: //; /contains a loop/d'; }

# ---- What the sources say --------------------------------------------------------------------

sources=$(ls src/client/*.c src/registry/*.c)
calls=$(sed -nE 's/^[a-z].*[ *](regtag_[a-z_]+)\(.*/\1/p' src/registry/verb_*.c | paste -sd'|')
[ -n "$calls" ]

grep -HE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' src/client/*.[ch] src/registry/*.[ch] |
    sed -E 's/^src\/([^:]*):[^"]*"([^"]*)".*/\1 \2/' >"$work/includes"
cycle "$work/includes" | none "files that include each other"
grep -E ' registry/verb_' "$work/includes" | none "files that include that of a verb"
grep -nE "registry/|\<struct (regtag|verb)\>|\<($calls|verb_[a-z_]+|[a-z]+_verb)\>" src/client/*.[ch] |
    none "src/client knows of a verb"
for source in $sources; do
    awk 'END { if (NR > 500) print FILENAME ", " NR " lines" }' "$source"
done | none "sources that are too long"

# ---- What the compiler made of them ----------------------------------------------------------

for source in $sources; do
    name=${source#src/}
    object=$build/obj/${source%.c}.o
    [ -e "$object" ] || { echo "there is no $object"; exit 1; }
    if ! nm --extern-only "$object" >"$work/symbols" 2>/dev/null || grep -q __gnu_lto_slim "$work/symbols"; then
        ! failed || exit 1
        echo "link-time optimization hides the symbols"
        exit 77
    fi
    awk -v name="$name" '{ print name, $(NF - 1), $NF }' "$work/symbols"
done >"$work/all"
awk '$2 != "U" { home[$3] = $1 }
    $2 == "U" { needed[$1 " " $3] }
    END { for (pair in needed) if ((split(pair, p, " ")) && p[2] in home) print p[1], home[p[2]], p[2] }' "$work/all" |
    sort >"$work/needs"
cut -d' ' -f1,2 "$work/needs" | sort -u >"$work/calls"
[ "$(wc -l <"$work/calls")" -ge 20 ] || { echo "no symbols can be read"; exit 1; }

cycle "$work/calls" | none "files that call each other"
grep -E '^client/[^ ]* registry/' "$work/needs" | none "src/client calls src/registry"
grep -E ' registry/verb_[^ ]*\.c ' "$work/needs" | none "files that call a verb"
! failed
