#include "cli/undo_book.h"

#include <string.h>

/* ---- Marks ----------------------------------------------------------------------------------- */

/* FNV-1a of 64 bits: a journal is not written by an enemy. */
static uint64_t hash(uint64_t h, struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        h = (h ^ (unsigned char)s.data[i]) * 0x100000001b3u;
    return (h ^ '\t') * 0x100000001b3u;
}

static uint64_t mark_of(char kind, struct slice reference, struct slice from, struct slice to)
{
    uint64_t h = hash(0xcbf29ce484222325u, (struct slice){&kind, 1});
    return hash(hash(hash(h, reference), from), to);
}

static uint64_t settled(const struct journal_line *line)
{
    return mark_of('s', line->reference, SLICE(""), line->after);
}

static uint64_t undone(struct slice reference, struct slice from, struct slice to)
{
    return mark_of('u', reference, from, to);
}

static uint64_t pretended(struct slice reference, struct slice where)
{
    return mark_of('p', reference, SLICE(""), where);
}

static void put(struct undo_book *book, uint64_t mark)
{
    if (book->count == UNDO_BOOK_MAX)
        book->full = true;
    else
        book->marks[book->count++] = mark;
}

/* The mark that is wanted is mostly the one that was put there last. */
static bool take(struct undo_book *book, uint64_t mark)
{
    for (size_t i = book->count; i > 0; i--) {
        if (book->marks[i - 1] != mark)
            continue;
        memmove(book->marks + i - 1, book->marks + i, (book->count - i) * sizeof mark);
        book->count--;
        return true;
    }
    return false;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* Whether the tag is where it was to be, by what was seen. */
static bool is_done(enum regtag_outcome outcome)
{
    return outcome != REGTAG_PENDING && outcome != REGTAG_NOT_SET && outcome != REGTAG_MAYBE_SET;
}

bool undo_book_wants(struct undo_book *book, const struct journal_line *line)
{
    if (line->undo) {
        if (is_done(line->outcome))
            put(book, undone(line->reference, line->before, line->after));
        return false;
    }
    if (line->outcome == REGTAG_PENDING) {
        if (take(book, settled(line)))
            return false;
    } else
        put(book, settled(line));
    if (line->outcome == REGTAG_UNCHANGED || line->outcome == REGTAG_NOT_SET)
        return false;
    return !take(book, undone(line->reference, line->after, line->before));
}

void undo_book_pretend(struct undo_book *book, const struct journal_line *line)
{
    put(book, pretended(line->reference, line->before));
}

bool undo_book_pretends(struct undo_book *book, const struct journal_line *line)
{
    return take(book, pretended(line->reference, line->after));
}
