/* Which of many names are repeated. Tells them apart in time that grows with their number, in memory that
 * does not. */
#ifndef REGTAG_CLI_NAMES_H
#define REGTAG_CLI_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sizes.h"

struct names {
    const char *const *list; /* the caller's */
    size_t count;
    size_t end;                  /* of the block of names that the table is for */
    size_t used;                 /* slots of the table that are used at all; a power of two */
    uint32_t slots[NAMES_SLOTS]; /* 0: free; else 1 more than the index at which a name is there first */
};

/* Begins with the names list[0..count). Touches no more of the table than so many names need. */
void names_begin(struct names *n, const char *const *list, size_t count);

/* Whether the name at this index is not there before it. To be asked for 0, 1, 2 ... in turn. */
bool names_is_first(struct names *n, size_t index);

#endif
