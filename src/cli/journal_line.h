/* A line of a journal, five columns with tabs between:
 *
 *   TIME        REFERENCE             OLD      NEW      OUTCOME
 *   2026-11-23T12:31:28Z  localhost:5000/agent:stable  sha256:…  sha256:…  moved
 *
 * TIME is UTC, for a person only: the clock may be wrong, the order of the lines is not. REFERENCE is the tag
 * with its host. OLD and NEW are digests, or "absent" for no tag; OLD is "-" where it is not known. OUTCOME
 * is "moving" before the tag is touched, and afterwards what `tag` prints; "undo:" stands before it when the
 * line is of an undo. No beginning of a line is a line: one that was torn off is never taken for a whole. */
#ifndef REGTAG_CLI_JOURNAL_LINE_H
#define REGTAG_CLI_JOURNAL_LINE_H

#include "base/sizes.h"
#include "base/writer.h"
#include "regtag.h"

#define JOURNAL_ABSENT "absent"
#define JOURNAL_UNKNOWN "-"

struct journal_line {
    struct slice reference, before, after; /* `after` is never unknown */
    enum regtag_outcome outcome;           /* REGTAG_PENDING: "moving" */
    bool undo;
};

/* Writes the line, newline included; `seconds` have gone by since 1970. */
void write_journal_line(struct writer *w, int64_t seconds, const struct journal_line *line);

enum journal_verdict {
    JOURNAL_LINE,
    JOURNAL_EMPTY,  /* nothing stands in it */
    JOURNAL_TORN,   /* the beginning of a line, or what a disk has that lost its power */
    JOURNAL_INVALID /* nothing that regtag would write */
};

/* Takes a line apart that has no newline; the slices point into it. */
enum journal_verdict journal_line_read(struct slice text, struct journal_line *line);

#endif
