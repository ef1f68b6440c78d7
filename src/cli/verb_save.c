/* An archive begins with index.json, and so with the digests and sizes of all images. Then come their manifests, which
 * say what else there is: the list of blobs. It is written as it goes, so that it can be a pipe. */
#include <string.h>
#include <unistd.h>

#include "cli/attached.h"
#include "cli/blob_list.h"
#include "cli/hint.h"
#include "cli/layout_writer.h"
#include "cli/output.h"
#include "cli/place.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/tar_output.h"

#define DEPTH_MAX 4
#define NONE (~0u)
#define PATH_SIZE (sizeof LAYOUT_BLOBS + 64)

struct saved_image {
    bool repeated; /* an earlier image has the same name */
    bool full_name;
    unsigned char sum[32];
    struct reference reference;
    uint64_t size;
    const char *media_type;
};

struct save {
    const struct options *o;
    uint64_t deadline;
    struct error *e;
    struct regtag *r;  /* the operation, which waits for a choice, or NULL; */
    unsigned attached; /* number of the first image that is attached to another one */
    unsigned image;    /* it is for this image's repository. Or NONE: for none */
    uint64_t done;     /* bytes of blobs, */
    uint64_t expected; /* and of all of them */
    struct tar_output tar;
    struct blob_list blobs;
    struct saved_image images[SAVE_IMAGES_MAX];
};

/* ---- The operation --------------------------------------------------------------------------- */

static void on_bytes(struct save *s)
{
    uint64_t at;
    size_t size;
    const void *bytes = regtag_bytes(s->r, &at, &size);
    if (at < s->tar.at) { /* what was there is wrong */
        s->done -= s->tar.at;
        tar_output_again(&s->tar);
    }
    tar_output_bytes(&s->tar, bytes, size);
    progress_at(s->done += size);
    if (tar_output_problem(&s->tar))
        regtag_decline(s->r, tar_output_problem(&s->tar));
}

static bool can_be_written(struct save *s)
{
    const char *problem = tar_output_problem(&s->tar);
    if (problem)
        error_set(s->e, REGTAG_E_OTHER, "%s: %s", s->tar.path, problem);
    return !problem;
}

/* To the next choice. False: what was chosen has failed. */
static bool run_operation(struct save *s)
{
    enum regtag_event event;
    do {
        event = session_step(s->r);
        if (event == REGTAG_BYTES)
            on_bytes(s);
    } while (event != REGTAG_CHOOSE && event != REGTAG_ERROR);
    return can_be_written(s) && session_operation_ok(s->r, s->e);
}

static bool begin_operation(struct save *s, unsigned image)
{
    const char *text = s->o->arguments[image];
    s->r = NULL;
    s->image = image;
    session_close();
    if (!session_login_next(text, s->deadline, s->e))
        return false;
    struct regtag_config config = session_config(s->deadline);
    if (image >= s->attached)
        config.platform = NULL;
    s->r = session_operation(&config);
    regtag_save(s->r, text);
    return run_operation(s);
}

static bool open_repository(struct save *s, unsigned image)
{
    const struct reference *a = &s->images[s->image].reference, *b = &s->images[image].reference;
    if (!slice_equal(a->name, b->name))
        return begin_operation(s, image);
    s->image = image;
    return true;
}

/* ---- Which images ---------------------------------------------------------------------------- */

static bool is_same_name(const struct reference *a, const struct reference *b)
{
    struct slice tag = reference_tag(a);
    return slice_equal(a->name, b->name) && slice_equal(tag, reference_tag(b)) &&
           (tag.size || slice_equal(a->digest, b->digest));
}

/* By now it may point elsewhere than when it was looked up first. */
static bool is_same_image(const struct reference *a, const struct reference *b)
{
    return is_same_name(a, b) && slice_equal(a->digest, b->digest);
}

static bool look_up(struct save *s, unsigned number)
{
    struct saved_image *image = &s->images[number];
    size_t size;
    for (unsigned i = 0; i < number; i++)
        if (is_same_image(&s->images[i].reference, &image->reference)) {
            *image = s->images[i];
            return true;
        }
    if (!begin_operation(s, number))
        return false;
    regtag_choose_manifest(s->r, "");
    if (!run_operation(s))
        return false;
    regtag_document(s->r, &size);
    image->size = size;
    image->media_type = regtag_media_type(s->r);
    sum_of_digest(regtag_result(s->r)->digest, image->sum);
    return true;
}

/* What two images with the same tag, or the same name, mean. */
static bool compare(struct save *s, struct saved_image *a, struct saved_image *b)
{
    struct slice tag = reference_tag(&a->reference);
    if (!is_same_name(&a->reference, &b->reference)) {
        if (tag.size && slice_equal(tag, reference_tag(&b->reference)))
            a->full_name = b->full_name = true;
        return true;
    }
    b->repeated = true;
    if (memcmp(a->sum, b->sum, sizeof a->sum) == 0)
        return true;
    error_set(s->e, REGTAG_E_USAGE, "%.*s:%.*s: two images have this name; save them to two files",
              SLICE_ARG(a->reference.name), SLICE_ARG(tag));
    return false;
}

static bool name_images(struct save *s)
{
    unsigned count = (unsigned)s->o->count;
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = i + 1; j < count; j++)
            if (!compare(s, &s->images[i], &s->images[j])) {
                s->image = j;
                return false;
            }
    return true;
}

/* ---- What names them ------------------------------------------------------------------------- */

static void put_file(struct save *s, const char *name, struct slice content)
{
    tar_output_file(&s->tar, name, content.size);
    tar_output_bytes(&s->tar, content.data, content.size);
}

static struct slice image_text(const struct saved_image *image, char text[LAYOUT_ENTRY_MAX])
{
    char digest[DIGEST_SHA256_SIZE + 1];
    struct writer w = writer_to(text, LAYOUT_ENTRY_MAX);
    digest_from_sum(image->sum, digest);
    write_layout_entry(&w, &(struct layout_entry){.reference = image->reference,
                                                  .full_name = image->full_name,
                                                  .media_type = image->media_type,
                                                  .digest = digest,
                                                  .size = image->size});
    return written(&w);
}

/* Returns how many bytes they take; puts them into the archive, too, if `put`. */
static uint64_t write_images(struct save *s, bool put)
{
    char text[LAYOUT_ENTRY_MAX];
    uint64_t size = 0;
    for (unsigned i = 0; i < (unsigned)s->o->count; i++) {
        struct slice image = image_text(&s->images[i], text);
        if (s->images[i].repeated)
            continue;
        if (put && size)
            tar_output_bytes(&s->tar, ",", 1);
        if (put)
            tar_output_bytes(&s->tar, image.data, image.size);
        size += image.size + (size > 0);
    }
    return size;
}

/* skopeo gives folders that are not in the archive to root, which only root may do. */
static void put_folders(struct save *s)
{
    tar_output_file(&s->tar, "blobs/", 0);
    tar_output_file(&s->tar, LAYOUT_BLOBS, 0);
}

static void put_index(struct save *s)
{
    struct slice start = SLICE(LAYOUT_INDEX_START), end = SLICE(LAYOUT_INDEX_END);
    put_file(s, LAYOUT_MARK, SLICE(LAYOUT_MARK_TEXT));
    tar_output_file(&s->tar, LAYOUT_INDEX, start.size + write_images(s, false) + end.size);
    tar_output_bytes(&s->tar, start.data, start.size);
    write_images(s, true);
    tar_output_bytes(&s->tar, end.data, end.size);
    put_folders(s);
}

/* ---- Manifests ------------------------------------------------------------------------------- */

static const char *blob_path(const char *digest, char path[PATH_SIZE])
{
    memcpy(path, LAYOUT_BLOBS, sizeof LAYOUT_BLOBS - 1);
    memcpy(path + sizeof LAYOUT_BLOBS - 1, strchr(digest, ':') + 1, 65);
    return path;
}

static bool add_blob(struct save *s, const struct listed_blob *blob)
{
    unsigned before = s->blobs.count;
    if (blob->depth > DEPTH_MAX)
        error_set(s->e, REGTAG_E_REFUSED, "%s: the index has indexes in it, more than %u deep",
                  s->o->arguments[s->image], DEPTH_MAX);
    else if (!blob_list_add(&s->blobs, blob))
        error_set(s->e, REGTAG_E_OTHER,
                  "more than %u manifests and blobs; save the images to several files", SAVE_BLOBS_MAX);
    else if (s->blobs.count > before && !blob->manifest)
        s->expected += blob->size;
    return s->e->status == 0;
}

static bool add_parts(struct save *s, const struct listed_blob *parent)
{
    struct regtag_descriptor part;
    while (regtag_descriptor(s->r, &part)) {
        struct listed_blob blob = {.size = part.size,
                                   .image = parent->image,
                                   .manifest = part.manifest,
                                   .depth = (unsigned char)(parent->depth + part.manifest)};
        sum_of_digest(part.digest, blob.sum);
        if (!part.elsewhere) {
            if (!add_blob(s, &blob))
                return false;
        } else if (!s->o->quiet)
            output_message("%s: skipped %s: it is stored elsewhere (\"urls\")",
                           s->o->arguments[parent->image], part.digest);
    }
    return true;
}

static bool put_manifest(struct save *s, const struct listed_blob *manifest)
{
    char digest[DIGEST_SHA256_SIZE + 1], path[PATH_SIZE];
    struct slice text;
    digest_from_sum(manifest->sum, digest);
    if (!open_repository(s, manifest->image))
        return false;
    if (strcmp(regtag_result(s->r)->digest, digest) != 0) { /* else it is in memory */
        regtag_choose_manifest(s->r, digest);
        if (!run_operation(s))
            return false;
    }
    text.data = regtag_document(s->r, &text.size);
    put_file(s, blob_path(digest, path), text);
    return can_be_written(s) && add_parts(s, manifest);
}

/* Each with those below it, level by level. */
static bool put_manifests(struct save *s, unsigned image)
{
    struct listed_blob root = {.image = (uint16_t)image, .manifest = true};
    memcpy(root.sum, s->images[image].sum, sizeof root.sum);
    if (!add_blob(s, &root))
        return false;
    for (const struct listed_blob *m; (m = blob_list_manifest(&s->blobs)) != NULL;)
        if (!put_manifest(s, m))
            return false;
    return true;
}

/* ---- Blobs ----------------------------------------------------------------------------------- */

static void have(void *context, const void *bytes, size_t size)
{
    struct save *s = context;
    regtag_have(s->r, bytes, size);
    progress_at(s->done += size);
}

/* For --verbose. */
static void note_blob(const struct save *s, const char *digest)
{
    char text[200];
    struct writer w = writer_to(text, sizeof text - 1);
    write_format(&w, "downloading from byte %llu of %llu on: %s", (unsigned long long)s->tar.at,
                 (unsigned long long)s->tar.size, digest);
    text[w.used] = '\0';
    session_note(text);
}

static bool put_blob(struct save *s, const struct listed_blob *blob)
{
    char digest[DIGEST_SHA256_SIZE + 1], path[PATH_SIZE];
    digest_from_sum(blob->sum, digest);
    if (!open_repository(s, blob->image))
        return false;
    tar_output_file(&s->tar, blob_path(digest, path), blob->size);
    regtag_choose_blob(s->r, digest, blob->size);
    tar_output_left(&s->tar, s->deadline, have, s);
    note_blob(s, digest);
    return run_operation(s);
}

static bool put_blobs(struct save *s)
{
    progress_begin(0, s->expected);
    for (unsigned i = 0; i < s->blobs.count; i++)
        if (!s->blobs.list[i].manifest && !put_blob(s, &s->blobs.list[i]))
            return false;
    return true;
}

/* ---- The archive ----------------------------------------------------------------------------- */

static bool put_images(struct save *s)
{
    unsigned count = (unsigned)s->o->count;
    for (unsigned i = 0; i < count; i++)
        if (!look_up(s, i))
            return false;
    if (!name_images(s))
        return false;
    put_index(s);
    for (unsigned i = 0; i < count; i++)
        if (!put_manifests(s, i))
            return false;
    return put_blobs(s);
}

static void report(const struct save *s)
{
    char digest[DIGEST_SHA256_SIZE + 1];
    const char *text = hint_message(s->e->text, s->e->hint);
    for (unsigned i = 0; i < (unsigned)s->o->count && !s->tar.to_output; i++) {
        const struct saved_image *image = &s->images[i];
        bool failed = s->e->status && (s->image == i || s->image == NONE);
        digest_from_sum(image->sum, digest);
        report_saved(s->o, s->o->arguments[i], image->media_type ? digest : "",
                     failed         ? (enum regtag_status)s->e->status
                     : s->e->status ? REGTAG_E_OTHER
                                    : REGTAG_OK,
                     failed ? text : "not saved, because another image failed");
    }
}

static void save(struct save *s)
{
    if (!tar_output_open(&s->tar, s->o->output, s->deadline, s->o->quiet, s->e))
        return;
    progress_run(!s->o->quiet && !s->o->verbose && !(s->tar.to_output && isatty(STDOUT_FILENO)));
    if (put_images(s)) {
        s->image = NONE;
        tar_output_end(&s->tar, s->e);
    }
    progress_end();
    session_close();
}

/* ---- The verb -------------------------------------------------------------------------------- */

static bool read_image(struct save *s, unsigned number)
{
    struct regtag_config config = session_config(s->deadline);
    char *const *arguments = s->o->arguments;
    struct regtag *r = session_operation(&config);
    regtag_save(r, arguments[number]);
    return session_operation_ok(r, s->e) && session_same_login(arguments[0], arguments[number], s->e) &&
           reference_parse(&s->images[number].reference, slice_of(arguments[number]), s->e);
}

static bool check(struct save *s)
{
    const struct options *o = s->o;
    const char *problem = NULL;
    if (!o->output)
        problem = "-o is missing: -o FILE, or -o - for standard output";
    else if (strcmp(o->output, "-") == 0)
        problem =
            o->json ? "--json cannot be combined with -o -, which prints nothing but the data" : NULL;
    else if (place_is_folder(o->output))
        problem = "-o must be a file, not a folder";
    if (problem)
        error_set(s->e, REGTAG_E_USAGE, "%s", problem);
    if (o->count > SAVE_IMAGES_MAX)
        error_set(s->e, REGTAG_E_USAGE, "more than %u images; save them to several files",
                  (unsigned)SAVE_IMAGES_MAX);
    for (unsigned i = 0; i < (unsigned)o->count && !s->e->status; i++)
        read_image(s, i);
    return s->e->status == 0;
}

/* Their references are valid, and there are few enough of them. */
static bool add_attached(struct save *s, struct options *o)
{
    if (!HAS_VERB(VERB_ID_REFERRERS) || !o->referrers)
        return true;
    bool good = attached_add(o, s->deadline, s->e);
    for (unsigned i = s->attached; good && i < (unsigned)o->count; i++)
        good = reference_parse(&s->images[i].reference, slice_of(o->arguments[i]), s->e);
    return good;
}

static int run(struct options *o, uint64_t deadline)
{
    static struct save s;
    struct error e;
    error_clear(&e);
    s.o = o;
    s.deadline = deadline;
    s.e = &e;
    s.attached = (unsigned)o->count;
    s.image = NONE;
    if (check(&s)) {
        if (add_attached(&s, o)) {
            save(&s);
            tar_output_close(&s.tar, e.status == REGTAG_E_REFUSED);
        }
        report(&s);
    }
    if (e.status && !(s.tar.to_output && output_problem()))
        report_problem(&e);
    return e.status;
}

const struct cli_verb cli_verb_save = {
    .id = VERB_ID_SAVE,
    .name = "save",
    .arguments = "IMAGE... -o FILE|-",
    .summary = "writes images to a tar file",
    .details = "FILE, or \"-\" for stdout, gets an OCI image layout, as skopeo, podman, containerd\n"
               "and oras read it. It is replaced once the new one is complete and verified.\n"
               "The same images always give the same bytes. A multi-platform image is saved\n"
               "whole, unless there is --platform.\n"
               "Prints the reference and the digest of each IMAGE.\n",
    .example = "save -o images.tar registry.example/app:1.4 registry.example/db:7",
    .arguments_min = 1,
    .arguments_max = ARGUMENTS_MAX,
    .run = run,
};
