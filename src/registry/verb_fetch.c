/* regtag_fetch: downloads the layers of an image that the caller chooses, or a single blob. */
#include <string.h>

#include "oci/platform.h"
#include "oci/titles.h"
#include "registry/blob_fetch.h"
#include "registry/manifest_fetch.h"

#define MEDIA_TYPE_MAX 255

enum layers_state {
    LAYERS_START,
    LAYERS_MANIFEST,
    LAYERS_OFFER,  /* the caller is to be asked which layer is next, */
    LAYERS_CHOOSE, /* and has been */
    LAYERS_BLOB,
    LAYERS_OVER
};

struct fetch_verb {
    enum layers_state state;
    bool blob_only; /* there is no manifest: layer 0 is the blob of the reference */
    bool offered;   /* REGTAG_CHOOSE has come */
    bool chosen;
    uint64_t number; /* of the chosen layer */
    struct attempts attempts;
    struct document manifest;
    uint64_t cursor; /* number of the layer that was described last, */
    int layer;       /* and its descriptor */
    uint64_t size;
    char digest[DIGEST_MAX + 1], media_type[MEDIA_TYPE_MAX + 1], title[REGTAG_TITLE_MAX + 1];
    struct manifest_fetch fetch;
    struct blob_fetch blob;
};

VERB_FITS(fetch_verb);

static const struct verb FETCH;

static struct fetch_verb *fetch_of(const struct regtag *r)
{
    return (struct fetch_verb *)(void *)r->verb_memory.bytes;
}

/* ---- Layers ---------------------------------------------------------------------------------- */

/* The descriptor of a layer, or NO_VALUE. */
static int find_layer(struct fetch_verb *v, uint64_t number)
{
    if (v->layer == NO_VALUE || number < v->cursor) {
        v->layer = document_first(&v->manifest, layers_of(&v->manifest));
        v->cursor = 0;
    }
    for (; v->layer != NO_VALUE && v->cursor < number; v->cursor++)
        v->layer = document_next(&v->manifest, v->layer);
    return v->layer;
}

/* Copies a string, unescaped. It is left empty if it does not fit, has a NUL in it, or is none. */
static void copy_text(const struct document *d, int value, char *text, size_t size)
{
    struct writer w = writer_to(text, size - 1);
    bool good = document_write(d, value, &w) && !memchr(text, '\0', w.used);
    text[good ? w.used : 0] = '\0';
}

static void describe(struct fetch_verb *v, int value)
{
    const struct document *d = &v->manifest;
    bool alike = false;
    v->size = descriptor_size(d, value);
    copy_text(d, document_member(d, value, SLICE("digest"), &alike), v->digest, sizeof v->digest);
    copy_text(d, document_member(d, value, SLICE("mediaType"), &alike), v->media_type,
              sizeof v->media_type);
    copy_text(d, layer_title(d, value), v->title, sizeof v->title);
}

static bool is_packed(const struct fetch_verb *v, int value)
{
    const struct document *d = &v->manifest;
    return value != NO_VALUE &&
           document_is_text(d, layer_annotation(d, value, SLICE("io.deis.oras.content.unpack")),
                            SLICE("true"));
}

/* Fills in digest, title, media_type and size. False if there is no such layer. */
static bool select_layer(struct fetch_verb *v, uint64_t number)
{
    if (v->blob_only)
        return number == 0;
    int value = find_layer(v, number);
    if (value != NO_VALUE)
        describe(v, value);
    return value != NO_VALUE;
}

bool regtag_layer(struct regtag *r, uint64_t number, struct regtag_layer *layer)
{
    struct fetch_verb *v = fetch_of(r);
    if (r->verb != &FETCH || !v->offered || !select_layer(v, number))
        return false;
    *layer = (struct regtag_layer){.digest = v->digest,
                                   .media_type = v->media_type,
                                   .title = v->title,
                                   .size = v->blob_only && v->blob.state ? v->blob.size : v->size,
                                   .packed = is_packed(v, v->layer)};
    return true;
}

/* ---- The manifest ---------------------------------------------------------------------------- */

static enum regtag_event fail(struct regtag *r, struct fetch_verb *v)
{
    ENTER("fetch", v->state, LAYERS_OVER);
    return verb_failed(r, &r->problem);
}

static bool read_layers(struct regtag *r, struct fetch_verb *v, struct error *e)
{
    struct slice text = {r->manifest, r->manifest_size};
    if (r->media_type->kind == MANIFEST_INDEX)
        platform_is_missing(text, &r->memory, e);
    else if (r->media_type->kind == MANIFEST_SCHEMA1)
        error_set(e, REGTAG_E_SCHEMA1,
                  "the image exists only as schema 1, the format of Docker before 1.10, which does not "
                  "say how large its layers are");
    else {
        document_index_again(&v->manifest, text, &r->memory);
        if (r->config.titles_are_names)
            titles_check(&v->manifest, &r->memory, e);
    }
    return e->status == 0;
}

static enum regtag_event step_manifest(struct regtag *r, struct fetch_verb *v)
{
    struct error *problem = verb_problem(r);
    enum fetch_event event = fetch_step(r, &v->fetch, problem);
    if (event == FETCH_WAIT)
        return REGTAG_WAIT;
    if (event == FETCH_FAILED || !read_layers(r, v, problem))
        return fail(r, v);
    ENTER("fetch", v->state, LAYERS_OFFER);
    return GO_ON;
}

/* ---- A blob ---------------------------------------------------------------------------------- */

/* Messages are about the blob from now on. */
static void name_blob(struct regtag *r, struct fetch_verb *v)
{
    r->reference.digest = slice_of(v->digest);
    verb_begin_result(r, v->title, v->digest);
}

void regtag_choose(struct regtag *r, uint64_t number)
{
    struct fetch_verb *v = fetch_of(r);
    if (r->verb != &FETCH || v->state != LAYERS_CHOOSE || !select_layer(v, number))
        return;
    v->number = number;
    v->chosen = true;
    r->blob = &v->blob;
    name_blob(r, v);
    if (digest_is_sha256(slice_of(v->digest)))
        blob_begin(r, &v->blob, slice_of(v->digest), v->size, &r->config.hash);
}

/* The caller may have had other layers described meanwhile. */
static enum regtag_event settle(struct regtag *r, struct fetch_verb *v, const struct error *problem)
{
    select_layer(v, v->number);
    ENTER("fetch", v->state, LAYERS_OFFER);
    return verb_settle(r, problem ? REGTAG_TAG_FAILED : REGTAG_TAG_PENDING, NULL, problem);
}

static enum regtag_event offer(struct fetch_verb *v)
{
    v->offered = true;
    v->chosen = false;
    ENTER("fetch", v->state, LAYERS_CHOOSE);
    return REGTAG_CHOOSE;
}

static enum regtag_event on_choice(struct regtag *r, struct fetch_verb *v)
{
    struct error *problem = verb_problem(r);
    if (!v->chosen) {
        ENTER("fetch", v->state, LAYERS_OVER);
        return verb_done(r);
    }
    if (digest_is_sha256(slice_of(v->digest))) {
        ENTER("fetch", v->state, LAYERS_BLOB);
        return GO_ON;
    }
    error_set(problem, REGTAG_E_REFUSED, "only sha256 digests can be checked");
    return settle(r, v, problem);
}

static enum regtag_event step_blob(struct regtag *r, struct fetch_verb *v)
{
    const struct error *problem;
    enum regtag_event event = blob_hand_out(r, &v->blob, &problem);
    return event == REGTAG_SETTLED ? settle(r, v, problem) : event;
}

static void decline(struct regtag *r, const struct error *reason)
{
    struct fetch_verb *v = fetch_of(r);
    (void)reason; /* it is in r->problem */
    if (v->state == LAYERS_BLOB)
        blob_decline(r, &v->blob);
}

/* ---- The calls ------------------------------------------------------------------------------- */

static enum regtag_event step(struct regtag *r)
{
    struct fetch_verb *v = fetch_of(r);
    switch (v->state) {
    case LAYERS_MANIFEST: return step_manifest(r, v);
    case LAYERS_OFFER: return offer(v);
    case LAYERS_CHOOSE: return on_choice(r, v);
    default: return step_blob(r, v);
    }
}

static const struct verb FETCH = {.actions = "pull", .step = step, .decline = decline};

enum regtag_status regtag_fetch(struct regtag *r, const char *image)
{
    struct fetch_verb *v = fetch_of(r);
    struct fetch_options options = {.platform = slice_of(r->config.platform), .attempts = &v->attempts};
    if (verb_begin_image(r, &FETCH, sizeof *v, image) != REGTAG_OK ||
        !fetch_check_platform(r, options.platform))
        return REGTAG_E_USAGE;
    v->layer = NO_VALUE;
    ENTER("fetch", v->state, LAYERS_MANIFEST);
    fetch_begin(r, &v->fetch, &options);
    return REGTAG_OK;
}

enum regtag_status regtag_fetch_blob(struct regtag *r, const char *blob)
{
    struct fetch_verb *v = fetch_of(r);
    if (verb_begin_image(r, &FETCH, sizeof *v, blob) != REGTAG_OK)
        return REGTAG_E_USAGE;
    if (r->reference.digest.size == 0)
        return VERB_USAGE(r, "%s: a blob is named by its digest: REPOSITORY@DIGEST", blob);
    if (r->gate)
        return VERB_USAGE(r, "%s: a blob alone has no signature; fetch the image that has it", blob);
    memcpy(v->digest, r->reference.digest.data, r->reference.digest.size);
    v->layer = NO_VALUE;
    v->size = UINT64_MAX;
    v->blob_only = true;
    ENTER("fetch", v->state, LAYERS_OFFER);
    return REGTAG_OK;
}
