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

/* The tag of an image that is deleted, in `text`. */
static struct slice tag_of(const char *image, char text[TAG_MAX + 1])
{
    struct reference reference;
    struct error ignored = {.status = 0};
    struct writer w = writer_to(text, TAG_MAX);
    if (reference_parse(&reference, slice_of(image), &ignored))
        write_slice(&w, reference_tag(&reference));
    text[w.used] = '\0';
    return written(&w);
}

/* Whether a guard is for this tag, or for all. */
static bool guards(const char *guard, struct slice tag)
{
    struct slice rest = slice_of(guard), name = slice_split(&rest, '=');
    return !rest.data || slice_equal(name, tag);
}

/* Of the guards for several images, those for the one that is deleted. */
static void choose_guards(struct regtag_config *config, const char *image)
{
    static const char *chosen[EXPECTED_MAX];
    char text[TAG_MAX + 1];
    struct slice tag = tag_of(image, text);
    size_t count = 0;
    for (size_t i = 0; i < config->expected_count; i++)
        if (guards(config->expected[i], tag))
            chosen[count++] = config->expected[i];
    config->expected = chosen;
    config->expected_count = count;
}

static struct regtag *begin(const struct options *o, int index, uint64_t deadline)
{
    struct regtag_config config = session_config(deadline);
    const char *image = o->arguments[index];
    bool deletes = o->verb->id == VERB_ID_DELETE;
    if (deletes)
        choose_guards(&config, image);
    struct regtag *r = session_operation(&config);
    if (deletes)
        regtag_delete(r, image);
    else
        regtag_tag(r, image, arguments(o) + 1, (size_t)o->count - 1);
    return r;
}

/* Whether each guard is for an image that is there. */
static bool check_guards(const struct options *o, struct error *e)
{
    char text[TAG_MAX + 1];
    for (unsigned i = 0; i < o->expected_count; i++) {
        bool used = o->verb->id != VERB_ID_DELETE;
        for (int k = 0; k < o->count && !used; k++)
            used = guards(o->expected[i], tag_of(o->arguments[k], text));
        if (!used)
            error_set(e, REGTAG_USAGE, "--expect \"%.*s\": this tag is not one of those to be deleted",
                      SLICE_ARG(slice_head(slice_of(o->expected[i]), 200)));
    }
    return e->status == 0;
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
    return check_guards(o, e);
}

/* Does one operation, unless something has put an end to it all. */
static void run(struct moving *m, int index, uint64_t deadline)
{
    const struct options *o = m->options;
    struct error e = {.status = 0};
    char tag[TAG_MAX + 1];
    const char *deleted[] = {tag};
    bool one = o->verb->id == VERB_ID_DELETE;

    tag_of(o->arguments[index], tag);
    moving_next(m, o->arguments[index], one ? deleted : arguments(o) + 1,
                one ? 1 : (size_t)o->count - 1);
    if (m->stopped.status)
        moving_fail(m, &m->stopped);
    else if (session_login_next(m->image, deadline, &e))
        moving_run(m, begin(o, index, deadline));
    else
        moving_fail(m, &e);
}

static enum regtag_status run_all(struct moving *m, uint64_t deadline)
{
    for (int i = 0; i < operations(m->options); i++)
        run(m, i, deadline);
    changes_tell_dry_run(m->options);
    return m->status;
}

enum regtag_status changes_run(const struct options *o, uint64_t deadline)
{
    struct error e = {.status = 0};
    struct journal journal = {.fd = -1};
    struct moving m = {.options = o};
    if (!check(o, deadline, &e)) {
        output_error(e.text);
        return (enum regtag_status)e.status;
    }
    if (o->journal && !o->dry_run) {
        m.journal = &journal;
        journal_open(&journal, o->journal, JOURNAL_START, &m.stopped);
    }
    enum regtag_status status = run_all(&m, deadline);
    journal_close(&journal);
    return status;
}

void changes_tell_dry_run(const struct options *o)
{
    if (o->dry_run && !o->quiet)
        output_note("regtag: ", SLICE("--dry-run: nothing was changed"));
}
