#!/bin/sh
# Each room of src/ knows the rooms under it, never those above; and only the library's public header is everybody's.
# embed/ and examples/ are for copying out: they know that header and each other's, all in one folder.
# Which TLS there is, is known to the file that was chosen and to nobody else.
set -eu

grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' --include='*.[ch]' src |
    awk -F'[:"/]' '
        BEGIN {
            split("base oci http client registry net cli", rooms, " ")
            for (floor in rooms)
                floors[rooms[floor]] = floor
        }
        # src / ROOM / FILE : LINE : #include " ROOM / FILE "
        $2 in floors && $6 in floors && floors[$6] > floors[$2] { print; found = 1 }
        END { exit found }' || { echo "a room that includes one above it"; exit 1; }

if grep -rnE '^[[:space:]]*#[[:space:]]*(el)?if.*TLS' --include='*.[ch]' src | grep -v '_H$' | grep -v '^src/net/tls_'; then
    echo "TLS is chosen by choosing a file, not by #if"
    exit 1
fi

if grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' src/embed/*.[ch] | grep -v '"regtag[a-z0-9_]*\.h"$' ||
    grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' src/examples/*.[ch] | grep -vE '"(regtag[a-z0-9_]*|tls)\.h"$'; then
    echo "a file that cannot be copied out"
    exit 1
fi
