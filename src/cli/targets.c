#include "cli/targets.h"

bool targets_add(struct targets *t, uint64_t target)
{
    uint64_t entry = target ? target : 1; /* 0 is a free slot */
    size_t at = entry % TARGETS_SLOTS;
    while (t->slots[at] && t->slots[at] != entry)
        at = (at + 1) % TARGETS_SLOTS;
    if (t->slots[at])
        return false;
    if (t->count < TARGETS_MAX) {
        t->slots[at] = entry;
        t->count++;
    }
    return true;
}
