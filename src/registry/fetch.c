/* Where a tag points, and what it points at. */
#include <string.h>

#include "oci/platform.h"
#include "registry/operation.h"

/* What the reference asks for: its digest, which wins over a tag, or its tag. */
static struct slice wanted(const struct regtag *r)
{
    return r->reference.digest.size ? r->reference.digest : reference_tag(&r->reference);
}

/* The request has failed, or its answer was not the one hoped for. Of a tag's names each is told. */
static enum regtag_event fetch_failed(struct regtag *r, const struct error *problem)
{
    if (r->verb != VERB_TAG)
        return operation_failed(r, problem);
    r->fate = *problem;
    r->fetch_failed = true;
    exchange_abandon(&r->exchange);
    return operation_go(r, PHASE_NEXT);
}

static enum regtag_event answer_failed(struct regtag *r)
{
    struct error problem = {.status = 0};
    bool list = r->verb == VERB_LIST || r->verb == VERB_DELETE;
    operation_explain(r, list ? REQUEST_LIST : REQUEST_MANIFEST, &problem);
    if (r->verb == VERB_DELETE)
        return siblings_failed(r, &problem);
    return fetch_failed(r, &problem);
}

enum regtag_event phase_words(struct regtag *r)
{
    enum exchange_event event = operation_answer(r);
    return event == EXCHANGE_WAIT ? REGTAG_WAIT : answer_failed(r);
}

/* ---- What the caller has already ------------------------------------------------------------- */

static void write_known(struct regtag *r)
{
    char text[DIGEST_SHA256_SIZE + 3];
    struct writer w = writer_to(text, sizeof text);
    write_format(&w, "\"%s\"", r->known);
    if (*r->known)
        write_field(&r->exchange.request, "If-None-Match", written(&w));
}

static bool is_known(const struct regtag *r)
{
    return r->exchange.response.status == 304 && *r->known;
}

static enum regtag_event still_there(struct regtag *r)
{
    memcpy(r->digest, r->known, sizeof r->known);
    return operation_done(r);
}

/* ---- HEAD ------------------------------------------------------------------------------------ */

static enum regtag_event asked(struct regtag *r)
{
    const struct http_response *response = &r->exchange.response;
    struct error problem = {.status = 0};
    struct slice digest;

    /* A GET may succeed where HEAD does not, and a refusal of it comes with words that explain. */
    if (response->status == 404 || head_refused(response->status)) {
        r->look.head = response->status;
        return operation_go(r, PHASE_FETCH);
    }
    if (is_known(r))
        return still_there(r);
    if (response->status != 200)
        return answer_failed(r);
    if (!answer_digest(response, &digest)) {
        error_set(&problem, REGTAG_PROTOCOL, "the registry states a digest that is none");
        return operation_failed(r, &problem);
    }
    if (digest.size == 0) {
        r->look.by_get = true;
        return operation_go(r, PHASE_FETCH);
    }
    if (r->reference.digest.size && !slice_equal(digest, r->reference.digest)) {
        error_set(&problem, REGTAG_REFUSED, "the registry states another digest, %.*s",
                  SLICE_ARG(digest));
        return operation_failed(r, &problem);
    }
    memcpy(r->digest, digest.data, digest.size);
    r->digest[digest.size] = '\0';
    return operation_done(r);
}

enum regtag_event phase_ask(struct regtag *r)
{
    if (!r->begun && operation_renew_token(r))
        return GO_ON;
    if (!r->begun) {
        operation_manifest_request(r, "HEAD", wanted(r));
        write_known(r);
        operation_send(r, "HEAD", SLICE(""), r->deadline);
    }
    switch (operation_answer(r)) {
    case EXCHANGE_WAIT: return REGTAG_WAIT;
    case EXCHANGE_MOVED: return GO_ON;
    case EXCHANGE_FAILED: return operation_failed(r, &r->exchange.error);
    default: return asked(r);
    }
}

/* ---- GET ------------------------------------------------------------------------------------- */

static void too_large(const struct regtag *r, struct error *e)
{
    error_set(e, REGTAG_REFUSED, "the manifest is larger than %zu bytes, the limit", r->manifest_max);
}

/* A schema 1 manifest may be looked at, not given a tag. */
static bool schema1_only(const struct regtag *r)
{
    return r->verb == VERB_TAG && r->media_type->kind == MANIFEST_SCHEMA1;
}

static void schema1(struct error *e)
{
    error_set(e, REGTAG_SCHEMA1,
              "the image exists only as schema 1, the format of Docker before 1.10, which names its tag "
              "within itself and cannot be given another; push it anew with a newer Docker, or with "
              "skopeo copy --format v2s2");
}

static void check_media_type(struct regtag *r, struct error *e)
{
    struct slice type;
    bool single = http_response_field(&r->exchange.response, SLICE("content-type"), &type);
    r->media_type = single ? media_type_find(type) : NULL;
    type = slice_head(type, 100);
    if (r->media_type && schema1_only(r) && r->media_type->named)
        schema1(e);
    if (r->media_type)
        return;
    if (slice_contains(type, SLICE("json")) || !single)
        error_set(e, REGTAG_REFUSED, "it is not a manifest of a known media type, but \"%.*s\"",
                  SLICE_ARG(type));
    else if (type.size == 0)
        error_set(e, REGTAG_REFUSED, "the registry does not say which media type the manifest has");
    else
        error_set(e, REGTAG_PROTOCOL,
                  "the answer is not a manifest, but %.*s; is a registry at this "
                  "address?",
                  SLICE_ARG(type));
}

/* Everything that the header can tell, before the body is read. */
static bool check_header(struct regtag *r, struct error *e)
{
    const struct http_response *response = &r->exchange.response;
    struct slice coding, digest;

    check_media_type(r, e);
    if (response->framing == HTTP_LENGTH && response->length > r->manifest_max)
        too_large(r, e);
    if (!http_response_field(response, SLICE("content-encoding"), &coding) ||
        (coding.size && !slice_equal_nocase(coding, SLICE("identity"))))
        error_set(e, REGTAG_PROTOCOL, "the answer is compressed, though that was not asked for");
    if (!answer_digest(response, &digest))
        error_set(e, REGTAG_PROTOCOL, "the registry states a digest that is none");
    else if (digest.size && !digest_is_sha256(digest))
        error_set(e, REGTAG_PROTOCOL,
                  "the registry states a digest other than a SHA-256, which cannot "
                  "be checked");
    return e->status == 0;
}

static bool keep_part(struct regtag *r, struct slice part, struct error *e)
{
    if (part.size > r->manifest_max - r->manifest_size) {
        too_large(r, e);
        return false;
    }
    memcpy(r->manifest + r->manifest_size, part.data, part.size);
    r->manifest_size += part.size;
    return true;
}

/* Nothing goes further that is not, to the byte, what the registry and the user say it is. */
static bool check_digest(struct regtag *r, struct slice manifest, struct error *e)
{
    struct slice stated, pinned = r->reference.digest;
    if (!manifest_digest(manifest, r->media_type, &r->memory, &r->config.hash, r->digest, e))
        return false;
    struct slice digest = slice_of(r->digest);
    answer_digest(&r->exchange.response, &stated);
    if (stated.size && !slice_equal(stated, digest))
        error_set(e, REGTAG_REFUSED, "what came is %.*s, but the registry says that it sent %.*s",
                  SLICE_ARG(digest), SLICE_ARG(stated));
    else if (pinned.size && !slice_equal(pinned, digest))
        error_set(e, REGTAG_REFUSED, "what came is %.*s, another image", SLICE_ARG(digest));
    return e->status == 0;
}

/* What came is an index: on to its child for the platform. */
static enum regtag_event to_child(struct regtag *r, struct slice manifest)
{
    struct error problem = {.status = 0};
    r->digest[0] = '\0';
    if (!platform_child(manifest, r->media_type, &r->memory, r->platform, r->child, &problem))
        return fetch_failed(r, &problem);
    operation_tell(r, REGTAG_TRACE_NOTE, "for %.*s: %s", SLICE_ARG(r->platform), r->child);
    if (r->verb == VERB_DIGEST) {
        memcpy(r->digest, r->child, sizeof r->child);
        return operation_done(r);
    }
    r->platform = SLICE("");
    r->reference.digest = slice_of(r->child);
    return operation_go(r, PHASE_FETCH);
}

static enum regtag_event fetched(struct regtag *r)
{
    struct slice manifest = {r->manifest, r->manifest_size};
    struct error problem = {.status = 0};

    if (!check_digest(r, manifest, &problem) ||
        !manifest_check(manifest, r->media_type, &r->memory, &problem)) {
        r->digest[0] = '\0';
        return fetch_failed(r, &problem);
    }
    if (r->platform.size)
        return to_child(r, manifest);
    if (r->verb != VERB_TAG)
        return operation_done(r);
    if (schema1_only(r)) {
        schema1(&problem);
        return fetch_failed(r, &problem);
    }
    together_init(r);
    return operation_go(r, PHASE_NEXT);
}

/* The look at the first name follows, once it is the image itself that comes. */
static void begin_fetch(struct regtag *r)
{
    r->manifest_size = 0;
    operation_manifest_request(r, "GET", wanted(r));
    if (r->verb == VERB_DIGEST)
        write_known(r);
    operation_send(r, "GET", SLICE(""), r->deadline);
    if (r->verb == VERB_TAG && r->count && r->platform.size == 0)
        operation_follow(r, r->names[0]);
}

enum regtag_event phase_fetch(struct regtag *r)
{
    struct error problem = {.status = 0};
    struct slice part;
    if (!r->begun && operation_renew_token(r))
        return GO_ON;
    if (!r->begun)
        begin_fetch(r);
    for (;;) {
        switch (operation_step(r, &part)) {
        case EXCHANGE_WAIT: return REGTAG_WAIT;
        case EXCHANGE_MOVED: return GO_ON;
        case EXCHANGE_HEAD:
            look_note_get(r);
            if (is_known(r)) {
                exchange_abandon(&r->exchange);
                return still_there(r);
            }
            if (r->exchange.response.status != 200)
                return operation_go(r, PHASE_WORDS);
            if (!check_header(r, &problem))
                return fetch_failed(r, &problem);
            break;
        case EXCHANGE_BODY:
            if (!keep_part(r, part, &problem))
                return fetch_failed(r, &problem);
            break;
        case EXCHANGE_END: return fetched(r);
        case EXCHANGE_FAILED: return fetch_failed(r, &r->exchange.error);
        }
    }
}
