#include "cli/credentials.h"
#include "cli/journal_lock.h"
#include "cli/journal_reader.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/tag_runner.h"
#include "cli/undo_index.h"
#include "oci/digest.h"
#include "oci/reference.h"
#include "regtag_sockets.h"

static struct undo {
    const struct options *o;
    uint64_t deadline;
    char registry_text[HOST_PORT_MAX];
    struct slice registry; /* of --registry; empty: not given */
    struct journal journal;
    struct journal_reader reader;
    struct tag_runner runner;

    /* The journal is read twice: to check all of it, and then to undo the moves that were found. */
    bool checking;
    uint64_t found, moves; /* in all, and so far in this pass */
    struct undo_index index;

    /* Lines that are no moves, counted from the end of the journal, from 1; 0: there are none. */
    uint64_t foreign, first_torn;
    uint64_t torn; /* how many are */
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

static void note_verdict(struct undo *u, enum journal_verdict verdict)
{
    if (verdict == JOURNAL_INVALID && !u->foreign)
        u->foreign = u->reader.lines;
    if (verdict == JOURNAL_TORN && u->checking) {
        u->first_torn = u->reader.lines;
        u->torn++;
    }
}

/* Goes on to the next move to undo. False when there is none, or the journal cannot be read. The checking
 * pass reads all of it, whatever --last says. */
static bool next_move(struct undo *u, struct journal_line *line)
{
    struct slice text;
    while ((u->checking || u->moves < u->found) && journal_reader_next(&u->reader, &text)) {
        enum journal_verdict verdict = journal_line_read(text, line);
        note_verdict(u, verdict);
        if (verdict == JOURNAL_LINE && is_pending(u, line))
            return true;
    }
    return false;
}

static void begin_pass(struct undo *u, bool checking)
{
    u->checking = checking;
    u->moves = 0;
    undo_index_begin(&u->index);
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
    if (!s->known) {
        error_set(&e, REGTAG_E_NOT_FOUND, "%s: the journal does not say where it pointed before",
                  s->reference);
        tag_runner_fail(&u->runner, &e);
    } else if (tag_runner_login(&u->runner, u->deadline))
        tag_runner_run(&u->runner, begin(u, s));
}

static void undo_move(struct undo *u, const struct journal_line *line)
{
    static struct step s; /* 3 KB */
    plan(&s, line);
    u->runner.undone = &s.move;
    u->runner.simulated = u->o->dry_run && undo_index_is_simulated(&u->index, &s.move);
    tag_runner_next(&u->runner, s.reference, s.names, 1);
    run_step(u, &s);
    if (u->o->dry_run && !u->runner.failed)
        undo_index_simulate(&u->index, &s.move);
}

/* ---- The first pass -------------------------------------------------------------------------- */

/* The number of a line, when all have been counted. */
static unsigned long long number_of(const struct undo *u, uint64_t from_end)
{
    return u->reader.lines - from_end + 1;
}

static void note_torn(const struct undo *u)
{
    if (!u->torn || u->o->quiet)
        return;
    if (u->torn == 1)
        output_message("%s: line %llu is incomplete and ignored", u->journal.path,
                       number_of(u, u->first_torn));
    else
        output_message("%s: %llu lines are incomplete and ignored; the first is line %llu",
                       u->journal.path, (unsigned long long)u->torn, number_of(u, u->first_torn));
}

static bool check_registry(const struct undo *u, const struct journal_line *line, struct error *e)
{
    struct reference r;
    reference_parse(&r, line->reference, e); /* cannot fail: journal_line_read has checked it */
    if (!u->registry.size || slice_equal_nocase(r.registry, u->registry))
        return true;
    error_set(e, REGTAG_E_USAGE,
              "--registry is %.*s, but the journal %s has a tag on %.*s; nothing was done",
              SLICE_ARG(u->registry), u->journal.path, SLICE_ARG(r.registry));
    return false;
}

static bool check_index(const struct undo *u, struct error *e)
{
    if (u->index.full)
        error_set(e, REGTAG_E_OTHER, "the journal %s has too many moves; start a new one",
                  u->journal.path);
    return e->status == 0;
}

static bool check_lines(const struct undo *u, struct error *e)
{
    if (u->reader.problem)
        error_set(e, REGTAG_E_OTHER, "cannot read the journal %s: %s; nothing was done", u->journal.path,
                  u->reader.problem);
    else if (u->foreign)
        error_set(e, REGTAG_E_USAGE,
                  u->index.made || u->moves ? "%s: line %llu was not written by regtag; nothing was done"
                                            : "%s is not a journal of regtag; nothing was done",
                  u->journal.path, number_of(u, u->foreign));
    return check_index(u, e);
}

/* Nothing is undone unless all of the journal is understood. Half of the time is left for the second
 * pass, which reads the same again. */
static bool check(struct undo *u, struct error *e)
{
    struct journal_line line;
    uint64_t now = regtag_clock();
    journal_reader_begin(&u->reader, u->journal.fd,
                         u->deadline > now ? now + (u->deadline - now) / 2 : now);
    begin_pass(u, true);
    while (next_move(u, &line))
        if (!check_registry(u, &line, e))
            return false;
    u->found = u->moves;
    if (check_lines(u, e))
        note_torn(u);
    return e->status == 0;
}

/* ---- The second pass ------------------------------------------------------------------------- */

static void undo_all(struct undo *u, struct error *e)
{
    struct journal_line line;
    journal_reader_again(&u->reader);
    begin_pass(u, false);
    while (next_move(u, &line))
        undo_move(u, &line);
    if (u->reader.problem)
        error_set(e, REGTAG_E_OTHER,
                  "cannot read the journal %s again: %s; %llu of %llu moves were not undone",
                  u->journal.path, u->reader.problem, (unsigned long long)(u->found - u->moves),
                  (unsigned long long)u->found);
    check_index(u, e); /* a dry run adds to it */
    if (u->found == 0 && !u->o->quiet)
        output_note("regtag: ", SLICE("nothing to undo"));
    tag_runner_note_dry_run(&u->runner);
}

/* ---- Both ------------------------------------------------------------------------------------ */

/* HOST[:PORT] is what a reference may begin with. */
static bool read_registry(struct undo *u, const char *registry, struct error *e)
{
    struct reference r;
    struct error ignored;
    struct writer w = writer_to(u->registry_text, sizeof u->registry_text);
    error_clear(&ignored);
    write_format(&w, "%s/r", registry);
    if (w.overflow || !reference_parse(&r, written(&w), &ignored) ||
        !slice_equal(r.repository, SLICE("r")))
        return options_bad_value(e, "registry", registry, "must be HOST[:PORT], as in the journal");
    u->registry = r.registry;
    return true;
}

/* Credentials that are for any registry would be sent to wherever the journal says. */
static bool check_options(struct undo *u, struct error *e)
{
    if (u->o->registry)
        return read_registry(u, u->o->registry, e);
    if (credentials_for_any(&u->o->side[0]))
        error_set(e, REGTAG_E_USAGE,
                  "--user, REGTAG_USER and REGTAG_TOKEN are for one registry, and a journal may name "
                  "several; say which with --registry HOST[:PORT]; nothing was done");
    return e->status == 0;
}

static bool open_journal(struct undo *u, struct error *e)
{
    const struct options *o = u->o;
    enum journal_mode mode = o->dry_run ? JOURNAL_READ : JOURNAL_UPDATE;
    if (!journal_open(&u->journal, o->arguments[0], mode, e))
        return false;
    if (journal_is_shared(&u->journal) && !o->quiet)
        output_message(
            "warning: %s: others can write to it, and so decide what is undone; make it yours, and "
            "chmod go-w",
            u->journal.path);
    return journal_lock(&u->journal, mode, u->deadline, o->quiet, e);
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
    u->journal.fd = -1;
    if (check_options(u, &e) && open_journal(u, &e) && check(u, &e))
        undo_all(u, &e);
    journal_close(&u->journal);
    if (e.status)
        report_problem(&e);
    return u->runner.status ? (int)u->runner.status : e.status;
}

const struct cli_verb cli_verb_undo = {
    .id = VERB_ID_UNDO,
    .name = "undo",
    .arguments = "JOURNAL",
    .summary = "reverts the moves recorded in a journal",
    .details = "Reads a journal written by --journal, and reverts its moves, the newest first,\n"
               "unless a tag has been moved since.\n",
    .example = "undo --last 1 moves",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
