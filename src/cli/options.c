#include "cli/options.h"

#include <string.h>

#include "cli/output.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define TIMEOUT_MAX (366 * 86400) /* seconds */

/* ---- The options ----------------------------------------------------------------------------- */

enum option_kind {
    FLAG,    /* sets a bool */
    TEXT,    /* sets a const char * */
    LIST,    /* adds to a struct option_values */
    NUMBER,  /* sets a uint64_t, from 1 to `most` */
    COUNT,   /* the same from 0 */
    EXPECT,  /* adds a guard */
    PERCENT, /* sets a uint64_t, from 0 to 100; a '%' may follow */
    PLAIN,   /* --plain-http */
    TLS,     /* --tls */
    RESOLVE, /* --resolve */
};

#define ALL_VERBS 0xffff
#define LISTING (VERB_ID_LS | VERB_ID_COPY)
#define JSON_VERBS (ALL_VERBS & ~VERB_ID_MANIFEST)
#define MOVING_BLOBS (VERB_ID_FETCH | VERB_ID_SAVE | VERB_ID_COPY | VERB_ID_LOAD)
#define MOVING (CHANGING | VERB_ID_UNDO) /* print what became of each tag */
#define LETTER 0x10000                   /* -n stands for --name */
#define AT(member) offsetof(struct options, member)

/* Packed: there are many. */
struct option {
    const char *name, *value; /* value: "" where there is none */
    unsigned kind : 4;        /* enum option_kind */
    unsigned at : 11;         /* offset in struct options */
    unsigned verbs : 17;      /* that take it; and LETTER */
    uint32_t most;            /* with NUMBER and COUNT; 0: INT64_MAX */
    const char *summary;
};

/* In the order of the help. Those that no verb of this build takes are left out. */
static const struct option OPTIONS[] = {
#if HAS_VERB(CHANGING)
    {"expect", "[NAME=]DIGEST|absent", EXPECT, 0, CHANGING, 0,
     "change a tag only if it points to DIGEST"},
#endif
#if HAS_VERB(SETTING)
    {"no-clobber", "", FLAG, AT(no_clobber), SETTING, 0, "never move an existing tag"},
#endif
#if HAS_VERB(VERB_ID_TAG)
    {"from", "FILE|-", TEXT, AT(from), VERB_ID_TAG, 0, "do this for each line IMAGE NAME... of FILE"},
#endif
#if HAS_VERB(SETTING | VERB_ID_UNDO)
    {"confirm", "", FLAG, AT(confirm), SETTING | VERB_ID_UNDO, 0, "read each tag back after setting it"},
#endif
#if HAS_VERB(CHANGING)
    {"journal", "FILE", TEXT, AT(journal), CHANGING, 0, "record each move, so that it can be undone"},
#endif
#if HAS_VERB(VERB_ID_UNDO)
    {"last", "N", NUMBER, AT(last), VERB_ID_UNDO, 0, "revert only the newest N moves"},
    {"registry", "HOST[:PORT]", TEXT, AT(registry), VERB_ID_UNDO, 0,
     "the journal's registry; --user etc. need it"},
#endif
#if HAS_VERB(CHANGING | VERB_ID_UNDO)
    {"dry-run", "", FLAG, AT(dry_run), CHANGING | VERB_ID_UNDO, 0,
     "show what would happen, change nothing"},
#endif
#if HAS_VERB(VERB_ID_DELETE)
    {"with-siblings", "", FLAG, AT(siblings), VERB_ID_DELETE, 0,
     "if need be, delete all tags of the manifest"},
    {"ignore-missing", "", FLAG, AT(ignore_missing), VERB_ID_DELETE, 0,
     "a tag that does not exist is not an error"},
#endif
#if HAS_VERB(ONE_IMAGE)
    {"platform", "OS/ARCH[/VARIANT]", TEXT, AT(platform), ONE_IMAGE, 0,
     "select a platform of a multi-platform image"},
#endif
#if HAS_VERB(VERB_ID_LOAD)
    {"image", "NAME|DIGEST", TEXT, AT(image), VERB_ID_LOAD, 0, "only this image of FILE"},
#endif
#if HAS_VERB(VERB_ID_VERIFY)
    {"verify-key", "FILE", LIST, AT(verify_key), SIGNED, 0,
     "require a signature by this key; repeatable"},
#endif
#if HAS_VERB(VERB_ID_SAVE | VERB_ID_COPY) && HAS_VERB(VERB_ID_REFERRERS)
    {"referrers", "", FLAG, AT(referrers), VERB_ID_SAVE | VERB_ID_COPY, 0,
     "include referrers, such as signatures"},
#endif
#if HAS_VERB(VERB_ID_REFERRERS)
    {"artifact-type", "TYPE", TEXT, AT(artifact_type), VERB_ID_REFERRERS, 0,
     "only those of this artifact type"},
#endif
#if HAS_VERB(VERB_ID_FETCH)
    {"output", "FILE|DIR|-", TEXT, AT(output), VERB_ID_FETCH | LETTER, 0,
     "the file, a folder for all, or stdout"},
    {"layer", "N", COUNT, AT(layer), VERB_ID_FETCH, 0, "only this layer; the first one is 0"},
    {"title", "NAME", TEXT, AT(title), VERB_ID_FETCH, 0, "only layers with this title"},
    {"media-type", "TYPE", TEXT, AT(media_type), VERB_ID_FETCH, 0, "only layers of this type"},
    {"blob", "", FLAG, AT(blob), VERB_ID_FETCH, 0, "the argument is a blob, REPOSITORY@DIGEST"},
#endif
#if HAS_VERB(VERB_ID_SAVE)
    {"output", "FILE|-", TEXT, AT(output), VERB_ID_SAVE | LETTER, 0, "the tar file, or - for stdout"},
#endif
#if HAS_VERB(VERB_ID_WATCH)
#if HAS_VERB(VERB_ID_FETCH)
    {"fetch", "DIR", TEXT, AT(output), VERB_ID_WATCH, 0, "fetch the image's files before COMMAND runs"},
#endif
    {"interval", "SECONDS", NUMBER, AT(interval), VERB_ID_WATCH, TIMEOUT_MAX,
     "wait between checks (60)"},
    {"jitter", "PERCENT", PERCENT, AT(jitter), VERB_ID_WATCH, 0,
     "vary each wait by up to this much (10%)"},
    {"from", "DIGEST|absent", TEXT, AT(from), VERB_ID_WATCH, 0, "what the device has already"},
    {"once", "", FLAG, AT(once), VERB_ID_WATCH, 0, "end after the first change"},
#endif
#if HAS_VERB(VERB_ID_LS)
    {"digests", "", FLAG, AT(digests), VERB_ID_LS, 0, "also print the digest of each tag"},
    {"limit", "N", NUMBER, AT(limit), VERB_ID_LS, 0, "list at most N tags"},
#endif
#if HAS_VERB(VERB_ID_COPY)
    {"all-tags", "", FLAG, AT(all_tags), VERB_ID_COPY, 0, "copy all tags of a repository"},
#endif
#if HAS_VERB(LISTING)
    {"include", "GLOB", LIST, AT(include), LISTING, 0, "only tags that match; may be repeated"},
    {"exclude", "GLOB", LIST, AT(exclude), LISTING, 0, "leave out tags that match; may be repeated"},
#endif
#if HAS_VERB(JSON_VERBS)
    {"json", "", FLAG, AT(json), JSON_VERBS, 0, "print one JSON object per line"},
#endif
#if HAS_VERB(JOBS_VERBS)
    {"jobs", "N", NUMBER, AT(jobs), JOBS_VERBS, JOBS_MAX,
     JOBS_MAX < 4 ? "connections to the registry (all)" : "connections to the registry (4)"},
#endif
#if HAS_VERB(VERB_ID_COPY)
    {"jobs", "N", NUMBER, AT(jobs), VERB_ID_COPY, COPY_JOBS_MAX, "how many blobs at a time (4)"},
#endif
#if HAS_VERB(VERB_ID_LOAD)
    {"jobs", "N", NUMBER, AT(jobs), VERB_ID_LOAD, LOAD_JOBS_MAX,
     LOAD_JOBS_MAX < 4 ? "how many blobs at a time (all)" : "how many blobs at a time (4)"},
#endif
    {"timeout", "SECONDS", NUMBER, AT(timeout), ALL_VERBS, TIMEOUT_MAX,
     "limit of the run or check (60; blobs 86400)"},
    {"stall", "SECONDS", COUNT, AT(stall), ALL_VERBS, TIMEOUT_MAX,
     "end an attempt that stalls this long (20)"},
    {"retries", "N", COUNT, AT(retries), ALL_VERBS, 1000, "how often to retry a request (4)"},
    {"resolve", "HOST:PORT:ADDRESS", RESOLVE, 0, ALL_VERBS, 0,
     "connect to this address; may be repeated"},
    {"user", "NAME", TEXT, AT(side[0].user), ALL_VERBS, 0, "log in as NAME"},
    {"password-stdin", "", FLAG, AT(side[0].password_stdin), ALL_VERBS, 0,
     "... with the password on stdin"},
    {"password-file", "FILE", TEXT, AT(side[0].password_file), ALL_VERBS, 0, "... or in this file"},
    {"authfile", "FILE", TEXT, AT(side[0].authfile), ALL_VERBS, 0,
     "Docker's config.json or podman's auth.json"},
    {"anonymous", "", FLAG, AT(side[0].anonymous), ALL_VERBS, 0,
     "use no credentials, even if there are some"},
    {"proxy", "URL", TEXT, AT(proxy), ALL_VERBS, 0, "use this HTTP proxy; \"\" for none"},
    {"no-proxy", "LIST", TEXT, AT(no_proxy), ALL_VERBS, 0,
     "reach these hosts, domains, blocks directly"},
    {"plain-http", "", PLAIN, AT(side[0].scheme), ALL_VERBS, 0, "speak plain HTTP, whatever the host"},
    {"tls", "", TLS, AT(side[0].scheme), ALL_VERBS, 0, "speak TLS, whatever the host"},
    {"allow-realm", "HOST[:PORT]", LIST, AT(side[0].allow_realm), ALL_VERBS, 0,
     "trust this token server anyway"},
    {"cacert", "FILE|DIR", LIST, AT(side[0].cacert), ALL_VERBS, 0, "trust these CAs only"},
    {"cert", "FILE", TEXT, AT(side[0].cert), ALL_VERBS, 0, "the client certificate (PEM)"},
    {"key", "FILE", TEXT, AT(side[0].key), ALL_VERBS, 0, "its key, if it is in another file"},
    {"pin", "sha256//BASE64", LIST, AT(side[0].pin), ALL_VERBS, 0, "require this key of the registry"},
    {"pin-only", "", FLAG, AT(side[0].pin_only), ALL_VERBS, 0, "... and trust it without a CA"},
    {"time-floor", "DATE|FILE", TEXT, AT(time_floor), ALL_VERBS, 0, "assume it is at least this late"},
    {"insecure", "", FLAG, AT(side[0].insecure), ALL_VERBS, 0,
     "do not verify the registry's certificate"},
    {"verbose", "", FLAG, AT(verbose), ALL_VERBS | LETTER, 0,
     "on stderr, show requests, answers, timings"},
    {"quiet", "", FLAG, AT(quiet), ALL_VERBS | LETTER, 0, "on stderr, print only errors"},
    {"help", "", FLAG, AT(help), ALL_VERBS | LETTER, 0, "show the options of the command"},
};

/* ---- Help ------------------------------------------------------------------------------------ */

static void print(const char *text)
{
    output_write(slice_of(text));
}

/* Pads the text with spaces up to the next column; with two at least. */
static void print_column(const char *text, size_t column)
{
    static const char SPACES[] = "                                        ";
    size_t size = strlen(text);
    size_t gap = size + 2 <= column ? column - size : 2;
    print(text);
    output_write((struct slice){SPACES, gap});
}

static void print_option(const struct option *o)
{
    char text[64];
    struct writer w = writer_to(text, sizeof text - 1);
    bool letter = o->verbs & LETTER;
    write_format(&w, "  %s%.*s%s--%s%s%s", letter ? "-" : "    ", letter, o->name, letter ? ", " : "",
                 o->name, *o->value ? " " : "", o->value);
    text[w.used] = '\0';
    print_column(text, 37);
    print(o->summary);
    print("\n");
}

/* Those that all commands take, or those of one. */
static void print_options(unsigned verb, bool common)
{
    for (size_t i = 0; i < COUNT_OF(OPTIONS); i++)
        if (OPTIONS[i].verbs & verb && common == ((OPTIONS[i].verbs & ALL_VERBS) == ALL_VERBS))
            print_option(&OPTIONS[i]);
}

#define IMAGE_IS "\nIMAGE is [HOST[:PORT]/]REPOSITORY"

/* What an argument looks like; `form`: what follows its name. */
static void help_reference(const char *start, const char *form)
{
    print(start);
    print(form);
    print(".\nWithout HOST, it is on Docker Hub");
    print(*form == '[' ? "; the default tag is latest.\n" : ".\n");
}

static void help_arguments(const struct cli_verb *verb)
{
    struct slice arguments = slice_of(verb->arguments);
    if (slice_starts(arguments, SLICE("REPOSITORY")))
        help_reference("\nREPOSITORY is [HOST[:PORT]/]NAME", "");
    else if (slice_contains(arguments, SLICE("IMAGE")))
        help_reference(IMAGE_IS, verb->id == VERB_ID_DELETE  ? ":TAG"
                                 : verb->id == VERB_ID_WATCH ? "[:TAG]"
                                                             : "[:TAG][@DIGEST]");
}

static void help_verb(const struct cli_verb *verb)
{
    print("usage: regtag ");
    print(verb->name);
    print(" [OPTION]... ");
    print(verb->arguments);
    print("\n\nregtag ");
    print(verb->name);
    print(" ");
    print(verb->summary);
    print(".\n");
    print(verb->details);
    if (HAS_VERB(MOVING) && verb->id & MOVING)
        print("Prints one line per tag, separated by tabs: the reference, the digest, what\n"
              "happened (created, moved, set if it is not known which, unchanged, deleted,\n"
              "failed, uncertain), and the previous digest; \"-\" if none or not known.\n");
    help_arguments(verb);
    print("\nExample:\n  regtag ");
    print(verb->example);
    print("\n\nOptions:\n");
    print_options(verb->id, false);
    print("\n\"regtag help options\" shows those of all commands: login, TLS, proxies, limits.\n");
}

static void help_all(void)
{
    if (HAS_VERB(VERB_ID_TAG))
        print("regtag adds tags to container images in a registry, or moves them.\n"
              "For that, layers are neither downloaded nor uploaded.\n\n");
    print("usage: regtag COMMAND [OPTION]... [ARGUMENT]...\n\nCommands:\n");
    for (const struct cli_verb *const *v = VERBS; *v; v++) {
        char text[64];
        struct writer w = writer_to(text, sizeof text - 1);
        write_format(&w, "  %s %s", (*v)->name, (*v)->arguments);
        text[w.used] = '\0';
        print_column(text, 31);
        print((*v)->summary);
        print("\n");
    }
    print("  help COMMAND                 shows the options of a command, and an example\n"
          "  help options                 shows the options of all commands\n"
          "  --version                    prints the version\n");
    help_reference(IMAGE_IS, "[:TAG][@DIGEST]");
    print("For the full reference, see regtag(1).\n");
}

void options_help(const struct options *o)
{
    if (o->verb)
        help_verb(o->verb);
    else if (o->help_common) {
        print("Options of all commands:\n");
        print_options(ALL_VERBS, true);
    } else
        help_all();
}

/* ---- Reading --------------------------------------------------------------------------------- */

static const struct option *find_option(const struct cli_verb *verb, struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(OPTIONS); i++)
        if (OPTIONS[i].verbs & verb->id && slice_equal(name, slice_of(OPTIONS[i].name)))
            return &OPTIONS[i];
    return NULL;
}

/* For the message: it was not mistyped. */
static bool is_of_other_verb(struct slice name)
{
    for (const struct cli_verb *const *v = VERBS; *v; v++)
        if (find_option(*v, name))
            return true;
    return false;
}

static const struct option *find_letter(const struct cli_verb *verb, char letter)
{
    for (size_t i = 0; i < COUNT_OF(OPTIONS); i++)
        if (OPTIONS[i].verbs & verb->id && OPTIONS[i].verbs & LETTER && OPTIONS[i].name[0] == letter)
            return &OPTIONS[i];
    return NULL;
}

/* Whether at most `most` letters were inserted, left out, replaced or swapped when typing the name. A '=' ends what was
 * typed. */
static bool is_similar(const char *typed, const char *name, unsigned most)
{
    for (; *name && *typed == *name; typed++)
        name++;
    if (!*typed || *typed == '=')
        return strlen(name) <= most;
    if (!most--)
        return false;
    if (is_similar(typed + 1, name, most))
        return true;
    return *name &&
           (is_similar(typed, name + 1, most) || is_similar(typed + 1, name + 1, most) ||
            (typed[0] == name[1] && typed[1] == name[0] && is_similar(typed + 2, name + 2, most)));
}

static bool is_mistyped(const char *typed, const char *name)
{
    return is_similar(typed, name, strlen(name) < 6 ? 1 : 2);
}

static const char *meant_verb(const char *typed)
{
    for (const struct cli_verb *const *v = VERBS; *v; v++)
        if (is_mistyped(typed, (*v)->name))
            return (*v)->name;
    return NULL;
}

static const char *meant_option(const struct cli_verb *verb, const char *typed)
{
    for (size_t i = 0; i < COUNT_OF(OPTIONS); i++)
        if (OPTIONS[i].verbs & verb->id && is_mistyped(typed, OPTIONS[i].name))
            return OPTIONS[i].name;
    return NULL;
}

/* What is wrong with the text; NULL or the name that was meant, of an option if there is a verb. */
static bool usage(const struct options *o, struct error *e, const char *what, const char *text,
                  const char *meant)
{
    struct slice shown = slice_of(text);
    /* What follows a '=' may be a password. */
    if (slice_starts(shown, SLICE("--")))
        shown = slice_split(&shown, '=');
    error_set(e, REGTAG_E_USAGE, "%s \"%.*s\"%s%s%s%s; see \"regtag help%s%s\"", what,
              SLICE_ARG(slice_head(shown, 200)), meant ? " (did you mean " : "",
              meant && o->verb ? "--" : "", meant ? meant : "", meant ? "?)" : "", o->verb ? " " : "",
              o->verb ? o->verb->name : "");
    return false;
}

bool options_bad_value(struct error *e, const char *option, const char *value, const char *problem)
{
    error_set(e, REGTAG_E_USAGE, "--%s \"%.*s\": %s", option,
              SLICE_ARG(slice_head(slice_of(value), 200)), problem);
    return false;
}

static bool set_resolve(struct options *o, const char *value, struct error *e)
{
    const char *problem = override_parse(&o->overrides, value);
    return !problem || options_bad_value(e, "resolve", value, problem);
}

static bool set_scheme(enum regtag_scheme *at, enum regtag_scheme scheme, struct error *e)
{
    if (*at != REGTAG_SCHEME_DEFAULT && *at != scheme)
        error_set(e, REGTAG_E_USAGE, "--plain-http and --tls cannot be combined");
    *at = scheme;
    return e->status == 0;
}

static bool add_value(struct option_values *values, const struct option *option, const char *value,
                      struct error *e)
{
    if (option->at == AT(side[0].allow_realm) && strchr(value, '/'))
        return options_bad_value(e, option->name, value, "must be HOST or HOST:PORT");
    if (values->count == OPTION_VALUES_MAX)
        return options_bad_value(e, option->name, value, "given more than 8 times");
    values->list[values->count++] = value;
    return true;
}

static bool add_expected(struct options *o, const char *value, struct error *e)
{
    if (o->expected_count == EXPECTED_MAX)
        return options_bad_value(e, "expect", value, "given more than 256 times");
    o->expected[o->expected_count++] = value;
    return true;
}

static bool set_percent(uint64_t *number, const char *value, struct error *e)
{
    struct slice digits = slice_of(value);
    if (digits.size && digits.data[digits.size - 1] == '%')
        digits.size--;
    return slice_number(digits, 100, number) ||
           options_bad_value(e, "jitter", value, "must be a whole number from 0 to 100");
}

static bool set_number(uint64_t *number, const struct option *option, const char *value, struct error *e)
{
    char text[64];
    struct writer w = writer_to(text, sizeof text - 1);
    uint64_t most = option->most ? option->most : INT64_MAX;
    unsigned least = option->kind == NUMBER;
    if (slice_number(slice_of(value), most, number) && *number >= least)
        return true;
    write_format(&w, "must be a whole number from %u to %llu", least, (unsigned long long)most);
    text[w.used] = '\0';
    return options_bad_value(e, option->name, value, text);
}

/* `shift`: from the options of the first side to those of another. */
static bool set_option(struct options *o, const struct option *option, size_t shift, const char *value,
                       struct error *e)
{
    void *at = (char *)o + option->at + shift;
    switch (option->kind) {
    case FLAG: *(bool *)at = true; return true;
    case TEXT: *(const char **)at = value; return true;
    case LIST: return add_value(at, option, value, e);
    case NUMBER:
    case COUNT: return set_number(at, option, value, e);
    case EXPECT: return HAS_VERB(CHANGING) && add_expected(o, value, e);
    case PERCENT: return HAS_VERB(VERB_ID_WATCH) && set_percent(at, value, e);
    case PLAIN: return set_scheme(at, REGTAG_SCHEME_PLAIN, e);
    case TLS: return set_scheme(at, REGTAG_SCHEME_TLS, e);
    case RESOLVE: return set_resolve(o, value, e);
    }
    return false;
}

/* The sides of a copy. */
enum { SOURCE = 1, TARGET = 2, BOTH = SOURCE | TARGET };

static bool has_sides(const struct option *option)
{
    return option->at >= AT(side) && option->at < AT(side[2]);
}

/* Takes "from-" or "to-" off the name of an option. */
static unsigned take_side(const struct options *o, struct slice *name)
{
    if (!HAS_VERB(VERB_ID_COPY) || !(o->verb->id & VERB_ID_COPY))
        return SOURCE;
    bool from = slice_starts(*name, SLICE("from-"));
    if (!from && !slice_starts(*name, SLICE("to-")))
        return BOTH;
    *name = slice_from(*name, from ? 5 : 3);
    return from ? SOURCE : TARGET;
}

static bool set_sides(struct options *o, const struct option *option, unsigned sides, const char *value,
                      struct error *e)
{
    if (!HAS_VERB(VERB_ID_COPY) || !has_sides(option))
        return set_option(o, option, 0, value, e);
    if (sides == BOTH && option->at >= AT(side[0].user))
        o->sideless = option->name;
    return (!(sides & SOURCE) || set_option(o, option, 0, value, e)) &&
           (!(sides & TARGET) || set_option(o, option, sizeof o->side[0], value, e));
}

/* "" means something for two options only: no proxy, and no exceptions from it. */
static bool set_value(struct options *o, const struct option *option, unsigned sides, const char *value,
                      struct error *e)
{
    if (value && (*value || option->at == AT(proxy) || option->at == AT(no_proxy)))
        return set_sides(o, option, sides, value, e);
    error_set(e, REGTAG_E_USAGE, "--%s%s", option->name,
              value ? " is empty; is a variable unset?" : " needs a value");
    return false;
}

/* Reads the option **argv; *argv moves on if its value is the next argument. */
static bool read_long(struct options *o, char ***argv, struct error *e)
{
    struct slice value = slice_of(**argv + 2);
    struct slice name = slice_split(&value, '=');
    unsigned sides = take_side(o, &name);
    const struct option *option = find_option(o->verb, name);

    if (!option || (name.data != **argv + 2 && !has_sides(option)))
        return usage(o, e,
                     name.data == **argv + 2 && is_of_other_verb(name) ? "this command has no option"
                                                                       : "unknown option",
                     **argv, meant_option(o->verb, **argv + 2));
    if (*option->value)
        return set_value(o, option, sides, value.data ? value.data : *++*argv, e);
    if (value.data)
        return usage(o, e, "no value may follow", **argv, NULL);
    return set_sides(o, option, sides, "", e);
}

/* One letter or several: -vq. What follows a letter that takes a value is the value: -oFILE, -o FILE. */
static bool read_letters(struct options *o, char ***argv, struct error *e)
{
    for (const char *letter = **argv + 1; *letter; letter++) {
        const struct option *option = find_letter(o->verb, *letter);
        char shown[] = {'-', *letter, '\0'}; /* only this: what follows may be a password */
        if (!option)
            return usage(o, e, "unknown option", shown, NULL);
        if (*option->value)
            return set_value(o, option, SOURCE, letter[1] ? letter + 1 : *++*argv, e);
        set_option(o, option, 0, "", e);
    }
    return true;
}

static bool read_arguments(struct options *o, char **argv, struct error *e)
{
    bool only_arguments = false;
    o->arguments = argv;
    for (; *argv; argv++) {
        char *a = *argv;
        if (only_arguments || a[0] != '-' || a[1] == '\0')
            o->arguments[o->count++] = a;
        else if (strcmp(a, "--") == 0 && o->verb->id == VERB_ID_WATCH) {
            o->command = argv + 1;
            return true;
        } else if (strcmp(a, "--") == 0)
            only_arguments = true;
        else if (!(a[1] == '-' ? read_long(o, &argv, e) : read_letters(o, &argv, e)))
            return false;
    }
    return true;
}

/* What the help calls an argument. */
static struct slice argument_name(const struct cli_verb *v, int number)
{
    struct slice rest = slice_of(v->arguments), name = SLICE("");
    for (int i = 0; i <= number && rest.data && !slice_contains(name, SLICE("...")); i++)
        name = slice_split(&rest, ' ');
    return slice_head(name, slice_find(name, '.'));
}

/* tag --from: the arguments are in a file. */
static bool is_from_file(const struct options *o)
{
    return HAS_VERB(VERB_ID_TAG) && o->verb->id == VERB_ID_TAG && o->from;
}

static bool check_arguments(const struct options *o, struct error *e)
{
    const struct cli_verb *v = o->verb;
    int number = 0;
    while (number < o->count && *o->arguments[number])
        number++;
    if (o->help || (is_from_file(o) && !o->count) ||
        (number == o->count && number >= v->arguments_min && number <= v->arguments_max &&
         !is_from_file(o)))
        return true;
    struct slice name = argument_name(v, number);
    const char *what = v->id == VERB_ID_TAG && number ? ", the new tag," : "";
    if (is_from_file(o))
        error_set(e, REGTAG_E_USAGE,
                  "with --from, images and tags are in the file, not among the arguments");
    else if (number < o->count)
        error_set(e, REGTAG_E_USAGE, "%.*s%s is empty; is a variable unset?", SLICE_ARG(name), what);
    else if (number < v->arguments_min)
        error_set(e, REGTAG_E_USAGE, "%.*s%s is missing; usage: regtag %s %s", SLICE_ARG(name), what,
                  v->name, v->arguments);
    else
        error_set(e, REGTAG_E_USAGE, "too many arguments; usage: regtag %s %s", v->name, v->arguments);
    return false;
}

static const char *login_problem(const struct side_options *s)
{
    bool password = s->password_stdin || s->password_file;
    if (s->anonymous && (s->user || password || s->authfile))
        return "--anonymous cannot be combined with --user, --password-... or --authfile";
    if (s->password_stdin && s->password_file)
        return "--password-stdin and --password-file cannot be combined";
    if (password && !s->user)
        return "--password-stdin and --password-file need --user NAME";
    if (s->user && !password)
        return "--user needs --password-stdin or --password-file FILE";
    return NULL;
}

/* The options that a message names are those of one side. */
static void name_side(const char *problem, const char *side, struct error *e)
{
    char text[128];
    struct writer w = writer_to(text, sizeof text);
    for (struct slice rest = slice_of(problem); rest.size; rest = slice_from(rest, 1)) {
        bool option = slice_starts(rest, SLICE("--"));
        write_format(&w, "%.*s%s", option ? 2 : 1, rest.data, option ? side : "");
        rest = slice_from(rest, option);
    }
    error_set(e, REGTAG_E_USAGE, "%.*s", SLICE_ARG(written(&w)));
}

static bool check_login(const struct options *o, struct error *e)
{
    const struct side_options *from = &o->side[0], *to = &o->side[1];
    const char *problem = login_problem(from), *other = login_problem(to), *side = "";
    if (HAS_VERB(VERB_ID_COPY) && o->verb->id & VERB_ID_COPY && problem != other) {
        side = problem ? "from-" : "to-";
        problem = problem ? problem : other;
    }
    if (!problem && is_from_file(o) && from->password_stdin && strcmp(o->from, "-") == 0)
        problem =
            "--from - and --password-stdin both read stdin: use --password-file, or a file of lines";
    if (HAS_VERB(VERB_ID_COPY) && !problem && from->password_stdin && to->password_stdin &&
        from->user != to->user)
        problem = "stdin has one password only: use --password-file for the other registry";
    if (!problem || o->help)
        return true;
    name_side(problem, side, e);
    return false;
}

static bool check_guards(const struct options *o, struct error *e)
{
    const char *problem = NULL;
    if (HAS_VERB(SETTING) && o->no_clobber && o->expected_count)
        problem = "--no-clobber and --expect cannot be combined";
    else if (HAS_VERB(VERB_ID_WATCH) && o->command && (!*o->command || !**o->command))
        problem = *o->command ? "COMMAND is empty; is a variable unset?" : "no command after --";
    if (!problem || o->help)
        return true;
    error_set(e, REGTAG_E_USAGE, "%s", problem);
    return false;
}

static bool is_version(const char *word)
{
    return strcmp(word, "--version") == 0 || strcmp(word, "version") == 0 || strcmp(word, "-V") == 0;
}

static bool is_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool no_such_verb(const struct options *o, const char *word, struct error *e)
{
    if (word[0] == '-')
        return usage(o, e, "a command must come first, not", word, NULL);
    if (!verb_left_out(word))
        return usage(o, e, "unknown command", word, meant_verb(word));
    error_set(e, REGTAG_E_USAGE, "this build of regtag leaves out \"%s\"; it has: " VERBS_NAMES, word);
    return false;
}

/* What may take the place of a verb: "help", "help VERB", "help options", "--help", "--version". */
static bool read_without_verb(struct options *o, int argc, char **argv, struct error *e)
{
    const char *word = argv[1], *topic = argv[2];
    o->version = is_version(word);
    o->help = is_help(word);
    if (!o->version && !o->help)
        return no_such_verb(o, word, e);
    if (argc > 2 + o->help)
        return usage(o, e, "too many arguments:", argv[2 + o->help], NULL);
    o->help_common = topic && strcmp(topic, "options") == 0;
    if (!topic || o->help_common || is_help(topic) || is_version(topic))
        return true;
    o->verb = verb_find(topic);
    return o->verb || no_such_verb(o, topic, e);
}

/* The deadline may be a day away, but a helper that asks a person needs more time than a server. */
static void set_timeouts(struct options *o)
{
    o->helper_limit = o->stall && o->stall < TIMEOUT_DEFAULT ? TIMEOUT_DEFAULT : o->stall;
    o->blob_timeout = o->timeout ? o->timeout : TIMEOUT_BLOBS;
    if (o->timeout == 0)
        o->timeout = o->verb->id & MOVING_BLOBS || is_from_file(o) ? TIMEOUT_BLOBS : TIMEOUT_DEFAULT;
}

bool options_parse(struct options *o, int argc, char **argv, struct error *e)
{
    memset(o, 0, offsetof(struct options, expected));
    o->layer = UINT64_MAX;
    o->stall = STALL_DEFAULT;
    o->retries = RETRIES_DEFAULT;
    o->interval = INTERVAL_DEFAULT;
    o->jitter = JITTER_DEFAULT;
    if (argc < 2) {
        error_set(e, REGTAG_E_USAGE, "no command given; see \"regtag help\"");
        return false;
    }
    o->verb = verb_find(argv[1]);
    if (!o->verb)
        return read_without_verb(o, argc, argv, e);
    o->jobs = o->verb->id & JOBS_VERBS     ? JOBS_DEFAULT
              : o->verb->id & VERB_ID_COPY ? COPY_JOBS_DEFAULT
              : o->verb->id & VERB_ID_LOAD ? LOAD_JOBS_DEFAULT
                                           : 1;
    if (!read_arguments(o, argv + 2, e))
        return false;
    set_timeouts(o);
    return check_arguments(o, e) && check_login(o, e) && check_guards(o, e);
}
