/* Finds duplicate names, and the index of a name, in a long list. Takes linear time if the caller's
 * memory suffices, and never allocates. */
#ifndef REGTAG_BASE_NAMES_H
#define REGTAG_BASE_NAMES_H

#include "base/slice.h"

#define NAMES_FEW 16u /* built-in slots, for short lists */

struct names {
    const char *const *list; /* borrowed */
    size_t count;
    /* Ends the name within an entry; entries without it have the name "". '\0': no separator. */
    char separator;
    size_t end;      /* of the block of names in the table */
    size_t used;     /* slots in the table; a power of two */
    uint32_t *slots; /* 0: free; else the first index of a name, plus 1 */
    uint32_t few[NAMES_FEW];
};

/* Initializes *n, which must not be moved afterwards, for list[0..count). `memory`, `size` bytes of any
 * alignment, is used for a hash table, and only as far as needed: 8 to 16 bytes per name, none for up to
 * 8 names. If it is too small, the names are processed in blocks, which is slower. */
void names_begin(struct names *n, const char *const *list, size_t count, char separator, void *memory,
                 size_t size);

/* The name of an entry. */
struct slice names_at(const struct names *n, size_t index);

/* Whether no earlier entry has the same name. Must be called for index 0, 1, 2 ... in order. */
bool names_is_first(struct names *n, size_t index);

/* The first index with this name, or n->count if there is none. */
size_t names_find(struct names *n, struct slice name);

#endif
