/* The distinct names of a list, in order: of a name that is given twice, the second one is passed over. */
#ifndef REGTAG_REGISTRY_NAMES_H
#define REGTAG_REGISTRY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names {
    const char *const *list; /* the caller's */
    size_t count;
    size_t at;       /* what stands before was handed out, or passed over */
    uint32_t *table; /* of those: index + 1, at the place that its hash leads to, or behind it */
    size_t size;     /* entries of the table, a power of two; 0: there is none */
    size_t in_table; /* names that it has */
    size_t rest;     /* from this index on, names are not in the table, since it is full */
};

/* Begins. `memory`, of so many bytes, holds what helps to find a name again: 8 bytes a name do. With less it takes longer,
 * and a few names need none. */
void names_begin(struct names *n, const char *const *list, size_t count, void *memory, size_t bytes);

/* The index of the next name that was not there before, or the count when there is none. */
size_t names_next(struct names *n);

#endif
