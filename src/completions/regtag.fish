# Completion of regtag's command line, for fish. What there is comes from the program's own help, so that a build with
# fewer commands offers fewer.

function __regtag_commands
    regtag help 2>/dev/null | string replace -rf '^  ([a-z]+) .*?  +(.*)' '$1\t$2'
end

# Whether the command is the second word, and no "--" has ended the options.
function __regtag_is
    set -l words (commandline -opc)
    test (count $words) -gt 1; and contains -- $words[2] $argv; and not contains -- -- $words
end

# Behind it, a program and its arguments follow.
function __regtag_runs
    set -l words (commandline -opc)
    test "$words[2]" = watch; and contains -- -- $words
end

function __regtag_begins
    test (count (commandline -opc)) -eq 1
end

# Offers what the help of a command lists, or, with "help options", that of all, with the commands behind it.
function __regtag_options
    for line in (regtag $argv[1] $argv[2] 2>/dev/null | string match -r '^  [ -].*--.*')
        # What matched, the letter, the name, the value, and what it does
        set -l found (string match -r '^  (..)[, ] --([a-z-]+)((?: [^ ]+)?)  +(.*)' -- $line)
        set -l option -l $found[3] -d $found[5]
        string match -qr '^-' -- $found[2]; and set -a option -s (string sub -s 2 -- $found[2])
        switch $found[4]
            case '*FILE*' '*DIR*'
                set -a option -r -F
            case ' *'
                set -a option -x
        end
        complete -c regtag -n "__regtag_is $argv[3..]" $option
        if test $argv[1] = help; and string match -qr $__regtag_sides -- $found[3]
            for side in from to
                set option[2] $side-$found[3]
                complete -c regtag -n '__regtag_is copy' $option
            end
        end
    end
end

# What is about one registry can be said of each of the two.
set __regtag_sides '^(user|password|authfile|anonymous|plain-http|tls|allow-realm|cacert|cert|key|pin|insecure)'

complete -c regtag -f
complete -c regtag -n __regtag_begins -a '(__regtag_commands)'
complete -c regtag -n '__regtag_is help' -a '(__regtag_commands) options'
complete -c regtag -n '__regtag_is undo load' -F
complete -c regtag -n __regtag_runs -a '(complete -C (commandline -ct))'
for verb in (__regtag_commands | string replace -r '\t.*' '')
    test $verb = help; and continue
    __regtag_options $verb --help $verb
end
__regtag_options help options (__regtag_commands | string replace -r '\t.*' '' | string match -v help)
