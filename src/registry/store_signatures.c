#include "registry/store_signatures.h"

#include <string.h>

#include "oci/titles.h"
#include "registry/store.h"

#define DIGEST_SIZE (DIGEST_SHA256_SIZE + 1)

/* What is read is kept in memory after the manifest, one after the other. */
struct search {
    struct signature_check check;
    enum signature_finding best;
    char *memory;
    size_t room;
    struct document_scan scan;      /* of what was read last */
    char (*candidate)[DIGEST_SIZE]; /* of manifests that may have a signature */
    size_t candidates;
    struct error failure;
};

static void note(struct search *s, enum signature_finding finding)
{
    s->best = finding > s->best ? finding : s->best;
}

/* Reads all of it, which is a document, behind what is there. False if it cannot be read, does not fit, or is long and no
 * document; only a failure of the store is kept. */
static bool read_all(struct regtag *r, struct search *s, const char *name, struct slice *bytes)
{
    struct error e;
    size_t size = 1;
    bool good = true;
    error_clear(&e);
    *bytes = (struct slice){s->memory, 0};
    s->scan = (struct document_scan){0};
    while (size && bytes->size < s->room && (good || bytes->size <= BAD_DOCUMENT_MAX)) {
        size_t room = s->room - bytes->size;
        struct slice part = {s->memory + bytes->size,
                             room < DOCUMENT_READ_MAX ? room : DOCUMENT_READ_MAX};
        size = part.size;
        if (!store_read_at(r, name, bytes->size, s->memory + bytes->size, &size, &e))
            break;
        good = document_scan_take(&s->scan, slice_head(part, size), r->memory.tokens_max);
        bytes->size += size;
    }
    if (e.status == REGTAG_E_OTHER)
        s->failure = s->failure.status ? s->failure : e;
    return e.status == 0 && size == 0;
}

static bool read_verified(struct regtag *r, struct search *s, const char *digest, struct slice *bytes)
{
    char found[DIGEST_SIZE];
    return read_all(r, s, digest, bytes) && digest_of(&r->config.hash, bytes, 1, found) &&
           strcmp(found, digest) == 0;
}

/* The blob of a layer; it follows the manifest that has the layer. */
static bool read_layer(struct regtag *r, struct search *s, const struct document *d, int layer,
                       struct slice *bytes)
{
    char digest[DIGEST_SIZE] = "";
    struct search behind = *s;
    memcpy(digest, descriptor_digest(d, layer).data, DIGEST_SHA256_SIZE);
    behind.memory += d->text.size;
    behind.room -= d->text.size;
    bool good = read_verified(r, &behind, digest, bytes);
    s->failure = behind.failure;
    return good;
}

static enum signature_finding check_bundle(struct regtag *r, struct search *s, const struct document *d,
                                           int layer)
{
    struct slice bytes;
    if (!read_layer(r, s, d, layer, &bytes))
        return SIGNATURE_MALFORMED;
    return signature_check_bundle(&s->check, s->memory + (bytes.data - s->memory), bytes.size);
}

static enum signature_finding check_layer(struct regtag *r, struct search *s, const struct document *d,
                                          int layer)
{
    char memory[SIGNATURE_MAX];
    struct slice signature, bytes;
    enum signature_finding finding = signature_of_layer(d, layer, memory, &signature);
    if (finding != SIGNATURE_GOOD)
        return finding;
    if (!read_layer(r, s, d, layer, &bytes))
        return SIGNATURE_MALFORMED;
    return signature_check_payload(&s->check, bytes, signature);
}

/* The index of the manifest is overwritten by each signature that is checked. */
static bool check_layers(struct regtag *r, struct search *s, struct slice manifest)
{
    for (unsigned number = 0;; number++) {
        struct document d;
        document_index_again(&d, manifest, &r->memory);
        int layer = document_first(&d, layers_of(&d));
        for (unsigned i = 0; layer != NO_VALUE && i < number; i++)
            layer = document_next(&d, layer);
        if (layer == NO_VALUE)
            return false;
        enum signature_finding finding = check_layer(r, s, &d, layer);
        if (finding == SIGNATURE_GOOD)
            return true;
        note(s, finding);
    }
}

static bool check_candidate(struct regtag *r, struct search *s, const char *digest)
{
    const struct media_type *type;
    struct document d;
    struct slice bytes;
    int layer;
    if (!read_verified(r, s, digest, &bytes) || !candidate_read(r, bytes, &s->scan, &type, &d))
        return false;
    enum signature_finding finding = signature_bundle_layer(&d, s->check.image, &layer);
    if (finding == SIGNATURE_GOOD)
        finding = check_bundle(r, s, &d, layer);
    else if (finding == SIGNATURE_NONE)
        return check_layers(r, s, bytes);
    note(s, finding);
    return finding == SIGNATURE_GOOD;
}

/* ---- What the store lists -------------------------------------------------------------------- */

/* Whether a name is not that of another image's signatures. */
static bool may_be_named(const struct search *s, struct slice name)
{
    struct slice tag =
        slice_from(name, slice_find(name, ':') < name.size ? slice_find(name, ':') + 1 : 0);
    bool named = tag.size == DIGEST_SHA256_SIZE + 4 && slice_starts(tag, SLICE("sha256-")) &&
                 slice_equal(slice_from(tag, DIGEST_SHA256_SIZE), SLICE(".sig"));
    return !named || slice_equal(slice_from(slice_head(tag, DIGEST_SHA256_SIZE), 7),
                                 slice_from(s->check.image, 7));
}

static void add_candidate(struct search *s, const struct document *d, int i)
{
    struct slice digest = descriptor_digest(d, i);
    struct slice name =
        document_string(d, layer_annotation(d, i, SLICE("org.opencontainers.image.ref.name")));
    if (!digest_is_sha256(digest) || !candidate_may_be_bundle(d, i) || !may_be_named(s, name) ||
        s->room < DIGEST_SIZE)
        return;
    memcpy(s->memory, digest.data, digest.size);
    s->memory[digest.size] = '\0';
    s->memory += DIGEST_SIZE;
    s->room -= DIGEST_SIZE;
    s->candidates++;
}

static void find_candidates(struct regtag *r, struct search *s)
{
    struct document d;
    struct slice list;
    struct error ignored;
    bool alike = false;
    error_clear(&ignored);
    if (!r->config.store.list || !read_all(r, s, r->config.store.list, &list) ||
        !document_index_scanned(&d, list, &s->scan, &r->memory, "", &ignored))
        return;
    s->memory += list.size;
    s->room -= list.size;
    s->candidate = (char(*)[DIGEST_SIZE])(void *)s->memory;
    int i = document_first(&d, document_member(&d, 0, SLICE("manifests"), &alike));
    for (; i != NO_VALUE; i = document_next(&d, i))
        add_candidate(s, &d, i);
}

static bool is_signed(struct regtag *r, struct search *s, const char *digest)
{
    s->memory = r->manifest + r->manifest_size;
    s->room = r->manifest_max - r->manifest_size;
    s->candidates = 0;
    candidate_turn_to(&s->check, digest);
    find_candidates(r, s);
    for (size_t i = 0; i < s->candidates; i++)
        if (check_candidate(r, s, s->candidate[i]))
            return true;
    return false;
}

bool store_is_signed(struct regtag *r, const char *image, const char *index, struct error *e)
{
    struct search s;
    memset(&s, 0, offsetof(struct search, failure));
    error_clear(&s.failure);
    s.check = candidate_check(r);
    if ((*index && is_signed(r, &s, index)) || is_signed(r, &s, image))
        return true;
    if (s.failure.status)
        *e = s.failure;
    else if (!candidate_unable(&s.check, e))
        error_set(e, REGTAG_E_UNSIGNED,
                  "%s signed with a required key: %s; looked at all that its layout lists%s%s",
                  *index ? "neither it nor its index is" : "it is not", signature_text(s.best),
                  s.check.cut ? ", but at no more than 32 signatures" : "",
                  s.check.cut && *index ? " of each" : "");
    return false;
}
