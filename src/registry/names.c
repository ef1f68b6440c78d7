#include "registry/names.h"

#include <string.h>

#define FEW 8u /* names that are compared one by one */

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    while (*name)
        hash = (hash ^ (unsigned char)*name++) * 16777619u;
    return hash;
}

/* Memory of any alignment; what of it can be used begins at the next entry. */
void names_begin(struct names *n, const char *const *list, size_t count, void *memory, size_t bytes)
{
    size_t skip = (sizeof *n->table - (uintptr_t)memory % sizeof *n->table) % sizeof *n->table;
    size_t room = bytes > skip ? (bytes - skip) / sizeof *n->table : 0;
    *n = (struct names){.list = list, .count = count};
    if (count <= FEW || count >= UINT32_MAX || room < FEW)
        return;
    for (n->size = FEW; n->size / 2 < count && n->size <= room / 2;)
        n->size *= 2;
    n->table = (uint32_t *)(void *)((char *)memory + skip);
    memset(n->table, 0, n->size * sizeof *n->table);
}

static bool is_at(const struct names *n, size_t index, const char *name)
{
    return strcmp(n->list[index], name) == 0;
}

/* Looks the name with this index up. False when it is new; then it is kept, as long as there is room. */
static bool was_there(struct names *n, size_t index)
{
    const char *name = n->list[index];
    size_t place = 0;
    if (n->size) {
        for (place = hash_of(name) & (n->size - 1); n->table[place]; place = (place + 1) & (n->size - 1))
            if (is_at(n, n->table[place] - 1, name))
                return true;
    }
    for (size_t i = n->rest; i < index; i++)
        if (is_at(n, i, name))
            return true;
    if (n->in_table < n->size / 4 * 3) {
        n->table[place] = (uint32_t)index + 1;
        n->in_table++;
        n->rest = index + 1;
    }
    return false;
}

size_t names_next(struct names *n)
{
    while (n->at < n->count && was_there(n, n->at))
        n->at++;
    return n->at < n->count ? n->at++ : n->count;
}
