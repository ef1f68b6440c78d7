#include "registry/blob_fetch.h"

#include <string.h>

#define MORE ((enum blob_event)(-1))
#define UNKNOWN UINT64_MAX

static void start_hash(struct blob_fetch *b)
{
    const struct regtag_hash *hash = b->hash;
    b->hash_failed = hash->start(hash->context) != 0;
    b->at = b->counted = 0;
}

void blob_add_to_hash(struct blob_fetch *b, struct slice bytes)
{
    const struct regtag_hash *hash = b->hash;
    b->hash_failed = b->hash_failed || hash->update(hash->context, bytes.data, bytes.size) != 0;
    b->at += bytes.size;
}

void blob_init(struct blob_fetch *b, struct slice digest, uint64_t size, const struct regtag_hash *hash)
{
    REQUIRE(digest_is_sha256(digest));
    memset(b, 0, sizeof *b);
    memcpy(b->digest, digest.data, digest.size);
    b->size = size;
    b->hash = hash;
    start_hash(b);
}

void blob_begin(struct regtag *r, struct blob_fetch *b, struct slice digest, uint64_t size,
                const struct regtag_hash *hash)
{
    client_cancel(r->source, &b->exchange);
    blob_init(b, digest, size, hash);
    ENTER("blob_fetch", b->state, BLOB_HELD);
}

void blob_have(struct blob_fetch *b, struct slice bytes)
{
    REQUIRE(b->state == BLOB_HELD);
    blob_add_to_hash(b, bytes);
    b->had = b->counted = b->at;
}

void regtag_have(struct regtag *r, const void *bytes, size_t size)
{
    if (r->blob && r->blob->state == BLOB_HELD)
        blob_have(r->blob, (struct slice){bytes, size});
}

const void *regtag_bytes(const struct regtag *r, uint64_t *at, size_t *size)
{
    *at = r->bytes_at;
    *size = r->bytes.size;
    return r->bytes.data;
}

void blob_cancel(struct regtag *r, struct blob_fetch *b)
{
    client_cancel(r->source, &b->exchange);
    ENTER("blob_fetch", b->state, BLOB_OVER);
}

/* ---- The request ----------------------------------------------------------------------------- */

static enum blob_event ask(struct regtag *r, struct blob_fetch *b)
{
    struct request q = {.method = METHOD_GET,
                        .place = PLACE_BLOBS,
                        .target = slice_of(b->digest),
                        .content = true,
                        .from = b->whole ? NULL : &b->at,
                        .meanings = BLOB_MEANINGS,
                        .alone = true,
                        .attempts = &b->attempts};
    ENTER("blob_fetch", b->state, BLOB_GET);
    b->begun = b->at;
    client_begin(r->source, &b->exchange, &q);
    return MORE;
}

/* The server cannot cope with ranges. */
static enum blob_event ask_for_all(struct regtag *r, struct blob_fetch *b)
{
    b->whole = true;
    return ask(r, b);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* If the caller had bytes, they are to blame first. */
static enum blob_event on_mismatch(struct regtag *r, struct blob_fetch *b, struct error *problem)
{
    if (b->had == 0)
        return BLOB_FAILED;
    VERB_TELL(r, REGTAG_TRACE_NOTE, "the bytes that were there are not those of %s: all are downloaded",
              b->digest);
    error_clear(problem);
    b->had = 0;
    start_hash(b);
    return ask(r, b);
}

bool blob_verify(struct blob_fetch *b, struct error *problem)
{
    const struct regtag_hash *hash = b->hash;
    unsigned char sum[32];
    char digest[DIGEST_SHA256_SIZE + 1];
    if (b->hash_failed || hash->finish(hash->context, sum) != 0) {
        error_set(problem, REGTAG_E_OTHER, "SHA-256 failed");
        return false;
    }
    digest_from_sum(sum, digest);
    if (strcmp(digest, b->digest) != 0 || b->at > b->size)
        error_set(problem, REGTAG_E_REFUSED, "the bytes that arrived are other ones, %s", digest);
    return problem->status == 0;
}

static enum blob_event verify(struct regtag *r, struct blob_fetch *b, struct error *problem)
{
    if (blob_verify(b, problem))
        return BLOB_DONE;
    return problem->status == REGTAG_E_REFUSED ? on_mismatch(r, b, problem) : BLOB_FAILED;
}

/* ---- The answer ------------------------------------------------------------------------------ */

void blob_set_wrong_size(const struct blob_fetch *b, uint64_t size, struct error *e)
{
    error_set(e, REGTAG_E_REFUSED, "it has %llu bytes instead of %llu", (unsigned long long)size,
              (unsigned long long)(b->size == UNKNOWN ? b->at : b->size));
}

/* Whether the size that the server states, or does not, can be that of the blob; it is learned if it was unknown. */
static bool check_size(struct blob_fetch *b, uint64_t size)
{
    if (b->size == UNKNOWN && size >= b->at)
        b->size = size;
    return size == UNKNOWN || size == b->size;
}

/* "bytes FIRST-LAST/SIZE" (RFC 9110, 14.4), where SIZE may be "*". */
static bool parse_content_range(const struct http_response *response, uint64_t *first, uint64_t *size)
{
    struct slice value;
    uint64_t last;
    if (!http_response_field(response, SLICE("content-range"), &value) ||
        !slice_starts(value, SLICE("bytes ")))
        return false;
    value = slice_from(value, 6);
    struct slice from = slice_split(&value, '-'), to = slice_split(&value, '/');
    *size = UNKNOWN;
    return slice_number(from, INT64_MAX, first) && slice_number(to, INT64_MAX, &last) &&
           (slice_equal(value, SLICE("*")) || slice_number(value, INT64_MAX, size));
}

/* Whether a 206 continues where we are. */
static bool continues(struct blob_fetch *b, const struct http_response *response)
{
    uint64_t first, size;
    return parse_content_range(response, &first, &size) && first == b->at && check_size(b, size);
}

/* A 200 begins at the beginning, whatever was asked for. */
static enum blob_event on_head(struct regtag *r, struct blob_fetch *b, struct error *e)
{
    const struct http_response *response = b->exchange.response;
    uint64_t size = response->framing == HTTP_LENGTH ? response->length : UNKNOWN;
    b->skip = response->status == 206 ? 0 : b->at;
    if (!answer_is_plain(response, e))
        return BLOB_FAILED;
    if (response->status == 206)
        return continues(b, response) ? MORE : ask_for_all(r, b);
    if (check_size(b, size))
        return MORE;
    blob_set_wrong_size(b, size, e);
    return b->size == UNKNOWN ? on_mismatch(r, b, e) : BLOB_FAILED;
}

void blob_set_too_large(const struct blob_fetch *b, struct error *e)
{
    error_set(e, REGTAG_E_REFUSED, "it has more than %llu bytes", (unsigned long long)b->size);
}

static enum blob_event on_bytes(struct blob_fetch *b, struct slice *part, uint64_t *at, struct error *e)
{
    size_t skipped = part->size < b->skip ? part->size : (size_t)b->skip;
    *part = slice_from(*part, skipped);
    b->skip -= skipped;
    if (part->size == 0)
        return MORE;
    if (part->size > b->size - b->at) {
        blob_set_too_large(b, e);
        return BLOB_FAILED;
    }
    *at = b->at;
    blob_add_to_hash(b, *part);
    retry_note_progress(&b->attempts, &b->counted, b->at);
    return BLOB_BYTES;
}

/* The end of an answer, which need not be that of the blob: a server may send less than was asked for. */
static enum blob_event on_content_end(struct regtag *r, struct blob_fetch *b, struct error *e)
{
    bool incomplete = b->at < b->size && b->size != UNKNOWN;
    if (incomplete && b->at > b->begun)
        return ask(r, b);
    if (!incomplete)
        return verify(r, b, e);
    blob_set_wrong_size(b, b->at - b->skip, e);
    return on_mismatch(r, b, e);
}

/* Nothing follows what is there; or the server takes no ranges. */
static enum blob_event on_range_refused(struct regtag *r, struct blob_fetch *b, struct error *e)
{
    bool may_be_all = b->size == UNKNOWN && b->had == b->at;
    return may_be_all || b->at == b->size ? verify(r, b, e) : ask_for_all(r, b);
}

static enum blob_event on_end(struct regtag *r, struct blob_fetch *b, struct error *e)
{
    unsigned status = b->exchange.response->status;
    if (status == 200 || status == 206)
        return on_content_end(r, b, e);
    if (status == 416 && request_has_range(&b->exchange.request))
        return on_range_refused(r, b, e);
    exchange_explain(&b->exchange, e);
    return BLOB_FAILED;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* The bytes of other answers, such as a 401, are not the blob's. */
static enum blob_event step(struct regtag *r, struct blob_fetch *b, struct slice *part, uint64_t *at,
                            struct error *problem)
{
    struct slice bytes;
    if (b->state == BLOB_HELD)
        return b->at >= b->size ? verify(r, b, problem) : ask(r, b);
    REQUIRE(b->state == BLOB_GET && b->at <= b->size);
    switch (client_step(r->source, &b->exchange, &bytes)) {
    case EXCHANGE_HEAD: return on_head(r, b, problem);
    case EXCHANGE_BODY: *part = bytes; return on_bytes(b, part, at, problem);
    case EXCHANGE_END: return on_end(r, b, problem);
    case EXCHANGE_FAILED: *problem = r->source->context.error; return BLOB_FAILED;
    default: return BLOB_WAIT;
    }
}

enum blob_event blob_step(struct regtag *r, struct blob_fetch *b, struct slice *part, uint64_t *at,
                          struct error *problem)
{
    enum blob_event event = MORE;
    while (event == MORE)
        event = step(r, b, part, at, problem);
    if (event == BLOB_DONE || event == BLOB_FAILED)
        blob_cancel(r, b); /* don't read the rest of a rejected answer */
    return event;
}

enum regtag_event blob_hand_out(struct regtag *r, struct blob_fetch *b, const struct error **problem)
{
    *problem = &r->problem;
    if (b->declined)
        return REGTAG_SETTLED;
    switch (blob_step(r, b, &r->bytes, &r->bytes_at, verb_problem(r))) {
    case BLOB_WAIT: return REGTAG_WAIT;
    case BLOB_BYTES: return REGTAG_BYTES;
    case BLOB_DONE: *problem = NULL; return REGTAG_SETTLED;
    default: return REGTAG_SETTLED;
    }
}

void blob_decline(struct regtag *r, struct blob_fetch *b)
{
    if (!b->declined)
        blob_cancel(r, b);
    b->declined = true;
}
