#include "registry/manifest_fetch.h"

#include <string.h>

#include "oci/platform.h"

#define MORE ((enum fetch_event)(-1))

bool fetch_check_platform(struct regtag *r, struct slice platform)
{
    if (platform.size == 0 || platform_valid(platform))
        return true;
    VERB_USAGE(r, "\"%.*s\" is not a platform; use OS/ARCH or OS/ARCH/VARIANT, such as linux/arm/v7",
               SLICE_ARG(slice_head(platform, 200)));
    return false;
}

/* ---- The request ----------------------------------------------------------------------------- */

static void begin_get(struct regtag *r, struct manifest_fetch *f, struct slice reference, bool lines)
{
    struct request q = {.method = METHOD_GET,
                        .place = PLACE_MANIFESTS,
                        .target = reference,
                        .accepts_manifests = true,
                        .accept_lines = lines,
                        .known = f->options.known,
                        .content = true,
                        .meanings = MANIFEST_MEANINGS,
                        .attempts = f->options.attempts};
    client_begin(r->source, &f->exchange, &q);
}

void fetch_begin(struct regtag *r, struct manifest_fetch *f, const struct fetch_options *options)
{
    f->options = *options;
    f->child[0] = f->index[0] = '\0';
    f->state = FETCH_START;
    ENTER("manifest_fetch", f->state, FETCH_MANIFEST);
    begin_get(r, f, verb_wanted(r), false);
}

/* ---- The header ------------------------------------------------------------------------------ */

void fetch_set_too_large(const struct regtag *r, struct error *e)
{
    error_set(e, REGTAG_E_REFUSED, "the manifest is larger than the limit of %zu bytes",
              r->manifest_max);
}

void fetch_set_schema1(struct error *e)
{
    error_set(e, REGTAG_E_SCHEMA1,
              "the image exists only as schema 1, the format of Docker before 1.10, which contains its "
              "tag and so cannot get another; push it again with a newer Docker, or with skopeo copy "
              "--format v2s2");
}

static bool is_schema1_to_tag(const struct regtag *r, const struct manifest_fetch *f)
{
    return f->options.to_tag && r->media_type->kind == MANIFEST_SCHEMA1;
}

/* JSON is at least a registry's answer; anything else is more likely a proxy's or a portal's. */
static void set_not_a_manifest(struct error *e, struct slice type)
{
    type = slice_head(type, 100);
    if (slice_contains(type, SLICE("json")))
        error_set(e, REGTAG_E_REFUSED, NO_MANIFEST, SLICE_ARG(type));
    else
        error_set(e, REGTAG_E_PROTOCOL,
                  "the answer is %.*s, not a manifest; is there a registry at this address?",
                  SLICE_ARG(type));
}

static void check_media_type(struct regtag *r, const struct manifest_fetch *f, struct error *e)
{
    struct slice type;
    bool single = http_response_field(f->exchange.response, SLICE("content-type"), &type);
    r->media_type = single ? media_type_find(type) : NULL;
    if (!single)
        error_set(e, REGTAG_E_REFUSED, "the registry states several media types for the manifest");
    else if (!r->media_type)
        set_not_a_manifest(e, type);
    else if (is_schema1_to_tag(r, f))
        fetch_set_schema1(e);
}

/* Reject what the header already rules out, before reading the body. */
static bool check_header(struct regtag *r, const struct manifest_fetch *f, struct error *e)
{
    const struct http_response *response = f->exchange.response;
    struct slice digest;

    check_media_type(r, f, e);
    if (response->framing == HTTP_LENGTH && response->length > r->manifest_max)
        fetch_set_too_large(r, e);
    answer_is_plain(response, e);
    return answer_sha256(response, &digest, e);
}

/* ---- The body -------------------------------------------------------------------------------- */

static struct slice wanted_digest(const struct regtag *r, const struct manifest_fetch *f)
{
    return f->state == FETCH_CHILD ? slice_of(f->child) : r->image->digest;
}

/* If the registry does not state a manifest's media type, the document does. */
static bool learn_media_type(struct regtag *r, const struct manifest_fetch *f, struct slice manifest,
                             struct error *e)
{
    struct slice type;
    http_response_field(f->exchange.response, SLICE("content-type"), &type);
    bool other = type.size && r->media_type->kind == MANIFEST_UNSTATED &&
                 !slice_contains(type, SLICE("json")) && !slice_contains(manifest, SLICE("{"));
    if (other)
        set_not_a_manifest(e, type);
    else
        r->media_type = manifest_type(manifest, &r->scan, r->media_type, &r->memory, e);
    return e->status == 0;
}

/* It can no longer become a manifest: sets *e. Only the bytes before the bad one count, since how many follow it is chance. */
static void refuse_early(struct regtag *r, const struct manifest_fetch *f, struct error *e)
{
    struct slice manifest = {r->manifest, (size_t)r->scan.json.offset};
    if (learn_media_type(r, f, manifest, e))
        manifest_check(manifest, &r->scan, r->media_type, &r->memory, e);
}

static bool keep_part(struct regtag *r, const struct manifest_fetch *f, struct slice part,
                      struct error *e)
{
    if (part.size > r->manifest_max - r->manifest_size) {
        fetch_set_too_large(r, e);
        return false;
    }
    memcpy(r->manifest + r->manifest_size, part.data, part.size);
    r->manifest_size += part.size;
    if (!document_scan_take(&r->scan, part, r->memory.tokens_max) &&
        answer_is_long(f->exchange.response, r->manifest_size))
        refuse_early(r, f, e);
    return e->status == 0;
}

/* The bytes must hash to the digest that the registry states and to the one that the user pinned. */
static bool check_digest(struct regtag *r, const struct manifest_fetch *f, struct slice manifest,
                         struct error *e)
{
    struct slice stated, pinned = wanted_digest(r, f);
    r->hash_taken = true;
    if (!manifest_digest(manifest, r->media_type, &r->memory, &r->config.hash, r->digest, e))
        return false;
    struct slice digest = slice_of(r->digest);
    answer_digest(f->exchange.response, &stated);
    if (answer_digest_matches(stated, digest, "manifest", e) && pinned.size &&
        !slice_equal(pinned, digest))
        error_set(e, REGTAG_E_REFUSED, "the manifest that arrived is another one, %.*s",
                  SLICE_ARG(digest));
    return e->status == 0;
}

/* What was fetched, or found in an index, is good. But if it has to be signed, nobody must see its digest yet. */
static enum fetch_event on_image(struct regtag *r, struct manifest_fetch *f, struct error *problem)
{
    char image[DIGEST_SHA256_SIZE + 1];
    if (!r->gate || f->options.vouched)
        return FETCH_DONE;
    memcpy(image, r->digest, sizeof image);
    r->digest[0] = '\0';
    ENTER("manifest_fetch", f->state, FETCH_SIGNATURE);
    f->signatures = r->gate->begin(r, image, f->index, problem);
    return f->signatures ? MORE : FETCH_FAILED;
}

static enum fetch_event step_signature(struct regtag *r, struct manifest_fetch *f, struct error *problem)
{
    struct signatures *s = f->signatures;
    switch (r->gate->step(r, s, problem)) {
    case SIGNATURES_WAIT: return FETCH_WAIT;
    case SIGNATURES_FAILED: return FETCH_FAILED;
    default: break;
    }
    memcpy(r->digest, s->image, sizeof s->image);
    r->result.key = s->check.key;
    return FETCH_DONE;
}

/* The manifest is an index: go on to its child for the platform. */
static enum fetch_event to_child(struct regtag *r, struct manifest_fetch *f, struct slice manifest,
                                 struct error *problem)
{
    struct slice platform = f->options.platform;
    memcpy(f->index, r->digest, sizeof f->index);
    r->digest[0] = '\0';
    if (!platform_child(manifest, r->media_type, &r->memory, platform, f->child, problem))
        return FETCH_FAILED;
    VERB_TELL(r, REGTAG_TRACE_NOTE, "for %.*s: %s", SLICE_ARG(platform), f->child);
    if (f->options.child_digest) {
        memcpy(r->digest, f->child, sizeof f->child);
        return on_image(r, f, problem);
    }
    r->image->digest = slice_of(f->child);
    ENTER("manifest_fetch", f->state, FETCH_CHILD);
    begin_get(r, f, slice_of(f->child), false);
    return MORE;
}

/* Schema 1 that was not served as such, so that the exchange has not asked once more. */
static bool may_ask_by_lines(const struct regtag *r, const struct manifest_fetch *f)
{
    return r->media_type->kind == MANIFEST_SCHEMA1 && !f->exchange.request.accept_lines &&
           !r->source->remote.accept_lines;
}

static enum fetch_event on_manifest(struct regtag *r, struct manifest_fetch *f, struct error *problem)
{
    struct slice manifest = {r->manifest, r->manifest_size};
    if (!learn_media_type(r, f, manifest, problem))
        return FETCH_FAILED;
    if (may_ask_by_lines(r, f)) {
        begin_get(r, f, f->exchange.request.target, true);
        return MORE;
    }
    if (!check_digest(r, f, manifest, problem) ||
        !manifest_check(manifest, &r->scan, r->media_type, &r->memory, problem)) {
        r->digest[0] = '\0';
        return FETCH_FAILED;
    }
    if (f->options.platform.size && f->state == FETCH_MANIFEST)
        return to_child(r, f, manifest, problem);
    if (is_schema1_to_tag(r, f))
        fetch_set_schema1(problem);
    return problem->status ? FETCH_FAILED : on_image(r, f, problem);
}

void fetch_take_stated(struct regtag *r, struct slice stated, struct error *e)
{
    if (r->image->digest.size && !slice_equal(stated, r->image->digest)) {
        error_set(e, REGTAG_E_REFUSED, "the registry states another digest, %.*s", SLICE_ARG(stated));
        return;
    }
    memcpy(r->digest, stated.data, stated.size);
    r->digest[stated.size] = '\0';
}

void fetch_take_unchanged(struct regtag *r, const struct http_response *response, const char *known,
                          struct error *e)
{
    struct slice digest;
    if (answer_still(response, slice_of(known), &digest))
        fetch_take_stated(r, digest, e);
    else
        error_set(e, REGTAG_E_PROTOCOL, "the registry states a malformed digest");
}

static enum fetch_event on_end(struct regtag *r, struct manifest_fetch *f, struct error *problem)
{
    unsigned status = f->exchange.response->status;
    if (status == 200)
        return on_manifest(r, f, problem);
    if (status == 304 && f->options.known && *f->options.known)
        fetch_take_unchanged(r, f->exchange.response, f->options.known, problem);
    else
        exchange_explain(&f->exchange, problem);
    return problem->status ? FETCH_FAILED : FETCH_UNCHANGED;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static enum fetch_event step(struct regtag *r, struct manifest_fetch *f, struct error *problem)
{
    struct slice part;
    if (f->state == FETCH_SIGNATURE)
        return step_signature(r, f, problem);
    switch (client_step(r->source, &f->exchange, &part)) {
    case EXCHANGE_HEAD: /* again after a retry: start over */
        r->manifest_size = 0;
        r->scan = (struct document_scan){0};
        return check_header(r, f, problem) ? MORE : FETCH_FAILED;
    case EXCHANGE_BODY: return keep_part(r, f, part, problem) ? MORE : FETCH_FAILED;
    case EXCHANGE_END: return on_end(r, f, problem);
    case EXCHANGE_FAILED: *problem = r->source->context.error; return FETCH_FAILED;
    default: return FETCH_WAIT;
    }
}

enum fetch_event fetch_step(struct regtag *r, struct manifest_fetch *f, struct error *problem)
{
    enum fetch_event event = MORE;
    REQUIRE(f->state >= FETCH_MANIFEST && f->state <= FETCH_SIGNATURE);
    REQUIRE((f->state != FETCH_MANIFEST || !*f->child) && (f->state != FETCH_CHILD || *f->child));
    REQUIRE(r->manifest_size <= r->manifest_max && !*r->digest);
    while (event == MORE)
        event = step(r, f, problem);
    if (event == FETCH_WAIT)
        return event;
    client_cancel(r->source, &f->exchange); /* don't read the rest of a rejected answer */
    ENTER("manifest_fetch", f->state, FETCH_OVER);
    return event;
}
