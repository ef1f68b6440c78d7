/* Reads a journal backwards, line by line, in memory for one line. */
#ifndef REGTAG_CLI_JOURNAL_READER_H
#define REGTAG_CLI_JOURNAL_READER_H

#include <sys/types.h>

#include "cli/journal_line.h"

struct journal_reader {
    int fd;
    off_t at;    /* where the last line that was read begins; what is before it has yet to be read */
    int problem; /* errno, if reading failed */
    char text[JOURNAL_LINE_MAX + 1];
};

/* Begins at the current end of the file. */
void journal_reader_begin(struct journal_reader *r, int fd);

/* Reads the previous line, which is valid until the next call. One that is too long is cut to a size
 * that journal_line_read still refuses. False at the beginning of the file, and after a failure. */
bool journal_reader_next(struct journal_reader *r, struct slice *line);

/* The number of the line that was read last, from 1. Counts all lines before it, and overwrites the line
 * itself. */
uint64_t journal_reader_number(struct journal_reader *r);

#endif
