/* Many names: which of them are repeated, and where one stands. Takes time that grows with their number, and memory that
 * does not. */
#ifndef REGTAG_BASE_NAMES_H
#define REGTAG_BASE_NAMES_H

#include "base/slice.h"

#define NAMES_FEW 16u /* slots that need no memory of the caller's */

struct names {
    const char *const *list; /* the caller's */
    size_t count;
    char
        separator; /* '\0', or what ends the name within an entry; an entry without it has the name "" */
    size_t end;    /* of the block of names that the table is for */
    size_t used;   /* slots of the table; a power of two */
    uint32_t *slots; /* 0: free; else 1 more than the index at which a name is there first */
    uint32_t few[NAMES_FEW];
};

/* Begins with the entries list[0..count). The table is in `memory`, of so many bytes and any alignment, and touches no more
 * of it than so many names need: 8 to 16 bytes each. With less it takes a block of names at a time; 8 names and fewer need
 * none. The struct must stay where it is. */
void names_begin(struct names *n, const char *const *list, size_t count, char separator, void *memory,
                 size_t size);

/* The name of an entry. */
struct slice names_at(const struct names *n, size_t index);

/* Whether the name at this index is not there before it. To be asked for 0, 1, 2 ... in turn. */
bool names_is_first(struct names *n, size_t index);

/* The first index with this name, or the count when there is none. */
size_t names_find(struct names *n, struct slice name);

#endif
