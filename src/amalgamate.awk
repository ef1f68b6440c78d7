# Writes the library as one file; src/amalgamate says what for. It knows C by the looks that clang-format gives it: what
# is at the left edge is a declaration, a definition, a comment or a directive.

# ---- What is private to a file: names that the compiler would see twice ------------------------------------------------

function belongs(name, file) {
    if ((name, file) in private)
        return
    private[name, file] = 1
    files_with[name]++
}

# The names of an enumeration's values, from the text between its braces.
function enumerators(text, file, parts, n, i) {
    gsub(/\/\*[^*]*\*\//, "", text)
    n = split(text, parts, ",")
    for (i = 1; i <= n; i++)
        if (match(parts[i], /[A-Za-z_][A-Za-z_0-9]*/))
            belongs(substr(parts[i], RSTART, RLENGTH), file)
}

function first_word(text) {
    sub(/[^A-Za-z_0-9].*/, "", text)
    return text
}

# The name that a line at the left edge makes known, with "enum", "struct" or "union" in front if it is such a tag.
function declared(line, words) {
    if (line ~ /^(enum|struct|union) [a-z_0-9]+ \{/) {
        split(line, words, " ")
        return words[1] " " words[2]
    }
    if (line ~ /^typedef .*;$/) {
        sub(/(\[.*\])?;$/, "", line)
        sub(/.*[ *]/, "", line)
        return line
    }
    if (line ~ /^[a-z]/ && match(line, /[A-Za-z_0-9]+( = |\[|\(|;)/))
        return first_word(substr(line, RSTART, RLENGTH))
    return ""
}

# Reads a file, and notes what it calls its own; what more than one file knows belongs to "*".
function survey(file, line, name, values) {
    while ((getline line <file) > 0) {
        lines[file, ++length_of[file]] = line
        if (line ~ /^#define /)
            macros[file] = macros[file] " " first_word(substr(line, 9))
        if ((name = declared(line)) != "")
            belongs(name, file ~ /\.c$/ && (line ~ /^(static|typedef) / || name ~ / /) ? file : "*")
        values = values || line ~ /^enum [a-z_0-9]* ?\{/
        if (values) {
            name = line
            sub(/^[^{]*\{/, "", name)
            sub(/\}.*/, "", name)
            enumerators(name, file ~ /\.c$/ ? file : "*")
        }
        if (line ~ /^(enum .*)?\};/)
            values = 0
    }
    close(file)
}

# ---- Renaming ----------------------------------------------------------------------------------------------------------

function renamed(name, file) {
    if (!((name, file) in private) || files_with[name] < 2)
        return ""
    return prefix_of(file) substr(name, index(name, " ") + 1)
}

function prefix_of(file, stem) {
    stem = file
    sub(/.*\//, "", stem)
    sub(/\.c$/, "", stem)
    return (name_is_upper ? toupper(stem) : stem) "_"
}

# One line of a file, with its private names made unique. Members, strings and comments stay as they are.
function unique(line, file, out, word, before, new, tag) {
    out = ""
    while (line != "") {
        if (comment) {
            match(line, /\*\//) ? new = RSTART + 1 : new = length(line)
            comment = !RSTART
            out = out substr(line, 1, new)
            line = substr(line, new + 1)
            before = ""
        } else if (match(line, /^\/\*/)) {
            comment = 1
            out = out "/*"
            line = substr(line, 3)
        } else if (match(line, /^"(\\.|[^"\\])*"/) || match(line, /^'(\\.|[^'\\])*'/) || match(line, /^[0-9][A-Za-z_0-9]*/)) {
            out = out substr(line, 1, RLENGTH)
            line = substr(line, RLENGTH + 1)
            before = ""
        } else if (match(line, /^[A-Za-z_][A-Za-z_0-9]*/)) {
            word = substr(line, 1, RLENGTH)
            line = substr(line, RLENGTH + 1)
            tag = before ~ /^(enum|struct|union)$/
            name_is_upper = word == toupper(word)
            new = tag ? renamed(before " " word, file) : before ~ /^(\.|->)$/ ? "" : renamed(word, file)
            out = out (new != "" ? new : word)
            before = word
        } else {
            match(line, /^(->|.)/)
            if (substr(line, 1, RLENGTH) !~ /[ \t]/)
                before = substr(line, 1, RLENGTH)
            out = out substr(line, 1, RLENGTH)
            line = substr(line, RLENGTH + 1)
        }
    }
    return out
}

# ---- Writing -----------------------------------------------------------------------------------------------------------

# A function or a constant that other files of the library use is of no use outside this one.
function hidden(line) {
    if (line ~ /^extern /)
        return "" # its definition stands before all that use it
    if (line !~ /^(static|typedef) / && line !~ /[^a-z_0-9]regtag_[a-z_0-9]+\(/ &&
        (line ~ /^[a-z][A-Za-z_0-9 ]*[ *][a-z_0-9]+\(/ || line ~ /^const .* =( |$)/))
        return "REGTAG_PRIVATE " line
    return line
}

function included(line) {
    sub(/^#include "/, "", line)
    sub(/".*/, "", line)
    return line
}

# The files that this one needs, as far as they are not written yet; the source of a header before whoever includes it.
function write_needed(file, i, header, source) {
    for (i = 1; i <= length_of[file]; i++) {
        if (lines[file, i] !~ /^#include "/ || (header = included(lines[file, i])) == "regtag.h")
            continue
        source = header
        sub(/\.h$/, ".c", source)
        if (source in length_of)
            write(source)
        write(header)
    }
}

function write(file, i, line, before, names, n) {
    if (file in written)
        return
    written[file] = 1
    write_needed(file)
    print "\n/* ==== " file " ==== */"
    comment = 0
    for (i = 1; i <= length_of[file]; i++) {
        line = lines[file, i]
        if (line ~ /^#include ("|<jsmn\.h>)/ || line ~ /^#define JSMN_(STATIC|STRICT)$/)
            continue
        line = hidden(line)
        if (line != "" || before != "")
            print before = file ~ /\.c$/ ? unique(line, file) : line
    }
    n = file ~ /\.c$/ ? split(macros[file], names, " ") : 0
    for (i = 1; i <= n; i++)
        if (names[i] !~ /^JSMN_/)
            print "#undef " names[i]
}

BEGIN {
    for (i = 1; i < ARGC; i++)
        survey(ARGV[i])
    print "/* regtag " version ": the library in one file, made of its sources by src/amalgamate. Beside it belong regtag.h,"
    print " * which is the contract, and jsmn.h. */"
    print "#ifndef REGTAG_VERSION"
    print "#define REGTAG_VERSION \"" version "\""
    print "#endif"
    print "#define JSMN_STATIC"
    print "#define JSMN_STRICT"
    print "#define JSMN_PARENT_LINKS"
    print "#include \"jsmn.h\""
    print "#include \"regtag.h\""
    print ""
    print "/* What is not used in here is used by the command. */"
    print "#ifdef __GNUC__"
    print "#define REGTAG_PRIVATE static __attribute__((unused))"
    print "#else"
    print "#define REGTAG_PRIVATE static"
    print "#endif"
    for (i = 1; i < ARGC; i++)
        if (ARGV[i] ~ /\.c$/)
            write(ARGV[i])
}
