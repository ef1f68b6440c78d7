#!/bin/sh
# A system's mbedTLS that will not do stops the build with one error, which says what is wrong with it and what to do.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# header FILE LINE...: a system whose mbedTLS has this header only
header() {
    rm -rf "$work/mbedtls"
    mkdir "$work/mbedtls"
    file=$1
    shift
    printf '#define %s\n' "$@" >"$work/mbedtls/$file"
}

# refused WORDS...: with an error that has them all
refused() {
    if ${CC:-cc} -nostdinc -I"$work" -DREGTAG_TLS=1 -DREGTAG_VERIFY=1 -fsyntax-only -x c third_party/regtag_system.h >"$work/out" 2>&1; then
        echo "accepted: $*"
        exit 1
    fi
    for words in "$@" "uild without SYSTEM_MBEDTLS"; do
        grep -q -e "$words" "$work/out" || { echo "not said: $words" && cat "$work/out" && exit 1; }
    done
}

refused "finds no mbedTLS" "Install 3.6"
header version.h 'MBEDTLS_VERSION_NUMBER 0x021c0300' 'MBEDTLS_VERSION_STRING "2.28.3"'
refused "found mbedTLS 2.28.3" "older than 3.6"
header build_info.h 'MBEDTLS_VERSION_NUMBER 0x03050200' 'MBEDTLS_VERSION_STRING "3.5.2"'
refused "found mbedTLS 3.5.2" "older than 3.6"
header build_info.h 'MBEDTLS_VERSION_NUMBER 0x04010000' 'MBEDTLS_VERSION_STRING "4.1.0"'
refused "found mbedTLS 4.1.0" "newer than 3.6"

parts='SHA256_C BASE64_C ECDSA_C ECP_DP_SECP256R1_ENABLED RSA_C PKCS1_V15 PKCS1_V21 SSL_PROTO_TLS1_3 SSL_CLI_C SSL_PROTO_TLS1_2
    SSL_SERVER_NAME_INDICATION SSL_KEEP_PEER_CERTIFICATE X509_CRT_PARSE_C PEM_PARSE_C HAVE_TIME_DATE'
# Without one of them, or with all: none
without() {
    # shellcheck disable=SC2046,SC2086 # a word each
    header build_info.h 'MBEDTLS_VERSION_NUMBER 0x03060600' $(printf 'MBEDTLS_%s\n' $parts | grep -vx "MBEDTLS_$1")
}
without SSL_PROTO_TLS1_3
refused "has no TLS 1.3"
without PEM_PARSE_C
refused "not configured for a client"
without RSA_C
refused "lacks ECDSA, P-256 or RSA"
without SHA256_C
refused "has no SHA-256"
without none
${CC:-cc} -nostdinc -I"$work" -DREGTAG_TLS=1 -DREGTAG_VERIFY=1 -fsyntax-only -x c third_party/regtag_system.h
