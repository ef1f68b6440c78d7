/* regtag_digest: where the tag points, by HEAD, or by GET of the manifest if HEAD does not say. */
#include <string.h>

#include "registry/manifest_fetch.h"
#include "registry/resolve.h"

/* HEAD says 404, GET finds the tag: once, it may just have been created between the two. Twice in a
 * row, HEAD cannot be trusted here. */
#define CONTRADICTIONS_MAX 2u

enum digest_state { DIGEST_START, DIGEST_HEAD, DIGEST_FETCH, DIGEST_OVER };

struct digest_verb {
    enum digest_state state;
    bool by_get;   /* HEAD was of no use: the next check does without, the one after it tries again */
    unsigned head; /* 0, or the status of the HEAD that the GET follows */
    unsigned contradictions; /* consecutive HEADs that denied a tag which GET then found */
    struct attempts attempts;
    char known[DIGEST_SHA256_SIZE + 1]; /* the digest passed to regtag_again */
    struct slice platform;
    struct exchange exchange;
    struct manifest_fetch fetch;
};

VERB_FITS(digest_verb);

static struct digest_verb *digest_of_verb(struct regtag *r)
{
    return (struct digest_verb *)(void *)r->verb_memory.bytes;
}

/* ---- GET ------------------------------------------------------------------------------------- */

static enum regtag_event begin_fetch(struct regtag *r, struct digest_verb *v)
{
    struct fetch_options options = {.platform = v->platform,
                                    .child_digest = true,
                                    .vouched = true,
                                    .known = v->known,
                                    .attempts = &v->attempts};
    ENTER("digest", v->state, DIGEST_FETCH);
    fetch_begin(r, &v->fetch, &options);
    return GO_ON;
}

static enum regtag_event over(struct regtag *r, struct digest_verb *v, const struct error *problem)
{
    ENTER("digest", v->state, DIGEST_OVER);
    return problem->status ? verb_failed(r, problem) : verb_done(r);
}

/* After a GET that followed a HEAD: decide whether the next check can do without the HEAD. Never for longer,
 * since one odd answer says little, and a GET counts as a pull where a HEAD is free. */
static void note_head(struct digest_verb *v, bool found)
{
    bool denied = v->head == 403 || v->head == 404 || v->head == 410;
    if (denied && found)
        v->by_get = ++v->contradictions >= CONTRADICTIONS_MAX;
    else if (!denied)
        v->by_get = found || head_is_unsupported(v->head);
}

static enum regtag_event step_fetch(struct regtag *r, struct digest_verb *v)
{
    struct error *problem = verb_problem(r);
    REQUIRE(v->state == DIGEST_FETCH && !*r->digest);
    enum fetch_event event = fetch_step(r, &v->fetch, problem);
    if (event == FETCH_WAIT)
        return REGTAG_WAIT;
    if (v->head)
        note_head(v, event != FETCH_FAILED);
    return over(r, v, problem);
}

/* ---- HEAD ------------------------------------------------------------------------------------ */

static void begin_head(struct regtag *r, struct digest_verb *v)
{
    struct request q = {.method = METHOD_HEAD,
                        .place = PLACE_MANIFESTS,
                        .target = verb_wanted(r),
                        .accepts_manifests = true,
                        .known = v->known,
                        .meanings = MANIFEST_MEANINGS,
                        .attempts = &v->attempts};
    ENTER("digest", v->state, DIGEST_HEAD);
    client_begin(&r->client, &v->exchange, &q);
}

/* If the GET is refused, too, its body explains why; a HEAD has none. */
static enum regtag_event check_by_get(struct regtag *r, struct digest_verb *v)
{
    v->head = v->exchange.response->status;
    return begin_fetch(r, v);
}

static enum regtag_event on_head_answer(struct regtag *r, struct digest_verb *v)
{
    const struct http_response *response = v->exchange.response;
    struct error *problem = verb_problem(r);
    struct slice stated;

    if (response->status == 304 && *v->known) {
        v->contradictions = 0;
        fetch_take_unchanged(r, response, v->known, problem);
    } else if (response->status == 404 || head_is_refused(&v->exchange))
        return check_by_get(r, v);
    else if (response->status != 200)
        exchange_explain(&v->exchange, problem);
    else if (!answer_digest(response, &stated))
        error_set(problem, REGTAG_E_PROTOCOL, "the registry states a malformed digest");
    else if (stated.size == 0)
        return check_by_get(r, v);
    else {
        v->contradictions = 0;
        fetch_take_stated(r, stated, problem);
    }
    return over(r, v, problem);
}

static enum regtag_event step_head(struct regtag *r, struct digest_verb *v)
{
    struct slice part;
    REQUIRE(v->platform.size == 0 && !v->by_get && !*r->digest);
    switch (client_step(&r->client, &v->exchange, &part)) {
    case EXCHANGE_END: return on_head_answer(r, v);
    case EXCHANGE_FAILED: return over(r, v, &r->client.context.error);
    default: return REGTAG_WAIT;
    }
}

/* ---- The verb -------------------------------------------------------------------------------- */

static enum regtag_event step(struct regtag *r)
{
    struct digest_verb *v = digest_of_verb(r);
    REQUIRE(v->state == DIGEST_HEAD || v->state == DIGEST_FETCH);
    return v->state == DIGEST_HEAD ? step_head(r, v) : step_fetch(r, v);
}

static const struct verb DIGEST = {.actions = "pull", .step = step};

static void ask(struct regtag *r, struct digest_verb *v)
{
    bool by_get = v->platform.size || v->by_get;
    v->state = DIGEST_START;
    v->head = 0;
    v->by_get = false;
    if (by_get)
        begin_fetch(r, v);
    else
        begin_head(r, v);
}

enum regtag_status regtag_digest(struct regtag *r, const char *image)
{
    struct digest_verb *v = digest_of_verb(r);
    if (verb_begin_image(r, &DIGEST, sizeof *v, image) != REGTAG_OK ||
        !fetch_check_platform(r, slice_of(r->config.platform)))
        return REGTAG_E_USAGE;
    v->platform = slice_of(r->config.platform);
    v->attempts.polling = r->config.keep;
    ask(r, v);
    return REGTAG_OK;
}

void regtag_again(struct regtag *r, const char *known)
{
    struct digest_verb *v = digest_of_verb(r);
    struct slice digest = slice_of(known);
    if (r->verb != &DIGEST || v->state == DIGEST_START)
        return;
    if (v->platform.size || !digest_is_sha256(digest) || !digest_valid(digest))
        digest = SLICE(""); /* with a platform it is that of a child, and no condition for the index */
    if (digest.size)
        memcpy(v->known, digest.data, digest.size);
    v->known[digest.size] = '\0';
    r->digest[0] = '\0';
    r->started = r->over = false;
    v->attempts.failed = 0;
    v->attempts.polling = true;
    client_again(&r->client);
    auth_again(&r->client.remote.auth);
    error_clear(&r->error);
    ask(r, v);
}
