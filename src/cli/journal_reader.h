/* Reads a journal's lines, the last one first, with memory for one line. */
#ifndef REGTAG_CLI_JOURNAL_READER_H
#define REGTAG_CLI_JOURNAL_READER_H

#include <sys/types.h>

#include "cli/journal_line.h"

struct journal_reader {
    int fd;
    off_t at;    /* what is before it is still to be read; where the last line that was read begins */
    int problem; /* errno, when the file cannot be read */
    char text[JOURNAL_LINE_MAX + 1];
};

/* Begins at the end that the file has now. */
void journal_reader_begin(struct journal_reader *r, int fd);

/* Reads the line before. It stays until the next call. Of a line that is too long there is one byte too much
 * for journal_line_read to take. False at the beginning of the file, and after a failure. */
bool journal_reader_next(struct journal_reader *r, struct slice *line);

/* The number of the line that was read last, counted from 1. All that stands before it is read for
 * that, and the line itself is gone then. */
uint64_t journal_reader_number(struct journal_reader *r);

#endif
