/* The table of verbs: what the help says about each, what it takes, and what runs it. A verb is one
 * file, verb_NAME.c. */
#ifndef REGTAG_CLI_VERB_H
#define REGTAG_CLI_VERB_H

#include <stddef.h>
#include <stdint.h>

struct options;

/* Bits, so that an option can name the verbs that take it; there is room for 16. */
enum verb_id {
    VERB_ID_TAG = 1,
    VERB_ID_LS = 2,
    VERB_ID_DIGEST = 4,
    VERB_ID_MANIFEST = 8,
    VERB_ID_DELETE = 16,
    VERB_ID_WATCH = 32,
    VERB_ID_UNDO = 64,
    VERB_ID_FETCH = 128
};

struct cli_verb {
    enum verb_id id;
    const char *name, *arguments, *summary, *details, *example; /* for the help */
    int arguments_min, arguments_max;

    /* Does what the options say, by the deadline, of regtag_clock(). What is wrong with the arguments is
     * reported before anything is sent. Returns the exit status. */
    int (*run)(struct options *o, uint64_t deadline);
};

#define ARGUMENTS_MAX 1000000

extern const struct cli_verb cli_verb_tag, cli_verb_delete, cli_verb_watch, cli_verb_undo, cli_verb_ls,
    cli_verb_digest, cli_verb_manifest, cli_verb_fetch;

/* All of them, in the order of the help, and NULL at the end. */
extern const struct cli_verb *const VERBS[];

/* NULL: there is none of this name. */
const struct cli_verb *verb_find(const char *name);

#endif
