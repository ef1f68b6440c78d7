/* An operation that changes tags, from its first step to its last: what becomes of each tag is told, and
 * written to a journal before and after. */
#ifndef REGTAG_CLI_MOVING_H
#define REGTAG_CLI_MOVING_H

#include "base/sizes.h"
#include "cli/journal.h"
#include "cli/options.h"

/* To begin, clear the whole struct and set the first two. Then, for each operation, moving_next. */
struct moving {
    const struct options *options;
    struct journal *journal; /* NULL: none is kept */

    /* The move that is taken back; NULL: this is no undo. What its slices point at ends in a NUL. */
    const struct journal_line *undone;
    bool pretended; /* in a dry run: the tag is meant to be where that move has put it, but is not */

    enum regtag_status status; /* of the first thing that failed */
    struct error stopped;      /* why no tag is to be touched any more: the journal cannot be written */

    const char *image; /* of this operation, as moving_next was told, as are the two that follow */
    const char *const *names;
    size_t count;
    bool failed;      /* one of its tags, or more */
    size_t told;      /* tags of it */
    size_t announced; /* tags that the journal says are being moved; these are they */
    const char *announced_names[ANNOUNCED_MAX];
};

/* Goes on to an operation on the tags names[0..count) of a repository; `image` is a reference of it, as the
 * user wrote it. */
void moving_next(struct moving *m, const char *image, const char *const *names, size_t count);

/* Steps the operation to its end, or until the journal cannot be written. Each tag is told. */
void moving_run(struct moving *m, struct regtag *r);

/* Tells that all tags of the operation that were not told yet have failed. */
void moving_fail(struct moving *m, const struct error *problem);

#endif
