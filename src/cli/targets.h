/* Finds what is named twice among many, in fixed memory: it remembers the first TARGETS_MAX, as hashes. */
#ifndef REGTAG_CLI_TARGETS_H
#define REGTAG_CLI_TARGETS_H

#include "base/sizes.h"
#include "base/slice.h"

struct targets {
    uint64_t *slots; /* the caller's: TARGETS_SLOTS, all 0 at first */
    size_t count;    /* in use */
};

/* Adds the hash of a target. False: it is there already. */
bool targets_add(struct targets *t, uint64_t target);

#endif
