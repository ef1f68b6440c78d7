/* Runs operations that change tags, for tag, copy, delete and undo: steps each of them to its end, reports
 * what became of each tag, and writes each move to a journal before and after. */
#ifndef REGTAG_CLI_TAG_RUNNER_H
#define REGTAG_CLI_TAG_RUNNER_H

#include "base/sizes.h"
#include "cli/journal.h"
#include "cli/options.h"

/* To begin, clear the whole struct and set the options. Then, for each operation, tag_runner_next. */
struct tag_runner {
    const struct options *options;
    struct journal *journal; /* NULL: none is kept */

    /* For undo: the move that is being reverted; its slices are NUL-terminated. NULL for other verbs. */
    const struct journal_line *undone;

    /* In a dry run of undo: the tag would be where that move has put it, had the later moves really been
     * undone. */
    bool simulated;

    /* For copy: memory for a digest, if the operation only tries out what is then done: one that goes well is not reported,
     * but leaves the image's digest there. Else NULL. */
    char *rehearsed;

    bool keeps; /* each operation has `keep`: its connections are for the next one */
    /* For load: why the last read of what is uploaded failed, with its status. NULL for other verbs. */
    const struct error *source;

    enum regtag_status status; /* of the first failure */

    /* The operation at hand. */
    const char *image;
    const char *const *names;
    size_t count;
    bool failed;     /* at least one of its tags did */
    size_t reported; /* how many of its tags */

    struct error journal_error; /* the journal cannot be written: no more tags may be touched */

    /* Tags that the journal says are being moved. */
    size_t pending_count;
    const char *pending[TAGS_AT_ONCE];
};

/* Opens the journal that --journal names, if it does and this is no dry run. *j needs to be closed in
 * any case, after the last operation. Failure is reported for each tag, by tag_runner_login. */
void tag_runner_open_journal(struct tag_runner *t, struct journal *j);

/* Begins with the next operation, on the tags names[0..count) of a repository; `image` is a reference to
 * it, as the user wrote it. */
void tag_runner_next(struct tag_runner *t, const char *image, const char *const *names, size_t count);

/* Whether an --expect wants the same digest for all tags, so that all but one would fail. */
bool tag_runner_expects_digest(const struct options *o);

/* Finds the credentials for it. False: it cannot be run, and all its tags were reported as failed. */
bool tag_runner_login(struct tag_runner *t, uint64_t deadline);

/* Whether an operation that ended with this status could not reach its registry, or trust it: then the next
 * one need not try. */
bool tag_runner_lost(enum regtag_status status);

/* Steps the operation to its end. Each tag is reported. */
void tag_runner_run(struct tag_runner *t, struct regtag *r);

/* For tag_runner_fail; free for others before the first tag_runner_next, or if each operation has a single name. */
extern uint64_t tag_runner_table[NAMES_SLOTS / 2];

/* Reports that all tags of the operation that were not reported yet have failed. */
void tag_runner_fail(struct tag_runner *t, const struct error *problem);

/* For one of many operations, before it begins: whether the deadline has passed, so that it was not begun and all its tags were
 * reported as failed. There may be a hundred thousand more: it takes no more than printing them, with one message. */
bool tag_runner_is_late(struct tag_runner *t, uint64_t deadline);

/* At the end: says that nothing was changed, after a dry run. */
void tag_runner_note_dry_run(const struct tag_runner *t);

#endif
