/* The heap of a static program: a few fixed kilobytes instead of musl's malloc, which would be 5 KB of
 * code and takes its memory from the kernel. regtag itself calls none of this. getaddrinfo does,
 * in the child processes that look up a name, and opendir does, for one directory at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"

/* Enough for musl's getaddrinfo (at most 48 addresses of 88 bytes and a name of 256) or opendir (2,088
 * bytes). The other members of the union are there for its alignment. */
static union {
    char bytes[HEAP_SIZE];
    long double number;
    void *pointer;
} heap;

/* Where free memory begins, and where the last block that was handed out does. */
static size_t used, last;

static void *allocate(size_t size)
{
    if (size > HEAP_SIZE - used) {
        errno = ENOMEM;
        return NULL;
    }
    last = used;
    used += (size + 15) / 16 * 16;
    return heap.bytes + last;
}

void *malloc(size_t size)
{
    return allocate(size);
}

void *calloc(size_t count, size_t size)
{
    void *memory = size && count > HEAP_SIZE / size ? allocate(HEAP_SIZE + 1) : allocate(count * size);
    return memory ? memset(memory, 0, count * size) : NULL;
}

/* Only the last block can be freed. That is enough, since nobody holds two. */
void free(void *memory)
{
    if (memory && memory == heap.bytes + last)
        used = last;
}

/* Nobody calls it, but without it the linker would take musl's, which does not know this heap. */
void *realloc(void *memory, size_t size)
{
    (void)memory;
    (void)size;
    errno = ENOMEM;
    return NULL;
}
