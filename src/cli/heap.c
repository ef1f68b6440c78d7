/* The heap of a static program: a few fixed kilobytes instead of musl's malloc, which would be 5 KB of
 * code and takes its memory from the kernel. regtag itself calls none of this. opendir does, for a directory and those
 * in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"

/* A block begins with its head. The other members of the union are there for its alignment. */
union unit {
    size_t before; /* the block before it */
    long double number;
    void *pointer;
};

#define UNITS (HEAP_SIZE / sizeof(union unit))

/* Enough for three times opendir (2,088 bytes). */
static union unit heap[UNITS];

/* Where free memory begins, and where the last block does that is in use. */
static size_t used, last;

static void *allocate(size_t size)
{
    size_t units = 1 + size / sizeof heap[0] + (size % sizeof heap[0] != 0);
    if (units > UNITS || used > UNITS - units) {
        errno = ENOMEM;
        return NULL;
    }
    heap[used].before = last;
    last = used;
    used += units;
    return &heap[last + 1];
}

void *malloc(size_t size)
{
    return allocate(size);
}

void *calloc(size_t count, size_t size)
{
    size_t bytes = size && count > HEAP_SIZE / size ? HEAP_SIZE + 1 : count * size;
    void *memory = allocate(bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

/* Only the last block can be freed. That is enough, since whoever holds several frees the last one first. */
void free(void *memory)
{
    if (memory && memory == &heap[last + 1]) {
        used = last;
        last = heap[last].before;
    }
}

/* Nobody calls it, but without it the linker would take musl's, which does not know this heap. */
void *realloc(void *memory, size_t size)
{
    (void)memory;
    (void)size;
    errno = ENOMEM;
    return NULL;
}
