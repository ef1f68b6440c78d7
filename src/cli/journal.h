/* The file of a journal. Each line is on the disk before the next step is taken, so even after a power
 * cut the file says what may have been moved. Several processes may append to one file. */
#ifndef REGTAG_CLI_JOURNAL_H
#define REGTAG_CLI_JOURNAL_H

#include "base/error.h"
#include "cli/journal_line.h"

struct journal {
    const char *path; /* the caller's */
    int fd;           /* -1: not open */
};

enum journal_mode {
    JOURNAL_APPEND, /* to a file that may not exist yet */
    JOURNAL_UPDATE, /* reading and appending */
    JOURNAL_READ
};

/* Opens the file. False, and e set, if that fails, it is not a regular file or, to be appended to, does not begin as a
 * journal does. */
bool journal_open(struct journal *j, const char *path, enum journal_mode mode, struct error *e);
void journal_close(struct journal *j);

/* Whether others than we and root can write to it. */
bool journal_is_shared(const struct journal *j);

/* Appends a line and waits until the disk has it. If the last line is torn, ends that one first. Returns
 * NULL, or what went wrong; all of the line, a part of it, or nothing may then have been written. */
const char *journal_append(struct journal *j, const struct journal_line *line);

#endif
