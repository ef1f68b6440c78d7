/* Memory with a page behind it, and one before it, that must not be touched. */
#ifndef GUARD_H
#define GUARD_H

#include <stddef.h>

struct guard {
    char *map;
    size_t map_size;
    char *data; /* size bytes, the last of which is the last one before the forbidden page */
    size_t size;
};

/* A copy of `size` bytes, or zeros if bytes is NULL. Ends the program if there is no memory. */
struct guard guard_end(const void *bytes, size_t size);

/* The same, with the first byte right behind the forbidden page. */
struct guard guard_start(const void *bytes, size_t size);

void guard_free(struct guard *g);

#endif
