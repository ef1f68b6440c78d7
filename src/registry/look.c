/* Where a tag points: by HEAD, which costs the registry next to nothing, or else by GET. */
#include <string.h>

#include "registry/operation.h"

/* ---- Before ---------------------------------------------------------------------------------- */

enum regtag_event operation_look(struct regtag *r, enum phase then)
{
    r->look.then = then;
    r->look.head = 0;
    return operation_turn(r, r->look.by_get ? PHASE_WEIGH : PHASE_LOOK);
}

/* No look is worth a round trip of its own if it can follow another request. Where a 401 is to be expected,
 * that would be one of two. */
void operation_follow(struct regtag *r, const char *name)
{
    struct exchange *x = &r->exchange;
    if (r->no_following || r->redirects || r->look.by_get ||
        auth_expects_challenge(&r->auth, &r->config.credentials))
        return;
    operation_follow_request(r, slice_of(name));
    r->following = x->follows ? name : NULL;
}

/* ---- After ----------------------------------------------------------------------------------- */

static enum regtag_event seen(struct regtag *r, enum sight sight, struct slice digest)
{
    r->look.sight = sight;
    if (digest.size)
        memcpy(r->look.digest, digest.data, digest.size);
    r->look.digest[digest.size] = '\0';
    return operation_turn(r, r->look.then);
}

static enum regtag_event not_seen(struct regtag *r, const struct error *why)
{
    r->look.why = *why;
    operation_tell(r, REGTAG_TRACE_NOTE, "it cannot be seen where %s points: %s", r->result.name,
                   why->text);
    return seen(r, SIGHT_NOTHING, SLICE(""));
}

bool head_refused(unsigned status)
{
    static const unsigned REFUSALS[] = {400, 403, 405, 406, 410, 415, 501};
    for (size_t i = 0; i < sizeof REFUSALS / sizeof *REFUSALS; i++)
        if (REFUSALS[i] == status)
            return true;
    return false;
}

/* Whether the registry does not understand HEAD, whatever it is for. */
static bool head_unsupported(unsigned status)
{
    return status == 400 || status == 405 || status == 501;
}

static bool means_absent(unsigned status)
{
    return status == 404 || status == 410;
}

void look_note_get(struct regtag *r)
{
    unsigned head = r->look.head, status = r->exchange.response.status;
    bool found = status == 200 || status == 304;
    if (head && (found || (means_absent(status) && head_unsupported(head))))
        r->look.by_get = true;
}

/* Some registries answer 404 to the HEAD of a tag that a GET finds. Before an unguarded upload the tag is set
 * either way; anywhere else it matters whether the 404 is true. */
static bool absence_decides(const struct regtag *r)
{
    if (r->look.then == PHASE_GATHERED)
        return false;
    return r->look.then != PHASE_SEEN || r->unsure || guard_exists(r);
}

/* If another HEAD was pipelined behind this one, its answer is lost, and so is the connection: once is enough. */
static enum regtag_event check_by_get(struct regtag *r)
{
    r->look.head = r->exchange.response.status;
    r->no_following |= r->exchange.follows;
    return operation_turn(r, PHASE_WEIGH);
}

static enum regtag_event looked(struct regtag *r)
{
    const struct http_response *response = &r->exchange.response;
    struct error why = {.status = 0};
    struct slice digest;

    if (head_refused(response->status) || (response->status == 404 && absence_decides(r)))
        return check_by_get(r);
    if (response->status == 404)
        return seen(r, SIGHT_ABSENT, SLICE(""));
    if (response->status != 200)
        operation_explain(r, REQUEST_MANIFEST, &why);
    else if (!answer_digest(response, &digest) || (digest.size && !digest_is_sha256(digest)))
        error_set(&why, REGTAG_PROTOCOL, "the registry states a digest that is none, or no SHA-256");
    else if (digest.size)
        return seen(r, SIGHT_DIGEST, digest);
    else {
        r->look.by_get = true;
        return operation_turn(r, PHASE_WEIGH);
    }
    return not_seen(r, &why);
}

bool look_is_optional(const struct regtag *r)
{
    return r->look.then == PHASE_GATHERED || (r->look.then == PHASE_SEEN && !guard_exists(r));
}

/* A look that could be done without gets a part of the time that is left. */
static uint64_t look_until(const struct regtag *r)
{
    uint64_t left = r->now < r->deadline ? r->deadline - r->now : 0;
    return r->deadline - (look_is_optional(r) ? left - left / 4 : 0);
}

static bool begin_look(struct regtag *r)
{
    if (r->exchange.follows && r->following == r->result.name) {
        exchange_take_follower(&r->exchange);
        operation_sent(r, look_until(r));
        return true;
    }
    operation_manifest_request(r, "HEAD", slice_of(r->result.name));
    operation_send(r, "HEAD", SLICE(""), look_until(r));
    return false;
}

enum regtag_event phase_look(struct regtag *r)
{
    if (!r->begun) {
        r->followed = begin_look(r); /* what begins it clears that */
        if (together_following(r))
            operation_follow(r, together_following(r));
    }
    switch (operation_answer(r)) {
    case EXCHANGE_WAIT: return REGTAG_WAIT;
    case EXCHANGE_MOVED: return GO_ON;
    case EXCHANGE_END: return looked(r);
    default: break;
    }
    if (!r->followed)
        return not_seen(r, &r->exchange.error);
    r->no_following = true; /* there may be a server, or a proxy, that cannot do this */
    return operation_turn(r, PHASE_LOOK);
}

/* ---- GET ------------------------------------------------------------------------------------- */

/* The digest of what has come, if it is that of the manifest: a signed schema 1 manifest has another one. */
static enum regtag_event weighed(struct regtag *r)
{
    const struct regtag_hash *hash = &r->config.hash;
    struct error why = {.status = 0};
    struct slice type, stated;
    unsigned char sum[32];
    char digest[DIGEST_SHA256_SIZE + 1];

    http_response_field(&r->exchange.response, SLICE("content-type"), &type);
    const struct media_type *media_type = media_type_find(type);
    if (hash->finish(hash->context, sum) != 0)
        error_set(&why, REGTAG_OTHER, "the SHA-256 could not be computed");
    else if (!media_type || media_type->kind == MANIFEST_SCHEMA1)
        error_set(&why, REGTAG_PROTOCOL, "the registry states no digest, and what it sends has none");
    if (why.status)
        return not_seen(r, &why);
    digest_from_sum(sum, digest);
    if (answer_digest(&r->exchange.response, &stated) && stated.size &&
        !slice_equal(stated, slice_of(digest))) {
        error_set(&why, REGTAG_REFUSED, "what came is not what the registry says that it sent");
        return not_seen(r, &why);
    }
    return seen(r, SIGHT_DIGEST, slice_of(digest));
}

static enum regtag_event weigh_failed(struct regtag *r, const char *problem)
{
    struct error why = {.status = 0};
    error_set(&why, REGTAG_PROTOCOL, "%s", problem);
    exchange_abandon(&r->exchange);
    return not_seen(r, &why);
}

/* There is no manifest. The rest of the answer is read for its words, and to keep the connection. */
static enum regtag_event weigh_refused(struct regtag *r)
{
    struct error why = {.status = 0};
    switch (operation_answer(r)) {
    case EXCHANGE_WAIT: return REGTAG_WAIT;
    case EXCHANGE_MOVED: return GO_ON;
    case EXCHANGE_FAILED: return not_seen(r, &r->exchange.error);
    default: break;
    }
    if (means_absent(r->exchange.response.status))
        return seen(r, SIGHT_ABSENT, SLICE(""));
    operation_explain(r, REQUEST_MANIFEST, &why);
    return not_seen(r, &why);
}

static bool is_refused(const struct regtag *r)
{
    return r->exchange.answered && r->exchange.response.status != 200;
}

static bool begin_weighing(struct regtag *r)
{
    const struct regtag_hash *hash = &r->config.hash;
    r->drained = 0;
    operation_manifest_request(r, "GET", slice_of(r->result.name));
    operation_send(r, "GET", SLICE(""), look_until(r));
    return hash->start(hash->context) == 0;
}

enum regtag_event phase_weigh(struct regtag *r)
{
    const struct regtag_hash *hash = &r->config.hash;
    struct slice part;
    if (!r->begun && !begin_weighing(r))
        return weigh_failed(r, "the SHA-256 could not be computed");
    if (is_refused(r))
        return weigh_refused(r);
    for (;;) {
        switch (operation_step(r, &part)) {
        case EXCHANGE_WAIT: return REGTAG_WAIT;
        case EXCHANGE_MOVED: return GO_ON;
        case EXCHANGE_HEAD:
            look_note_get(r);
            if (is_refused(r))
                return weigh_refused(r);
            break;
        case EXCHANGE_BODY:
            r->drained += part.size;
            if (r->drained > r->manifest_max || hash->update(hash->context, part.data, part.size) != 0)
                return weigh_failed(r, "the registry states no digest, and the manifest is too large");
            break;
        case EXCHANGE_END: return weighed(r);
        case EXCHANGE_FAILED: return not_seen(r, &r->exchange.error);
        }
    }
}
