/* The command line: a verb, its arguments, and options anywhere behind it. */
#ifndef REGTAG_CLI_OPTIONS_H
#define REGTAG_CLI_OPTIONS_H

#include "base/sizes.h"
#include "net/resolve.h"

/* The values of an option that may be given several times. */
struct words {
    unsigned count;
    const char *list[WORDS_MAX];
};

struct options {
    const struct verb_info *verb; /* NULL: only help or the version is wanted */
    char **arguments;             /* what is not an option, `count` of them; points into argv */
    int count;

    bool help, version;
    bool json, quiet, verbose;
    uint64_t timeout; /* seconds */
    uint64_t limit;   /* 0: none */
    enum regtag_scheme scheme;
    const char *proxy, *no_proxy; /* NULL: not given */

    const char *user, *password_file, *authfile; /* NULL: not given */
    bool password_stdin, anonymous;

    struct words cacert, pin, allow_realm;
    const char *cert, *key, *time_floor; /* NULL: not given */
    bool pin_only, insecure;

    struct overrides overrides; /* large, and left alone unless it is used: it must be zero at first */
};

enum verb_id { VERB_ID_TAG = 1, VERB_ID_LS = 2, VERB_ID_DIGEST = 4, VERB_ID_MANIFEST = 8 };

struct verb_info {
    enum verb_id id;
    const char *name, *arguments, *summary, *details;
    int least, most; /* how many arguments it takes */
};

#define TIMEOUT_DEFAULT 60 /* seconds */

/* Reads argv; it is reordered so that the arguments stand together. False, and e set with REGTAG_USAGE,
 * when it makes no sense. */
bool options_parse(struct options *o, int argc, char **argv, struct error *e);

/* Prints the help of a verb, or that of the program for NULL, to standard output. */
void options_help(const struct verb_info *verb);

#endif
