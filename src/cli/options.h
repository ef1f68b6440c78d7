/* The command line: a verb, then its arguments and options in any order. */
#ifndef REGTAG_CLI_OPTIONS_H
#define REGTAG_CLI_OPTIONS_H

#include "base/sizes.h"
#include "cli/verb.h"
#include "net/lookup.h"

/* The values of an option that may be repeated. */
struct option_values {
    unsigned count;
    const char *list[OPTION_VALUES_MAX];
};

/* How to reach a registry. copy has two, and --from-NAME and --to-NAME are for one of them. */
struct side_options {
    enum regtag_scheme scheme;
    struct option_values cacert, allow_realm;
    const char *authfile; /* NULL: not given */
    bool anonymous;

    /* From `user` on, for one registry only: see `sideless`. */
    const char *user, *password_file, *cert, *key; /* NULL: not given */
    bool password_stdin, pin_only, insecure;
    struct option_values pin;
};

struct options {
    const struct cli_verb *verb; /* NULL: only help or the version is wanted */
    char **arguments;            /* those that are not options; points into argv */
    int count;                   /* of the arguments */

    bool help, version;
    bool help_common; /* of the options that all commands take */
    bool json, quiet, verbose;
    uint64_t timeout, stall; /* seconds */
    uint64_t blob_timeout;   /* the same where blobs are moved; longer, unless --timeout is given */
    uint64_t helper_limit;   /* seconds that a credential helper may take; 0: until the deadline */
    uint64_t retries;
    uint64_t limit; /* 0: none */
    uint64_t jobs;  /* connections to the registry; of copy, blobs at the same time */

    bool no_clobber, confirm, dry_run, siblings, ignore_missing, digests;
    const char *platform, *journal, *registry, *image; /* NULL: not given */
    uint64_t last;                                     /* moves to undo; 0: all */

    uint64_t interval; /* seconds */
    uint64_t jitter;   /* percent of it */
    const char *from;  /* of watch, a digest; of tag, a file; NULL: not given */
    bool once;
    char **command; /* of watch: what follows "--", with a NULL at its end; or NULL */
    bool warned;    /* set by watch, not by an option: do not warn about the same files again */

    const char *output; /* of fetch and save, and the folder of watch --fetch; NULL: not given */
    const char *title, *media_type;
    uint64_t layer; /* UINT64_MAX: not given */
    bool blob;

    bool referrers;
    struct option_values verify_key;
    const char *artifact_type; /* NULL: not given */

    const char *proxy, *no_proxy, *time_floor; /* NULL: not given */
    struct side_options side[2]; /* of the registry, or of the source; and of copy's target */
    const char *sideless; /* an option that is for one registry, but was given for both; or NULL */

    bool all_tags;
    struct option_values include, exclude;

    unsigned expected_count;
    /* From here on the struct must be zero at first: it is large, and options_parse does not clear
     * it. */
    const char *expected[EXPECTED_MAX]; /* for regtag_config */
    struct overrides overrides;
};

#define TIMEOUT_DEFAULT 60  /* seconds */
#define TIMEOUT_BLOBS 86400 /* seconds, where blobs are moved */
#define STALL_DEFAULT 20    /* seconds */
#define INTERVAL_DEFAULT 60 /* seconds */
#define JITTER_DEFAULT 10   /* percent */
#define RETRIES_DEFAULT 4
#define JOBS_MAX (REGTAG_CONNECTIONS_MAX - 1) /* one connection is for other servers */
#define JOBS_VERBS (VERB_ID_TAG | VERB_ID_LS | VERB_ID_DELETE)
#define COPY_JOBS_MAX (REGTAG_CONNECTIONS_MAX / 2 - 1) /* the same, and each job has two */
#define LOAD_JOBS_MAX (JOBS_MAX < 8 ? JOBS_MAX : 8)
#define LOAD_JOBS_DEFAULT (LOAD_JOBS_MAX < 4 ? LOAD_JOBS_MAX : 4)
#define JOBS_DEFAULT (JOBS_MAX < 4 ? JOBS_MAX : 4)
#define COPY_JOBS_DEFAULT (COPY_JOBS_MAX < 4 ? COPY_JOBS_MAX : 4)

/* Reads argv, and reorders it so that the arguments stand together. False, and e set with REGTAG_E_USAGE,
 * if it is not valid. */
bool options_parse(struct options *o, int argc, char **argv, struct error *e);

/* Prints the help that was asked for to standard output. */
void options_help(const struct options *o);

/* Sets e with REGTAG_E_USAGE: an option's value is not valid because of `problem`. Returns false. */
bool options_bad_value(struct error *e, const char *option, const char *value, const char *problem);

#endif
