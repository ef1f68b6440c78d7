#include "net/tls_arena.h"

#include <stdint.h>
#include <string.h>

#include "base/wipe.h"

/* The arena is divided into adjacent blocks, each of which begins with this header. */
union block {
    struct {
        uint32_t size : 31; /* bytes, header included; a multiple of the header's size */
        uint32_t used : 1;
        uint32_t before; /* size of the previous block; 0 for the first */
    } head;
    uint64_t number; /* for alignment */
    void *pointer;   /* for alignment */
};

#define BLOCKS(connections) ((connections)*TLS_ARENA_CONNECTION / sizeof(union block))

static union block arena[BLOCKS(REGTAG_CONNECTIONS_MAX)];
static size_t blocks = BLOCKS(REGTAG_CONNECTIONS_MIN); /* of it in use */
static union block *hint; /* all blocks before it are in use; NULL: the arena is not set up yet */
static size_t in_use, peak;
static bool exhausted;

void tls_arena_set_connections(unsigned connections)
{
    if (!hint)
        blocks = BLOCKS(connections);
}

size_t tls_arena_size(void)
{
    return blocks * sizeof(union block);
}

static union block *next(union block *b)
{
    return b + b->head.size / sizeof *b;
}

static bool is_last(const union block *b)
{
    return b + b->head.size / sizeof *b == arena + blocks;
}

static void start(void)
{
    arena[0].head.size = (uint32_t)tls_arena_size() & 0x7fffffff;
    hint = arena;
}

/* Splits a block after `size` bytes, if the rest is of any use. */
static void split(union block *b, size_t size)
{
    if (b->head.size - size < 2 * sizeof *b)
        return;
    union block *rest = b + size / sizeof *b;
    rest->head.size = (uint32_t)(b->head.size - size) & 0x7fffffff;
    rest->head.used = 0;
    rest->head.before = (uint32_t)size;
    if (!is_last(b))
        next(b)->head.before = rest->head.size;
    b->head.size = (uint32_t)size & 0x7fffffff;
}

/* Merges a free block with the next one, if that is free. */
static void merge(union block *b)
{
    if (is_last(b) || next(b)->head.used)
        return;
    b->head.size = (b->head.size + next(b)->head.size) & 0x7fffffff;
    if (!is_last(b))
        next(b)->head.before = b->head.size;
}

/* First fit. */
static union block *find(size_t size)
{
    union block *b = hint;
    while (b->head.used || b->head.size < size) {
        if (is_last(b))
            return NULL;
        b = next(b);
    }
    return b;
}

void *tls_arena_calloc(size_t count, size_t size)
{
    if (!hint)
        start();
    if (count == 0 || size == 0)
        return NULL;
    if (size > tls_arena_size() / count) {
        exhausted = true;
        return NULL;
    }
    size_t bytes = count * size;
    size_t needed = (bytes + 2 * sizeof(union block) - 1) / sizeof(union block) * sizeof(union block);
    union block *b = find(needed);
    if (!b) {
        exhausted = true;
        return NULL;
    }
    split(b, needed);
    b->head.used = 1;
    while (hint->head.used && !is_last(hint))
        hint = next(hint);
    in_use += b->head.size;
    peak = in_use > peak ? in_use : peak;
    return memset(b + 1, 0, bytes);
}

/* Wipes: it may have held a key. */
void tls_arena_free(void *memory)
{
    if (!memory)
        return;
    union block *b = (union block *)memory - 1;
    in_use -= b->head.size;
    b->head.used = 0;
    wipe(b + 1, b->head.size - sizeof *b);
    merge(b);
    if (b->head.before) {
        union block *before = b - b->head.before / sizeof *b;
        if (!before->head.used) {
            merge(before);
            b = before;
        }
    }
    if (b < hint)
        hint = b;
}

bool tls_arena_exhausted(void)
{
    bool was = exhausted;
    exhausted = false;
    return was;
}

size_t tls_arena_peak(void)
{
    return peak;
}

size_t tls_arena_in_use(void)
{
    return in_use;
}
