/* Finds repeated names, and the index of a name, in a long list: in linear time, as far as the memory
 * allows, and in constant memory. */
#ifndef REGTAG_BASE_NAMES_H
#define REGTAG_BASE_NAMES_H

#include "base/slice.h"

#define NAMES_FEW 16u /* slots that need no memory of the caller's */

struct names {
    const char *const *list; /* the caller's */
    size_t count;
    /* What ends the name within an entry, which has the name "" without it; '\0': nothing. */
    char separator;
    size_t end;      /* of the block of names that the table is for */
    size_t used;     /* slots of the table; a power of two */
    uint32_t *slots; /* 0: free; else 1 more than the first index of a name */
    uint32_t few[NAMES_FEW];
};

/* Begins with the entries list[0..count). `memory`, of `size` bytes and any alignment, is for a hash
 * table, which touches only the 8 to 16 bytes per name that it needs; up to 8 names need none. If it is
 * too small, names are compared in blocks, which takes longer. *n must not be moved. */
void names_begin(struct names *n, const char *const *list, size_t count, char separator, void *memory,
                 size_t size);

/* The name of an entry. */
struct slice names_at(const struct names *n, size_t index);

/* Whether no earlier entry has the name at this index. To be called for 0, 1, 2 ... in turn. */
bool names_is_first(struct names *n, size_t index);

/* The first index with this name; the count if there is none. */
size_t names_find(struct names *n, struct slice name);

#endif
