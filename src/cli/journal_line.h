/* A line of a journal: five columns, separated by tabs:
 *
 *   TIME        REFERENCE             OLD      NEW      OUTCOME
 *   2026-11-23T12:31:28Z  localhost:5000/agent:stable  sha256:…  sha256:…  moved
 *
 * TIME is UTC, and for people only: the clock may be wrong, the order of the lines is not. REFERENCE is
 * the tag with its host. OLD and NEW are digests, or "absent" for no tag; OLD is "-" if it is unknown.
 * OUTCOME is "moving" before the tag is touched, and afterwards what `tag` prints, with the prefix
 * "undo:" if an undo wrote the line. No prefix of a line is a line, so a torn one is never taken for a
 * whole one. */
#ifndef REGTAG_CLI_JOURNAL_LINE_H
#define REGTAG_CLI_JOURNAL_LINE_H

#include "base/sizes.h"
#include "base/writer.h"
#include "regtag.h"

#define JOURNAL_ABSENT "absent"
#define JOURNAL_UNKNOWN "-"
#define JOURNAL_TIME_SIZE 20u

struct journal_line {
    struct slice reference, before, after; /* `after` is never unknown */
    enum regtag_outcome outcome;           /* REGTAG_TAG_PENDING: "moving" */
    bool undo;
};

/* Writes the line with its newline; `seconds` count from 1970. */
void write_journal_line(struct writer *w, int64_t seconds, const struct journal_line *line);

enum journal_verdict {
    JOURNAL_LINE,
    JOURNAL_EMPTY,
    JOURNAL_TORN,   /* a prefix of a line, or as much of one as NULs have left that a power cut made */
    JOURNAL_INVALID /* regtag does not write such a line */
};

/* Parses a line without its newline; the slices point into it. */
enum journal_verdict journal_line_read(struct slice text, struct journal_line *line);

#endif
