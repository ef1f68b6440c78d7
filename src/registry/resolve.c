#include "registry/resolve.h"

#include <string.h>

#define BY_GET_MAX 8u /* lookups until HEAD is tried again */

/* ---- The result ------------------------------------------------------------------------------ */

static void begin_again(struct regtag *r, struct resolve *z)
{
    struct request q = z->exchange.request;
    q.pipelined = false;
    z->sight = SIGHT_UNKNOWN;
    z->waited = false;
    client_begin(&r->client, &z->exchange, &q);
    if (q.method == METHOD_GET)
        ENTER("resolve", z->state, RESOLVE_GET);
    else
        ENTER("resolve", z->state, RESOLVE_HEAD);
}

/* Strong, and short enough to be sent back unchanged (RFC 9110, 8.8.3); else there is none. */
static bool is_strong(struct slice etag)
{
    bool good = etag.size >= 2 && etag.size <= ETAG_MAX && etag.data[0] == '"';
    for (size_t i = 1; good && i + 1 < etag.size; i++)
        good = (unsigned char)etag.data[i] > ' ' && etag.data[i] != '"' && etag.data[i] != 0x7f;
    return good && etag.data[etag.size - 1] == '"';
}

static void keep_etag(struct regtag *r, const struct resolve *z)
{
    char *kept = r->guards.etag;
    struct slice etag;
    if (!http_response_field(z->exchange.response, SLICE("etag"), &etag) || !is_strong(etag))
        etag = SLICE("");
    if (etag.size)
        memcpy(kept, etag.data, etag.size);
    kept[etag.size] = '\0';
}

static bool found(struct regtag *r, struct resolve *z, enum sight sight, struct slice digest)
{
    z->sight = sight;
    if (z->guarded && sight == SIGHT_DIGEST)
        keep_etag(r, z);
    if (digest.size)
        memcpy(z->digest, digest.data, digest.size);
    z->digest[digest.size] = '\0';
    ENTER("resolve", z->state, RESOLVE_HELD);
    return false;
}

/* An answer of a pipeline counts when all of it has come in step; else the request goes out again, alone. */
static bool step_held(struct regtag *r, struct resolve *z, bool *waiting)
{
    enum standing standing = exchange_standing(&z->exchange);
    bool unresolved = z->waited && z->sight == SIGHT_UNKNOWN;
    *waiting = standing == STANDING_OPEN;
    z->waited = z->waited || *waiting;
    r->client.context.queued = r->client.context.queued || *waiting;
    if (*waiting)
        return false;
    if (standing == STANDING_VOID || (unresolved && !z->reason)) {
        begin_again(r, z);
        return false;
    }
    if (unresolved)
        r->unknown = *z->reason; /* others have set it meanwhile */
    ENTER("resolve", z->state, RESOLVE_OVER);
    return true;
}

/* The caller has set r->unknown to the reason. */
static bool unknown(struct regtag *r, struct resolve *z)
{
    VERB_TELL(r, REGTAG_TRACE_NOTE, "cannot tell where %s points: %s", z->tag, r->unknown.text);
    if (z->reason)
        *z->reason = r->unknown;
    return found(r, z, SIGHT_UNKNOWN, SLICE(""));
}

static bool unknown_because(struct regtag *r, struct resolve *z, const char *problem)
{
    error_clear(&r->unknown);
    error_set(&r->unknown, REGTAG_E_PROTOCOL, "%s", problem);
    client_cancel(&r->client, &z->exchange);
    return unknown(r, z);
}

/* An answer that neither states a digest nor says that the tag is absent. */
static bool unexplained(struct regtag *r, struct resolve *z)
{
    error_clear(&r->unknown);
    exchange_explain(&z->exchange, &r->unknown);
    return unknown(r, z);
}

static bool on_failure(struct regtag *r, struct resolve *z)
{
    r->unknown = r->client.context.error;
    return unknown(r, z);
}

bool resolve_is_held(const struct resolve *z)
{
    return z->state == RESOLVE_HELD;
}

bool resolve_found(const struct resolve *z, const char *digest)
{
    return z->sight == SIGHT_DIGEST && strcmp(z->digest, digest) == 0;
}

const char *resolve_describe(struct regtag *r, const struct resolve *z)
{
    struct error *e = &r->unknown;
    if (z->sight == SIGHT_UNKNOWN)
        return e->text;
    error_clear(e);
    if (z->sight == SIGHT_ABSENT)
        error_set(e, REGTAG_E_NOT_FOUND, "no such tag");
    else
        error_set(e, REGTAG_E_OTHER, "it points to %s", z->digest);
    return e->text;
}

/* ---- GET ------------------------------------------------------------------------------------- */

static bool begin_get(struct regtag *r, struct resolve *z)
{
    struct request q = z->exchange.request;
    q.method = METHOD_GET;
    q.content = true;
    client_begin(&r->client, &z->exchange, &q);
    ENTER("resolve", z->state, RESOLVE_GET);
    return false;
}

/* Both return true if that settles the result. */
static bool on_content(struct regtag *r, struct resolve *z)
{
    const struct regtag_hash *hash = &r->config.hash;
    z->received = 0;
    r->hash_taken = false;
    r->version = (struct schema_version){.is_2 = false};
    if (hash->start(hash->context) != 0)
        return unknown_because(r, z, "the SHA-256 could not be computed");
    return false;
}

static bool on_part(struct regtag *r, struct resolve *z, struct slice part)
{
    const struct regtag_hash *hash = &r->config.hash;
    z->received += part.size;
    schema_version_take(&r->version, part);
    bool fits = z->received <= r->manifest_max;
    if (fits && (r->hash_taken || hash->update(hash->context, part.data, part.size) == 0))
        return false;
    return unknown_because(r, z, "the registry states no digest, and the manifest is too large");
}

/* The hash went to the image, which came meanwhile. */
static bool ask_again(struct regtag *r, struct resolve *z)
{
    struct request q = z->exchange.request;
    client_begin(&r->client, &z->exchange, &q);
    return false;
}

/* Use the digest of the body, except for schema 1, whose digest leaves out the signatures. */
static bool on_manifest(struct regtag *r, struct resolve *z)
{
    const struct regtag_hash *hash = &r->config.hash;
    const struct http_response *response = z->exchange.response;
    struct slice type, stated;
    unsigned char sum[32];
    char digest[DIGEST_SHA256_SIZE + 1];

    http_response_field(response, SLICE("content-type"), &type);
    const struct media_type *media_type = media_type_find(type);
    if (hash->finish(hash->context, sum) != 0)
        return unknown_because(r, z, "the SHA-256 could not be computed");
    if (!media_type || media_type->kind == MANIFEST_SCHEMA1)
        return unknown_because(r, z, "the registry states no digest, and what it sent has none");
    digest_from_sum(sum, digest);
    bool single = answer_digest(response, &stated);
    if (single && stated.size && !slice_equal(stated, slice_of(digest)))
        return unknown_because(r, z, "what arrived does not have the digest that the registry states");
    bool sure = media_type->kind != MANIFEST_UNSTATED || (single && stated.size);
    if (!sure && !schema_version_is_2(&r->version))
        return unknown_because(r, z, "the registry states neither a digest nor a manifest's media type");
    if (z->head)
        r->resolve_by_get = BY_GET_MAX;
    return found(r, z, SIGHT_DIGEST, slice_of(digest));
}

static bool on_get_answer(struct regtag *r, struct resolve *z)
{
    unsigned status = z->exchange.response->status;
    if (status == 200)
        return r->hash_taken ? ask_again(r, z) : on_manifest(r, z);
    if (status != 404 && status != 410)
        return unexplained(r, z);
    if (head_is_unsupported(z->head))
        r->resolve_by_get = BY_GET_MAX;
    return found(r, z, SIGHT_ABSENT, SLICE(""));
}

/* There is one hash for all. Whoever waits for a connection gives it up, or another one that has the
 * connection would wait for the hash. */
static bool takes_turn(struct regtag *r, struct resolve *z)
{
    if (!r->hashing || !exchange_is_in_flight(&r->hashing->exchange))
        r->hashing = z;
    return r->hashing == z;
}

static void leave_turn(struct regtag *r, const struct resolve *z)
{
    if (r->hashing != z)
        return;
    r->hashing = NULL;
    r->client.context.wake = r->client.context.now; /* another one may wait for it */
}

static bool step_get(struct regtag *r, struct resolve *z, bool *waiting)
{
    struct slice part;
    REQUIRE(z->exchange.request.method == METHOD_GET && z->exchange.request.content &&
            z->sight == SIGHT_UNKNOWN);
    switch (client_step(&r->client, &z->exchange, &part)) {
    case EXCHANGE_HEAD: return on_content(r, z);
    case EXCHANGE_BODY: return on_part(r, z, part);
    case EXCHANGE_END: return on_get_answer(r, z);
    case EXCHANGE_FAILED: return on_failure(r, z);
    default: *waiting = true; return false;
    }
}

/* ---- HEAD ------------------------------------------------------------------------------------ */

bool head_is_refused_elsewhere(const struct exchange *head)
{
    unsigned status = head->response->status;
    return head->redirects && status >= 400 && status < 500 && status != 401 &&
           !status_is_transient(status);
}

bool head_is_refused(const struct exchange *head)
{
    unsigned status = head->response->status;
    return head_is_unsupported(status) || status == 402 || status == 403 || status == 406 ||
           status == 410 || status == 412 || status == 415 || status == 423 || status == 451 ||
           head_is_refused_elsewhere(head);
}

bool head_is_unsupported(unsigned status)
{
    return status == 400 || status == 405 || status == 501;
}

static bool on_head_answer(struct regtag *r, struct resolve *z)
{
    const struct http_response *response = z->exchange.response;
    struct slice digest;
    if (response->status == 404 && !z->certain)
        return found(r, z, SIGHT_ABSENT, SLICE(""));
    if (response->status == 404 || head_is_refused(&z->exchange)) {
        z->head = response->status;
        return begin_get(r, z);
    }
    if (response->status != 200)
        return unexplained(r, z);
    if (!answer_digest(response, &digest) || (digest.size && !digest_is_sha256(digest)))
        return unknown_because(r, z, "the registry states a malformed digest, or not a SHA-256");
    if (digest.size)
        return found(r, z, SIGHT_DIGEST, digest);
    z->head = response->status;
    return begin_get(r, z);
}

static bool step_head(struct regtag *r, struct resolve *z, bool *waiting)
{
    struct slice part;
    REQUIRE(z->exchange.request.method == METHOD_HEAD && !z->head && z->sight == SIGHT_UNKNOWN);
    switch (client_step(&r->client, &z->exchange, &part)) {
    case EXCHANGE_END: return on_head_answer(r, z);
    case EXCHANGE_FAILED: return on_failure(r, z);
    default: *waiting = true; return false;
    }
}

/* ---- Steps ----------------------------------------------------------------------------------- */

void resolve_begin(struct regtag *r, struct resolve *z, const char *tag,
                   const struct resolve_options *options)
{
    bool by_get = r->resolve_by_get > 0;
    struct request q = {.method = by_get ? METHOD_GET : METHOD_HEAD,
                        .place = PLACE_MANIFESTS,
                        .target = slice_of(tag),
                        .accepts_manifests = true,
                        .content = by_get,
                        .optional = options->optional,
                        .pipelined = options->pipelined,
                        .guarded = options->guarded,
                        .meanings = MANIFEST_MEANINGS,
                        .attempts = options->attempts,
                        .not_before = options->not_before};
    z->tag = tag;
    z->certain = options->certain;
    z->guarded = options->guarded;
    z->reason = options->reason;
    z->waited = false;
    z->head = 0;
    z->sight = SIGHT_UNKNOWN;
    z->state = RESOLVE_START;
    r->resolve_by_get -= by_get;
    client_begin(&r->client, &z->exchange, &q);
    if (by_get)
        ENTER("resolve", z->state, RESOLVE_GET);
    else
        ENTER("resolve", z->state, RESOLVE_HEAD);
}

bool resolve_step(struct regtag *r, struct resolve *z)
{
    bool waiting = false, over = z->state == RESOLVE_OVER;
    REQUIRE(z->state != RESOLVE_START);
    while (!over && !waiting)
        if (z->state == RESOLVE_HELD)
            over = step_held(r, z, &waiting);
        else if (z->state == RESOLVE_HEAD)
            over = step_head(r, z, &waiting);
        else if (takes_turn(r, z))
            over = step_get(r, z, &waiting);
        else
            waiting = true;
    if (over)
        leave_turn(r, z);
    return over;
}
