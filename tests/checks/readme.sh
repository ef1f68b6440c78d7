#!/bin/sh
# What README.md shows of the examples stands in them so, to the letter: behind <!-- FILE: FUNCTION --> that function.
set -eu

shown=$(mktemp)
trap 'rm -f "$shown"' EXIT
count=0
marks=$(sed -n 's/^<!-- \(src[^ ]*\): \([a-z_]*\) -->$/\1:\2/p' README.md)

for mark in $marks; do
    file=${mark%:*} name=${mark#*:}
    awk -v mark="<!-- $file: $name -->" '
        $0 == mark { inside = 1; next }
        inside && /^    / { code = 1; print substr($0, 5); next }
        inside && code && /^$/ { print; next }
        code { exit }' README.md | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >"$shown"
    awk -v name="$name" '
        index($0, " " name "(") && /^[a-z]/ { inside = 1 }
        inside { print }
        inside && /^}$/ { exit }' "$file" | diff - "$shown" || { echo "$file: $name is not what README.md shows"; exit 1; }
    [ -s "$shown" ]
    count=$((count + 1))
done
[ "$count" -ge 2 ] || { echo "README.md shows no examples"; exit 1; }

# bound NAME: how many KiB
bound() { sed -n "s/^#define $1 *(\\([0-9]*\\)u \\* 1024).*/\\1/p" src/regtag.h; }
for name in REGTAG_STATE_MAX REGTAG_CONNECTION_SIZE_MAX; do
    tr '\n' ' ' <README.md | tr -s ' ' | grep -q "at most $(bound $name) KiB" || { echo "README.md: $name is $(bound $name) KiB"; exit 1; }
done
