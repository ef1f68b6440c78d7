#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, which POSIX.1-2008 lacks */

#include "guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(2);
}

/* Whole pages for `size` bytes, between two that are forbidden. */
static struct guard guard_map(size_t size, size_t *inner_size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct guard g = {0};
    *inner_size = (size / page + 1) * page;
    g.map_size = *inner_size + 2 * page;
    g.map = mmap(NULL, g.map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED)
        die("mmap");
    if (mprotect(g.map, page, PROT_NONE) != 0)
        die("mprotect");
    if (mprotect(g.map + page + *inner_size, page, PROT_NONE) != 0)
        die("mprotect");
    g.data = g.map + page;
    g.size = size;
    return g;
}

struct guard guard_end(const void *bytes, size_t size)
{
    size_t inner_size;
    struct guard g = guard_map(size, &inner_size);
    g.data += inner_size - size;
    if (bytes && size > 0)
        memcpy(g.data, bytes, size);
    return g;
}

struct guard guard_start(const void *bytes, size_t size)
{
    size_t inner_size;
    struct guard g = guard_map(size, &inner_size);
    if (bytes && size > 0)
        memcpy(g.data, bytes, size);
    return g;
}

void guard_free(struct guard *g)
{
    munmap(g->map, g->map_size);
    *g = (struct guard){0};
}
