#include "cli/undo_index.h"

#include <string.h>

/* ---- Entries: hashes of what later lines say ------------------------------------------------- */

/* 64-bit FNV-1a will do: nobody attacks their own journal. */
static uint64_t hash(uint64_t h, struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        h = (h ^ (unsigned char)s.data[i]) * 0x100000001b3u;
    return (h ^ '\t') * 0x100000001b3u;
}

static uint64_t entry_of(char kind, struct slice reference, struct slice from, struct slice to)
{
    uint64_t h = hash(0xcbf29ce484222325u, (struct slice){&kind, 1});
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

static void add(struct undo_index *index, uint64_t entry)
{
    if (index->count == UNDO_INDEX_MAX)
        index->full = true;
    else
        index->entries[index->count++] = entry;
}

/* Removes an entry. Searched from the end, since it is usually among the last ones added. */
static bool take(struct undo_index *index, uint64_t entry)
{
    for (size_t i = index->count; i > 0; i--) {
        if (index->entries[i - 1] != entry)
            continue;
        memmove(index->entries + i - 1, index->entries + i, (index->count - i) * sizeof entry);
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
