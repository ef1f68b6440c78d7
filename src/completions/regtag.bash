# Completion of regtag's command line, for bash. What there is comes from the program's own help, so that a build with
# fewer commands offers fewer.

# "--name" or "--name VALUE", and the same with a letter, a line each: the options of a command, and those of all commands.
_regtag_options() {
    {
        "$1" "$2" --help
        "$1" help options
    } 2>/dev/null | sed -n -e h -e 's/^  \(-[a-z]\), --[a-z-]*\( [^ ]*\)\{0,1\}  .*/\1\2/p' \
        -e g -e 's/^  [ -][ a-z][ ,] \(--[a-z-]*\)\( [^ ]*\)\{0,1\}  .*/\1\2/p' |
        if [ "$2" = copy ]; then _regtag_sides; else cat; fi
}

# What is about one registry can be said of each of the two.
_regtag_sides() {
    awk '{ print } /^--(user|password|authfile|anonymous|plain-http|tls|allow-realm|cacert|cert|key|pin|insecure)/ {
        name = substr($0, 3); print "--from-" name; print "--to-" name }'
}

_regtag_words() {
    local line
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "${@}")
}

# The values of an option, or the arguments of a command, by what the help calls them.
_regtag_values() {
    case $1 in
    *FILE* | *DIR* | JOURNAL)
        compopt -o filenames 2>/dev/null
        _regtag_words -f -- "$2"
        ;;
    COMMAND) _regtag_words -c -- "$2" ;;
    esac
}

_regtag() {
    local regtag=$1 word=$2 verb=${COMP_WORDS[1]} before=${COMP_WORDS[COMP_CWORD - 1]} options value
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        _regtag_words -W "$("$regtag" help 2>/dev/null | sed -n 's/^  \([a-z-]*\) .*/\1/p' | sort -u)" -- "$word"
        return
    fi
    options=$(_regtag_options "$regtag" "$verb")

    # bash takes --name=VALUE for three words.
    [ "$word" != = ] || word=
    [ "$before" != = ] || before=${COMP_WORDS[COMP_CWORD - 2]}
    [ "${COMP_WORDS[COMP_CWORD]}" != = ] || before=${COMP_WORDS[COMP_CWORD - 1]}
    value=$(printf '%s\n' "$options" | awk -v name="$before" '$1 == name { print $2; exit }')
    if [ -n "$value" ]; then
        _regtag_values "$value" "$word"
    elif [ "$verb" = help ]; then
        _regtag_words -W "options $("$regtag" help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')" -- "$word"
    elif [ "$verb" = watch ] && [[ " ${COMP_WORDS[*]:2:COMP_CWORD-2} " = *" -- "* ]]; then
        _regtag_values COMMAND "$word"
    elif [[ $word = -* ]]; then
        _regtag_words -W "$(printf '%s\n' "$options" | sed 's/ .*//')" -- "$word"
    else
        case $verb in
        undo | load) _regtag_values FILE "$word" ;;
        esac
    fi
}

complete -F _regtag regtag
