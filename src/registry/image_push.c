#include "registry/image_push.h"

#include "oci/titles.h"

void image_init(struct image_push *p, unsigned count)
{
    p->count = count;
    p->first = 0;
    p->moved = p->bytes = 0;
    error_clear(&p->problem);
    for (unsigned i = 0; i < count; i++)
        push_init(&p->blobs[i]);
}

void image_begin(struct regtag *r, struct image_push *p, const struct document *manifest)
{
    p->manifest = manifest;
    p->layers = layers_of(manifest);
    p->next = document_first(manifest, p->layers);
    p->config = true;
    remote_widen(&r->client.remote, 1);
    remote_widen(&r->source->remote, 1);
}

/* ---- Which blobs ----------------------------------------------------------------------------- */

/* Whether the config, or an earlier layer that was not skipped, has the same digest. */
static bool is_repeated(const struct image_push *p, int descriptor)
{
    const struct document *d = p->manifest;
    struct slice digest = descriptor_digest(d, descriptor);
    bool repeated = slice_equal(p->config_digest, digest);
    for (int i = document_first(d, p->layers); i != descriptor && !repeated; i = document_next(d, i))
        repeated = slice_equal(descriptor_digest(d, i), digest) && !descriptor_has_urls(d, i);
    return repeated;
}

static int take_config(struct image_push *p)
{
    bool alike = false;
    if (!p->config)
        return NO_VALUE;
    int config = document_member(p->manifest, 0, SLICE("config"), &alike);
    p->config = false;
    p->config_digest = descriptor_digest(p->manifest, config);
    return config;
}

/* The next descriptor whose blob is to be pushed, or NO_VALUE. */
static int next_blob(struct regtag *r, struct image_push *p)
{
    int descriptor = take_config(p);
    while (descriptor == NO_VALUE && p->next != NO_VALUE) {
        int layer = p->next;
        p->next = document_next(p->manifest, layer);
        if (descriptor_has_urls(p->manifest, layer))
            VERB_TELL(r, REGTAG_TRACE_WARNING, "skipped %.*s: it is stored elsewhere (\"urls\")",
                      SLICE_ARG(descriptor_digest(p->manifest, layer)));
        else if (!is_repeated(p, layer))
            descriptor = layer;
    }
    return descriptor;
}

/* ---- Pushing them ---------------------------------------------------------------------------- */

/* The store has a buffer for each. */
static const struct regtag_hash *hash_at(const struct regtag *r, unsigned blob)
{
    return blob < r->config.hashes_count ? &r->config.hashes[blob] : &r->config.hash;
}

/* If one fails, the others are given up. */
static void give_up_others(struct regtag *r, struct image_push *p)
{
    for (unsigned i = 0; i < p->count; i++)
        push_give_up(r, &p->blobs[i], &p->problem);
    r->client.context.wake = r->client.context.now; /* they may have had their turn in this step */
}

/* Begins with another blob. False if there is none, or none that makes sense. */
static bool refill(struct regtag *r, struct image_push *p, unsigned at)
{
    int descriptor = p->problem.status ? NO_VALUE : next_blob(r, p);
    if (descriptor == NO_VALUE)
        return false;
    struct slice digest = descriptor_digest(p->manifest, descriptor);
    uint64_t size = descriptor_size(p->manifest, descriptor);
    if (!digest_is_sha256(digest)) {
        p->of_source = true;
        error_set(&p->problem, REGTAG_E_REFUSED, "blob %.*s: only sha256 digests can be checked",
                  SLICE_ARG(digest));
        give_up_others(r, p);
        return false;
    }
    p->bytes += size;
    push_begin(r, &p->blobs[at], digest, size, hash_at(r, at), &p->moved);
    return true;
}

static void on_pushed(struct regtag *r, struct image_push *p, const struct blob_push *blob)
{
    static const char *const WORDS[] = {"", "there already", "mounted", "copied", "failed"};
    VERB_TELL(r, REGTAG_TRACE_NOTE, "%.*s: %s", SLICE_ARG(blob->digest), WORDS[blob->outcome]);
    if (blob->outcome != PUSH_COPIED)
        p->bytes -= blob->size;
    if (blob->outcome != PUSH_FAILED || p->problem.status)
        return;
    p->of_source = blob->of_source;
    error_set(error_hint(&p->problem, blob->problem.hint), blob->problem.status, "blob %.*s: %s",
              SLICE_ARG(blob->digest), blob->problem.text);
    give_up_others(r, p);
}

/* Returns whether it has to be waited for; false if there are no more blobs. */
static bool step_one(struct regtag *r, struct image_push *p, unsigned at)
{
    struct blob_push *blob = &p->blobs[at];
    while (push_is_under_way(blob) || refill(r, p, at)) {
        if (!push_step(r, blob))
            return true;
        on_pushed(r, p, blob);
    }
    return false;
}

bool image_is_committing(const struct image_push *p)
{
    bool none = p->next == NO_VALUE;
    REQUIRE(!p->config); /* it came first */
    for (unsigned i = 0; i < p->count; i++)
        none = none && (!push_is_under_way(&p->blobs[i]) || p->blobs[i].state == PUSH_COMMIT);
    return none;
}

enum image_event image_step(struct regtag *r, struct image_push *p)
{
    bool waits = false;
    p->first++; /* none must starve: there is a limit of reads in a step */
    for (unsigned i = 0; i < p->count; i++)
        waits = step_one(r, p, (p->first + i) % p->count) || waits;
    return waits ? IMAGE_WAIT : p->problem.status ? IMAGE_FAILED : IMAGE_DONE;
}
