/* Tells which lines of a journal are moves that are still to be undone. It is shown the lines one by one, the
 * last one first, and keeps what later lines have said of earlier ones: that a move was settled, or undone.
 * A later line belongs to the nearest earlier one with the same tag and digests that it does not already
 * belong to; so it does not matter if a journal was cut off at its beginning. */
#ifndef REGTAG_CLI_UNDO_BOOK_H
#define REGTAG_CLI_UNDO_BOOK_H

#include "base/sizes.h"
#include "cli/journal_line.h"

/* Clear `count` and `full` to begin. Pages that are not needed are not touched. */
struct undo_book {
    size_t count;
    bool full; /* there was no room: the answers are worth nothing any more */
    uint64_t marks[UNDO_BOOK_MAX];
};

/* Whether the line is a move, or may be one, that was not undone yet. */
bool undo_book_wants(struct undo_book *book, const struct journal_line *line);

/* For a dry run: notes that the tag would be back where it was before this move; and asks whether the tag
 * would be where this move has put it, by what was noted. */
void undo_book_pretend(struct undo_book *book, const struct journal_line *line);
bool undo_book_pretends(struct undo_book *book, const struct journal_line *line);

#endif
