#!/bin/sh
# The library half owns nothing: it needs no function from outside but those that move and compare bytes, and it has no
# data that can be written. So it allocates, prints, opens, waits for and remembers nothing behind its caller's back.
set -eu

[ -z "${SAN:-}" ] || { echo "a sanitizer adds symbols of its own"; exit 77; }
library=${LIBRARY:-build/libregtag.a}

# Helpers that a compiler calls by itself begin with two underscores. So do the C library's checked functions, which it calls
# with _FORTIFY_SOURCE: those that move bytes are as good as mem*, and __printf_chk is not.
allowed='mem(cpy|move|set|cmp|chr)|__mem(cpy|move|set)_chk|str(len|n?cmp|r?chr|c?spn)|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail(_local)?|__u?(div|mod|divmod)[sd]i[34]'

status=0
own=$(nm --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort -u)
needed=$(nm --undefined-only "$library" | awk 'NF == 2 { print $2 }' | sort -u)
foreign=$(echo "$needed" | grep -vxF "$own" | grep -vxE "$allowed") || true
if [ -n "$foreign" ]; then
    echo "functions from outside:"
    nm -A --undefined-only "$library" | grep -wF "$foreign"
    status=1
fi

# .data.rel.ro is written by the loader only: tables with pointers in them.
writable=$(objdump -t "$library" |
    awk '/:     file format/ { object = $1 }
        $NF !~ /^\./ && / (\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ && !/\.data\.rel\.ro/ { print object " " $NF }')
if [ -n "$writable" ]; then
    echo "data that can be written:"
    echo "$writable"
    status=1
fi
exit $status
