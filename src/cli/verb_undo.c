#include <string.h>

#include "cli/journal_reader.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/tag_runner.h"
#include "cli/undo_index.h"
#include "oci/digest.h"
#include "oci/reference.h"

static struct undo {
    const struct options *o;
    uint64_t deadline;
    struct journal journal;
    struct journal_reader reader;
    off_t end; /* of the journal, before this undo appends to it */
    struct tag_runner runner;

    /* The journal is read twice: to check all of it, and then to undo moves. */
    bool checking;
    uint64_t moves; /* found so far in this pass */
    struct undo_index index;
} undo;

/* One move, and what undoing it takes. The texts are NUL-terminated. */
struct step {
    char reference[JOURNAL_LINE_MAX];
    char before[DIGEST_MAX + 1], after[DIGEST_MAX + 1];
    char tag[TAG_MAX + 1];
    struct journal_line move;
    const char *names[1], *expected[1]; /* for the library */

    /* The image that the tag gets back, by digest; the tag itself, if it is deleted. */
    char image[JOURNAL_LINE_MAX + DIGEST_MAX + 1];
    bool deletes;
    bool known; /* the journal says where the tag pointed before */
};

/* ---- Through the journal, newest first ------------------------------------------------------- */

static bool cannot_read(const struct undo *u, struct error *e)
{
    error_set(e, REGTAG_E_OTHER, "the journal %s cannot be read: %s; nothing was done", u->journal.path,
              strerror(u->reader.problem));
    return false;
}

static void note_torn(struct undo *u)
{
    if (u->checking && !u->o->quiet)
        output_message("%s: line %llu was torn off, and is left out", u->journal.path,
                       (unsigned long long)journal_reader_number(&u->reader));
}

static bool refuse(struct undo *u, struct error *e)
{
    error_set(e, REGTAG_E_USAGE, "%s: line %llu is not one that regtag has written; nothing was done",
              u->journal.path, (unsigned long long)journal_reader_number(&u->reader));
    return false;
}

static bool reached_last(const struct undo *u)
{
    return u->o->last && u->moves == u->o->last;
}

static bool is_pending(struct undo *u, const struct journal_line *line)
{
    if (!undo_index_is_pending(&u->index, line) || reached_last(u))
        return false;
    u->moves++;
    return true;
}

/* Goes on to the next move to undo. False when there is none, and, with e set, when the journal is
 * damaged. The checking pass reads all of it, whatever --last says. */
static bool next_move(struct undo *u, struct journal_line *line, struct error *e)
{
    struct slice text;
    while ((u->checking || !reached_last(u)) && journal_reader_next(&u->reader, &text)) {
        enum journal_verdict verdict = journal_line_read(text, line);
        if (verdict == JOURNAL_INVALID)
            return refuse(u, e);
        if (verdict == JOURNAL_TORN)
            note_torn(u);
        if (verdict == JOURNAL_LINE && is_pending(u, line))
            return true;
    }
    return !u->reader.problem ? false : cannot_read(u, e);
}

static void begin_pass(struct undo *u, bool checking)
{
    u->checking = checking;
    u->moves = 0;
    u->index.count = 0;
    u->reader.at = u->end;
}

/* ---- One move -------------------------------------------------------------------------------- */

static void copy(char *text, size_t size, struct slice s)
{
    struct writer w = writer_to(text, size - 1);
    write_slice(&w, s);
    text[w.used] = '\0';
}

static void plan(struct step *s, const struct journal_line *line)
{
    struct reference reference;
    struct error ignored;
    struct writer w = writer_to(s->image, sizeof s->image - 1);
    error_clear(&ignored);

    copy(s->reference, sizeof s->reference, line->reference);
    copy(s->before, sizeof s->before, line->before);
    copy(s->after, sizeof s->after, line->after);
    s->move = *line;
    s->move.reference = slice_of(s->reference);
    s->move.before = slice_of(s->before);
    s->move.after = slice_of(s->after);
    s->known = !slice_equal(s->move.before, SLICE(JOURNAL_UNKNOWN));
    s->deletes = slice_equal(s->move.before, SLICE(JOURNAL_ABSENT));

    /* Cannot fail: journal_line_read has checked it. */
    reference_parse(&reference, s->move.reference, &ignored);
    copy(s->tag, sizeof s->tag, reference.tag);
    write_slice(&w, s->deletes ? s->move.reference : reference.name);
    if (!s->deletes)
        write_format(&w, "@%s", s->before);
    s->image[w.used] = '\0';
    s->names[0] = s->tag;
    s->expected[0] = s->after;
}

/* The guard: the tag is touched only if it is still where this move has put it. A dry run leaves it out
 * where a later move would have been undone first, for it was not. */
static struct regtag *begin(struct undo *u, const struct step *s)
{
    struct regtag_config config = session_config(u->deadline);
    config.expected = s->expected;
    config.expected_count = u->runner.simulated ? 0 : 1;
    struct regtag *r = session_operation(&config);
    if (s->deletes)
        regtag_delete(r, s->image);
    else
        regtag_tag(r, s->image, s->names, 1);
    return r;
}

static void run_step(struct undo *u, const struct step *s)
{
    struct error e;
    error_clear(&e);
    if (!s->known)
        error_set(&e, REGTAG_E_NOT_FOUND, "%s: the journal does not know where it pointed before",
                  s->reference);
    else if (session_login_next(s->image, u->deadline, &e))
        tag_runner_run(&u->runner, begin(u, s));
    if (e.status)
        tag_runner_fail(&u->runner, &e);
}

static void undo_move(struct undo *u, const struct journal_line *line)
{
    struct step s;
    plan(&s, line);
    u->runner.undone = &s.move;
    u->runner.simulated = u->o->dry_run && undo_index_is_simulated(&u->index, &s.move);
    tag_runner_next(&u->runner, s.reference, s.names, 1);
    run_step(u, &s);
    if (u->o->dry_run && !u->runner.failed)
        undo_index_simulate(&u->index, &s.move);
}

/* ---- Both passes ----------------------------------------------------------------------------- */

/* Nothing is undone unless all of the journal is understood. */
static bool check(struct undo *u, struct error *e)
{
    struct journal_line line;
    char first[JOURNAL_LINE_MAX] = "", text[JOURNAL_LINE_MAX];
    begin_pass(u, true);
    while (next_move(u, &line, e)) {
        copy(text, sizeof text, line.reference);
        if (!*first)
            copy(first, sizeof first, line.reference);
        if (!session_same_login(first, text, e))
            return false;
    }
    if (u->index.full)
        error_set(e, REGTAG_E_OTHER,
                  "the journal %s has too many moves that were undone; start a new one",
                  u->journal.path);
    return e->status == 0;
}

static void undo_all(struct undo *u, struct error *e)
{
    struct journal_line line;
    begin_pass(u, false);
    while (!u->runner.journal_error.status && next_move(u, &line, e))
        undo_move(u, &line);
    if (u->moves == 0 && !e->status && !u->o->quiet)
        output_note("regtag: ", SLICE("there is nothing to undo"));
    tag_runner_note_dry_run(&u->runner);
}

static int run(struct options *o, uint64_t deadline)
{
    struct undo *u = &undo;
    struct error e;
    error_clear(&e);
    u->o = o;
    u->deadline = deadline;
    u->runner.options = o;
    u->runner.journal = o->dry_run ? NULL : &u->journal;
    if (journal_open(&u->journal, o->arguments[0], o->dry_run ? JOURNAL_READ : JOURNAL_UPDATE, &e)) {
        journal_reader_begin(&u->reader, u->journal.fd);
        u->end = u->reader.at;
        if (check(u, &e))
            undo_all(u, &e);
        journal_close(&u->journal);
    }
    if (e.status)
        report_problem(&e);
    return u->runner.status ? (int)u->runner.status : e.status;
}

const struct cli_verb cli_verb_undo = {
    .id = VERB_ID_UNDO,
    .name = "undo",
    .arguments = "JOURNAL",
    .summary = "moves back what a journal says was moved",
    .details =
        "Reads a journal that tag or delete --journal has written, and moves back, newest first, what is\n"
        "still as it says. Prints the lines that \"tag\" prints.\n",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
