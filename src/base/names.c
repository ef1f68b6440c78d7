#include "base/names.h"

#include <string.h>

/* Names per block; leaves the table at most half full. */
static size_t block_size(const struct names *n)
{
    return n->count < n->used / 2 ? n->count : n->used / 2;
}

void names_begin(struct names *n, const char *const *list, size_t count, char separator, void *memory,
                 size_t size)
{
    size_t skip = (sizeof *n->slots - (uintptr_t)memory % sizeof *n->slots) % sizeof *n->slots;
    size_t room = size > skip ? (size - skip) / sizeof *n->slots : 0;
    n->list = list;
    n->count = count;
    n->separator = separator;
    n->end = 0;
    n->used = NAMES_FEW;
    n->slots = n->few;
    if (count <= NAMES_FEW / 2 || room < 2 * NAMES_FEW)
        return;
    n->slots = (uint32_t *)(void *)((char *)memory + skip);
    while (n->used / 2 < count && n->used <= room / 2)
        n->used *= 2;
}

struct slice names_at(const struct names *n, size_t index)
{
    struct slice entry = slice_of(n->list[index]), rest = entry;
    if (!n->separator)
        return entry;
    struct slice name = slice_split(&rest, n->separator);
    return rest.data ? name : SLICE("");
}

/* FNV-1a. */
static uint32_t hash(struct slice name)
{
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < name.size; i++)
        sum = (sum ^ (unsigned char)name.data[i]) * 16777619u;
    return sum;
}

/* The slot with this name, or the free slot where it belongs. */
static uint32_t *find_slot(struct names *n, struct slice name)
{
    size_t at = hash(name) & (n->used - 1);
    while (n->slots[at] && !slice_equal(names_at(n, n->slots[at] - 1), name))
        at = (at + 1) & (n->used - 1);
    return &n->slots[at];
}

/* Fills the table with the block of names from `start` on. Names that also occur before `start` get the
 * index of their first occurrence. */
static void next_block(struct names *n, size_t start)
{
    size_t left = n->count - start;
    n->end = start + (left < block_size(n) ? left : block_size(n));
    memset(n->slots, 0, n->used * sizeof n->slots[0]);
    for (size_t i = start; i < n->end; i++) {
        uint32_t *slot = find_slot(n, names_at(n, i));
        if (*slot == 0)
            *slot = (uint32_t)i + 1;
    }
    for (size_t i = 0; i < start; i++) {
        uint32_t *slot = find_slot(n, names_at(n, i));
        if (*slot > i + 1)
            *slot = (uint32_t)i + 1;
    }
}

bool names_is_first(struct names *n, size_t index)
{
    if (index == n->end)
        next_block(n, index);
    return *find_slot(n, names_at(n, index)) == index + 1;
}

size_t names_find(struct names *n, struct slice name)
{
    size_t index = 0;
    if (n->count && n->count == block_size(n)) {
        if (n->end == 0)
            next_block(n, 0);
        uint32_t slot = *find_slot(n, name);
        return slot ? slot - 1 : n->count;
    }
    while (index < n->count && !slice_equal(names_at(n, index), name))
        index++;
    return index;
}
