#include <string.h>

#include "cli/attached.h"
#include "cli/expect.h"
#include "cli/layout.h"
#include "cli/layout_images.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/tag_runner.h"
#include "cli/upload.h"
#include "oci/reference.h"

struct load {
    const struct options *o;
    uint64_t deadline;
    struct layout layout;
    struct layout_images images;
    uint64_t index_hash; /* of index.json, when it was read first */
    struct reference target;
    char text[REFERENCE_MAX]; /* with the tag of an image */
    struct tag_runner runner;
    enum regtag_status lost; /* how an image ended of which nothing had moved */
};

/* ---- The operation --------------------------------------------------------------------------- */

/* A pipe has one blob after the other. */
static struct regtag *begin(struct load *l, const struct layout_image *image, const char *target)
{
    struct regtag_config config = session_config(l->deadline);
    const char *tag = image->tag;
    if (l->images.own_tags)
        expect_select(&config, &tag, 1);
    config.store = layout_store(&l->layout);
    if (HAS_VERB(VERB_ID_VERIFY) && l->images.own_tags && attached_is_tag(tag))
        config.keys = 0;
    struct regtag *r =
        upload_operation(&config, l->layout.kind == LAYOUT_PIPE ? 1 : (size_t)l->o->jobs, false);
    regtag_load(r, image->digest, target);
    return r;
}

/* The reference in the target's repository. */
static const char *target_of(struct load *l, const struct layout_image *image)
{
    struct writer w = writer_to(l->text, sizeof l->text - 1);
    if (!l->images.own_tags)
        return l->o->arguments[1];
    write_format(&w, "%s:%s", l->o->arguments[1], image->tag);
    l->text[w.used] = '\0';
    return l->text;
}

/* A registry that could not be reached is not tried again for each image. */
static bool is_lost(struct load *l)
{
    struct error e;
    error_clear(&e);
    if (!l->lost)
        return false;
    error_set(&e, (int)l->lost, "%.*s was not tried again", SLICE_ARG(l->target.registry));
    tag_runner_fail(&l->runner, &e);
    return true;
}

/* A connection that breaks once blobs move may be due to a blob: the next image is tried. */
static void note_loss(struct load *l, const struct regtag *r)
{
    uint64_t moved, all;
    enum regtag_status status = regtag_error(r, NULL);
    regtag_progress(r, &moved, &all);
    if (!moved && tag_runner_lost(status))
        l->lost = status;
}

static void load_image(struct load *l, const struct layout_image *image)
{
    const char *target = target_of(l, image), *tag = strrchr(target, ':') + 1;
    tag_runner_next(&l->runner, target, &tag, 1);
    if (is_lost(l) || !tag_runner_login(&l->runner, l->deadline))
        return;
    progress_run(!l->o->quiet && !l->o->verbose);
    progress_begin(0, UINT64_MAX);
    struct regtag *r = begin(l, image, target);
    tag_runner_run(&l->runner, r);
    progress_end();
    note_loss(l, r);
}

/* ---- The images ------------------------------------------------------------------------------ */

/* The memory of the operation has room for a document and its index. */
static bool read_document(struct load *l, const char *key, struct slice *text,
                          struct document_scan *scan, struct document_memory *memory, struct error *e)
{
    char *scratch = session_scratch();
    struct writer w = writer_to(scratch, REGTAG_MANIFEST_MAX);
    memory->tokens_max = REGTAG_TOKENS_MAX;
    memory->tokens = (void *)(scratch + REGTAG_MANIFEST_MAX);
    memory->keys = (void *)(memory->tokens + REGTAG_TOKENS_MAX);
    *scan = (struct document_scan){0};
    bool done = layout_read(&l->layout, key, &w, scan, memory->tokens_max, e);
    *text = written(&w);
    return done;
}

/* It is read again for each image, but must stay what images_check has seen. */
static bool read_index(struct load *l, struct error *e)
{
    struct slice text;
    struct document_scan scan;
    struct document_memory memory;
    if (!read_document(l, LAYOUT_INDEX, &text, &scan, &memory, e))
        return false;
    uint64_t hash = slice_hash(HASH_START, text);
    if (l->index_hash && hash != l->index_hash)
        error_set(e, REGTAG_E_OTHER,
                  "%s: its " LAYOUT_INDEX " was changed meanwhile; no more images are loaded",
                  l->layout.in.name);
    l->index_hash = hash;
    return !e->status && images_read(&l->images, text, &scan, &memory, e);
}

/* Of a pipe it has not come yet, maybe. */
static bool check_version(struct load *l, struct error *e)
{
    struct slice text;
    struct document_scan scan;
    struct document_memory memory;
    return l->layout.kind == LAYOUT_PIPE ||
           (read_document(l, LAYOUT_MARK, &text, &scan, &memory, e) &&
            layout_version_check(l->layout.in.name, text, &scan, &memory, e));
}

/* An operation has taken the memory of the index. */
static bool get_next(struct load *l, size_t number, struct layout_image *image, struct error *e)
{
    return l->images.own_tags && read_index(l, e) && images_get(&l->images, number, image);
}

static void load_images(struct load *l, struct error *e)
{
    struct layout_image image;
    struct journal journal = {.fd = -1};
    images_get(&l->images, 0, &image);
    if (l->images.left && !l->o->quiet)
        output_message("%s: images without a tag that are left out: %llu; --image DIGEST loads one",
                       l->layout.in.name, (unsigned long long)l->images.left);
    if (!session_operation_ok(begin(l, &image, target_of(l, &image)), e))
        return;
    tag_runner_open_journal(&l->runner, &journal);
    size_t number = 0;
    do
        load_image(l, &image);
    while (get_next(l, ++number, &image, e));
    journal_close(&journal);
    if (!l->runner.status)
        input_drain(&l->layout.in);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static bool check(struct load *l, struct error *e)
{
    const struct options *o = l->o;
    const char *problem = NULL;
    if (!reference_parse(&l->target, slice_of(o->arguments[1]), e))
        return false;
    l->images.wanted = o->image;
    l->images.own_tags = l->target.tag.size == 0;
    if (l->target.digest.size)
        problem = "the target has a digest; it gets that of the image";
    else if (l->images.own_tags && tag_runner_expects_digest(o))
        problem = "for images with tags of their own, --expect must be absent or NAME=DIGEST";
    else if (strcmp(o->arguments[0], "-") == 0 && o->side[0].password_stdin)
        problem = "stdin cannot have the password and FILE; use --password-file";
    if (problem)
        error_set(e, REGTAG_E_USAGE, "%s", problem);
    return !problem;
}

static bool check_pipe(const struct load *l, struct error *e)
{
    if (l->layout.kind == LAYOUT_PIPE && session_config(l->deadline).keys)
        error_set(e, REGTAG_E_USAGE, "%s: signatures would come too late; write it to a file first",
                  l->layout.in.name);
    return e->status == 0;
}

static bool read_images(struct load *l, struct error *e)
{
    return check_version(l, e) && read_index(l, e) && images_check(&l->images, e);
}

/* Nothing can be loaded from FILE. The tags of images in it are not known; that of the target is. */
static void report_unreadable(struct load *l, struct error *e)
{
    const char *target = l->o->arguments[1], *tag = strrchr(target, ':') + 1;
    if (l->images.own_tags)
        return;
    tag_runner_next(&l->runner, target, &tag, 1);
    tag_runner_fail(&l->runner, e);
    error_clear(e);
}

static void load(struct load *l, struct error *e)
{
    const struct options *o = l->o;
    bool opened = layout_open(&l->layout, o->arguments[0], l->deadline, o->stall * 1000, e);
    l->images.layout = l->layout.in.name;
    if (!opened)
        report_unreadable(l, e);
    else if (check_pipe(l, e)) {
        if (read_images(l, e))
            load_images(l, e);
        else
            report_unreadable(l, e);
    }
    layout_close(&l->layout);
}

static int run(struct options *o, uint64_t deadline)
{
    static struct load l;
    struct error e;
    error_clear(&e);
    l.o = l.runner.options = o;
    l.deadline = deadline;
    l.runner.source = &l.layout.in.e;
    if (check(&l, &e))
        load(&l, &e);
    if (e.status)
        report_problem(&e);
    else
        tag_runner_note_dry_run(&l.runner);
    return l.runner.status ? (int)l.runner.status : e.status;
}

const struct cli_verb cli_verb_load = {
    .id = VERB_ID_LOAD,
    .name = "load",
    .arguments = "FILE REPOSITORY[:TAG]",
    .summary = "uploads images from an OCI image layout",
    .details = "FILE is a tar file, as regtag save, skopeo, podman, oras and docker save write\n"
               "it, \"-\" for one on stdin, or the folder of an unpacked layout. Without TAG,\n"
               "all images are loaded, each under its own tag. Blobs that the registry has are\n"
               "skipped, all others are verified on the way.\n",
    .example = "load app.tar registry.example/team/app",
    .arguments_min = 2,
    .arguments_max = 2,
    .run = run,
};
