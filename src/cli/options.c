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

#define ALL_VERBS 0x7f
#define CHANGING (VERB_ID_TAG | VERB_ID_DELETE)
#define ONE_IMAGE (VERB_ID_TAG | VERB_ID_DIGEST | VERB_ID_MANIFEST)
#define LETTER 0x80 /* -n stands for --name; none of these takes a value */
#define AT(member) offsetof(struct options, member)

/* Packed: there are many. */
struct option {
    const char *name, *value; /* value: "" where there is none */
    unsigned kind : 4;        /* enum option_kind */
    unsigned at : 16;         /* offset in struct options */
    unsigned verbs : 8;       /* that take it; and LETTER */
    uint32_t most;            /* with NUMBER and COUNT; 0: INT64_MAX */
    const char *summary;
};

/* In the order of the help. */
static const struct option OPTIONS[] = {
    {"expect", "[NAME=]DIGEST|absent", EXPECT, 0, CHANGING, 0,
     "leave a tag alone that points elsewhere"},
    {"no-clobber", "", FLAG, AT(no_clobber), VERB_ID_TAG, 0, "leave a tag alone that exists"},
    {"confirm", "", FLAG, AT(confirm), VERB_ID_TAG | VERB_ID_UNDO, 0, "read each tag back at the end"},
    {"journal", "FILE", TEXT, AT(journal), CHANGING, 0, "write down each move, for undo"},
    {"last", "N", NUMBER, AT(last), VERB_ID_UNDO, 0, "only the last N moves"},
    {"registry", "HOST[:PORT]", TEXT, AT(registry), VERB_ID_UNDO, 0,
     "where all moves are; --user and the like need it"},
    {"dry-run", "", FLAG, AT(dry_run), CHANGING | VERB_ID_UNDO, 0, "do all but change anything"},
    {"with-siblings", "", FLAG, AT(siblings), VERB_ID_DELETE, 0,
     "if need be, delete all tags of the same digest"},
    {"ignore-missing", "", FLAG, AT(ignore_missing), VERB_ID_DELETE, 0,
     "a tag that is not there is no failure"},
    {"digests", "", FLAG, AT(digests), VERB_ID_LS, 0, "print the digest of each tag, too"},
    {"platform", "OS/ARCH[/VARIANT]", TEXT, AT(platform), ONE_IMAGE, 0,
     "the image for this platform, of an index"},
    {"interval", "SECONDS", NUMBER, AT(interval), VERB_ID_WATCH, TIMEOUT_MAX,
     "from one ask to the next (60)"},
    {"jitter", "PERCENT", PERCENT, AT(jitter), VERB_ID_WATCH, 0,
     "by so much it may be more or less (10%)"},
    {"from", "DIGEST|absent", TEXT, AT(from), VERB_ID_WATCH, 0, "what is here already"},
    {"once", "", FLAG, AT(once), VERB_ID_WATCH, 0, "end after the first change"},
    {"json", "", FLAG, AT(json), ALL_VERBS & ~VERB_ID_MANIFEST, 0, "one JSON object a line"},
    {"limit", "N", NUMBER, AT(limit), VERB_ID_LS, 0, "list at most N tags"},
    {"jobs", "N", NUMBER, AT(jobs), JOBS_VERBS, JOBS_MAX, "connections to the registry (4)"},
    {"timeout", "SECONDS", NUMBER, AT(timeout), ALL_VERBS, TIMEOUT_MAX,
     "how long all of it, or one ask of watch, may take (60)"},
    {"stall", "SECONDS", COUNT, AT(stall), ALL_VERBS, TIMEOUT_MAX,
     "without a byte for so long, an attempt has failed (20)"},
    {"retries", "N", COUNT, AT(retries), ALL_VERBS, 1000, "how often to try again (4)"},
    {"resolve", "HOST:PORT:ADDRESS", RESOLVE, 0, ALL_VERBS, 0, "the address of a host; may be repeated"},
    {"user", "NAME", TEXT, AT(user), ALL_VERBS, 0, "log in with this name"},
    {"password-stdin", "", FLAG, AT(password_stdin), ALL_VERBS, 0, "... and the password on stdin"},
    {"password-file", "FILE", TEXT, AT(password_file), ALL_VERBS, 0, "... or the one in a file"},
    {"authfile", "FILE", TEXT, AT(authfile), ALL_VERBS, 0,
     "a config.json of Docker, or auth.json of podman"},
    {"anonymous", "", FLAG, AT(anonymous), ALL_VERBS, 0, "use no credentials, whatever there is"},
    {"proxy", "URL", TEXT, AT(proxy), ALL_VERBS, 0, "the HTTP proxy to go through; \"\" for none"},
    {"no-proxy", "LIST", TEXT, AT(no_proxy), ALL_VERBS, 0,
     "hosts, domains and blocks to reach without it"},
    {"plain-http", "", PLAIN, 0, ALL_VERBS, 0, "speak plain HTTP, whatever the host"},
    {"tls", "", TLS, 0, ALL_VERBS, 0, "speak TLS, whatever the host"},
    {"allow-realm", "HOST[:PORT]", LIST, AT(allow_realm), ALL_VERBS, 0,
     "a token server to trust although it looks wrong"},
    {"cacert", "FILE|DIR", LIST, AT(cacert), ALL_VERBS, 0, "trust these CAs only"},
    {"cert", "FILE", TEXT, AT(cert), ALL_VERBS, 0, "the client's certificate (PEM)"},
    {"key", "FILE", TEXT, AT(key), ALL_VERBS, 0, "its key; where it is not in the same file"},
    {"pin", "sha256//BASE64", LIST, AT(pin), ALL_VERBS, 0, "the registry's key must be this one"},
    {"pin-only", "", FLAG, AT(pin_only), ALL_VERBS, 0, "... and that is all the trust there is"},
    {"time-floor", "DATE|FILE", TEXT, AT(time_floor), ALL_VERBS, 0,
     "it is not earlier than this, whatever the clock says"},
    {"insecure", "", FLAG, AT(insecure), ALL_VERBS, 0, "do not verify the registry's certificate"},
    {"verbose", "", FLAG, AT(verbose), ALL_VERBS | LETTER, 0,
     "show requests, answers and timings on stderr"},
    {"quiet", "", FLAG, AT(quiet), ALL_VERBS | LETTER, 0, "say nothing on stderr but errors"},
    {"help", "", FLAG, AT(help), ALL_VERBS | LETTER, 0, "show this text"},
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
    print_column(text, 36);
    print(o->summary);
    print("\n");
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
    if (verb->id != VERB_ID_UNDO)
        print("\nIMAGE is [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST], REPOSITORY the same without tag and "
              "digest.\n");
    print("\nOptions:\n");
    for (size_t i = 0; i < COUNT_OF(OPTIONS); i++)
        if (OPTIONS[i].verbs & verb->id)
            print_option(&OPTIONS[i]);
}

static void help_all(void)
{
    print("regtag gives an image in a container registry another tag. No layer moves.\n\n"
          "usage: regtag COMMAND [OPTION]... [ARGUMENT]...\n\nCommands:\n");
    for (const struct cli_verb *const *v = VERBS; *v; v++) {
        char text[64];
        struct writer w = writer_to(text, sizeof text - 1);
        write_format(&w, "  %s %s", (*v)->name, (*v)->arguments);
        text[w.used] = '\0';
        print_column(text, 31);
        print((*v)->summary);
        print("\n");
    }
    print("  help [COMMAND]               shows the options of a command\n"
          "  --version                    prints the version\n\n"
          "IMAGE is [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]. The manual regtag(1) tells all.\n");
}

void options_help(const struct cli_verb *verb)
{
    if (verb)
        help_verb(verb);
    else
        help_all();
}

/* ---- Reading --------------------------------------------------------------------------------- */

static const struct option *find_option(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(OPTIONS); i++)
        if (slice_equal(name, slice_of(OPTIONS[i].name)))
            return &OPTIONS[i];
    return NULL;
}

static const struct option *find_letter(char letter)
{
    for (size_t i = 0; i < COUNT_OF(OPTIONS); i++)
        if (OPTIONS[i].verbs & LETTER && OPTIONS[i].name[0] == letter)
            return &OPTIONS[i];
    return NULL;
}

static bool usage(const struct options *o, struct error *e, const char *what, const char *text)
{
    struct slice shown = slice_of(text);
    /* What follows a '=' may be a password. */
    if (slice_starts(shown, SLICE("--")))
        shown = slice_split(&shown, '=');
    error_set(e, REGTAG_E_USAGE, "%s \"%.*s\"; \"regtag help%s%s\" shows what there is", what,
              SLICE_ARG(slice_head(shown, 200)), o->verb ? " " : "", o->verb ? o->verb->name : "");
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

static bool set_scheme(struct options *o, enum regtag_scheme scheme, struct error *e)
{
    if (o->scheme != REGTAG_SCHEME_DEFAULT && o->scheme != scheme)
        error_set(e, REGTAG_E_USAGE, "--plain-http and --tls cannot both be meant");
    o->scheme = scheme;
    return e->status == 0;
}

static bool add_value(struct option_values *values, const struct option *option, const char *value,
                      struct error *e)
{
    if (option->at == AT(allow_realm) && strchr(value, '/'))
        return options_bad_value(e, option->name, value, "it takes HOST or HOST:PORT");
    if (values->count == OPTION_VALUES_MAX)
        return options_bad_value(e, option->name, value, "it is given more often than 8 times");
    values->list[values->count++] = value;
    return true;
}

static bool add_expected(struct options *o, const char *value, struct error *e)
{
    if (o->expected_count == EXPECTED_MAX)
        return options_bad_value(e, "expect", value, "it is given more often than 256 times");
    o->expected[o->expected_count++] = value;
    return true;
}

static bool set_percent(uint64_t *number, const char *value, struct error *e)
{
    struct slice digits = slice_of(value);
    if (digits.size && digits.data[digits.size - 1] == '%')
        digits.size--;
    return slice_number(digits, 100, number) ||
           options_bad_value(e, "jitter", value, "it takes a whole number of percent, up to 100%");
}

static bool set_number(uint64_t *number, const struct option *option, const char *value, struct error *e)
{
    char text[64];
    struct writer w = writer_to(text, sizeof text - 1);
    uint64_t most = option->most ? option->most : INT64_MAX;
    unsigned least = option->kind == NUMBER;
    if (slice_number(slice_of(value), most, number) && *number >= least)
        return true;
    write_format(&w, "it takes a whole number from %u to %llu", least, (unsigned long long)most);
    text[w.used] = '\0';
    return options_bad_value(e, option->name, value, text);
}

static bool set_option(struct options *o, const struct option *option, const char *value,
                       struct error *e)
{
    void *at = (char *)o + option->at;
    switch (option->kind) {
    case FLAG: *(bool *)at = true; return true;
    case TEXT: *(const char **)at = value; return true;
    case LIST: return add_value(at, option, value, e);
    case NUMBER:
    case COUNT: return set_number(at, option, value, e);
    case EXPECT: return add_expected(o, value, e);
    case PERCENT: return set_percent(at, value, e);
    case PLAIN: return set_scheme(o, REGTAG_SCHEME_PLAIN, e);
    case TLS: return set_scheme(o, REGTAG_SCHEME_TLS, e);
    case RESOLVE: return set_resolve(o, value, e);
    }
    return false;
}

/* "" means something for two options only: no proxy, and no exceptions from it. */
static bool check_value(const struct option *option, const char *value, struct error *e)
{
    if (value && (*value || option->at == AT(proxy) || option->at == AT(no_proxy)))
        return true;
    error_set(e, REGTAG_E_USAGE, "--%s%s", option->name,
              value ? ": the value is empty; is a variable not set?" : " needs a value");
    return false;
}

/* Reads the option argv[*at]; *at moves on if its value is the next argument. */
static bool read_long(struct options *o, int argc, char **argv, int *at, struct error *e)
{
    struct slice value = slice_of(argv[*at] + 2);
    struct slice name = slice_split(&value, '=');
    const struct option *option = find_option(name);

    if (!option || !(option->verbs & o->verb->id))
        return usage(o, e, "there is no option", argv[*at]);
    if (!*option->value) {
        if (value.data)
            return usage(o, e, "an option that takes no value has one:", argv[*at]);
        return set_option(o, option, "", e);
    }
    const char *text = value.data ? value.data : *at + 1 < argc ? argv[++*at] : NULL;
    return check_value(option, text, e) && set_option(o, option, text, e);
}

/* One letter or several: -vq. None of them takes a value. */
static bool read_letters(struct options *o, const char *argument, struct error *e)
{
    for (const char *letter = argument + 1; *letter; letter++) {
        const struct option *option = find_letter(*letter);
        char shown[] = {'-', *letter, '\0'}; /* only this: what follows may be a password */
        if (!option || !set_option(o, option, "", e))
            return usage(o, e, "there is no option", shown);
    }
    return true;
}

static bool read_arguments(struct options *o, int argc, char **argv, struct error *e)
{
    bool only_arguments = false;
    o->arguments = argv;
    for (int i = 0; i < argc; i++) {
        char *a = argv[i];
        if (only_arguments || a[0] != '-' || a[1] == '\0')
            o->arguments[o->count++] = a;
        else if (strcmp(a, "--") == 0 && o->verb->id == VERB_ID_WATCH) {
            o->command = argv + i + 1;
            return true;
        } else if (strcmp(a, "--") == 0)
            only_arguments = true;
        else if (!(a[1] == '-' ? read_long(o, argc, argv, &i, e) : read_letters(o, a, e)))
            return false;
    }
    return true;
}

/* What the help calls an argument. */
static struct slice argument_name(const struct cli_verb *v, int number)
{
    struct slice rest = slice_of(v->arguments), name = rest;
    for (int i = 0; i <= number && rest.data; i++)
        name = slice_split(&rest, ' ');
    return slice_head(name, slice_find(name, '.'));
}

static bool check_arguments(const struct options *o, struct error *e)
{
    const struct cli_verb *v = o->verb;
    int number = 0;
    while (number < o->count && *o->arguments[number])
        number++;
    if (o->help || (number == o->count && number >= v->arguments_min && number <= v->arguments_max))
        return true;
    struct slice name = argument_name(v, number);
    const char *what = v->id == VERB_ID_TAG && number ? ", the new tag," : "";
    if (number < o->count)
        error_set(e, REGTAG_E_USAGE, "%.*s%s is empty; is a variable not set?", SLICE_ARG(name), what);
    else if (number < v->arguments_min)
        error_set(e, REGTAG_E_USAGE, "%.*s%s is missing: usage: regtag %s %s", SLICE_ARG(name), what,
                  v->name, v->arguments);
    else
        error_set(e, REGTAG_E_USAGE, "there is an argument too many: usage: regtag %s %s", v->name,
                  v->arguments);
    return false;
}

static bool check_login(const struct options *o, struct error *e)
{
    bool password = o->password_stdin || o->password_file;
    const char *problem = NULL;
    if (o->anonymous && (o->user || password || o->authfile))
        problem = "--anonymous cannot be meant together with --user, --password-... or --authfile";
    else if (o->password_stdin && o->password_file)
        problem = "--password-stdin and --password-file cannot both be meant";
    else if (password && !o->user)
        problem = "--password-stdin and --password-file need --user NAME";
    else if (o->user && !password)
        problem = "--user needs --password-stdin or --password-file FILE";
    if (!problem || o->help)
        return true;
    error_set(e, REGTAG_E_USAGE, "%s", problem);
    return false;
}

static bool check_guards(const struct options *o, struct error *e)
{
    const char *problem = NULL;
    if (o->no_clobber && o->expected_count)
        problem = "--no-clobber and --expect cannot both be meant";
    else if (o->command && !*o->command)
        problem = "a command is missing behind --";
    if (!problem || o->help)
        return true;
    error_set(e, REGTAG_E_USAGE, "%s", problem);
    return false;
}

static bool is_version(const char *word)
{
    return strcmp(word, "--version") == 0 || strcmp(word, "version") == 0;
}

static bool is_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* What may take the place of a verb: "help", "help VERB", "--help", "--version". */
static bool read_without_verb(struct options *o, int argc, char **argv, struct error *e)
{
    const char *word = argv[1];
    o->version = is_version(word);
    o->help = is_help(word);
    if (!o->version && !o->help)
        return usage(o, e, word[0] == '-' ? "a command comes first, not" : "there is no command", word);
    if (o->version || argc < 3 || is_help(argv[2]) || is_version(argv[2]))
        return true;
    o->verb = verb_find(argv[2]);
    return o->verb || usage(o, e, "there is no command", argv[2]);
}

bool options_parse(struct options *o, int argc, char **argv, struct error *e)
{
    memset(o, 0, offsetof(struct options, expected));
    o->timeout = TIMEOUT_DEFAULT;
    o->stall = STALL_DEFAULT;
    o->retries = RETRIES_DEFAULT;
    o->interval = INTERVAL_DEFAULT;
    o->jitter = JITTER_DEFAULT;
    if (argc < 2) {
        error_set(e, REGTAG_E_USAGE, "a command is missing; \"regtag help\" shows what there is");
        return false;
    }
    o->verb = verb_find(argv[1]);
    if (!o->verb)
        return read_without_verb(o, argc, argv, e);
    o->jobs = o->verb->id & JOBS_VERBS ? JOBS_DEFAULT : 1;
    return read_arguments(o, argc - 2, argv + 2, e) && check_arguments(o, e) && check_login(o, e) &&
           check_guards(o, e);
}
