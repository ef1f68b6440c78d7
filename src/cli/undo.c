#include "cli/undo.h"

#include <string.h>

#include "cli/changes.h"
#include "cli/journal_reader.h"
#include "cli/moving.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/undo_index.h"
#include "oci/digest.h"
#include "oci/reference.h"

static struct undo {
    const struct options *o;
    uint64_t deadline;
    struct journal journal;
    struct journal_reader reader;
    off_t end; /* of what there was when it was opened */
    struct moving moving;
    bool checking;  /* on the first of two ways through the journal, on which nothing is done yet */
    uint64_t moves; /* seen so far on this way */
    struct undo_index index;
} undo;

/* One move, with all that it takes to take it back. The texts end in a NUL. */
struct step {
    char reference[JOURNAL_LINE_MAX];
    char before[DIGEST_MAX + 1], after[DIGEST_MAX + 1];
    char image[JOURNAL_LINE_MAX + DIGEST_MAX +
               1]; /* where it was before, by its digest; or the reference */
    char tag[TAG_MAX + 1];
    struct journal_line move;
    const char *names[1], *expected[1]; /* for the library */
    bool known, deletes; /* whether it is known what to do, and whether that is to delete the tag */
};

/* ---- Through the journal, newest first ------------------------------------------------------- */

static bool cannot_read(const struct undo *u, struct error *e)
{
    error_set(e, REGTAG_OTHER, "the journal %s cannot be read: %s; nothing was done", u->journal.path,
              strerror(u->reader.problem));
    return false;
}

static void skip_torn(struct undo *u)
{
    char text[ERROR_TEXT_MAX];
    struct writer w = writer_to(text, sizeof text);
    if (!u->checking || u->o->quiet)
        return;
    write_format(&w, "%s: line %llu was torn off, and is left out", u->journal.path,
                 (unsigned long long)journal_reader_number(&u->reader));
    output_note("regtag: ", written(&w));
}

static bool refuse(struct undo *u, struct error *e)
{
    error_set(e, REGTAG_USAGE, "%s: line %llu is not one that regtag has written; nothing was done",
              u->journal.path, (unsigned long long)journal_reader_number(&u->reader));
    return false;
}

static bool is_enough(const struct undo *u)
{
    return u->o->last && u->moves == u->o->last;
}

static bool is_next(struct undo *u, const struct journal_line *line)
{
    if (!undo_index_is_pending(&u->index, line) || is_enough(u))
        return false;
    u->moves++;
    return true;
}

/* Goes on to the next move that is to be taken back. False when there is none, and, with e set, when there is
 * something wrong with the journal. On the first way all of it is read, whatever --last says. */
static bool next_move(struct undo *u, struct journal_line *line, struct error *e)
{
    struct slice text;
    while ((u->checking || !is_enough(u)) && journal_reader_next(&u->reader, &text)) {
        enum journal_verdict verdict = journal_line_read(text, line);
        if (verdict == JOURNAL_FOREIGN)
            return refuse(u, e);
        if (verdict == JOURNAL_TORN)
            skip_torn(u);
        if (verdict == JOURNAL_LINE && is_next(u, line))
            return true;
    }
    return !u->reader.problem ? false : cannot_read(u, e);
}

static void begin_way(struct undo *u, bool checking)
{
    u->checking = checking;
    u->moves = 0;
    u->index.count = 0;
    u->reader.at = u->end;
}

/* ---- What to do ------------------------------------------------------------------------------ */

static void copy(char *text, size_t size, struct slice s)
{
    struct writer w = writer_to(text, size - 1);
    write_slice(&w, s);
    text[w.used] = '\0';
}

static void plan(struct step *s, const struct journal_line *line)
{
    struct reference reference;
    struct error ignored = {.status = 0};
    struct writer w = writer_to(s->image, sizeof s->image - 1);

    copy(s->reference, sizeof s->reference, line->reference);
    copy(s->before, sizeof s->before, line->before);
    copy(s->after, sizeof s->after, line->after);
    s->move = *line;
    s->move.reference = slice_of(s->reference);
    s->move.before = slice_of(s->before);
    s->move.after = slice_of(s->after);
    s->known = !slice_equal(s->move.before, SLICE(JOURNAL_UNKNOWN));
    s->deletes = slice_equal(s->move.before, SLICE(JOURNAL_ABSENT));

    reference_parse(&reference, s->move.reference, &ignored); /* the journal has no other lines */
    copy(s->tag, sizeof s->tag, reference.tag);
    write_slice(&w, s->deletes ? s->move.reference : reference.name);
    if (!s->deletes)
        write_format(&w, "@%s", s->before);
    s->image[w.used] = '\0';
    s->names[0] = s->tag;
    s->expected[0] = s->after;
}

/* ---- Doing it -------------------------------------------------------------------------------- */

/* The tag is touched only if it is where this move has put it. In a dry run it may be elsewhere because a
 * later move was not really taken back. */
static struct regtag *begin(struct undo *u, const struct step *s)
{
    struct regtag_config config = session_config(u->deadline);
    config.expected = s->expected;
    config.expected_count = u->moving.pretended ? 0 : 1;
    struct regtag *r = session_operation(&config);
    if (s->deletes)
        regtag_delete(r, s->image);
    else
        regtag_tag(r, s->image, s->names, 1);
    return r;
}

static void take_back(struct undo *u, const struct step *s)
{
    struct error e = {.status = 0};
    if (!s->known)
        error_set(&e, REGTAG_NOT_FOUND, "%s: the journal does not know where it pointed before",
                  s->reference);
    else if (session_login_next(s->image, u->deadline, &e))
        moving_run(&u->moving, begin(u, s));
    if (e.status)
        moving_fail(&u->moving, &e);
}

static void handle(struct undo *u, const struct journal_line *line)
{
    struct step s;
    plan(&s, line);
    u->moving.undone = &s.move;
    u->moving.pretended = u->o->dry_run && undo_index_is_simulated(&u->index, &s.move);
    moving_next(&u->moving, s.reference, s.names, 1);
    take_back(u, &s);
    if (u->o->dry_run && !u->moving.failed)
        undo_index_simulate(&u->index, &s.move);
}

/* Reads all of it before anything is done. */
static bool check(struct undo *u, struct error *e)
{
    struct journal_line line;
    char first[JOURNAL_LINE_MAX] = "", text[JOURNAL_LINE_MAX];
    begin_way(u, true);
    while (next_move(u, &line, e)) {
        copy(text, sizeof text, line.reference);
        if (!*first)
            copy(first, sizeof first, line.reference);
        if (!session_same_login(first, text, e))
            return false;
    }
    if (u->index.full)
        error_set(e, REGTAG_OTHER, "the journal %s has too many moves that were undone; start a new one",
                  u->journal.path);
    return e->status == 0;
}

static void take_all_back(struct undo *u, struct error *e)
{
    struct journal_line line;
    begin_way(u, false);
    while (!u->moving.stopped.status && next_move(u, &line, e))
        handle(u, &line);
    if (u->moves == 0 && !e->status && !u->o->quiet)
        output_note("regtag: ", SLICE("there is nothing to undo"));
    changes_tell_dry_run(u->o);
}

enum regtag_status undo_run(const struct options *o, uint64_t deadline)
{
    struct undo *u = &undo;
    struct error e = {.status = 0};
    u->o = o;
    u->deadline = deadline;
    u->moving.options = o;
    u->moving.journal = o->dry_run ? NULL : &u->journal;
    if (journal_open(&u->journal, o->arguments[0], o->dry_run ? JOURNAL_READ_ONLY : JOURNAL_GO_ON, &e)) {
        journal_reader_begin(&u->reader, u->journal.fd);
        u->end = u->reader.at;
        if (check(u, &e))
            take_all_back(u, &e);
        journal_close(&u->journal);
    }
    if (e.status)
        output_error(e.text);
    return u->moving.status ? u->moving.status : (enum regtag_status)e.status;
}
