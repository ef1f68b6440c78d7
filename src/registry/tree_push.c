#include "registry/tree_push.h"

#include <string.h>

#include "oci/titles.h"
#include "registry/provider.h"

static struct tree_push *tree_of(const struct regtag *r)
{
    return (struct tree_push *)(void *)r->verb_memory.bytes;
}

void regtag_progress(const struct regtag *r, uint64_t *moved, uint64_t *all)
{
    const struct tree_push *v = tree_of(r);
    *moved = v->push.moved;
    *all = v->push.bytes;
}

/* ---- The end --------------------------------------------------------------------------------- */

static void prepare_move(struct regtag *r, struct tree_push *v)
{
    if (!v->looking)
        move_begin(r, &v->move, v->tag, guard_exists(r, v->tag));
    v->looking = true;
}

/* Fails before the tag was touched: because of the image, or of the target. */
static enum regtag_event fail_because(struct regtag *r, struct tree_push *v, const struct error *problem,
                                      bool of_image)
{
    ENTER("tree_push", v->state, TREE_OVER);
    if (v->by_digest)
        return verb_settle(r, REGTAG_TAG_FAILED, NULL, problem);
    prepare_move(r, v);
    move_fail(r, &v->move, problem, of_image);
    move_show(r, &v->move);
    return REGTAG_SETTLED;
}

static enum regtag_event fail(struct regtag *r, struct tree_push *v, const struct error *problem)
{
    return fail_because(r, v, problem, true);
}

static enum regtag_event fail_target(struct regtag *r, struct tree_push *v, const struct error *problem)
{
    return fail_because(r, v, problem, false);
}

static enum regtag_event begin_move(struct regtag *r, struct tree_push *v)
{
    ENTER("tree_push", v->state, TREE_MOVE);
    prepare_move(r, v);
    return GO_ON;
}

/* ---- Manifests ------------------------------------------------------------------------------- */

static struct level *current(struct tree_push *v)
{
    return &v->levels[v->depth];
}

/* Where the manifest of this level goes: behind its parent, unless that was dropped. */
static size_t place_of(const struct tree_push *v)
{
    const struct level *parent = v->depth ? &v->levels[v->depth - 1] : NULL;
    return parent && !parent->dropped ? parent->offset + parent->size : 0;
}

/* Makes the manifest of the current level that of the operation. */
static void use_memory(struct regtag *r, const struct tree_push *v, size_t offset, size_t size)
{
    r->manifest = v->memory + offset;
    r->manifest_max = v->memory_size - offset;
    r->manifest_size = size;
}

static void begin_fetch(struct regtag *r, struct tree_push *v)
{
    struct fetch_options options = {.to_tag = true, .attempts = &v->attempts};
    options.vouched = v->depth || current(v)->dropped;
    if (options.vouched)
        r->image->digest = slice_of(current(v)->digest);
    else
        options.platform = slice_of(r->config.platform);
    use_memory(r, v, place_of(v), 0);
    r->digest[0] = '\0';
    v->attempts.failed = 0;
    ENTER("tree_push", v->state, TREE_FETCH);
    r->provider->begin_manifest(r, &v->fetch, &options);
}

static void index_current(struct regtag *r, struct tree_push *v)
{
    document_index_again(&v->document, (struct slice){r->manifest, r->manifest_size}, &r->memory);
}

/* Back in memory after its children. */
static enum regtag_event take_up(struct regtag *r, struct tree_push *v)
{
    const struct level *l = current(v);
    use_memory(r, v, l->offset, l->size);
    r->media_type = l->type;
    memcpy(r->digest, l->digest, sizeof l->digest);
    r->image->digest = slice_of(l->digest); /* messages are about it again */
    index_current(r, v);
    ENTER("tree_push", v->state, TREE_CHILDREN);
    return GO_ON;
}

/* ---- Children -------------------------------------------------------------------------------- */

static int child_at(const struct tree_push *v, unsigned number)
{
    bool alike = false;
    int child =
        document_first(&v->document, document_member(&v->document, 0, SLICE("manifests"), &alike));
    while (child != NO_VALUE && number--)
        child = document_next(&v->document, child);
    return child;
}

static bool check_child(const struct tree_push *v, struct slice digest, struct error *e)
{
    if (v->depth == TREE_DEPTH_MAX)
        error_set(e, REGTAG_E_REFUSED, "the index has indexes in it, more than %u deep", TREE_DEPTH_MAX);
    else if (!digest_is_sha256(digest))
        error_set(e, REGTAG_E_REFUSED, "a manifest has a digest that cannot be checked, %.*s",
                  SLICE_ARG(digest));
    return e->status == 0;
}

static enum regtag_event upload(struct regtag *r, struct tree_push *v);

/* The next child, if there is one, is asked for in the target. */
static enum regtag_event on_children(struct regtag *r, struct tree_push *v)
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
    v->attempts.failed = 0;
    client_begin(&r->client, &v->exchange,
                 &(struct request){.method = METHOD_HEAD,
                                   .place = PLACE_MANIFESTS,
                                   .target = slice_of(current(v)->digest),
                                   .accepts_manifests = true,
                                   .meanings = MANIFEST_MEANINGS,
                                   .attempts = &v->attempts});
    ENTER("tree_push", v->state, TREE_PRESENT);
    return GO_ON;
}

/* The current manifest is in the target: on to its parent. */
static enum regtag_event leave_level(struct regtag *r, struct tree_push *v)
{
    v->depth--;
    if (!current(v)->dropped)
        return take_up(r, v);
    begin_fetch(r, v);
    return GO_ON;
}

static enum regtag_event step_present(struct regtag *r, struct tree_push *v)
{
    struct slice part;
    switch (client_step(&r->client, &v->exchange, &part)) {
    case EXCHANGE_END: break;
    case EXCHANGE_FAILED: return fail_target(r, v, &r->client.context.error);
    default: return REGTAG_WAIT;
    }
    unsigned status = v->exchange.response->status;
    if (status == 200 && answer_fits(v->exchange.response, slice_of(current(v)->digest)))
        return leave_level(r, v);
    if (status_is_transient(status)) {
        exchange_explain(&v->exchange, verb_problem(r));
        return fail_target(r, v, &r->problem);
    }
    begin_fetch(r, v); /* absent, or the registry does not say: then it is uploaded all the same */
    return GO_ON;
}

/* ---- Blobs ----------------------------------------------------------------------------------- */

static enum regtag_event begin_blobs(struct regtag *r, struct tree_push *v)
{
    image_begin(r, &v->push, &v->document);
    ENTER("tree_push", v->state, TREE_BLOBS);
    return GO_ON;
}

/* Without a guard, the tag may be looked up while the last blobs are being committed; if one has to be uploaded again,
 * after that. */
static void look_ahead(struct regtag *r, struct tree_push *v)
{
    bool committing =
        !v->depth && !v->by_digest && !guard_exists(r, v->tag) && image_is_committing(&v->push);
    if (committing) {
        prepare_move(r, v);
        move_look(r, &v->move);
    } else if (v->looking) {
        client_cancel(&r->client, &v->move.resolve.exchange);
        v->looking = false;
        r->client.context.wake = r->client.context.now; /* the blob may wait for the connection */
    }
}

static enum regtag_event step_blobs(struct regtag *r, struct tree_push *v)
{
    switch (image_step(r, &v->push)) {
    case IMAGE_WAIT: look_ahead(r, v); return REGTAG_WAIT;
    case IMAGE_DONE: return upload(r, v);
    default: return fail_because(r, v, &v->push.problem, v->push.of_source);
    }
}

/* ---- Uploading manifests --------------------------------------------------------------------- */

static bool has_subject(const struct tree_push *v)
{
    bool alike = false;
    return document_member(&v->document, 0, SLICE("subject"), &alike) != NO_VALUE;
}

/* All that the current manifest refers to is there. */
static enum regtag_event upload(struct regtag *r, struct tree_push *v)
{
    if (v->depth == 0 && !v->by_digest)
        return begin_move(r, v);
    v->refers = v->depth == 0 && has_subject(v);
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
    ENTER("tree_push", v->state, TREE_UPLOAD);
    return GO_ON;
}

/* What is answered before all was sent counts only if it states the digest. */
static bool check_upload(struct regtag *r, const struct tree_push *v, struct error *e)
{
    const struct http_response *response = v->exchange.response;
    struct slice digest;
    bool stated = answer_digest(response, &digest) && digest.size;
    if (response->status > 299)
        exchange_explain(&v->exchange, e);
    else if (stated && !slice_equal(digest, slice_of(r->digest)))
        verb_other_digest(r, digest);
    else if (!stated && !exchange_may_have_acted(&v->exchange))
        error_set(e, REGTAG_E_PROTOCOL, "the registry has not taken the whole manifest %s", r->digest);
    return e->status == 0;
}

/* A registry that does says so (OCI distribution specification, "Pushing Manifests with Subject"). */
static void note_unlisted(struct regtag *r, const struct tree_push *v)
{
    struct slice subject;
    http_response_field(v->exchange.response, SLICE("oci-subject"), &subject);
    if (v->refers && subject.size == 0)
        VERB_TELL(r, REGTAG_TRACE_WARNING,
                  "%.*s: the registry does not list referrers: %s is there, but its image does not lead "
                  "to it",
                  SLICE_ARG(r->reference.name), r->digest);
}

static enum regtag_event on_uploaded(struct regtag *r, struct tree_push *v)
{
    if (v->depth)
        return leave_level(r, v);
    note_unlisted(r, v);
    ENTER("tree_push", v->state, TREE_OVER);
    return verb_settle(r, REGTAG_TAG_CREATED, NULL, NULL);
}

static enum regtag_event step_upload(struct regtag *r, struct tree_push *v)
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

static void begin(struct regtag *r, struct tree_push *v)
{
    bool guarded = guard_exists(r, v->tag);
    struct resolve_options look = {
        .certain = guarded || r->config.certain_absence, .attempts = &v->attempts, .guarded = guarded};
    resolve_begin(r, &v->look, v->by_digest ? r->image->digest.data : v->tag, &look);
    begin_fetch(r, v);
}

/* The tag must not be touched. This look is the last one: nothing was copied, even if another look showed that it may. */
static enum regtag_event refuse(struct regtag *r, struct tree_push *v, const struct error *problem)
{
    prepare_move(r, v);
    change_note_previous(r, &v->move.change, &v->look);
    v->move.result = r->result;
    return fail_target(r, v, problem);
}

/* Unless the target is as it should be already, or as it must not be, the image is copied. */
static enum regtag_event on_image(struct regtag *r, struct tree_push *v)
{
    struct error *problem = verb_problem(r);
    bool there = resolve_found(&v->look, r->digest);
    if (!guard_holds(r, &v->look, problem))
        return refuse(r, v, problem);
    verb_begin_result(r, v->tag, r->digest);
    if (!there && !r->config.dry_run)
        return GO_ON;
    if (!v->by_digest)
        return begin_move(r, v);
    ENTER("tree_push", v->state, TREE_OVER);
    return verb_settle(r, there ? REGTAG_TAG_UNCHANGED : REGTAG_TAG_CREATED, NULL, NULL);
}

static enum regtag_event on_manifest(struct regtag *r, struct tree_push *v)
{
    struct level *l = current(v);
    bool first = v->depth == 0 && !*l->digest;
    l->offset = (size_t)(r->manifest - v->memory);
    l->size = r->manifest_size;
    l->type = r->media_type;
    l->dropped = false;
    memcpy(l->digest, r->digest, sizeof l->digest);
    index_current(r, v);
    enum regtag_event event = first ? on_image(r, v) : GO_ON;
    if (v->state != TREE_FETCH)
        return event;
    if (l->type->kind != MANIFEST_INDEX)
        return begin_blobs(r, v);
    ENTER("tree_push", v->state, TREE_CHILDREN);
    return GO_ON;
}

static enum regtag_event step_fetch(struct regtag *r, struct tree_push *v)
{
    struct error *problem = verb_problem(r);
    bool looked = v->look.state == RESOLVE_OVER || resolve_step(r, &v->look);
    if (r->hashing)
        return REGTAG_WAIT; /* there is one hash for both */
    enum fetch_event event =
        v->fetch.state == FETCH_OVER ? FETCH_DONE : r->provider->step_manifest(r, &v->fetch, problem);
    if (event == FETCH_FAILED)
        return fail(r, v, problem);
    return looked && event == FETCH_DONE ? on_manifest(r, v) : REGTAG_WAIT;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static enum regtag_event step_move(struct regtag *r, struct tree_push *v)
{
    if (v->move.state < MOVE_RESOLVED)
        move_look(r, &v->move);
    enum regtag_event event = move_step(r, &v->move);
    if (event == REGTAG_SETTLED) {
        move_show(r, &v->move);
        ENTER("tree_push", v->state, TREE_OVER);
    }
    return event;
}

enum regtag_event tree_step(struct regtag *r)
{
    struct tree_push *v = tree_of(r);
    switch (v->state) {
    case TREE_START: begin(r, v); return GO_ON;
    case TREE_FETCH: return step_fetch(r, v);
    case TREE_CHILDREN: return on_children(r, v);
    case TREE_PRESENT: return step_present(r, v);
    case TREE_BLOBS: return step_blobs(r, v);
    case TREE_UPLOAD: return step_upload(r, v);
    case TREE_MOVE: return step_move(r, v);
    default: return verb_done(r);
    }
}

void tree_decline(struct regtag *r, const struct error *reason)
{
    struct tree_push *v = tree_of(r);
    if (v->state == TREE_MOVE && v->move.state == MOVE_ANNOUNCED)
        move_fail(r, &v->move, reason, true);
}

/* ---- The beginning ---------------------------------------------------------------------------- */

enum regtag_status tree_begin(struct regtag *r, const struct provider *provider, struct slice tag,
                              unsigned blobs)
{
    struct tree_push *v = tree_of(r);
    const char *name = v->tag;
    unsigned hashes = (unsigned)r->config.hashes_count;
    blobs = blobs < PUSHES_MAX ? blobs : PUSHES_MAX;
    image_init(&v->push, blobs > hashes ? hashes ? hashes : 1 : blobs);
    r->provider = provider;
    v->memory = r->manifest;
    v->memory_size = r->manifest_max;
    v->by_digest = tag.size == 0;
    if (tag.size)
        memcpy(v->tag, tag.data, tag.size);
    enum regtag_status status = guards_check(r, &name, v->by_digest ? 0 : 1);
    if (v->by_digest) /* a guard that is valid is for all tags, and there are none */
        memset(&r->guards, 0, sizeof r->guards);
    return status;
}
