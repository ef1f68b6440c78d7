/* A file that is read twice: to check all of it, and then to do what it says. It need not fit in memory, unless it is a
 * pipe or standard input: then up to 64 KiB are kept. */
#ifndef REGTAG_CLI_LINES_H
#define REGTAG_CLI_LINES_H

#include "base/error.h"
#include "base/slice.h"

struct lines {
    const char *name; /* for messages */
    int fd;           /* of a regular file; -1: the text is kept */
    struct slice kept;
    uint64_t size, stamp; /* of a regular file, when it was opened */
    uint64_t hash;        /* of what this pass has read */
    void (*visit)(void *context, struct slice part);
    void *context;
};

/* Opens the file at `path`, which stays the caller's, or standard input if that is "-"; reads it to its end by the
 * deadline, of regtag_clock(), if it is not a regular file. False: e is set with REGTAG_E_USAGE. */
bool lines_open(struct lines *l, const char *path, uint64_t deadline, struct error *e);
void lines_close(struct lines *l);

/* Hands all of it to `visit`, in parts. False, and e set, if it cannot be read, or has changed since it was opened. */
bool lines_read(struct lines *l, uint64_t deadline, struct error *e);

/* Whether the file has changed since it was opened, as far as its size and its times tell. */
bool lines_changed(const struct lines *l);

#endif
