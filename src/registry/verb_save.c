/* regtag_save: downloads the manifests and blobs of a repository that the caller chooses. It is the caller who knows
 * which of them it has: an index may have the same children as another one, and images share layers. */
#include <string.h>

#include "oci/titles.h"
#include "registry/blob_fetch.h"
#include "registry/manifest_fetch.h"

enum save_state {
    SAVE_START,
    SAVE_OFFER,  /* the caller is to be asked what is next, */
    SAVE_CHOOSE, /* and has been */
    SAVE_MANIFEST,
    SAVE_BLOB,
    SAVE_OVER
};

struct save_verb {
    enum save_state state;
    enum save_state chosen; /* SAVE_MANIFEST, SAVE_BLOB, or SAVE_OVER */
    bool of_image;          /* the manifest that is chosen is that of the image */
    struct slice image;     /* digest of the image's reference, or empty */
    struct attempts attempts;
    struct document manifest;
    int part; /* the next descriptor in it, or NO_VALUE, */
    int list; /* and the array that follows then, or NO_VALUE */
    char digest[DIGEST_SHA256_SIZE + 1], part_digest[DIGEST_SHA256_SIZE + 1];
    struct manifest_fetch fetch;
    struct blob_fetch blob;
};

VERB_FITS(save_verb);

static const struct verb SAVE;

static struct save_verb *save_of(const struct regtag *r)
{
    return (struct save_verb *)(void *)r->verb_memory.bytes;
}

/* ---- What a manifest refers to --------------------------------------------------------------- */

static void first_part(struct regtag *r, struct save_verb *v)
{
    const struct document *d = &v->manifest;
    bool alike = false, index = r->media_type->kind == MANIFEST_INDEX;
    v->part = r->media_type->kind == MANIFEST_IMAGE ? document_member(d, 0, SLICE("config"), &alike)
                                                    : NO_VALUE;
    v->list = index ? document_member(d, 0, SLICE("manifests"), &alike) : layers_of(d);
}

/* The next descriptor, or NO_VALUE. */
static int next_part(struct save_verb *v)
{
    const struct document *d = &v->manifest;
    int part = v->part;
    if (part == NO_VALUE) {
        part = document_first(d, v->list);
        v->list = NO_VALUE;
    } else if (v->list != NO_VALUE) { /* the config */
        v->part = NO_VALUE;
        return part;
    }
    v->part = part == NO_VALUE ? NO_VALUE : document_next(d, part);
    return part;
}

bool regtag_descriptor(struct regtag *r, struct regtag_descriptor *part)
{
    struct save_verb *v = save_of(r);
    const struct document *d = &v->manifest;
    int descriptor = r->verb == &SAVE ? next_part(v) : NO_VALUE;
    if (descriptor == NO_VALUE)
        return false;
    bool index = r->media_type->kind == MANIFEST_INDEX;
    bool layer = !index && v->list == NO_VALUE; /* the list follows the config */
    memcpy(v->part_digest, descriptor_digest(d, descriptor).data, DIGEST_SHA256_SIZE);
    *part = (struct regtag_descriptor){.digest = v->part_digest,
                                       .size = descriptor_size(d, descriptor),
                                       .manifest = index,
                                       .elsewhere = layer && descriptor_has_urls(d, descriptor)};
    return true;
}

/* Leaves the first one to come next, or none. */
static bool check_parts(struct regtag *r, struct save_verb *v, struct error *e)
{
    document_index_again(&v->manifest, (struct slice){r->manifest, r->manifest_size}, &r->memory);
    first_part(r, v);
    for (int part; !e->status && (part = next_part(v)) != NO_VALUE;) {
        struct slice digest = descriptor_digest(&v->manifest, part);
        if (!digest_is_sha256(digest))
            error_set(e, REGTAG_E_REFUSED, "it refers to %.*s; only sha256 digests can be checked",
                      SLICE_ARG(digest));
    }
    if (e->status)
        v->part = v->list = NO_VALUE;
    else
        first_part(r, v);
    return e->status == 0;
}

/* ---- The choice ------------------------------------------------------------------------------ */

static bool choose(struct regtag *r, struct save_verb *v, enum save_state next, struct slice digest)
{
    if (r->verb != &SAVE || v->state != SAVE_CHOOSE || !digest_valid(digest) ||
        !digest_is_sha256(digest))
        return false;
    memcpy(v->digest, digest.data, digest.size);
    r->reference.digest = slice_of(v->digest); /* messages are about it from now on */
    v->chosen = next;
    v->of_image = false;
    return true;
}

void regtag_choose_manifest(struct regtag *r, const char *digest)
{
    struct save_verb *v = save_of(r);
    if (*digest)
        choose(r, v, SAVE_MANIFEST, slice_of(digest));
    else if (r->verb == &SAVE && v->state == SAVE_CHOOSE) {
        r->reference.digest = v->image;
        v->chosen = SAVE_MANIFEST;
        v->of_image = true;
    }
}

void regtag_choose_blob(struct regtag *r, const char *digest, uint64_t size)
{
    struct save_verb *v = save_of(r);
    if (!choose(r, v, SAVE_BLOB, slice_of(digest)))
        return;
    r->blob = &v->blob;
    blob_begin(r, r->blob, r->reference.digest, size, &r->config.hash);
}

static enum regtag_event offer(struct save_verb *v)
{
    v->chosen = SAVE_OVER;
    ENTER("save", v->state, SAVE_CHOOSE);
    return REGTAG_CHOOSE;
}

static enum regtag_event on_choice(struct regtag *r, struct save_verb *v)
{
    struct fetch_options options = {.to_tag = true, .attempts = &v->attempts};
    if (v->chosen == SAVE_OVER) {
        ENTER("save", v->state, SAVE_OVER);
        return verb_done(r);
    }
    if (v->chosen == SAVE_BLOB) {
        verb_begin_result(r, "", v->digest);
        ENTER("save", v->state, SAVE_BLOB);
        return GO_ON;
    }
    if (v->of_image)
        options.platform = slice_of(r->config.platform);
    v->attempts.failed = 0;
    v->part = v->list = NO_VALUE;
    r->digest[0] = '\0';
    r->manifest_size = 0;
    verb_begin_result(r, "", r->digest);
    ENTER("save", v->state, SAVE_MANIFEST);
    fetch_begin(r, &v->fetch, &options);
    return GO_ON;
}

static enum regtag_event settle(struct regtag *r, struct save_verb *v, const struct error *problem)
{
    ENTER("save", v->state, SAVE_OFFER);
    return verb_settle(r, problem ? REGTAG_TAG_FAILED : REGTAG_TAG_PENDING, NULL, problem);
}

/* ---- Downloading it -------------------------------------------------------------------------- */

static enum regtag_event step_manifest(struct regtag *r, struct save_verb *v)
{
    struct error *problem = verb_problem(r);
    enum fetch_event event = fetch_step(r, &v->fetch, problem);
    if (event == FETCH_WAIT)
        return REGTAG_WAIT;
    return settle(r, v, event == FETCH_DONE && check_parts(r, v, problem) ? NULL : problem);
}

static enum regtag_event step_blob(struct regtag *r, struct save_verb *v)
{
    const struct error *problem;
    enum regtag_event event = blob_hand_out(r, &v->blob, &problem);
    return event == REGTAG_SETTLED ? settle(r, v, problem) : event;
}

static void decline(struct regtag *r, const struct error *reason)
{
    struct save_verb *v = save_of(r);
    (void)reason; /* it is in r->problem */
    if (v->state == SAVE_BLOB)
        blob_decline(r, &v->blob);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static enum regtag_event step(struct regtag *r)
{
    struct save_verb *v = save_of(r);
    switch (v->state) {
    case SAVE_OFFER: return offer(v);
    case SAVE_CHOOSE: return on_choice(r, v);
    case SAVE_MANIFEST: return step_manifest(r, v);
    default: return step_blob(r, v);
    }
}

static const struct verb SAVE = {.actions = "pull", .step = step, .decline = decline};

enum regtag_status regtag_save(struct regtag *r, const char *image)
{
    struct save_verb *v = save_of(r);
    if (verb_begin_image(r, &SAVE, sizeof *v, image) != REGTAG_OK ||
        !fetch_check_platform(r, slice_of(r->config.platform)))
        return REGTAG_E_USAGE;
    v->image = r->reference.digest;
    v->part = v->list = NO_VALUE;
    ENTER("save", v->state, SAVE_OFFER);
    return REGTAG_OK;
}
