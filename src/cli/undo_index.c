#include "cli/undo_index.h"

#include <string.h>

/* ---- Entries: hashes of what later lines say ------------------------------------------------- */

/* 64 bits will do: nobody attacks their own journal. */
static uint64_t hash(uint64_t h, struct slice s)
{
    return slice_hash(slice_hash(h, s), SLICE("\t"));
}

static uint64_t entry_of(char kind, struct slice reference, struct slice from, struct slice to)
{
    uint64_t h = hash(HASH_START, (struct slice){&kind, 1});
    return hash(hash(hash(h, reference), from), to);
}

static uint64_t settled_entry(const struct journal_line *line)
{
    return entry_of('s', line->reference, SLICE(""), line->after);
}

static uint64_t undone_entry(struct slice reference, struct slice from, struct slice to)
{
    return entry_of('u', reference, from, to);
}

static uint64_t simulated_entry(struct slice reference, struct slice place)
{
    return entry_of('p', reference, SLICE(""), place);
}

void undo_index_begin(struct undo_index *index)
{
    memset(index, 0, offsetof(struct undo_index, next));
}

static uint16_t *list_of(struct undo_index *index, uint64_t entry)
{
    return &index->first[(entry >> 32) % UNDO_INDEX_LISTS];
}

static void add(struct undo_index *index, uint64_t entry)
{
    uint16_t *list = list_of(index, entry), i = index->unused;
    if (index->count == UNDO_INDEX_MAX) {
        index->full = true;
        return;
    }
    if (i)
        index->unused = index->next[i - 1];
    else
        i = ++index->made;
    index->entries[i - 1] = entry;
    index->next[i - 1] = *list;
    *list = i;
    index->count++;
}

/* Removes an entry. */
static bool take(struct undo_index *index, uint64_t entry)
{
    for (uint16_t *i = list_of(index, entry); *i; i = &index->next[*i - 1]) {
        uint16_t found = *i;
        if (index->entries[found - 1] != entry)
            continue;
        *i = index->next[found - 1];
        index->next[found - 1] = index->unused;
        index->unused = found;
        index->count--;
        return true;
    }
    return false;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* Whether the registry confirmed that the tag is where it should be. */
static bool is_done(enum regtag_outcome outcome)
{
    return outcome != REGTAG_TAG_PENDING && outcome != REGTAG_TAG_FAILED &&
           outcome != REGTAG_TAG_UNCERTAIN;
}

bool undo_index_is_pending(struct undo_index *index, const struct journal_line *line)
{
    if (line->undo) {
        if (is_done(line->outcome))
            add(index, undone_entry(line->reference, line->before, line->after));
        return false;
    }
    if (line->outcome == REGTAG_TAG_PENDING) {
        if (take(index, settled_entry(line)))
            return false;
    } else
        add(index, settled_entry(line));
    if (line->outcome == REGTAG_TAG_UNCHANGED || line->outcome == REGTAG_TAG_FAILED)
        return false;
    return !take(index, undone_entry(line->reference, line->after, line->before));
}

void undo_index_simulate(struct undo_index *index, const struct journal_line *line)
{
    add(index, simulated_entry(line->reference, line->before));
}

bool undo_index_is_simulated(struct undo_index *index, const struct journal_line *line)
{
    return take(index, simulated_entry(line->reference, line->after));
}
