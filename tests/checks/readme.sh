#!/bin/sh
# The pages and what they are about agree. Examples are shown to the letter: behind <!-- FILE: FUNCTION --> comes that
# function. README.md stays short, its links lead somewhere, and the sizes that it states are those of regtag.h.
set -eu

embed=src/embed/README.md
shown=$(mktemp)
trap 'rm -f "$shown"' EXIT
count=0
marks=$(sed -n 's/^<!-- \(src[^ ]*\): \([a-z_]*\) -->$/\1:\2/p' "$embed")

for mark in $marks; do
    file=${mark%:*} name=${mark#*:}
    awk -v mark="<!-- $file: $name -->" '
        $0 == mark { inside = 1; next }
        inside && /^```c$/ { code = 1; next }
        code && /^```$/ { exit }
        code { print }' "$embed" >"$shown"
    awk -v name="$name" '
        index($0, " " name "(") && /^[a-z]/ { inside = 1 }
        inside { print }
        inside && /^}$/ { exit }' "$file" | diff - "$shown" || { echo "$file: $name is not what $embed shows"; exit 1; }
    [ -s "$shown" ]
    count=$((count + 1))
done
[ "$count" -ge 2 ] || { echo "$embed shows no examples"; exit 1; }

# bound NAME: how many KiB
bound() { sed -n "s/^#define $1 *(\\([0-9]*\\)u \\* 1024).*/\\1/p" src/regtag.h; }
for name in REGTAG_STATE_MAX REGTAG_CONNECTION_SIZE_MAX; do
    tr '\n' ' ' <"$embed" | tr -s ' ' | grep -q "at most $(bound $name) KiB" || { echo "$embed: $name is $(bound $name) KiB"; exit 1; }
done

# The vector that tests/README.md shows is one of those that are run.
awk '/^```text$/ { inside = 1; next } /^```$/ { inside = 0 } inside' tests/README.md >"$shown"
[ -s "$shown" ]
! grep -vxF -f tests/vectors/challenge/unquoted.txt "$shown" || { echo "tests/README.md: no such vector"; exit 1; }

lines=$(wc -l <README.md)
[ "$lines" -le 150 ] || { echo "README.md has $lines lines, 150 at most"; exit 1; }

for page in *.md src/*.md src/*/*.md tests/*.md tests/*/*.md toolchains/*.md toolchains/*/*.md third_party/*.md; do
    for link in $(tr '\n' ' ' <"$page" | grep -oE '\]\([^)]*\)' | sed 's/^](//; s/)$//' | grep -v '^https\{0,1\}:'); do
        file=$(dirname "$page")/${link%%#*} heading=${link#*#}
        case $link in "#"*) file=$page ;; esac
        [ -e "$file" ] || { echo "$page: there is no $link"; exit 1; }
        [ "$heading" = "$link" ] || sed -n 's/^#\{1,\} //p' "$file" | tr '[:upper:] ' '[:lower:]-' | tr -cd 'a-z0-9_\n-' | grep -qxF -- "$heading" ||
            { echo "$page: $file has no heading for #$heading"; exit 1; }
    done
done
