#include "cli/tag_from.h"

#include <string.h>

#include "cli/expect.h"
#include "cli/lines.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/tag_line.h"
#include "cli/tag_runner.h"
#include "cli/targets.h"
#include "oci/reference.h"

static struct from {
    const struct options *o;
    uint64_t deadline;
    struct lines file;
    void (*look)(struct from *f); /* at a line with an image: to check it, or to run it */
    uint64_t number;              /* of the line */
    struct error error;           /* ends the pass */

    /* The first pass. */
    uint64_t images;
    bool used[EXPECTED_MAX];   /* the guards that are for one of the tags */
    char first[REFERENCE_MAX]; /* image */
    struct targets targets;

    /* The second pass. */
    struct tag_runner runner;
    char lost[HOST_PORT_MAX]; /* the registry of the line before, if it could not be reached; else "" */
    enum regtag_status lost_status;

    struct tag_line line;
} from;

static void set_text(char *text, size_t size, struct slice s)
{
    struct writer w = writer_to(text, size - 1);
    write_slice(&w, s);
    text[w.used] = '\0';
}

/* ---- Through the file ------------------------------------------------------------------------ */

/* Ends the pass: what is wrong with the line at hand. */
static void line_failed(struct from *f, int status, const char *problem)
{
    error_set(&f->error, status, "%s:%llu: %s", f->file.name, (unsigned long long)f->number, problem);
}

static void on_line(struct from *f)
{
    const char *problem = tag_line_split(&f->line);
    f->number++;
    f->line.size = 0;
    if (problem)
        line_failed(f, REGTAG_E_USAGE, problem);
    else if (f->line.count)
        f->look(f);
}

static void on_part(void *context, struct slice part)
{
    struct from *f = context;
    while (part.data && !f->error.status) {
        struct slice line = slice_split(&part, '\n');
        tag_line_add(&f->line, line);
        if (part.data)
            on_line(f);
    }
}

static bool read_all(struct from *f, void (*look)(struct from *f), uint64_t deadline)
{
    struct error e;
    error_clear(&e);
    f->look = look;
    f->number = 0;
    f->line.size = 0;
    bool whole = lines_read(&f->file, deadline, &e);
    if (f->line.size && !f->error.status)
        on_line(f);
    if (!whole && !f->error.status)
        f->error = e;
    return f->error.status == 0;
}

/* ---- Checking -------------------------------------------------------------------------------- */

/* The operation of the line at hand. */
static struct regtag *begin(const struct from *f, bool checked)
{
    struct regtag_config config = session_config(f->deadline);
    config.keep = true;
    expect_select(&config, f->line.words + 1, f->line.count - 1);
    struct regtag *r = checked ? session_next(&config) : session_operation(&config);
    regtag_tag(r, f->line.words[0], f->line.words + 1, f->line.count - 1);
    return r;
}

static void note_guards(struct from *f)
{
    for (unsigned i = 0; i < f->o->expected_count; i++)
        if (!f->used[i])
            f->used[i] = expect_applies(f->o->expected[i], f->line.words + 1, f->line.count - 1);
}

static void check_targets(struct from *f, const struct reference *r, struct error *e)
{
    for (size_t i = 1; i < f->line.count; i++) {
        char text[REFERENCE_MAX];
        struct writer w = writer_to(text, sizeof text);
        write_format(&w, "%.*s/", SLICE_ARG(r->registry));
        write_repository(&w, r);
        write_format(&w, ":%s", f->line.words[i]);
        if (!targets_add(&f->targets, slice_hash(HASH_START, written(&w))))
            error_set(e, REGTAG_E_USAGE, "%.*s is to be set more than once", SLICE_ARG(written(&w)));
    }
}

static void check_line(struct from *f)
{
    const char *image = f->line.words[0];
    struct reference r;
    struct error e;
    error_clear(&e);
    if (f->images++ == 0)
        set_text(f->first, sizeof f->first, slice_of(image));
    if (session_operation_ok(begin(f, false), &e) && session_same_login(f->first, image, &e) &&
        reference_parse(&r, slice_of(image), &e))
        check_targets(f, &r, &e);
    note_guards(f);
    if (e.hint == REGTAG_HINT_EXPECTED) /* it is about a guard, not about the line */
        f->error = e;
    else if (e.status)
        line_failed(f, e.status, e.text);
}

/* A guard that applies to no tag is a mistake. */
static void check_guards(struct from *f)
{
    for (unsigned i = 0; i < f->o->expected_count && f->images; i++)
        if (!f->used[i])
            error_set(&f->error, REGTAG_E_USAGE, "--expect \"%.*s\": no line has this tag",
                      SLICE_ARG(slice_head(slice_of(f->o->expected[i]), 200)));
}

static bool check(struct from *f)
{
    f->targets.slots = tag_runner_table;
    f->file.visit = on_part;
    f->file.context = f;
    if (!lines_open(&f->file, f->o->from, f->deadline, &f->error) ||
        !read_all(f, check_line, f->deadline))
        return false;
    check_guards(f);
    return f->error.status == 0;
}

/* ---- Tagging --------------------------------------------------------------------------------- */

/* The registry that could not be reached is not tried again line after line. */
static bool is_lost(struct from *f, struct slice registry)
{
    struct error e;
    error_clear(&e);
    if (!slice_equal(registry, slice_of(f->lost)))
        return false;
    error_set(&e, (int)f->lost_status, "%s was not tried again", f->lost);
    tag_runner_fail(&f->runner, &e);
    return true;
}

static void note_loss(struct from *f, struct slice registry, enum regtag_status status)
{
    f->lost_status = status;
    set_text(f->lost, sizeof f->lost, tag_runner_lost(status) ? registry : SLICE(""));
}

static void run_line(struct from *f)
{
    struct tag_runner *t = &f->runner;
    struct reference r;
    if (lines_changed(&f->file)) {
        line_failed(f, REGTAG_E_OTHER,
                    "the file was changed meanwhile; this line and the next ones were not run");
        return;
    }
    reference_parse(&r, slice_of(f->line.words[0]), &f->error); /* cannot fail: it was checked */
    tag_runner_next(t, f->line.words[0], f->line.words + 1, f->line.count - 1);
    if (tag_runner_is_late(t, f->deadline) || is_lost(f, r.registry) ||
        !tag_runner_login(t, f->deadline))
        return;
    struct regtag *operation = begin(f, true);
    tag_runner_run(t, operation);
    note_loss(f, r.registry, regtag_error(operation, NULL));
}

static void run_all(struct from *f)
{
    struct journal journal;
    tag_runner_open_journal(&f->runner, &journal);
    read_all(f, run_line, UINT64_MAX);
    journal_close(&journal);
    if (f->images == 0 && !f->o->quiet)
        output_message("%s has no lines; nothing was done", f->file.name);
    tag_runner_note_dry_run(&f->runner);
}

int tag_from(const struct options *o, uint64_t deadline)
{
    struct from *f = &from;
    error_clear(&f->error);
    f->o = f->runner.options = o;
    f->deadline = deadline;
    f->runner.keeps = true;
    if (check(f))
        run_all(f);
    lines_close(&f->file);
    if (f->error.status)
        report_problem(&f->error);
    return f->runner.status ? (int)f->runner.status : f->error.status;
}
