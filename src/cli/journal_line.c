#include "cli/journal_line.h"

#include "base/calendar.h"
#include "cli/report.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define COLUMNS 5
#define MOVING "moving"
#define UNDO "undo:"

/* ---- Writing --------------------------------------------------------------------------------- */

static void write_time(struct writer *w, int64_t seconds)
{
    static const char SEPARATORS[] = "--T::Z";
    struct calendar c;
    calendar_of(seconds, &c);
    unsigned parts[] = {c.year, c.month, c.day, c.hour, c.minute, c.second};
    for (int i = 0; i < 6; i++)
        write_format(w, "%s%u%.*s", parts[i] < 10 ? "0" : "", parts[i], 1, SEPARATORS + i);
}

static struct slice outcome_word(enum regtag_outcome outcome)
{
    return slice_of(outcome == REGTAG_TAG_PENDING ? MOVING : report_outcome(outcome));
}

void write_journal_line(struct writer *w, int64_t seconds, const struct journal_line *line)
{
    write_time(w, seconds);
    write_format(w, "\t%.*s\t%.*s\t%.*s\t%s%.*s\n", SLICE_ARG(line->reference), SLICE_ARG(line->before),
                 SLICE_ARG(line->after), line->undo ? UNDO : "", SLICE_ARG(outcome_word(line->outcome)));
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Whether s is a prefix of a time, or all of one. */
static bool begins_time(struct slice s)
{
    static const char SHAPE[] = "dddd-dd-ddTdd:dd:ddZ";
    for (size_t i = 0; i < s.size; i++)
        if (i >= sizeof SHAPE - 1 || (SHAPE[i] == 'd' ? !is_digit(s.data[i]) : s.data[i] != SHAPE[i]))
            return false;
    return true;
}

static bool is_tagged_reference(struct slice s)
{
    struct reference r;
    struct error ignored;
    error_clear(&ignored);
    return reference_parse(&r, s, &ignored) && r.tag.size && !r.digest.size;
}

static bool is_place(struct slice s)
{
    return slice_equal(s, SLICE(JOURNAL_ABSENT)) || digest_valid(s);
}

/* Whether a complete column is valid. */
static bool column_valid(int column, struct slice s)
{
    switch (column) {
    case 0: return s.size == JOURNAL_TIME_SIZE && begins_time(s);
    case 1: return is_tagged_reference(s);
    case 2: return is_place(s) || slice_equal(s, SLICE(JOURNAL_UNKNOWN));
    default: return is_place(s);
    }
}

/* Whether the last column of a torn line may be a prefix of a valid one. */
static bool column_may_be_torn(int column, struct slice s)
{
    return s.size < JOURNAL_LINE_MAX && (column > 0 || begins_time(s));
}

/* Reads the last column. False: it is not valid; *torn says whether it is a prefix of a valid one. */
static bool read_outcome(struct slice s, struct journal_line *line, bool *torn)
{
    line->undo = slice_starts(s, SLICE(UNDO));
    *torn = slice_starts(SLICE(UNDO), s);
    if (line->undo)
        s = slice_from(s, sizeof UNDO - 1);
    for (int i = REGTAG_TAG_PENDING; i <= REGTAG_TAG_UNCERTAIN; i++) {
        line->outcome = (enum regtag_outcome)i;
        if (slice_equal(s, outcome_word(line->outcome)))
            return true;
        *torn = *torn || slice_starts(outcome_word(line->outcome), s);
    }
    return false;
}

static enum journal_verdict read_columns(struct slice rest, struct journal_line *line)
{
    struct slice columns[COLUMNS];
    bool torn;
    for (int i = 0; i < COLUMNS - 1; i++) {
        columns[i] = slice_split(&rest, '\t');
        if (!rest.data)
            return column_may_be_torn(i, columns[i]) ? JOURNAL_TORN : JOURNAL_INVALID;
        if (!column_valid(i, columns[i]))
            return JOURNAL_INVALID;
    }
    line->reference = columns[1];
    line->before = columns[2];
    line->after = columns[3];
    if (read_outcome(rest, line, &torn))
        return JOURNAL_LINE;
    return torn ? JOURNAL_TORN : JOURNAL_INVALID;
}

enum journal_verdict journal_line_read(struct slice text, struct journal_line *line)
{
    if (text.size == 0)
        return JOURNAL_EMPTY;
    /* A NUL: a block was allocated to the file, but never written. Other programs' files have some, too. */
    size_t hole = slice_find(text, '\0');
    if (hole < text.size)
        return begins_time(slice_head(slice_head(text, hole), JOURNAL_TIME_SIZE)) ? JOURNAL_TORN
                                                                                  : JOURNAL_INVALID;
    if (text.size >= JOURNAL_LINE_MAX)
        return JOURNAL_INVALID;
    return read_columns(text, line);
}
