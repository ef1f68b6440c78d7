#include "base/names.h"
#include "cli/expect.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/tag_runner.h"
#include "oci/reference.h"

/* ---- Guards: --expect may be meant for one of several images --------------------------------- */

/* The tag of an image, NUL-terminated in `text`. */
static const char *tag_of(const char *image, char text[TAG_MAX + 1])
{
    struct reference reference;
    struct error ignored;
    struct writer w = writer_to(text, TAG_MAX);
    error_clear(&ignored);
    if (reference_parse(&reference, slice_of(image), &ignored))
        write_slice(&w, reference_tag(&reference));
    text[w.used] = '\0';
    return text;
}

/* A guard that applies to no image is a mistake. */
static bool check_guards(const struct options *o, struct error *e)
{
    char text[TAG_MAX + 1];
    const char *tag = text;
    for (unsigned i = 0; i < o->expected_count; i++) {
        bool applies = false;
        for (int k = 0; k < o->count && !applies; k++) {
            tag_of(o->arguments[k], text);
            applies = expect_applies(o->expected[i], &tag, 1);
        }
        if (!applies)
            error_set(e, REGTAG_E_USAGE, "--expect \"%.*s\": this tag is not among those to delete",
                      SLICE_ARG(slice_head(slice_of(o->expected[i]), 200)));
    }
    return e->status == 0;
}

/* ---- Deleting: one operation for each image -------------------------------------------------- */

static struct regtag *begin(const char *image, uint64_t deadline)
{
    struct regtag_config config = session_config(deadline);
    char text[TAG_MAX + 1];
    const char *tag = tag_of(image, text);
    expect_select(&config, &tag, 1);
    struct regtag *r = session_operation(&config);
    regtag_delete(r, image);
    return r;
}

static bool check(const struct options *o, uint64_t deadline, struct error *e)
{
    for (int i = 0; i < o->count; i++)
        if (!session_operation_ok(begin(o->arguments[i], deadline), e) ||
            !session_same_login(o->arguments[0], o->arguments[i], e))
            return false;
    return check_guards(o, e);
}

static void delete_image(struct tag_runner *t, const char *image, uint64_t deadline)
{
    char tag[TAG_MAX + 1];
    const char *names[] = {tag};
    tag_of(image, tag);
    tag_runner_next(t, image, names, 1);
    if (tag_runner_login(t, deadline))
        tag_runner_run(t, begin(image, deadline));
}

/* One that is given twice is deleted once. The table stays: to report a single name takes none. */
static void delete_images(struct tag_runner *t, const struct options *o, uint64_t deadline)
{
    struct names names;
    names_begin(&names, (const char *const *)o->arguments, (size_t)o->count, '\0', tag_runner_table,
                sizeof tag_runner_table);
    for (int i = 0; i < o->count; i++)
        if (names_is_first(&names, (size_t)i))
            delete_image(t, o->arguments[i], deadline);
}

static int run(struct options *o, uint64_t deadline)
{
    struct error e;
    struct journal journal;
    struct tag_runner t = {.options = o};
    error_clear(&e);
    if (!check(o, deadline, &e)) {
        report_problem(&e);
        return e.status;
    }
    tag_runner_open_journal(&t, &journal);
    delete_images(&t, o, deadline);
    journal_close(&journal);
    tag_runner_note_dry_run(&t);
    return (int)t.status;
}

const struct cli_verb cli_verb_delete = {
    .id = VERB_ID_DELETE,
    .name = "delete",
    .arguments = "IMAGE...",
    .summary = "deletes a tag, and nothing else",
    .details = "Deletes the tag of each IMAGE, but not the manifest or its other tags.\n",
    .example = "delete --journal moves registry.example/team/app:tested",
    .arguments_min = 1,
    .arguments_max = ARGUMENTS_MAX,
    .run = run,
};
