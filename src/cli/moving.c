#include "cli/moving.h"

#include <string.h>

#include "base/names.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session.h"

/* ---- Telling --------------------------------------------------------------------------------- */

void moving_next(struct moving *m, const char *image, const char *const *names, size_t count)
{
    m->image = image;
    m->names = names;
    m->count = count;
    m->failed = false;
    m->told = 0;
    m->announced = 0;
}

static void note_failure(struct moving *m, enum regtag_status status)
{
    if (m->status == REGTAG_OK)
        m->status = status;
}

static void tell(struct moving *m, const struct regtag_result *result)
{
    report_settled(m->options, m->image, result);
    note_failure(m, result->status);
    m->failed = m->failed || result->status != REGTAG_OK;
    m->told++;
}

/* The library settles tags in the order of their names, a name that is given twice once: so many of them have
 * been told, and the rest is told the same way. */
static void fail_rest(struct moving *m, const struct regtag_result *failure)
{
    static uint32_t table[NAMES_SLOTS];
    struct names names;
    names_begin(&names, m->names, m->count, '\0', table, sizeof table);
    for (size_t i = 0, distinct = 0, told = m->told; i < m->count; i++) {
        struct regtag_result result = *failure;
        if (!names_is_first(&names, i) || distinct++ < told)
            continue;
        result.name = m->names[i];
        if (!failure->name || strcmp(failure->name, result.name) != 0) {
            result.previous = "";
            result.absent = false;
        }
        tell(m, &result);
    }
}

void moving_fail(struct moving *m, const struct error *problem)
{
    enum regtag_status status = (enum regtag_status)problem->status;
    struct regtag_result failure = {NULL, "", "", REGTAG_NOT_SET, status, problem->text, false};
    fail_rest(m, &failure);
}

static void tell_sibling(const struct moving *m, const char *tag)
{
    char text[1200], name[1024];
    struct writer w = writer_to(text, sizeof text);
    struct slice sibling = report_reference(m->image, tag, name, sizeof name);
    write_format(&w, "%.*s would go with it", SLICE_ARG(sibling));
    if (!m->options->quiet)
        output_note("regtag: ", written(&w));
}

/* ---- The journal ----------------------------------------------------------------------------- */

static struct slice place(const char *digest, bool absent, const char *otherwise)
{
    return slice_of(absent ? JOURNAL_ABSENT : *digest ? digest : otherwise);
}

/* That it "failed" would tell undo not to look: but where another digest was confirmed the tag was touched,
 * whoever did it, and an upload that made a server fail may yet arrive. */
static enum regtag_outcome outcome_of(const struct regtag_result *result)
{
    bool unclear = result->status == REGTAG_NOT_CONFIRMED || result->status == REGTAG_SERVER_FAILED;
    return unclear ? REGTAG_MAYBE_SET : result->outcome;
}

/* Returns NULL, or what went wrong. */
static const char *write_down(struct moving *m, const struct regtag_result *result,
                              enum regtag_outcome outcome)
{
    char text[JOURNAL_LINE_MAX];
    struct journal_line line = {.outcome = outcome, .undo = m->undone != NULL};
    line.reference = report_reference(m->image, result->name, text, sizeof text);
    if (m->undone) {
        line.before = m->undone->after;
        line.after = m->undone->before;
    } else {
        line.before = place(result->previous, result->absent, JOURNAL_UNKNOWN);
        line.after = place(result->digest, false, JOURNAL_ABSENT);
    }
    return journal_append(m->journal, &line);
}

static void explain(const struct moving *m, struct error *e, const char *problem, const char *what)
{
    error_set(e, REGTAG_OTHER, "the journal %s cannot be written: %s; %s", m->journal->path, problem,
              what);
}

/* Notes that a tag is being moved. False when that was noted before. */
static bool note_announced(struct moving *m, const char *name)
{
    for (size_t i = 0; i < m->announced; i++)
        if (m->announced_names[i] == name)
            return false;
    if (m->announced < ANNOUNCED_MAX)
        m->announced_names[m->announced++] = name;
    return true;
}

/* Forgets that a tag is being moved. False when that was not known. */
static bool was_announced(struct moving *m, const char *name)
{
    for (size_t i = 0; i < m->announced; i++)
        if (m->announced_names[i] == name) {
            m->announced_names[i] = m->announced_names[--m->announced];
            return true;
        }
    return false;
}

/* The tag is about to be touched. */
static void announce(struct moving *m, const struct regtag_result *result)
{
    if (!m->journal || !note_announced(m, result->name))
        return;
    const char *problem = write_down(m, result, REGTAG_PENDING);
    if (!problem)
        return;
    struct regtag_result failure = *result;
    explain(m, &m->stopped, problem, "no tag is touched without it");
    failure.outcome = REGTAG_NOT_SET;
    failure.status = REGTAG_OTHER;
    failure.error = m->stopped.text;
    fail_rest(m, &failure);
}

/* A tag that was not announced was not touched. Only an undo remembers that, so as not to look again. */
static void conclude(struct moving *m, const struct regtag_result *result)
{
    struct error e = {.status = 0};
    bool touched = result->outcome != REGTAG_UNCHANGED && result->outcome != REGTAG_NOT_SET;
    bool undone_already = m->undone && result->outcome == REGTAG_UNCHANGED;
    if (!m->journal || (!was_announced(m, result->name) && !touched && !undone_already))
        return;
    const char *problem = write_down(m, result, outcome_of(result));
    if (!problem)
        return;
    explain(m, &e, problem, "what became of the tag is told here, and undo would look for itself");
    report_error(e.text);
    note_failure(m, REGTAG_OTHER);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* What an undo has found in its place already is well; and what a dry run only pretends, it tells as if. */
static void judge_undo(const struct moving *m, struct regtag_result *result)
{
    const struct journal_line *u = m->undone;
    bool refused = result->status == REGTAG_GUARD || result->status == REGTAG_NOT_FOUND;
    if (refused && slice_equal(place(result->previous, result->absent, ""), u->before)) {
        result->outcome = REGTAG_UNCHANGED;
        result->status = REGTAG_OK;
        result->error = "";
    }
    if (m->pretended && result->status == REGTAG_OK) {
        bool from = slice_equal(u->after, SLICE(JOURNAL_ABSENT));
        bool to = slice_equal(u->before, SLICE(JOURNAL_ABSENT));
        result->previous = from ? "" : u->after.data;
        result->outcome = from ? REGTAG_CREATED : to ? REGTAG_DELETED : REGTAG_MOVED;
    }
}

static void settle(struct moving *m, struct regtag_result result)
{
    if (m->undone)
        judge_undo(m, &result);
    note_failure(m, result.status);
    conclude(m, &result); /* first: whoever reads what is told may be slow */
    tell(m, &result);
}

/* What could not begin settles nothing. */
static void fail_unsettled(struct moving *m, const struct regtag *r)
{
    const char *text;
    struct error e = {.status = 0};
    enum regtag_status status = regtag_error(r, &text);
    if (status == REGTAG_OK || m->told)
        return;
    error_set(&e, (int)status, "%s", text);
    moving_fail(m, &e);
}

void moving_run(struct moving *m, struct regtag *r)
{
    enum regtag_event event = REGTAG_WAIT;
    while (event != REGTAG_DONE && event != REGTAG_ERROR && !m->stopped.status) {
        event = session_step(r);
        if (event == REGTAG_UPLOAD)
            announce(m, regtag_result(r));
        else if (event == REGTAG_SETTLED)
            settle(m, *regtag_result(r));
        else if (event == REGTAG_LISTED)
            tell_sibling(m, regtag_result(r)->name);
    }
    session_close();
    fail_unsettled(m, r);
}
