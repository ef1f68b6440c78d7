#include "registry/store.h"

#include <string.h>

#include "oci/platform.h"
#include "oci/titles.h"

#define TURN (128u * 1024) /* bytes of a blob that are read in one step */

bool store_read_at(struct regtag *r, const char *digest, uint64_t at, void *bytes, size_t *size,
                   struct error *e)
{
    const struct regtag_store *store = &r->config.store;
    ptrdiff_t n = store->read(store->context, digest, at, bytes, *size);
    if (n == REGTAG_IO_CLOSED)
        error_set(e, REGTAG_E_REFUSED, "it is missing in what is to be loaded");
    else if (n < 0)
        error_set(e, REGTAG_E_OTHER, "%s", store->problem(store->context));
    *size = n < 0 ? 0 : (size_t)n;
    return n >= 0;
}

static bool has(struct regtag *r, struct slice digest, struct error *e)
{
    char text[DIGEST_SHA256_SIZE + 1];
    size_t size = 0;
    memcpy(text, digest.data, DIGEST_SHA256_SIZE);
    text[DIGEST_SHA256_SIZE] = '\0';
    return store_read_at(r, text, 0, text, &size, e);
}

/* ---- Manifests ------------------------------------------------------------------------------- */

static bool learn_media_type(struct regtag *r, struct error *e)
{
    struct slice manifest = {r->manifest, r->manifest_size};
    r->media_type = manifest_type(manifest, &r->scan, media_type_find(SLICE("")), &r->memory, e);
    return r->media_type != NULL;
}

static bool read_manifest(struct regtag *r, const char *digest, struct error *e)
{
    char surplus;
    size_t size = 1;
    r->scan = (struct document_scan){0};
    for (r->manifest_size = 0; size; r->manifest_size += size) {
        size_t room = r->manifest_max - r->manifest_size;
        char *end = r->manifest + r->manifest_size;
        size = !room ? 1 : room < DOCUMENT_READ_MAX ? room : DOCUMENT_READ_MAX;
        if (!store_read_at(r, digest, r->manifest_size, room ? end : &surplus, &size, e))
            return false;
        if (size > room) {
            fetch_set_too_large(r, e);
            return false;
        }
        struct slice part = {end, size};
        if (!document_scan_take(&r->scan, part, r->memory.tokens_max) &&
            r->manifest_size + size > BAD_DOCUMENT_MAX)
            return learn_media_type(r, e); /* it says why not */
    }
    return true;
}

/* Its bytes first: any others are of no interest. */
static bool check_manifest(struct regtag *r, const char *digest, struct error *e)
{
    struct slice manifest = {r->manifest, r->manifest_size};
    char found[DIGEST_SHA256_SIZE + 1];
    if (!digest_of(&r->config.hash, &manifest, 1, found))
        error_set(e, REGTAG_E_OTHER, "SHA-256 failed");
    else if (strcmp(found, digest) != 0)
        error_set(e, REGTAG_E_REFUSED, "what is to be loaded is another manifest, %s", found);
    if (e->status || !learn_media_type(r, e))
        return false;
    if (r->media_type->kind == MANIFEST_SCHEMA1)
        fetch_set_schema1(e);
    if (e->status || !manifest_check(manifest, &r->scan, r->media_type, &r->memory, e))
        return false;
    memcpy(r->digest, found, sizeof found);
    return true;
}

static bool take_manifest(struct regtag *r, const char *digest, struct error *e)
{
    return read_manifest(r, digest, e) && check_manifest(r, digest, e);
}

/* All children of an index must be in the store; what cannot be checked is refused later. */
static void check_children(struct regtag *r, struct error *e)
{
    struct slice manifest = {r->manifest, r->manifest_size};
    struct document d;
    struct error why;
    bool alike = false;
    char text[PLATFORMS_TEXT_MAX];
    struct writer missing = writer_to(text, sizeof text);
    document_index_again(&d, manifest, &r->memory);
    int children = document_member(&d, 0, SLICE("manifests"), &alike);
    for (int i = document_first(&d, children); i != NO_VALUE; i = document_next(&d, i)) {
        struct slice digest = descriptor_digest(&d, i);
        error_clear(&why);
        if (!digest_is_sha256(digest) || has(r, digest, &why))
            continue;
        if (why.status != REGTAG_E_REFUSED) {
            *e = why;
            return;
        }
        platform_list(&missing, &d, i);
    }
    if (missing.used || missing.overflow)
        error_set(e, REGTAG_E_REFUSED,
                  "without a platform, the index needs all its images; missing: %.*s%s",
                  SLICE_ARG(written(&missing)), missing.overflow ? " ..." : "");
}

static bool take(struct regtag *r, struct manifest_fetch *f, struct error *e)
{
    struct slice platform = f->options.platform;
    f->index[0] = '\0';
    if (!take_manifest(r, r->image->digest.data, e))
        return false;
    if (platform.size) {
        memcpy(f->index, r->digest, sizeof f->index);
        struct slice manifest = {r->manifest, r->manifest_size};
        r->digest[0] = '\0';
        if (!platform_child(manifest, r->media_type, &r->memory, platform, f->child, e))
            return false;
        VERB_TELL(r, REGTAG_TRACE_NOTE, "for %.*s: %s", SLICE_ARG(platform), f->child);
        r->image->digest = slice_of(f->child);
        if (!take_manifest(r, f->child, e))
            return false;
    }
    if (r->media_type->kind == MANIFEST_INDEX)
        check_children(r, e);
    return e->status == 0 &&
           (!r->gate || f->options.vouched || r->gate->check_store(r, r->digest, f->index, e));
}

void store_begin_manifest(struct regtag *r, struct manifest_fetch *f,
                          const struct fetch_options *options)
{
    (void)r;
    f->options = *options;
    f->child[0] = '\0';
    f->state = FETCH_START;
    ENTER("store", f->state, FETCH_MANIFEST);
}

enum fetch_event store_step_manifest(struct regtag *r, struct manifest_fetch *f, struct error *problem)
{
    bool good = take(r, f, problem);
    if (!good)
        r->digest[0] = '\0';
    ENTER("store", f->state, FETCH_OVER);
    return good ? FETCH_DONE : FETCH_FAILED;
}

/* ---- Blobs ----------------------------------------------------------------------------------- */

bool store_has_blob(struct regtag *r, struct slice digest, struct error *e)
{
    return has(r, digest, e);
}

void store_begin_blob(struct regtag *r, struct blob_fetch *b, struct slice digest, uint64_t size,
                      const struct regtag_hash *hash)
{
    (void)r;
    blob_init(b, digest, size, hash);
    ENTER("blob_fetch", b->state, BLOB_HELD);
}

void store_rewind_blob(struct blob_fetch *b, uint64_t at)
{
    b->skip = b->at - at;
}

/* Each blob that is under way has a hash of its own, and so a buffer. */
static char *buffer_of(const struct regtag *r, const struct blob_fetch *b)
{
    ptrdiff_t number = b->hash == &r->config.hash ? 0 : b->hash - r->config.hashes;
    return r->buffers + (size_t)number * r->buffer_size;
}

/* A store never has to be waited for, and a registry may take it all at once: after some bytes the others get their
 * turn, and the caller, who knows the time. */
static bool yields(struct regtag *r, struct blob_fetch *b, uint64_t at)
{
    if (at - b->begun < TURN)
        return false;
    b->begun = at;
    r->client.context.wake = r->client.context.now;
    return true;
}

static enum blob_event on_end(struct blob_fetch *b, uint64_t at, struct error *e)
{
    if (at < b->size)
        blob_set_wrong_size(b, at, e);
    else if (blob_verify(b, e))
        return BLOB_DONE;
    return BLOB_FAILED;
}

/* What was rewound has been hashed already. */
enum blob_event store_step_blob(struct regtag *r, struct blob_fetch *b, struct slice *part, uint64_t *at,
                                struct error *problem)
{
    char *buffer = buffer_of(r, b);
    size_t size = r->buffer_size;
    uint64_t from = b->at - b->skip;
    if (yields(r, b, from))
        return BLOB_WAIT;
    if (!store_read_at(r, b->digest, from, buffer, &size, problem))
        return BLOB_FAILED;
    if (size == 0)
        return on_end(b, from, problem);
    if (size > b->size - from) {
        blob_set_too_large(b, problem);
        return BLOB_FAILED;
    }
    *part = (struct slice){buffer, size};
    *at = from;
    size_t again = size < b->skip ? size : (size_t)b->skip;
    b->skip -= again;
    if (size > again)
        blob_add_to_hash(b, slice_from(*part, again));
    return BLOB_BYTES;
}
