#include "cli/tag_runner.h"

#include <string.h>

#include "base/names.h"
#include "cli/hint.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session.h"
#include "regtag_sockets.h"

/* ---- Reporting ------------------------------------------------------------------------------- */

void tag_runner_next(struct tag_runner *t, const char *image, const char *const *names, size_t count)
{
    t->image = image;
    t->names = names;
    t->count = count;
    t->failed = false;
    t->reported = 0;
    t->pending_count = 0;
}

static void keep_first_failure(struct tag_runner *t, enum regtag_status status)
{
    if (t->status == REGTAG_OK)
        t->status = status;
}

static void report_tag(struct tag_runner *t, const struct regtag_result *result)
{
    output_transient(SLICE(""));
    report_settled(t->options, t->image, result);
    keep_first_failure(t, result->status);
    t->failed = t->failed || result->status != REGTAG_OK;
    t->reported++;
}

uint64_t tag_runner_table[NAMES_SLOTS / 2];

/* The library settles tags in the order of their names, and a repeated name once. So the first
 * `reported` distinct names are done, and the others are reported in the same order. */
void tag_runner_fail(struct tag_runner *t, const struct error *problem)
{
    size_t reported = t->reported;
    struct names names;
    struct regtag_result failure = {.digest = "",
                                    .previous = "",
                                    .outcome = REGTAG_TAG_FAILED,
                                    .status = (enum regtag_status)problem->status,
                                    .error = problem->text,
                                    .hint = (enum regtag_hint)problem->hint};
    names_begin(&names, t->names, t->count, '\0', tag_runner_table, sizeof tag_runner_table);
    for (size_t i = 0, distinct = 0; i < t->count; i++) {
        if (!names_is_first(&names, i) || distinct++ < reported)
            continue;
        failure.name = t->names[i];
        report_tag(t, &failure);
    }
}

bool tag_runner_is_late(struct tag_runner *t, uint64_t deadline)
{
    struct error e;
    error_clear(&e);
    if (regtag_clock() < deadline)
        return false;
    error_set(error_hint(&e, REGTAG_HINT_TIMEOUT), REGTAG_E_TIMEOUT,
              "no time was left for any more tags");
    tag_runner_fail(t, &e);
    return true;
}

bool tag_runner_expects_digest(const struct options *o)
{
    for (unsigned i = 0; i < o->expected_count; i++)
        if (slice_starts(slice_of(o->expected[i]), SLICE("sha")) && !strchr(o->expected[i], '='))
            return true;
    return false;
}

bool tag_runner_login(struct tag_runner *t, uint64_t deadline)
{
    struct error e;
    error_clear(&e);
    if (t->journal_error.status)
        tag_runner_fail(t, &t->journal_error);
    else if (session_login_next(t->image, deadline, &e))
        return true;
    else
        tag_runner_fail(t, &e);
    return false;
}

bool tag_runner_lost(enum regtag_status status)
{
    return status == REGTAG_E_NO_CONNECTION || status == REGTAG_E_UNTRUSTED ||
           status == REGTAG_E_BAD_DATES;
}

void tag_runner_note_dry_run(const struct tag_runner *t)
{
    if (t->options->dry_run && !t->options->quiet)
        output_note("regtag: ", SLICE("--dry-run: nothing was changed"));
}

/* ---- The journal ----------------------------------------------------------------------------- */

void tag_runner_open_journal(struct tag_runner *t, struct journal *j)
{
    j->fd = -1;
    if (!t->options->journal || t->options->dry_run)
        return;
    t->journal = j;
    journal_open(j, t->options->journal, JOURNAL_APPEND, &t->journal_error);
}

/* Where the tag pointed before, as the journal has it. */
static struct slice place_before(const struct regtag_result *result)
{
    switch (result->before) {
    case REGTAG_PREVIOUS_KNOWN: return slice_of(result->previous);
    case REGTAG_PREVIOUS_ABSENT: return SLICE(JOURNAL_ABSENT);
    default: return SLICE(JOURNAL_UNKNOWN);
    }
}

/* For undo, "failed" means that the tag was not touched. But where the registry confirmed another
 * digest, somebody has touched it, and an upload that made a server fail may still take effect. */
static enum regtag_outcome journal_outcome(const struct regtag_result *result)
{
    bool unclear = result->status == REGTAG_E_NOT_CONFIRMED || result->status == REGTAG_E_SERVER_FAILED;
    return unclear ? REGTAG_TAG_UNCERTAIN : result->outcome;
}

/* The move that is being reverted; NULL in a build without undo, which leaves out what only undo needs. */
static const struct journal_line *undone(const struct tag_runner *t)
{
    return HAS_VERB(VERB_ID_UNDO) ? t->undone : NULL;
}

/* Returns NULL, or what went wrong. */
static const char *write_journal(struct tag_runner *t, const struct regtag_result *result,
                                 enum regtag_outcome outcome)
{
    char text[JOURNAL_LINE_MAX];
    struct journal_line line = {.outcome = outcome, .undo = undone(t) != NULL};
    line.reference = report_reference(t->image, result->name, text, sizeof text);
    if (undone(t)) {
        line.before = undone(t)->after;
        line.after = undone(t)->before;
    } else {
        line.before = place_before(result);
        line.after = slice_of(*result->digest ? result->digest : JOURNAL_ABSENT);
    }
    return journal_append(t->journal, &line);
}

static void set_journal_error(const struct tag_runner *t, struct error *e, const char *problem,
                              const char *consequence)
{
    error_set(e, REGTAG_E_OTHER, "cannot write to the journal %s: %s; %s", t->journal->path, problem,
              consequence);
}

/* False when the tag is pending already. */
static bool add_pending(struct tag_runner *t, const char *name)
{
    for (size_t i = 0; i < t->pending_count; i++)
        if (t->pending[i] == name)
            return false;
    if (t->pending_count < TAGS_AT_ONCE)
        t->pending[t->pending_count++] = name;
    return true;
}

/* False when the tag was not pending. */
static bool remove_pending(struct tag_runner *t, const char *name)
{
    for (size_t i = 0; i < t->pending_count; i++)
        if (t->pending[i] == name) {
            t->pending[i] = t->pending[--t->pending_count];
            return true;
        }
    return false;
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* The tag is about to be touched. */
static void on_upload(struct tag_runner *t, struct regtag *r)
{
    const struct regtag_result *result = regtag_result(r);
    if (!t->journal || !add_pending(t, result->name))
        return;
    const char *problem = write_journal(t, result, REGTAG_TAG_PENDING);
    if (!problem)
        return;
    remove_pending(t, result->name);
    set_journal_error(t, &t->journal_error, problem, "no tag is changed without it");
    regtag_decline(r, t->journal_error.text);
}

/* A tag that was never pending was not touched, so the journal need not mention it. But an undo that
 * found the tag in its place already is recorded, so that the next one does not look again. */
static void journal_result(struct tag_runner *t, const struct regtag_result *result)
{
    struct error e;
    bool touched = result->outcome != REGTAG_TAG_UNCHANGED && result->outcome != REGTAG_TAG_FAILED;
    bool undone_before = undone(t) && result->outcome == REGTAG_TAG_UNCHANGED;
    error_clear(&e);
    if (!t->journal || (!remove_pending(t, result->name) && !touched && !undone_before))
        return;
    const char *problem = write_journal(t, result, journal_outcome(result));
    if (!problem)
        return;
    set_journal_error(t, &e, problem,
                      "the outcome is only reported here, and is looked up when the move is undone");
    report_error(e.text);
    keep_first_failure(t, REGTAG_E_OTHER);
}

static void settle_unchanged(struct regtag_result *result)
{
    result->outcome = REGTAG_TAG_UNCHANGED;
    result->status = REGTAG_OK;
    result->error = "";
    result->hint = REGTAG_HINT_NONE;
}

/* Whether all there is to say against it is that the tag to be deleted is not there. */
static bool is_missing(const struct regtag_result *result)
{
    return result->status == REGTAG_E_NOT_FOUND ||
           (result->status == REGTAG_E_GUARD && result->before == REGTAG_PREVIOUS_ABSENT);
}

/* To an undo, a tag that is back in its place already is no failure. In a dry run, the result is what it
 * would be after the moves that were simulated. */
static void adjust_undo(const struct tag_runner *t, struct regtag_result *result)
{
    const struct journal_line *u = t->undone;
    bool refused = result->status == REGTAG_E_GUARD || result->status == REGTAG_E_NOT_FOUND;
    if (refused && slice_equal(place_before(result), u->before))
        settle_unchanged(result);
    if (result->hint == REGTAG_HINT_SIBLINGS)
        result->hint = (enum regtag_hint)HINT_TAG_STAYS;
    if (t->simulated && result->status == REGTAG_OK) {
        bool from_absent = slice_equal(u->after, SLICE(JOURNAL_ABSENT));
        bool to_absent = slice_equal(u->before, SLICE(JOURNAL_ABSENT));
        result->previous = from_absent ? "" : u->after.data;
        result->before = from_absent ? REGTAG_PREVIOUS_ABSENT : REGTAG_PREVIOUS_KNOWN;
        result->outcome = from_absent ? REGTAG_TAG_CREATED
                          : to_absent ? REGTAG_TAG_DELETED
                                      : REGTAG_TAG_MOVED;
    }
}

/* The journal is written first: whoever reads the report may be slow. */
static void on_settled(struct tag_runner *t, struct regtag_result result)
{
    if (undone(t))
        adjust_undo(t, &result);
    if (HAS_VERB(VERB_ID_COPY) && !*result.name) /* it was copied by digest */
        result.name = *result.digest ? result.digest : t->names[0];
    if (HAS_VERB(VERB_ID_DELETE) && t->options->ignore_missing && is_missing(&result))
        settle_unchanged(&result);
    if (HAS_VERB(VERB_ID_LOAD) && result.status == REGTAG_E_OTHER && t->source && t->source->status)
        result.status = (enum regtag_status)t->source->status;
    if (HAS_VERB(VERB_ID_COPY) && t->rehearsed && result.status == REGTAG_OK) {
        memcpy(t->rehearsed, result.digest, strlen(result.digest) + 1);
        return;
    }
    keep_first_failure(t, result.status);
    journal_result(t, &result);
    report_tag(t, &result);
}

static void on_sibling(const struct tag_runner *t, const char *tag)
{
    char name[1024];
    struct slice sibling = report_reference(t->image, tag, name, sizeof name);
    if (!t->options->quiet)
        output_message("%.*s %s", SLICE_ARG(sibling),
                       t->options->dry_run
                           ? "will be deleted as well if the registry cannot delete a tag alone"
                           : "will be deleted as well");
}

/* An operation that could not begin has settled no tag. */
static void on_end(struct tag_runner *t, struct regtag *r)
{
    struct error e;
    error_clear(&e);
    if (!session_operation_ok(r, &e) && t->reported == 0)
        tag_runner_fail(t, &e);
}

void tag_runner_run(struct tag_runner *t, struct regtag *r)
{
    enum regtag_event event = REGTAG_WAIT;
    while (event != REGTAG_DONE && event != REGTAG_ERROR) {
        event = session_step(r);
        if (event == REGTAG_UPLOAD)
            on_upload(t, r);
        else if (event == REGTAG_SETTLED)
            on_settled(t, *regtag_result(r));
        else if (HAS_VERB(VERB_ID_DELETE) && event == REGTAG_LISTED)
            on_sibling(t, regtag_result(r)->name);
    }
    if (!t->keeps)
        session_close();
    on_end(t, r);
}
