/* The heap of a static program: a few fixed kilobytes instead of musl's malloc, which would be 5 KB of code
 * and takes its memory from the kernel. regtag itself calls none of this. getaddrinfo does, once, in the child
 * process that looks up a name, and opendir does, for one directory at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"

/* musl: at most 48 addresses of 88 bytes with a name of 256, or one directory's 2,088 bytes. */

static union {
    char bytes[HEAP_SIZE];
    long double number; /* what is given out is aligned for anything */
    void *pointer;
} heap;

static size_t used, last; /* where the next piece begins; where the last one did */

static void *take(size_t size)
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
    return take(size);
}

void *calloc(size_t count, size_t size)
{
    void *memory = size && count > HEAP_SIZE / size ? take(HEAP_SIZE + 1) : take(count * size);
    return memory ? memset(memory, 0, count * size) : NULL;
}

/* Only the last piece comes back: nobody holds two. */
void free(void *memory)
{
    if (memory && memory == heap.bytes + last)
        used = last;
}

/* Nobody calls it. It is here so that musl's, which knows nothing of this heap, never is. */
void *realloc(void *memory, size_t size)
{
    (void)memory;
    (void)size;
    errno = ENOMEM;
    return NULL;
}
