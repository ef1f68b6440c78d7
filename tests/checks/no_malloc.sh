#!/bin/sh
# The program calls no function of the C library that allocates memory, but three: getaddrinfo, in processes of its own,
# opendir, where certificates are in a directory, and fdopendir, for the folder that a download goes to. What mbedTLS allocates is in an arena.
set -eu

[ -z "${SAN:-}" ] || { echo "a sanitizer adds symbols of its own"; exit 77; }
[ "${SYSTEM_MBEDTLS:-}" != 1 ] || { echo "a system's mbedTLS allocates"; exit 77; }
build=${BUILD:-build}

memory='(m|c|re|re.*|mem|v|pv|aligned_)alloc(array)?|posix_memalign|free|str(n)?dup|_Zn.*'
stdio='v?[adfs]?n?printf|v?[fs]?scanf|(f|fd|fre|p|fmem)open|tmpfile|open_memstream|f?(get|put)(c|s|char)|getline|getdelim|fread|fwrite|perror'
system='setenv|putenv|atexit|qsort|bsearch|scandir|glob|n?ftw|realpath|getcwd|regcomp|wordexp|dlopen|syslog|pthread_create|posix_spawn.*'
words='(gm|local|as|c)time(_r)?|mktime|timegm|strftime|setlocale|strto(d|f|ld)|get(host|serv|proto|net|pw|gr)[a-z]*|if_nametoindex|inet_ntop'

imports() { nm -D --undefined-only "$1" | awk '{ print $2 }' | sed 's/@.*//; s/^__\(.*\)_chk$/\1/' | sort -u; }

program=$build/regtag
imported=$(imports "$program")
[ -n "$imported" ] || { echo "a static program has its C library in it"; exit 77; }
echo "$imported" | grep -qx getaddrinfo || { echo "no symbols can be read of $program"; exit 1; }
found=$(echo "$imported" | grep -xE "$memory|$stdio|$system|$words" | grep -vxE 'getenv|gethostname') || true
[ -z "$found" ] || { echo "it calls:" "$found"; exit 1; }

# Who calls them.
ours() { find "$build/obj/src" -name '*.o' ! -path '*/embed/*' ! -path '*/examples/*' -exec nm -A --undefined-only {} +; }
found=$(ours | grep -E ' U (getaddrinfo|opendir|fdopendir)$' |
    grep -vE '/net/families\.o: +U getaddrinfo$' | grep -vE '/net/tls_trust\.o: +U opendir$|/cli/partial\.o: +U fdopendir$') || true
[ -z "$found" ] || { echo "$found"; exit 1; }
