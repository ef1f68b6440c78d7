#include "cli/names.h"

#include <string.h>

#define BLOCK_MAX (NAMES_SLOTS / 2) /* names in the table at a time, so that half of it stays free */

typedef char slots_are_a_power_of_two[(NAMES_SLOTS & (NAMES_SLOTS - 1)) == 0 ? 1 : -1];

static size_t block_size(const struct names *n)
{
    return n->count < BLOCK_MAX ? n->count : BLOCK_MAX;
}

void names_begin(struct names *n, const char *const *list, size_t count)
{
    n->list = list;
    n->count = count;
    n->end = 0;
    n->used = 2;
    while (n->used < 2 * block_size(n))
        n->used *= 2;
}

/* FNV-1a. */
static uint32_t hash(const char *name)
{
    uint32_t sum = 2166136261u;
    for (; *name; name++)
        sum = (sum ^ (unsigned char)*name) * 16777619u;
    return sum;
}

/* The slot with this name, or the free one where it belongs. */
static uint32_t *find(struct names *n, const char *name)
{
    size_t at = hash(name) & (n->used - 1);
    while (n->slots[at] && strcmp(n->list[n->slots[at] - 1], name) != 0)
        at = (at + 1) & (n->used - 1);
    return &n->slots[at];
}

/* Fills the table with the names from `start` on. Of those that are there before already, it is the earlier
 * index that counts. */
static void next_block(struct names *n, size_t start)
{
    size_t left = n->count - start;
    n->end = start + (left < block_size(n) ? left : block_size(n));
    memset(n->slots, 0, n->used * sizeof n->slots[0]);
    for (size_t i = start; i < n->end; i++) {
        uint32_t *slot = find(n, n->list[i]);
        if (*slot == 0)
            *slot = (uint32_t)i + 1;
    }
    for (size_t i = 0; i < start; i++) {
        uint32_t *slot = find(n, n->list[i]);
        if (*slot > i + 1)
            *slot = (uint32_t)i + 1;
    }
}

bool names_is_first(struct names *n, size_t index)
{
    if (index == n->end)
        next_block(n, index);
    return *find(n, n->list[index]) == index + 1;
}
