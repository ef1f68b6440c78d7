#!/bin/sh
# The messages of the library, and of what comes beside it, are for any program: they name no option and no verb of the
# command, which says in its own words what would help (src/cli/hint.c).
set -eu

library=${LIBRARY:-${BUILD:-build}/libregtag.a}
words=$(mktemp)
trap 'rm -f "$words"' EXIT

# The names, from the tables of the command itself.
options=$(sed -n 's/^    {"\([a-z-]*\)", ".*/\1/p' src/cli/options.c | paste -sd'|')
verbs=$(sed -n 's/^    \.name = "\([a-z]*\)",$/\1/p' src/cli/verb_*.c | paste -sd'|')
for name in timeout stall platform expect with-siblings allow-realm tls plain-http; do
    echo "$options" | tr '|' '\n' | grep -qx -- "$name" || { echo "src/cli/options.c: no option $name can be read"; exit 1; }
done
echo "$verbs" | tr '|' '\n' | grep -qx ls || { echo "src/cli: no verbs can be read"; exit 1; }

strings -a -n 3 "$library" "${BUILD:-build}"/obj/src/embed/*.o >"$words"
grep -q 'no complete answer came' "$words" || { echo "no messages can be read of $library"; exit 1; }
if grep -E -- "--($options)([^a-z-]|\$)|\<regtag ($verbs)\>" "$words"; then
    echo "the library speaks of the command"
    exit 1
fi
