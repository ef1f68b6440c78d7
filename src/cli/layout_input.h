/* Where the bytes of a layout come from: a regular file, from any place in it, or a pipe, forward only. */
#ifndef REGTAG_CLI_LAYOUT_INPUT_H
#define REGTAG_CLI_LAYOUT_INPUT_H

#include "base/error.h"

#define LAYOUT_TO_FILE "write it to a file first, and load that" /* the advice about a pipe */

struct layout_input {
    const char *name; /* for messages */
    int fd;           /* the caller's */
    bool pipe;
    uint64_t deadline,
        stall;      /* of regtag_clock(), and milliseconds without a byte (0: any number): for a pipe */
    struct error e; /* why something failed: the first failure since it was cleared */

    /* Of a pipe. */
    uint64_t position;
    uint64_t first_at; /* where the byte is that was looked at ahead; UINT64_MAX: none */
    char first;
};

/* Sets the error. Returns -1. */
ptrdiff_t input_fail(struct layout_input *in, int status, const char *problem);

/* Reads `size` bytes from the offset `at` on; fewer at the end only. -1: the error is set. */
ptrdiff_t input_read(struct layout_input *in, uint64_t at, void *bytes, size_t size);

/* The same of another regular file. */
ptrdiff_t input_read_file(struct layout_input *in, int fd, uint64_t at, char *bytes, size_t size);

/* Looks at the byte at this offset of a pipe, which can be read again. False: there is none, or the error is set. */
bool input_peek(struct layout_input *in, uint64_t at, char *byte);

/* Reads what is left of a pipe, so that whoever writes to it does not fail. */
void input_drain(struct layout_input *in);

#endif
