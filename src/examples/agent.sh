#!/bin/sh
# An update agent for busybox: agent.sh IMAGE DEVICE [OPTION OF REGTAG...]
#
# Follows the tag of IMAGE: when it moves, installs the image, remembers its digest, and says so in the registry by
# tagging the image DEVICE-installed. In the environment:
#
#   STATE      the file that remembers what is installed; it must survive a power cut
#   INSTALL    the command that installs an image; it gets IMAGE@DIGEST, and its status says whether it worked
#   INTERVAL   seconds between two checks
set -u

[ $# -ge 2 ] || { echo "usage: agent.sh IMAGE DEVICE [OPTION...]" >&2; exit 2; }
image=$1 device=$2
shift 2
state=${STATE:-/var/lib/agent/installed}
install=${INSTALL:?"INSTALL is not set"}
interval=${INTERVAL:-300}

# Old or new, even if the power fails: the new file is on disk before it takes the old one's name.
remember() {
    echo "$1" >"$state.new" && sync && mv "$state.new" "$state" && sync
}

recall() { [ ! -e "$1" ] || cat "$1"; }

# Whether a failure of regtag may pass by itself, so that the next round tries again; stderr has the reason already. Any
# other needs a person, and ends this script.
may_pass() {
    case $1 in
    3) ;;              # not there yet
    5 | 6) ;;          # no network, or too slow
    8) ;;              # the clock is not set yet
    14 | 17 | 18) ;;   # the registry is busy or broken, or the outcome is uncertain: retrying is safe
    *) return 1 ;;
    esac
}

# Sets the tag that says what is installed, unless it was set already: $state.marked has the digest. If that file is
# lost or torn, the tag is set once more. Nothing here needs /dev/null.
mark() {
    digest=$(recall "$state")
    [ -n "$digest" ] && [ "$digest" != "$(recall "$state.marked")" ] || return 0
    answer=$(regtag tag -q "$@" "$image@$digest" "$device-installed") || return
    [ -n "$answer" ] && echo "$digest" >"$state.marked"
}

look() {
    digest=$(regtag digest "$@" "$image") || return
    [ "$digest" != "$(recall "$state")" ] || return 0
    if "$install" "$image@$digest"; then
        remember "$digest"
    else
        echo "agent.sh: $digest is not installed" >&2 # the next round tries again
    fi
}

while :; do
    for task in look mark; do
        "$task" "$@"
        status=$?
        [ $status = 0 ] || may_pass $status || exit $status
    done
    sleep "$interval"
done
