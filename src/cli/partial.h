/* A file that is being downloaded: under a name of its own, in the folder where it belongs, until all of it is there
 * and verified. Then it replaces the file of the right name in one step. */
#ifndef REGTAG_CLI_PARTIAL_H
#define REGTAG_CLI_PARTIAL_H

#include "cli/place.h"

#define PARTIAL_PREFIX ".regtag-"
#define PARTIAL_DIGITS 32 /* of the digest */

/* To begin, clear it, and set fd to -1. */
struct partial {
    const struct place *place;
    int fd;        /* -1: not open */
    uint64_t size; /* what is there and counts, up to where the file is read or written next */
    dev_t device;  /* of the folder that was cleaned up last */
    ino_t folder;
    char name[sizeof PARTIAL_PREFIX + PARTIAL_DIGITS];
};

enum partial_state { PARTIAL_OPEN, PARTIAL_AGAIN, PARTIAL_FAILED };

/* Opens the file for a valid digest, from an earlier run if there is one, and locks it. Files for other digests that
 * have been left in the folder for more than a week are removed. Waits for another process that
 * has it until the deadline, of regtag_clock(), and says so unless `quiet`; then, or if the file was renamed in the
 * meantime, PARTIAL_AGAIN: look at the place again, it may have all that is wanted. */
enum partial_state partial_open(struct partial *p, const struct place *place, const char *digest,
                                uint64_t deadline, bool quiet, struct error *e);

/* Writes the bytes that belong at this offset; what was there from it on, as after a write that was cut short, goes. Returns
 * 0, or errno. */
int partial_write(struct partial *p, uint64_t at, const void *bytes, size_t size);

/* Has the disk keep the complete file. Returns 0, or errno. */
int partial_sync(struct partial *p);

/* Gives the complete file its right name, and closes it. Returns 0, or errno. */
int partial_rename(struct partial *p);

/* Leaves it for another run, unless it is empty or `useless`. */
void partial_close(struct partial *p, bool useless);

#endif
