#!/bin/sh
# The archive of the sources has all that git has but the recipes, which name its sum, and no more, not even an empty
# folder; it has the same bytes each time, knows its own date without git, and what is said of it in SPDX can be read.
set -eu

# Nor is what is unpacked below one, as make debian does.
[ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ] || { echo "this is no clone" && exit 77; }
version=$(sed -n 's/^VERSION := //p' Makefile)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# pack NAME TIME-ZONE UMASK
pack() {
    (umask "$3" && TZ=$2 make -s dist TARGETS= DIST="$work/$1" >/dev/null)
    (cd "$work/$1" && sha256sum --quiet -c SHA256SUMS)
}
pack one UTC 022
pack two Pacific/Auckland 077
cmp "$work/one/regtag-$version.tar.gz" "$work/two/regtag-$version.tar.gz"
cmp "$work/one/regtag-$version.spdx.json" "$work/two/regtag-$version.spdx.json"

tar -xzf "$work/one/regtag-$version.tar.gz" -C "$work"
(cd "$work/regtag-$version" && find . -type f -o -type d -empty | sed 's,^\./,,' | sort) >"$work/there"
git ls-tree -r --name-only HEAD | grep -v "^toolchains/packaging/" | sort >"$work/wanted"
diff "$work/wanted" "$work/there"

date=$(git log -1 --format=%ct)
# shellcheck disable=SC2016 # it is for make
found=$(cd "$work/regtag-$version" && env -u SOURCE_DATE_EPOCH make -s --eval 'epoch:; @echo $(SOURCE_DATE_EPOCH)' epoch)
[ "$found" = "$date" ] || { echo "the archive takes $found for its date, not $date" && exit 1; }

python3 - "$work/one/regtag-$version.spdx.json" "$work/one/regtag-$version.tar.gz" <<'END'
import hashlib, json, sys
document = json.load(open(sys.argv[1]))
archive = open(sys.argv[2], "rb").read()
package, = document["packages"]
assert document["spdxVersion"] == "SPDX-2.3" and package["licenseDeclared"] == "MIT"
assert package["checksums"][0]["checksumValue"] == hashlib.sha256(archive).hexdigest()
assert document["relationships"][0]["relatedSpdxElement"] == package["SPDXID"]
END
