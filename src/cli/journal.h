/* The file of a journal. Each line is on the disk before the next step is taken: whatever ends the program,
 * a power cut included, the file tells what may have been moved. Several programs may write to one file. */
#ifndef REGTAG_CLI_JOURNAL_H
#define REGTAG_CLI_JOURNAL_H

#include "base/error.h"
#include "cli/journal_line.h"

struct journal {
    const char *path; /* the caller's */
    int fd;           /* -1: there is none */
};

enum journal_mode {
    JOURNAL_APPEND, /* appends; the file is made if there is none */
    JOURNAL_UPDATE, /* reads and appends */
    JOURNAL_READ    /* reads */
};

/* Opens the file. False, and e set, when that does not work or it is not a file; *j needs no closing then. */
bool journal_open(struct journal *j, const char *path, enum journal_mode mode, struct error *e);
void journal_close(struct journal *j);

/* Appends a line and waits until the disk has it. A line that was torn off before it is ended first. Returns
 * NULL, or what went wrong; the line may then be there or not, or in part. */
const char *journal_append(struct journal *j, const struct journal_line *line);

#endif
