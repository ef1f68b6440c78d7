#!/bin/sh
# The recipes for build systems: one version, that of the Makefile; the same sums in all of them, and those of jsmn and
# mbedTLS as in third_party/sources; the licences' sums; names that their systems know; and scripts that a shell can read.
set -eu

[ -f toolchains/packaging/README.md ] || { echo "the archive of the sources has no recipes" && exit 77; }
cd toolchains/packaging
failed=0
complain() { echo "$*" && failed=1; }

# same WHAT FILE WANTED COMMAND...: what the command finds in it
same() {
    what=$1 file=$2 wanted=$3
    shift 3
    found=$("$@" "$file" | head -n 1)
    [ "$found" = "$wanted" ] || complain "$file: $what is $found, not $wanted"
}
pin() { awk -v name="$1" -v field="$2" '$1 == name { print $field; exit }' ../../third_party/sources; }

version=$(sed -n 's/^VERSION := //p' ../../Makefile)
same version openwrt/Makefile "$version" sed -n 's/^PKG_VERSION:=//p'
same version buildroot/regtag.mk "$version" sed -n 's/^REGTAG_VERSION = //p'
same version alpine/APKBUILD "$version" sed -n 's/^pkgver=//p'
same version debian/changelog "$version" sed -n 's/^regtag (\(.*\)-[0-9]*) .*/\1/p'

for name in mbedtls jsmn; do
    upper=$(echo $name | tr '[:lower:]' '[:upper:]')
    same "$name" openwrt/Makefile "$(pin $name 2)" sed -n "s/^${upper}_VERSION:=//p"
    same "$name's sum" openwrt/Makefile "$(pin $name 4)" sed -n "s/^${upper}_HASH:=//p"
    same "$name" "yocto/regtag_$version.bb" "$(pin $name 2)" sed -n "s/^${upper}_VERSION = \"\(.*\)\"/\1/p"
    same "$name's sum" "yocto/regtag_$version.bb" "$(pin $name 4)" sed -n "s/^SRC_URI\[$name.sha256sum\] = \"\(.*\)\"/\1/p"
    same "$name" alpine/APKBUILD "$(pin $name 2)" sed -n "s/^_$name=//p"
    grep -Eq "^[0-9a-f]{128}  $name-$(pin $name 2)\.tar" alpine/APKBUILD || complain "alpine/APKBUILD has no sum of $name $(pin $name 2)"
done
same mbedtls buildroot/regtag.mk "$(pin mbedtls 2)" sed -n 's/^REGTAG_MBEDTLS_VERSION = //p'
same "mbedtls's sum" buildroot/regtag.hash "$(pin mbedtls 4)" sed -n 's/^sha256  \(.*\)  mbedtls-.*/\1/p'

# regtag's own, which all have of the same archive
sum=$(sed -n 's/^PKG_HASH:=//p' openwrt/Makefile)
[ "${#sum}" = 64 ] || complain "openwrt/Makefile: PKG_HASH is no SHA-256"
same "regtag's sum" buildroot/regtag.hash "$sum" sed -n "s/^sha256  \(.*\)  regtag-$version.tar.gz/\1/p"
same "regtag's sum" "yocto/regtag_$version.bb" "$sum" sed -n 's/^SRC_URI\[regtag.sha256sum\] = "\(.*\)"/\1/p'
if git rev-parse -q --verify "v$version^{commit}" >/dev/null 2>&1; then
    archive=$(git -C ../.. archive --format=tar --prefix="regtag-$version/" "v$version" | gzip -9n | sha256sum | cut -d' ' -f1)
    [ "$archive" = "$sum" ] || complain "the archive of v$version has the sum $archive, the recipes say $sum: toolchains/packaging/update"
fi
same "LICENSE's sum" buildroot/regtag.hash "$(sha256sum <../../LICENSE | cut -d' ' -f1)" sed -n 's/^sha256  \(.*\)  LICENSE$/\1/p'
grep -q "file://LICENSE;md5=$(md5sum <../../LICENSE | cut -d' ' -f1)" "yocto/regtag_$version.bb" || complain "yocto: LICENSE has another md5"

# known FILE PATTERN NAME...: every name that the file sets is one of these
known() {
    file=$1 pattern=$2
    shift 2
    # shellcheck disable=SC2013 # words
    for name in $(sed -n "s/$pattern/\1/p" "$file" | sort -u); do
        case " $* " in *" $name "*) ;; *) complain "$file sets $name, which its system does not know" ;; esac
    done
}
known openwrt/Makefile '^\(PKG_[A-Z_]*\):*=.*' PKG_NAME PKG_VERSION PKG_RELEASE PKG_SOURCE PKG_SOURCE_URL PKG_HASH PKG_MAINTAINER \
    PKG_LICENSE PKG_LICENSE_FILES PKG_CPE_ID PKG_BUILD_PARALLEL PKG_BUILD_FLAGS
known openwrt/Makefile '^  \([A-Z_]*\):*+*=.*' SECTION CATEGORY SUBMENU TITLE URL DEPENDS VARIANT DEFAULT_VARIANT PROVIDES CONFLICTS \
    FILE URL_FILE HASH
known buildroot/regtag.mk '^REGTAG_\([A-Z_]*\) *+*=.*' VERSION SITE LICENSE LICENSE_FILES CPE_ID_VENDOR DEPENDENCIES EXTRA_DOWNLOADS \
    POST_EXTRACT_HOOKS MBEDTLS_VERSION MAKE_OPTS VERBS
known buildroot/regtag.mk '^define REGTAG_\(.*\)' EXTRACT_MBEDTLS BUILD_CMDS INSTALL_TARGET_CMDS INSTALL_INIT_SYSTEMD
known "yocto/regtag_$version.bb" '^\([A-Z_]*\)[:[$ ].*=.*' SUMMARY DESCRIPTION HOMEPAGE SECTION LICENSE LIC_FILES_CHKSUM CVE_PRODUCT \
    MBEDTLS_VERSION JSMN_VERSION SRC_URI PACKAGECONFIG EXTRA_OEMAKE PACKAGES FILES RDEPENDS SYSTEMD_PACKAGES SYSTEMD_SERVICE \
    SYSTEMD_AUTO_ENABLE
known alpine/APKBUILD '^\([a-z0-9]*\)=.*' pkgname pkgver pkgrel pkgdesc url arch license depends checkdepends subpackages source sha512sums
for function in build check package; do
    (
        # shellcheck source=/dev/null
        . ./alpine/APKBUILD && command -v $function >/dev/null
    ) || complain "alpine/APKBUILD has no $function()"
done

# They install the service elsewhere: no path in it may stay as it is.
for file in debian/rules buildroot/regtag.mk "yocto/regtag_$version.bb"; do
    left=$(grep -o "'s,/usr/local[^']*'" "$file" | tr -d "'" | sed -f - ../../src/examples/regtag-watch.service | grep '^[^#].*/usr/local/') || continue
    complain "$file leaves a path of the service as it is: $left"
done

for script in openwrt/test.sh update debian/tests/*[!l]; do
    sh -n "$script" || complain "$script cannot be read"
done
for one in PREFIX LIBDIR MBEDTLS_DIR JSMN_DIR TLS VERBS OFFLINE STRIP DESTDIR; do
    grep -qE "(^|[^A-Z_])$one( |:|\))" ../../Makefile || complain "the Makefile knows no $one"
done
[ "$failed" = 0 ]
