#!/bin/sh
# A program built with VERBS="tag digest" has nothing of the other verbs: no function, no option, no word of theirs.
set -eu

[ -z "${SAN:-}" ] || { echo "the program with two verbs is not built with sanitizers"; exit 77; }
build=${BUILD:-build}
program=$build/tag/regtag
left_out=$("$build/regtag" help | awk '/^  [a-z]/ { print $1 }' | grep -vxE 'tag|digest|help')
echo "$left_out" | grep -qx watch || { echo "the verbs cannot be read from the help"; exit 1; }
failed=0

# What is there in the program with all verbs shows that the check can see it.
# absent WHAT PATTERN LIST LIST-OF-ALL
absent() {
    printf '%s\n' "$4" | grep -aqxE "$2" || { echo "the program with all verbs lacks $1 $2: what is it called now?"; failed=1; }
    ! printf '%s\n' "$3" | grep -axE "$2" || { echo "the program with two verbs has $1 $2"; failed=1; }
}

symbols() { nm --defined-only "$1" | awk '{ print $3 }'; }
few=$(symbols "$program") all=$(symbols "$build/regtag")
for verb in $left_out; do
    absent symbol "cli_verb_$verb" "$few" "$all"
done
for name in regtag_require_signature regtag_referrers regtag_delete regtag_list regtag_digests regtag_manifest regtag_fetch regtag_copy regtag_load regtag_save command_run outage_on_failure schedule_wait \
    signals_wait undo_index_begin journal_reader_begin journal_lock; do
    absent symbol "$name" "$few" "$all"
done

# By what the help says of it: mbedTLS has words like "title" too.
options() {
    for verb in $1; do "$build/regtag" help "$verb"; done | sed -n 's/^ \{2,\}\(-., \)\{0,1\}--.*  *  \(.*\)/\2/p' | sort -u
}
lost=$(options "$left_out" | grep -vxF "$(options "tag digest")")
[ "$(echo "$lost" | wc -l)" -ge 10 ] || { echo "the options cannot be read from the help"; exit 1; }
few=$(strings -d -n 3 "$program") all=$(strings -d -n 3 "$build/regtag") # -d: without what a debugger is told
! printf '%s\n' "$few" | grep -aF "$lost" || { echo "the program with two verbs has these options"; failed=1; }
for option in artifact-type with-siblings digests interval from- media-type; do
    absent option "$option" "$few" "$all"
done
names=$(echo "$left_out" | tr '\n' ' ' | sed 's/ $//') # as the program has them
for verb in $left_out; do
    absent "words such as" ".*regtag $verb\>.*|$verb \S.*|.*\"$verb\".*" "$(printf '%s\n' "$few" | grep -avxF "$names")" "$all"
done
exit $failed
