/* Downloads files that an image consists of, or a blob, for fetch and watch. Each file is put in place when all of it
 * is there and verified, and of several files none before all are. */
#ifndef REGTAG_CLI_FETCH_H
#define REGTAG_CLI_FETCH_H

#include "base/error.h"
#include "cli/options.h"

struct fetch_job {
    const struct options
        *options; /* which files of the image, or that it is a blob; json, quiet and so on */
    const char *image;
    const char *output; /* a file, a folder, or "-" for standard output */
    bool
        to_folder; /* it is a folder, even if there is none yet, and its name does not end with a slash */
    bool report;   /* a line for each file, on standard output */
    unsigned retries;

    uint64_t moved; /* out: bytes of files that have arrived */
    uint64_t pause; /* out: milliseconds that the server has asked to be left alone for */
};

/* Whether the data goes to standard output. */
bool fetch_to_output(const struct fetch_job *job);

/* Finds out what is wrong with the job, before anything is sent. False, and e set. */
bool fetch_check(const struct fetch_job *job, struct error *e);

/* Reports that it cannot be done without a login: nothing is known of its files. */
void fetch_fail(struct fetch_job *job, struct error *e);

/* Does it, with an operation of the session that is logged in, by the deadline, of regtag_clock(). False, and e set
 * to the first failure, which is the last thing that was tried. */
bool fetch_run(struct fetch_job *job, uint64_t deadline, struct error *e);

#endif
