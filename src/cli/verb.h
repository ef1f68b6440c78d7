/* The table of verbs: what the help says about each, what it takes, and what runs it. A verb is one
 * file, verb_NAME.c; make's VERBS says which of them a build has. */
#ifndef REGTAG_CLI_VERB_H
#define REGTAG_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options;

/* Bits, so that an option can name the verbs that take it; there is room for 16. The Makefile knows the verbs from
 * here, and their order in the help. */
#define VERB_ID_TAG 0x1
#define VERB_ID_COPY 0x100
#define VERB_ID_DELETE 0x2
#define VERB_ID_WATCH 0x4
#define VERB_ID_UNDO 0x8
#define VERB_ID_LS 0x10
#define VERB_ID_DIGEST 0x20
#define VERB_ID_MANIFEST 0x40
#define VERB_ID_FETCH 0x80
#define VERB_ID_SAVE 0x200
#define VERB_ID_LOAD 0x400
#define VERB_ID_VERIFY 0x800
#define VERB_ID_REFERRERS 0x1000

/* Verbs that share options, and the advice that names these. */
#define SETTING (VERB_ID_TAG | VERB_ID_COPY | VERB_ID_LOAD)
#define CHANGING (SETTING | VERB_ID_DELETE)
#define ONE_IMAGE                                                                                       \
    (VERB_ID_TAG | VERB_ID_DIGEST | VERB_ID_MANIFEST | VERB_ID_FETCH | VERB_ID_SAVE | VERB_ID_COPY |    \
     VERB_ID_LOAD | VERB_ID_VERIFY | VERB_ID_REFERRERS)

/* Verbs that only print. */
#define ASKING (VERB_ID_LS | VERB_ID_DIGEST | VERB_ID_MANIFEST | VERB_ID_VERIFY | VERB_ID_REFERRERS)

/* Verbs that act only on an image that is signed, if there are keys. */
#define SIGNED                                                                                          \
    (VERB_ID_TAG | VERB_ID_FETCH | VERB_ID_COPY | VERB_ID_LOAD | VERB_ID_WATCH | VERB_ID_VERIFY)

/* Whether this build has one of these verbs: for #if, and for constants that leave nothing behind if not. The Makefile
 * defines VERBS_BUILT, the bits; VERBS_TABLE, "&cli_verb_NAME," for each; VERBS_NAMES, and VERBS_LEFT_OUT, the names of all
 * others, as strings. */
#define HAS_VERB(ids) (((ids) & (VERBS_BUILT)) != 0)

struct cli_verb {
    unsigned id;                                                /* VERB_ID_... */
    const char *name, *arguments, *summary, *details, *example; /* for the help */
    int arguments_min, arguments_max;

    /* Does what the options say, by the deadline, of regtag_clock(). What is wrong with the arguments is
     * reported before anything is sent. Returns the exit status. */
    int (*run)(struct options *o, uint64_t deadline);
};

#define ARGUMENTS_MAX 1000000

extern const struct cli_verb cli_verb_tag, cli_verb_delete, cli_verb_watch, cli_verb_undo, cli_verb_ls,
    cli_verb_digest, cli_verb_manifest, cli_verb_fetch, cli_verb_save, cli_verb_copy, cli_verb_load,
    cli_verb_verify, cli_verb_referrers;

/* Those of this build, in the order of the help, and NULL at the end. */
extern const struct cli_verb *const VERBS[];

/* NULL: this build has none of this name. */
const struct cli_verb *verb_find(const char *name);

/* Whether it is a verb of regtag that this build leaves out. */
bool verb_left_out(const char *name);

#endif
