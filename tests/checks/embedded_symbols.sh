#!/bin/sh
# What comes beside the library sets up nothing that belongs to the process: no function is called but those named here,
# none of which allocates, handles signals, or starts anything; and there is no data that can be written.
set -eu

[ -z "${SAN:-}" ] || { echo "a sanitizer adds symbols of its own"; exit 77; }
build=${BUILD:-build}
objects=$build/obj/src/embed
status=0

# only OBJECT FUNCTIONS: an extended regular expression of what it may need, besides what moves bytes, with a check of its own
# where the compiler is told to fortify, and reads errno
only() {
    foreign=$(nm --undefined-only "$1" | awk '{ print $2 }' |
        grep -vxE "$2|mem(cpy|move|set)|__mem(cpy|move|set)_chk|strlen|__errno_location|___errno_location|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail(_local)?") || true
    writable=$(objdump -t "$1" | awk '$NF !~ /^\./ && / (\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ && !/\.data\.rel\.ro/ { print $NF }')
    [ -z "$foreign$writable" ] || { echo "$1: $foreign $writable"; status=1; }
}

only "$objects/regtag_sockets.o" 'regtag_[a-z]+(_[a-z]+)*|recv|send|poll|clock_gettime|__clock_gettime64'
only "$objects/regtag_connect.o" \
    'regtag_[a-z]+(_[a-z]+)*|close|connect|fcntl|fcntl64|getsockopt|setsockopt|socket|poll|strerror|str(chr|cmp)'
only "$objects/regtag_address.o" 'inet_pton|hton[sl]'
only "$objects/regtag_blocking.o" 'regtag_[a-z]+(_[a-z]+)*|poll|(get|free)addrinfo'
only "$objects/regtag_sha256.o" 'mbedtls_sha256_[a-z]+'
[ "${TLS:-1}" = 0 ] || only "$objects/regtag_tls_mbedtls.o" 'mbedtls_(ssl|x509)_[a-z_]+|recv|send|memcmp|regtag_text_(add(_number)?|loss)|regtag_(chain_[a-z_]+|address_text)'
[ "${TLS:-1}" = 0 ] || only "$objects/regtag_chain.o" 'mbedtls_(asn1|x509)_[a-z0-9_]+|memcmp|inet_pton|str(chr|ncasecmp)'
[ "${TLS:-1}" = 0 ] || only "$objects/regtag_verify_mbedtls.o" 'mbedtls_(asn1|base64|ecdsa|ecp|md|mpi|rsa|sha256)[a-z0-9_]*|memcmp'
exit $status
