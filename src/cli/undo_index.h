/* Finds the lines of a journal that still have to be undone. It is shown the lines one by one, the last
 * one first, and indexes what later lines say about earlier ones: that a move was settled, or undone. A
 * later line belongs to the nearest earlier one with the same tag and digests that no other line belongs
 * to yet, so a journal may have lost its beginning. */
#ifndef REGTAG_CLI_UNDO_INDEX_H
#define REGTAG_CLI_UNDO_INDEX_H

#include "base/sizes.h"
#include "cli/journal_line.h"

/* Lists of entries with similar hashes. An entry is named by its number, from 1; 0: none. The first
 * `made` have been used at some time, so the pages of the others are untouched. */
struct undo_index {
    size_t count;
    bool full; /* an entry did not fit: the answers can no longer be relied on */
    uint16_t first[UNDO_INDEX_LISTS];
    uint16_t made, unused; /* unused: the first of a list of those that were given back */
    uint16_t next[UNDO_INDEX_MAX];
    uint64_t entries[UNDO_INDEX_MAX];
};

void undo_index_begin(struct undo_index *index);

/* Whether the line is a move, or an attempt at one that may have succeeded, that was not undone yet. */
bool undo_index_is_pending(struct undo_index *index, const struct journal_line *line);

/* For a dry run: remembers that this move would have been undone; and tells whether, after the moves
 * remembered so far, the tag would be where this move has put it. */
void undo_index_simulate(struct undo_index *index, const struct journal_line *line);
bool undo_index_is_simulated(struct undo_index *index, const struct journal_line *line);

#endif
