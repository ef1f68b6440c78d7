/* A tar archive that is being written: to standard output, or to a file, which it replaces when it is complete. */
#ifndef REGTAG_CLI_TAR_OUTPUT_H
#define REGTAG_CLI_TAR_OUTPUT_H

#include "base/sizes.h"
#include "cli/partial.h"

struct tar_output {
    bool to_output;
    int problem;      /* errno of the first write to the file that failed */
    uint64_t written; /* bytes, or found to be there */
    uint64_t size;    /* of the file at hand; its content has come so far, */
    uint64_t at;      /* up to here */
    struct place place;
    struct partial partial;
    char path[FETCH_PATH_MAX];
};

/* `path`: "-" for standard output. Waits until the deadline, of regtag_clock(), if another process writes the same
 * file, and says so unless `quiet`. False, and e set, if it cannot be written. End with tar_output_close in any case. */
bool tar_output_open(struct tar_output *t, const char *path, uint64_t deadline, bool quiet,
                     struct error *e);

/* Begins a file in the archive, or a folder if its name ends with a slash; its content follows, in order. */
void tar_output_file(struct tar_output *t, const char *name, uint64_t size);
void tar_output_bytes(struct tar_output *t, const void *bytes, size_t size);

/* At the beginning of a file: hands out what an interrupted run has left of it, until the deadline. Whether these are
 * the right bytes is for the caller to find out: if not, the content begins again. */
void tar_output_left(struct tar_output *t, uint64_t deadline,
                     void (*visit)(void *context, const void *bytes, size_t size), void *context);
void tar_output_again(struct tar_output *t);

/* Why it cannot be written; NULL: all was written so far. */
const char *tar_output_problem(const struct tar_output *t);

/* All files are complete: ends the archive, and puts it in place. False, and e set, if that fails. */
bool tar_output_end(struct tar_output *t, struct error *e);

/* Leaves an archive that has not ended for another run, unless it is `useless`. */
void tar_output_close(struct tar_output *t, bool useless);

#endif
