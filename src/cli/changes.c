#include "cli/changes.h"

#include "cli/moving.h"
#include "cli/output.h"
#include "cli/session.h"
#include "oci/reference.h"

static const char *const *arguments(const struct options *o)
{
    return (const char *const *)o->arguments;
}

/* `tag` is one operation for all names, `delete` one for each image. */
static int operations(const struct options *o)
{
    return o->verb->id == VERB_ID_DELETE ? o->count : 1;
}

static struct regtag *begin(const struct options *o, int index, uint64_t deadline)
{
    struct regtag_config config = session_config(deadline);
    struct regtag *r = session_operation(&config);
    if (o->verb->id == VERB_ID_DELETE)
        regtag_delete(r, o->arguments[index]);
    else
        regtag_tag(r, o->arguments[0], arguments(o) + 1, (size_t)o->count - 1);
    return r;
}

static bool check(const struct options *o, uint64_t deadline, struct error *e)
{
    for (int i = 0; i < operations(o); i++) {
        const char *text;
        enum regtag_status status = regtag_error(begin(o, i, deadline), &text);
        if (status != REGTAG_OK)
            error_set(e, (int)status, "%s", text);
        else
            session_same_login(o->arguments[0], o->arguments[i], e);
        if (e->status)
            return false;
    }
    return true;
}

/* The tag of an image that is deleted, in `text`. */
static void write_tag(const char *image, char text[TAG_MAX + 1])
{
    struct reference reference;
    struct error ignored = {.status = 0};
    struct writer w = writer_to(text, TAG_MAX);
    if (reference_parse(&reference, slice_of(image), &ignored))
        write_slice(&w, reference_tag(&reference));
    text[w.used] = '\0';
}

/* Does one operation, unless something has put an end to it all. */
static void run(struct moving *m, int index, uint64_t deadline)
{
    const struct options *o = m->options;
    struct error e = {.status = 0};
    char tag[TAG_MAX + 1];
    const char *deleted[] = {tag};
    bool one = o->verb->id == VERB_ID_DELETE;

    write_tag(o->arguments[index], tag);
    moving_next(m, o->arguments[index], one ? deleted : arguments(o) + 1,
                one ? 1 : (size_t)o->count - 1);
    if (m->stopped.status)
        moving_fail(m, &m->stopped);
    else if (session_login_next(m->image, deadline, &e))
        moving_run(m, begin(o, index, deadline));
    else
        moving_fail(m, &e);
}

static enum regtag_status run_all(const struct options *o, struct journal *journal, uint64_t deadline)
{
    struct moving m = {.options = o, .journal = journal};
    for (int i = 0; i < operations(o); i++)
        run(&m, i, deadline);
    changes_tell_dry_run(o);
    return m.status;
}

enum regtag_status changes_run(const struct options *o, uint64_t deadline)
{
    struct error e = {.status = 0};
    struct journal journal;
    bool kept = o->journal && !o->dry_run;
    if (!check(o, deadline, &e) || (kept && !journal_open(&journal, o->journal, JOURNAL_START, &e))) {
        output_error(e.text);
        return (enum regtag_status)e.status;
    }
    enum regtag_status status = run_all(o, kept ? &journal : NULL, deadline);
    if (kept)
        journal_close(&journal);
    return status;
}

void changes_tell_dry_run(const struct options *o)
{
    if (o->dry_run && !o->quiet)
        output_note("regtag: ", SLICE("--dry-run: nothing was changed"));
}
