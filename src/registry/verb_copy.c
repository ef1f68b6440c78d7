/* regtag_copy: brings an image to another repository, and points a tag at it there. The source's client and that of the
 * target (`client` of struct regtag) have nothing in common; either may be ahead of the other. */
#include <string.h>

#include "oci/titles.h"
#include "registry/image_push.h"
#include "registry/manifest_fetch.h"
#include "registry/move.h"

#define DEPTH_MAX 4u
#define CONNECTIONS_LEAST (2 * REGTAG_CONNECTIONS_MIN)

enum copy_state {
    COPY_START,
    COPY_FETCH, /* a manifest from the source; meanwhile, the first time, the target's tag is resolved */
    COPY_CHILDREN, /* of an index: which is next? */
    COPY_PRESENT,  /* is the child in the target? */
    COPY_BLOBS,    /* of an image */
    COPY_UPLOAD,   /* PUT of a manifest by its digest */
    COPY_MOVE,     /* of the tag */
    COPY_OVER
};

/* A manifest, in the memory for manifests behind those that lead to it. */
struct level {
    bool dropped;  /* it did not fit beside a child: to be fetched again */
    unsigned next; /* its next child */
    size_t offset, size;
    const struct media_type *type;
    char digest[DIGEST_SHA256_SIZE + 1];
};

struct copy_verb {
    enum copy_state state;
    bool by_digest; /* there is no tag in the target */
    unsigned depth; /* of the current manifest, in `levels` */
    struct reference image;
    struct document document; /* the current manifest */
    struct attempts attempts;
    struct manifest_fetch fetch;
    struct resolve look;
    struct exchange exchange;
    struct level levels[DEPTH_MAX + 1];
    char tag[TAG_MAX + 1];
    char *memory; /* for manifests */
    size_t memory_size;
    struct move move;
    struct client source;
    struct image_push push;
};

/* Bytes at the start of the struct that must be zeroed. */
#define CLEARED offsetof(struct copy_verb, move)

/* Nothing is used beyond CLEARED where there are too few connections. */
typedef char copy_verb_fits
    [sizeof(struct copy_verb) <= VERB_MEMORY || REGTAG_CONNECTIONS_MAX < CONNECTIONS_LEAST ? 1 : -1];
typedef char cleared_fits[CLEARED <= VERB_MEMORY ? 1 : -1];

static struct copy_verb *copy_of(const struct regtag *r)
{
    return (struct copy_verb *)(void *)r->verb_memory.bytes;
}

void regtag_progress(const struct regtag *r, uint64_t *moved, uint64_t *all)
{
    const struct copy_verb *v = copy_of(r);
    *moved = v->push.moved;
    *all = v->push.bytes;
}

/* ---- The end --------------------------------------------------------------------------------- */

/* Fails before the tag was touched: because of the image, or of the target. */
static enum regtag_event fail_because(struct regtag *r, struct copy_verb *v, const struct error *problem,
                                      bool of_image)
{
    ENTER("copy", v->state, COPY_OVER);
    if (v->by_digest)
        return verb_settle(r, REGTAG_TAG_FAILED, NULL, problem);
    move_begin(r, &v->move, v->tag, guard_exists(r, v->tag));
    move_fail(r, &v->move, problem, of_image);
    move_show(r, &v->move);
    return REGTAG_SETTLED;
}

static enum regtag_event fail(struct regtag *r, struct copy_verb *v, const struct error *problem)
{
    return fail_because(r, v, problem, true);
}

static enum regtag_event fail_target(struct regtag *r, struct copy_verb *v, const struct error *problem)
{
    return fail_because(r, v, problem, false);
}

static enum regtag_event begin_move(struct regtag *r, struct copy_verb *v)
{
    ENTER("copy", v->state, COPY_MOVE);
    move_begin(r, &v->move, v->tag, guard_exists(r, v->tag));
    return GO_ON;
}

/* ---- Manifests ------------------------------------------------------------------------------- */

static struct level *current(struct copy_verb *v)
{
    return &v->levels[v->depth];
}

/* Where the manifest of this level goes: behind its parent, unless that was dropped. */
static size_t place_of(const struct copy_verb *v)
{
    const struct level *parent = v->depth ? &v->levels[v->depth - 1] : NULL;
    return parent && !parent->dropped ? parent->offset + parent->size : 0;
}

/* Makes the manifest of the current level that of the operation. */
static void use_memory(struct regtag *r, const struct copy_verb *v, size_t offset, size_t size)
{
    r->manifest = v->memory + offset;
    r->manifest_max = v->memory_size - offset;
    r->manifest_size = size;
}

static void begin_fetch(struct regtag *r, struct copy_verb *v)
{
    struct fetch_options options = {.to_tag = true, .attempts = &v->attempts};
    options.vouched = v->depth || current(v)->dropped;
    if (options.vouched)
        v->image.digest = slice_of(current(v)->digest);
    else
        options.platform = slice_of(r->config.platform);
    use_memory(r, v, place_of(v), 0);
    r->digest[0] = '\0';
    v->attempts.failed = 0;
    ENTER("copy", v->state, COPY_FETCH);
    fetch_begin(r, &v->fetch, &options);
}

static bool index_current(struct regtag *r, struct copy_verb *v)
{
    struct slice text = {r->manifest, r->manifest_size};
    return document_index(&v->document, text, &r->memory, "the manifest", verb_problem(r));
}

/* Back in memory after its children. */
static enum regtag_event take_up(struct regtag *r, struct copy_verb *v)
{
    const struct level *l = current(v);
    use_memory(r, v, l->offset, l->size);
    r->media_type = l->type;
    memcpy(r->digest, l->digest, sizeof l->digest);
    if (!index_current(r, v))
        return fail(r, v, &r->problem);
    ENTER("copy", v->state, COPY_CHILDREN);
    return GO_ON;
}

/* ---- Children -------------------------------------------------------------------------------- */

static int child_at(const struct copy_verb *v, unsigned number)
{
    bool alike = false;
    int child =
        document_first(&v->document, document_member(&v->document, 0, SLICE("manifests"), &alike));
    while (child != NO_VALUE && number--)
        child = document_next(&v->document, child);
    return child;
}

static bool check_child(const struct copy_verb *v, struct slice digest, struct error *e)
{
    if (v->depth == DEPTH_MAX)
        error_set(e, REGTAG_E_REFUSED, "the index has indexes in it, more than %u deep", DEPTH_MAX);
    else if (!digest_is_sha256(digest))
        error_set(e, REGTAG_E_REFUSED, "a manifest has a digest that cannot be checked, %.*s",
                  SLICE_ARG(digest));
    return e->status == 0;
}

static enum regtag_event upload(struct regtag *r, struct copy_verb *v);

/* The next child, if there is one, is asked for in the target. */
static enum regtag_event on_children(struct regtag *r, struct copy_verb *v)
{
    struct error *problem = verb_problem(r);
    int child = child_at(v, current(v)->next);
    if (child == NO_VALUE)
        return upload(r, v);
    struct slice digest = descriptor_digest(&v->document, child);
    if (!check_child(v, digest, problem))
        return fail(r, v, problem);
    current(v)->next++;
    size_t room = v->memory_size - current(v)->offset - current(v)->size;
    bool drops = descriptor_size(&v->document, child) > room;
    for (unsigned i = 0; drops && i <= v->depth; i++)
        v->levels[i].dropped = true;
    v->depth++;
    *current(v) = (struct level){.offset = 0};
    memcpy(current(v)->digest, digest.data, digest.size);
    client_begin(&r->client, &v->exchange,
                 &(struct request){.method = METHOD_HEAD,
                                   .place = PLACE_MANIFESTS,
                                   .target = slice_of(current(v)->digest),
                                   .accepts_manifests = true,
                                   .meanings = MANIFEST_MEANINGS,
                                   .attempts = &v->attempts});
    ENTER("copy", v->state, COPY_PRESENT);
    return GO_ON;
}

/* The current manifest is in the target: on to its parent. */
static enum regtag_event leave_level(struct regtag *r, struct copy_verb *v)
{
    v->depth--;
    if (!current(v)->dropped)
        return take_up(r, v);
    begin_fetch(r, v);
    return GO_ON;
}

static enum regtag_event step_present(struct regtag *r, struct copy_verb *v)
{
    struct slice part;
    switch (client_step(&r->client, &v->exchange, &part)) {
    case EXCHANGE_END: break;
    case EXCHANGE_FAILED: return fail_target(r, v, &r->client.context.error);
    default: return REGTAG_WAIT;
    }
    if (v->exchange.response->status == 200)
        return leave_level(r, v);
    begin_fetch(r, v);
    return GO_ON;
}

/* ---- Blobs ----------------------------------------------------------------------------------- */

static enum regtag_event begin_blobs(struct regtag *r, struct copy_verb *v)
{
    image_begin(r, &v->push, &v->document);
    ENTER("copy", v->state, COPY_BLOBS);
    return GO_ON;
}

static enum regtag_event step_blobs(struct regtag *r, struct copy_verb *v)
{
    switch (image_step(r, &v->push)) {
    case IMAGE_WAIT: return REGTAG_WAIT;
    case IMAGE_DONE: return upload(r, v);
    default: return fail_because(r, v, &v->push.problem, v->push.of_source);
    }
}

/* ---- Uploading manifests --------------------------------------------------------------------- */

/* All that the current manifest refers to is there. */
static enum regtag_event upload(struct regtag *r, struct copy_verb *v)
{
    if (v->depth == 0 && !v->by_digest)
        return begin_move(r, v);
    v->attempts.failed = 0;
    client_begin(&r->client, &v->exchange,
                 &(struct request){.method = METHOD_PUT,
                                   .place = PLACE_MANIFESTS,
                                   .target = slice_of(r->digest),
                                   .body = {.size = r->manifest_size, .bytes = r->manifest},
                                   .content_type = &r->media_type->name,
                                   .resend = RESEND_FREELY, /* it always has the same result */
                                   .meanings = UPLOAD_MEANINGS,
                                   .attempts = &v->attempts});
    ENTER("copy", v->state, COPY_UPLOAD);
    return GO_ON;
}

static bool check_upload(struct regtag *r, const struct copy_verb *v, struct error *e)
{
    const struct http_response *response = v->exchange.response;
    struct slice digest;
    if (response->status < 200 || response->status > 299)
        exchange_explain(&v->exchange, e);
    else if (answer_digest(response, &digest) && digest.size &&
             !slice_equal(digest, slice_of(r->digest)))
        error_set(e, REGTAG_E_NOT_CONFIRMED, "uploaded as %s, but the registry confirms %.*s", r->digest,
                  SLICE_ARG(digest));
    return e->status == 0;
}

static enum regtag_event on_uploaded(struct regtag *r, struct copy_verb *v)
{
    if (v->depth)
        return leave_level(r, v);
    ENTER("copy", v->state, COPY_OVER);
    return verb_settle(r, REGTAG_TAG_CREATED, NULL, NULL);
}

static enum regtag_event step_upload(struct regtag *r, struct copy_verb *v)
{
    struct error *problem = verb_problem(r);
    struct slice part;
    switch (client_step(&r->client, &v->exchange, &part)) {
    case EXCHANGE_END:
        return check_upload(r, v, problem) ? on_uploaded(r, v) : fail_target(r, v, problem);
    case EXCHANGE_FAILED: return fail_target(r, v, &r->client.context.error);
    default: return REGTAG_WAIT;
    }
}

/* ---- The image ------------------------------------------------------------------------------- */

static void begin(struct regtag *r, struct copy_verb *v)
{
    struct resolve_options look = {.certain = r->config.certain_absence,
                                   .attempts = &v->attempts,
                                   .guarded = guard_exists(r, v->tag)};
    resolve_begin(r, &v->look, v->by_digest ? v->image.digest.data : v->tag, &look);
    begin_fetch(r, v);
}

/* Whether the target is as it should be already, or as it must not be; then there is nothing to copy. */
static bool is_settled(struct regtag *r, struct copy_verb *v)
{
    return resolve_found(&v->look, r->digest) || r->config.dry_run ||
           !guard_holds(r, &v->look, verb_problem(r));
}

static enum regtag_event on_image(struct regtag *r, struct copy_verb *v)
{
    bool settled = is_settled(r, v);
    verb_begin_result(r, v->tag, r->digest);
    if (!settled)
        return GO_ON;
    if (!v->by_digest)
        return begin_move(r, v);
    ENTER("copy", v->state, COPY_OVER);
    return verb_settle(r, resolve_found(&v->look, r->digest) ? REGTAG_TAG_UNCHANGED : REGTAG_TAG_CREATED,
                       NULL, NULL);
}

static enum regtag_event on_manifest(struct regtag *r, struct copy_verb *v)
{
    struct level *l = current(v);
    bool first = v->depth == 0 && !*l->digest;
    l->offset = (size_t)(r->manifest - v->memory);
    l->size = r->manifest_size;
    l->type = r->media_type;
    l->dropped = false;
    memcpy(l->digest, r->digest, sizeof l->digest);
    if (!index_current(r, v))
        return fail(r, v, &r->problem);
    enum regtag_event event = first ? on_image(r, v) : GO_ON;
    if (v->state != COPY_FETCH)
        return event;
    if (l->type->kind != MANIFEST_INDEX)
        return begin_blobs(r, v);
    ENTER("copy", v->state, COPY_CHILDREN);
    return GO_ON;
}

static enum regtag_event step_fetch(struct regtag *r, struct copy_verb *v)
{
    struct error *problem = verb_problem(r);
    bool looked = v->look.state == RESOLVE_OVER || resolve_step(r, &v->look);
    if (r->hashing)
        return REGTAG_WAIT; /* there is one hash for both */
    enum fetch_event event =
        v->fetch.state == FETCH_OVER ? FETCH_DONE : fetch_step(r, &v->fetch, problem);
    if (event == FETCH_FAILED)
        return fail(r, v, problem);
    return looked && event == FETCH_DONE ? on_manifest(r, v) : REGTAG_WAIT;
}

/* ---- The verb -------------------------------------------------------------------------------- */

static enum regtag_event step_move(struct regtag *r, struct copy_verb *v)
{
    if (v->move.state < MOVE_RESOLVED)
        move_look(r, &v->move);
    enum regtag_event event = move_step(r, &v->move);
    if (event == REGTAG_SETTLED) {
        move_show(r, &v->move);
        ENTER("copy", v->state, COPY_OVER);
    }
    return event;
}

static enum regtag_event step(struct regtag *r)
{
    struct copy_verb *v = copy_of(r);
    switch (v->state) {
    case COPY_START: begin(r, v); return GO_ON;
    case COPY_FETCH: return step_fetch(r, v);
    case COPY_CHILDREN: return on_children(r, v);
    case COPY_PRESENT: return step_present(r, v);
    case COPY_BLOBS: return step_blobs(r, v);
    case COPY_UPLOAD: return step_upload(r, v);
    case COPY_MOVE: return step_move(r, v);
    default: return verb_done(r);
    }
}

static void decline(struct regtag *r, const struct error *reason)
{
    struct copy_verb *v = copy_of(r);
    if (v->state == COPY_MOVE && v->move.state == MOVE_ANNOUNCED)
        move_fail(r, &v->move, reason, true);
}

static const struct verb COPY = {.actions = "pull,push", .step = step, .decline = decline};

/* The target's tag: its own, or that of the image. */
static void choose_tag(struct copy_verb *v, const struct reference *target)
{
    struct slice tag = target->tag.size ? target->tag : reference_tag(&v->image);
    v->by_digest = tag.size == 0;
    if (tag.size)
        memcpy(v->tag, tag.data, tag.size);
}

/* Half of the connections for each side. */
static void connect_source(struct regtag *r, struct copy_verb *v)
{
    unsigned half = (unsigned)r->config.connections / 2, hashes = (unsigned)r->config.hashes_count;
    struct remote *target = &r->client.remote;
    client_init(&r->client, &r->config, &r->config.target, r->connections, 0, half);
    client_init(&v->source, &r->config, &r->side, r->connections, half, half);
    verb_connect(&r->client, &r->reference, "pull,push");
    verb_connect(&v->source, &v->image, "pull");
    target->origin.target = 1;
    if (remote_is_home(target, &v->source.remote.origin) &&
        !slice_equal(r->reference.repository, v->image.repository))
        target->also = &v->image;
    unsigned blobs = half - 1 < PUSHES_MAX ? half - 1 : PUSHES_MAX;
    image_init(&v->push, blobs > hashes ? hashes ? hashes : 1 : blobs);
    r->source = &v->source;
    r->image = &v->image;
}

enum regtag_status regtag_copy(struct regtag *r, const char *image, const char *target)
{
    struct copy_verb *v = copy_of(r);
    const char *name = v->tag;
    if (verb_begin_image(r, &COPY, CLEARED, target) != REGTAG_OK ||
        !verb_read_reference(r, &v->image, image) ||
        !fetch_check_platform(r, slice_of(r->config.platform)))
        return REGTAG_E_USAGE;
    if (r->reference.digest.size)
        return VERB_USAGE(r, "%s: the target has a digest; it gets that of the image", target);
    if (v->image.digest.size && !digest_is_sha256(v->image.digest))
        return VERB_USAGE(r, "%s: only sha256 digests can be checked, not sha512", image);
    if (r->config.connections < CONNECTIONS_LEAST)
        return VERB_USAGE(r, "a copy needs %u connections", CONNECTIONS_LEAST);
    v->memory = r->manifest;
    v->memory_size = r->manifest_max;
    choose_tag(v, &r->reference);
    connect_source(r, v);
    return v->by_digest ? REGTAG_OK : guards_check(r, &name, 1);
}
