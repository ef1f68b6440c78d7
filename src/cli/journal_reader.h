/* Reads a journal backwards, line by line, in the memory of one block. It can be read a second time, and is
 * then what it was the first time: a digest of each block is kept, and a block that has another one is not
 * used. So what was checked is what is used, whoever writes to the file meanwhile; what is appended is
 * not read. */
#ifndef REGTAG_CLI_JOURNAL_READER_H
#define REGTAG_CLI_JOURNAL_READER_H

#include <sys/types.h>

#include "cli/journal_line.h"

#define JOURNAL_SUM 16 /* bytes of a digest that are kept */

struct journal_reader {
    int fd;
    off_t size;          /* of the file, when it was begun */
    uint64_t deadline;   /* of regtag_clock() */
    bool again;          /* it is the second time */
    const char *problem; /* why reading has failed, or NULL */
    uint64_t lines;      /* read so far, this time */

    /* What was read and not returned yet: text[0..used), the file's from `at` on. */
    off_t at;
    size_t used;
    char text[JOURNAL_BLOCK + JOURNAL_LINE_MAX];

    unsigned char sums[JOURNAL_BLOCKS][JOURNAL_SUM];
};

/* Begins at the current end of the file. Reading it fails at the deadline. */
void journal_reader_begin(struct journal_reader *r, int fd, uint64_t deadline);

/* Goes back to that end, for the second time, which has no deadline. */
void journal_reader_again(struct journal_reader *r);

/* Reads the previous line, which is valid until the next call. In place of one that is too long, returns
 * one that journal_line_read calls the same. False at the beginning of the file, and after a failure. */
bool journal_reader_next(struct journal_reader *r, struct slice *line);

#endif
