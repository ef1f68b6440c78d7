#!/bin/sh
# What the feed's CI runs on the target, once the package is installed: test.sh PACKAGE VERSION
set -e

case $1 in
regtag | regtag-plain) ;;
*) exit 0 ;;
esac

regtag --version | grep -F "$2"
regtag help tag | grep -F -- --no-clobber

# Nobody listens there: no connection.
status=0
regtag digest --retries 0 --timeout 5 127.0.0.1:1/a:b 2>/dev/null || status=$?
[ "$status" = 5 ]

/etc/init.d/regtag-watch enabled || echo "regtag-watch is not enabled: it has no image yet"
