#include <string.h>

#include "cli/attached.h"
#include "cli/expect.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/tag_runner.h"
#include "cli/upload.h"
#include "oci/digest.h"
#include "oci/reference.h"

struct copy {
    const struct options *o;
    uint64_t deadline;
    struct reference source, target;
    bool follows; /* the last operation was a copy, too: its connections serve the next one */
    struct tag_runner runner;
};

/* ---- The operation --------------------------------------------------------------------------- */

static struct regtag_config configure(const struct copy *c, const char *tag)
{
    struct regtag_config config = session_config(c->deadline);
    if (c->o->all_tags)
        expect_select(&config, &tag, 1);
    return config;
}

static struct regtag *begin(struct copy *c, struct regtag_config config, const char *image,
                            const char *target)
{
    if (!c->follows)
        session_close();
    config.keep = true;
    struct regtag *r = upload_operation(&config, (size_t)c->o->jobs, c->follows);
    c->follows = true;
    regtag_copy(r, image, target);
    return r;
}

/* ---- What is attached ------------------------------------------------------------------------ */

/* Whether the image may be copied, and its digest: nothing is to come along with one that is refused. */
static bool rehearse(struct copy *c, const char *image, const char *target, const char *tag,
                     char digest[DIGEST_MAX + 1])
{
    struct tag_runner *t = &c->runner;
    struct regtag_config config = configure(c, tag);
    config.dry_run = true;
    t->rehearsed = digest;
    tag_runner_run(t, begin(c, config, image, target));
    t->rehearsed = NULL;
    return !t->failed;
}

/* To its end; only what goes wrong is reported. */
static bool run_unreported(struct regtag *r, struct error *e)
{
    const struct regtag_result *result = regtag_result(r);
    enum regtag_event event = REGTAG_WAIT;
    while (event != REGTAG_DONE && event != REGTAG_ERROR) {
        event = session_step(r);
        if (event == REGTAG_SETTLED && result->status)
            error_set(error_hint(e, (int)result->hint), (int)result->status, "%s", result->error);
    }
    return !e->status && session_operation_ok(r, e);
}

/* Guards, the platform and keys are for the image. */
static bool copy_one(struct copy *c, const char *reference, const char *repository, struct error *e)
{
    struct error problem;
    struct regtag_config config = session_config(c->deadline);
    config.platform = NULL;
    config.expected_count = 0;
    config.keys = 0;
    error_clear(&problem);
    progress_begin(0, UINT64_MAX);
    if (run_unreported(begin(c, config, reference, repository), &problem))
        return true;
    error_set(error_hint(e, problem.hint), problem.status, "%s is attached to it: %s", reference,
              problem.text);
    return false;
}

/* Before the tag: an image that is signed must not be seen without its signatures. */
static bool copy_attached(struct copy *c, const char *image, const char *digest, struct error *e)
{
    static char repository[REFERENCE_MAX];
    struct attached attached;
    struct writer w = writer_to(repository, sizeof repository - 1);
    write_slice(&w, c->target.name);
    repository[w.used] = '\0';
    c->follows = false;
    if (!attached_list(image, digest, c->deadline, &attached, e))
        return false;
    for (int i = 0; i < attached.count; i++)
        if (!copy_one(c, attached.references[i], repository, e))
            return false;
    return true;
}

/* ---- One tag --------------------------------------------------------------------------------- */

static bool has_attached(const struct copy *c)
{
    return HAS_VERB(VERB_ID_REFERRERS) && c->o->referrers && !c->o->dry_run;
}

/* By its digest, since its tag may be moved meanwhile. */
static const char *pin(const char *image, const char *digest, struct error *e)
{
    static char text[REFERENCE_MAX];
    struct writer w = writer_to(text, sizeof text - 1);
    struct reference r;
    if (!reference_parse(&r, slice_of(image), e))
        return NULL;
    struct slice tag = reference_tag(&r);
    write_format(&w, "%.*s%s%.*s@%s", SLICE_ARG(r.name), tag.size ? ":" : "", SLICE_ARG(tag), digest);
    text[w.used] = '\0';
    return text;
}

/* What is attached is copied first. Returns the image to copy then; NULL if it must not be, with e set unless the tag was
 * reported already. */
static const char *prepare(struct copy *c, const char *image, const char *target, const char *tag,
                           struct error *e)
{
    char digest[DIGEST_MAX + 1];
    if (e->status || !has_attached(c))
        return e->status ? NULL : image;
    c->follows = false;
    if (!attached_digest(image, NULL, c->deadline, digest, e))
        return NULL;
    image = pin(image, digest, e);
    bool good = image && rehearse(c, image, target, tag, digest) && copy_attached(c, image, digest, e);
    return good ? image : NULL;
}

static void copy_tag(struct copy *c, const char *image, const char *target, const char *tag)
{
    struct tag_runner *t = &c->runner;
    struct error e = t->journal_error;
    progress_run(!c->o->quiet && !c->o->verbose);
    progress_begin(0, UINT64_MAX);
    image = prepare(c, image, target, tag, &e);
    progress_begin(0, UINT64_MAX);
    if (image)
        tag_runner_run(t, begin(c, configure(c, tag), image, target));
    else
        tag_runner_fail(t, &e);
    progress_end();
}

/* ---- One image ------------------------------------------------------------------------------- */

/* The tag in the target; the digest of the image, if it has only that. */
static const char *tag_of(const struct copy *c)
{
    static char text[DIGEST_MAX + 1];
    struct writer w = writer_to(text, sizeof text - 1);
    struct slice tag = c->target.tag.size ? c->target.tag : reference_tag(&c->source);
    write_slice(&w, tag.size ? tag : c->source.digest);
    text[w.used] = '\0';
    return text;
}

static void copy_image(struct copy *c, struct error *e)
{
    char *const *arguments = c->o->arguments;
    const char *tag = tag_of(c);
    struct journal journal = {.fd = -1};
    if (!session_operation_ok(begin(c, configure(c, tag), arguments[0], arguments[1]), e))
        return;
    c->follows = false; /* that was without a login */
    bool logged_in = session_login_copy(arguments[0], arguments[1], c->deadline, e);
    if (e->status == REGTAG_E_USAGE)
        return;
    if (slice_find(slice_of(tag), ':') == strlen(tag))
        tag_runner_open_journal(&c->runner, &journal);
    tag_runner_next(&c->runner, arguments[1], &tag, 1);
    if (logged_in)
        copy_tag(c, arguments[0], arguments[1], tag);
    else {
        tag_runner_fail(&c->runner, e);
        error_clear(e);
    }
    journal_close(&journal);
}

/* ---- All tags -------------------------------------------------------------------------------- */

/* The tags, each with a NUL. */
static struct writer tags;

static void on_listed(const struct copy *c, const char *tag, struct error *e)
{
    write_text(&tags, tag);
    write_char(&tags, '\0');
    if (tags.overflow)
        error_set(e, REGTAG_E_OTHER,
                  "%s has too many tags for one run; copy a part of them, with --include",
                  c->o->arguments[0]);
}

/* All of them are listed first: a copy is an operation of its own. */
static bool list_tags(const struct copy *c, struct error *e)
{
    static char memory[TAGS_TEXT_MAX];
    struct regtag_config config = session_config(c->deadline);
    struct regtag *r = session_operation(&config);
    enum regtag_event event = REGTAG_WAIT;
    tags = writer_to(memory, sizeof memory);
    regtag_list(r, c->o->arguments[0], 0);
    while (event != REGTAG_DONE && event != REGTAG_ERROR && !e->status) {
        event = session_step(r);
        if (event == REGTAG_LISTED)
            on_listed(c, regtag_result(r)->name, e);
    }
    session_close();
    return !e->status && session_operation_ok(r, e);
}

static const char *reference_with(char text[REFERENCE_MAX], struct slice name, const char *tag)
{
    struct writer w = writer_to(text, REFERENCE_MAX - 1);
    write_format(&w, "%.*s:%s", SLICE_ARG(name), tag);
    text[w.used] = '\0';
    return text;
}

static void copy_listed(struct copy *c)
{
    char image[REFERENCE_MAX], target[REFERENCE_MAX];
    struct journal journal;
    tag_runner_open_journal(&c->runner, &journal);
    for (const char *tag = tags.data; tag < tags.data + tags.used; tag += strlen(tag) + 1) {
        tag_runner_next(&c->runner, reference_with(target, c->target.name, tag), &tag, 1);
        if (!tag_runner_is_late(&c->runner, c->deadline))
            copy_tag(c, reference_with(image, c->source.name, tag), target, tag);
    }
    journal_close(&journal);
}

static void copy_all(struct copy *c, struct error *e)
{
    const char *from = c->o->arguments[0];
    if (!session_login_copy(from, c->o->arguments[1], c->deadline, e) || !list_tags(c, e))
        return;
    if (tags.used == 0)
        error_set(e, REGTAG_E_NOT_FOUND, "%s: no tag to copy; \"regtag ls %s\" lists the tags", from,
                  from);
    else
        copy_listed(c);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static bool has_tag(const struct reference *r)
{
    return r->tag.size || r->digest.size;
}

static bool is_same_place(const struct copy *c)
{
    const struct reference *a = &c->source, *b = &c->target;
    struct slice tag = b->tag.size ? b->tag : reference_tag(a);
    return slice_equal(a->registry, b->registry) && slice_equal(a->repository, b->repository) &&
           a->library == b->library &&
           (c->o->all_tags || (!a->digest.size && slice_equal(tag, reference_tag(a))));
}

static bool check(struct copy *c, struct error *e)
{
    const struct options *o = c->o;
    char *const *arguments = o->arguments;
    const char *problem = NULL;
    if (!reference_parse(&c->source, slice_of(arguments[0]), e) ||
        !reference_parse(&c->target, slice_of(arguments[1]), e))
        return false;
    if (!o->all_tags && (o->include.count || o->exclude.count))
        problem = "--include and --exclude need --all-tags";
    else if (o->all_tags && (has_tag(&c->source) || has_tag(&c->target)))
        problem = "--all-tags takes two repositories, without a tag or a digest";
    else if (o->all_tags && tag_runner_expects_digest(o))
        problem = "with --all-tags, --expect must be absent or NAME=DIGEST";
    else if (o->expected_count && !c->target.tag.size && !o->all_tags && !reference_tag(&c->source).size)
        problem = "--expect guards a tag, and no tag is set here: write TARGET with one";
    else if (is_same_place(c))
        problem = "IMAGE and TARGET are the same";
    if (problem)
        error_set(e, REGTAG_E_USAGE, "%s", problem);
    return !problem;
}

static int run(struct options *o, uint64_t deadline)
{
    static struct copy c;
    struct error e;
    error_clear(&e);
    c.o = c.runner.options = o;
    c.deadline = deadline;
    c.runner.keeps = true;
    if (check(&c, &e))
        (o->all_tags ? copy_all : copy_image)(&c, &e);
    if (e.status) {
        report_problem(&e);
        return e.status;
    }
    tag_runner_note_dry_run(&c.runner);
    return (int)c.runner.status;
}

const struct cli_verb cli_verb_copy = {
    .id = VERB_ID_COPY,
    .name = "copy",
    .arguments = "IMAGE TARGET",
    .summary = "copies an image to another repository or registry",
    .details = "TARGET is [HOST[:PORT]/]REPOSITORY[:TAG]; without a tag, it gets that of IMAGE.\n"
               "Blobs that it has are skipped, those of the same registry mounted, all others\n"
               "streamed and verified. A multi-platform image is copied whole, unless there is\n"
               "--platform. Options about a registry (login, TLS) apply to both. For only one,\n"
               "write --from- or --to- instead of --, as in --from-plain-http and --to-user.\n",
    .example = "copy registry.example/team/app:1.4 mirror.example/team/app",
    .arguments_min = 2,
    .arguments_max = 2,
    .run = run,
};
