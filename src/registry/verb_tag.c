/* regtag_tag: points one or more tags at an image, one after the other. */
#include <string.h>

#include "base/names.h"
#include "registry/change.h"
#include "registry/manifest_fetch.h"

enum tag_state {
    TAG_START,
    TAG_FETCH,       /* the manifest */
    TAG_NEXT,        /* pick the next name */
    TAG_RESOLVE,     /* where does the tag point before? */
    TAG_ANNOUNCED,   /* REGTAG_UPLOAD was returned */
    TAG_UPLOAD,      /* PUT of the manifest */
    TAG_UNCONFIRMED, /* outcome of the PUT unclear: where does the tag point? */
    TAG_CONFIRM,     /* confirm: read the tag back */
    TAG_OVER
};

/* Why it is unclear whether an upload has set the tag. */
enum reason {
    REASON_NO_ANSWER, /* sent in full, but not answered */
    REASON_NO_DIGEST, /* accepted, but the response states no digest */
    REASON_ERROR      /* an error response, but the tag may be set regardless */
};

struct tag_verb {
    enum tag_state state;
    size_t index, next; /* of the current name, and of the one after it */
    unsigned current;   /* which of them is for the current name */
    size_t ahead;       /* index of the name that the other one is for; names.count if none */
    bool unanswered;    /* an upload of this name got no answer, and the tag was not resolved since */
    enum reason reason; /* why it is unconfirmed */
    bool no_manifest;   /* the fetch failed: abort_error is about the image, not about a tag */
    struct names names;
    struct resolve resolves[2]; /* for the current name, and ahead of time for the next one */
    struct manifest_fetch fetch;
    struct change change;
    struct error abort_error; /* fails all remaining names */
};

/* Bytes at the start of the struct that must be zeroed: all but the error texts. */
#define CLEARED (offsetof(struct tag_verb, change) + CHANGE_CLEARED)

VERB_FITS(tag_verb);

static struct tag_verb *tag_of(struct regtag *r)
{
    return (struct tag_verb *)(void *)r->verb_memory.bytes;
}

static const char *name_of(const struct tag_verb *v)
{
    return v->names.list[v->index];
}

static struct resolve *resolve_of(struct tag_verb *v)
{
    return &v->resolves[v->current];
}

/* ---- Settling a name ------------------------------------------------------------------------- */

static enum regtag_event settle(struct regtag *r, struct tag_verb *v, enum regtag_outcome outcome,
                                const struct error *problem)
{
    ENTER("tag", v->state, TAG_NEXT);
    return verb_settle(r, outcome, v->no_manifest ? NULL : name_of(v), problem);
}

/* If the registry is unreachable or time is up, the remaining names fail, too. */
static enum regtag_event settle_failed(struct regtag *r, struct tag_verb *v, enum regtag_outcome outcome,
                                       const struct error *problem)
{
    verb_cannot_go_on(r, &v->abort_error);
    return settle(r, v, outcome, problem);
}

static enum regtag_event settle_set(struct regtag *r, struct tag_verb *v)
{
    enum regtag_previous before = r->result.before;
    enum regtag_outcome there = before == REGTAG_PREVIOUS_KNOWN ? REGTAG_TAG_MOVED : REGTAG_TAG_SET;
    return settle(r, v, before == REGTAG_PREVIOUS_ABSENT ? REGTAG_TAG_CREATED : there, NULL);
}

static enum regtag_event settle_unchanged(struct regtag *r, struct tag_verb *v)
{
    r->result.previous = r->digest;
    r->result.before = REGTAG_PREVIOUS_KNOWN;
    return settle(r, v, REGTAG_TAG_UNCHANGED, NULL);
}

/* ---- Where names point ----------------------------------------------------------------------- */

/* Without a guard, resolving before an upload is optional and gets little time. */
static void begin_resolve(struct regtag *r, struct tag_verb *v, struct resolve *z, size_t index,
                          uint64_t not_before)
{
    const char *name = v->names.list[index];
    bool guarded = guard_exists(r, name);
    struct resolve_options options = {.certain = guarded || v->unanswered || r->config.certain_absence,
                                      .optional = !guarded,
                                      .attempts = &v->change.attempts,
                                      .not_before = not_before};
    resolve_begin(r, z, name, &options);
}

/* Saves a round trip: pipelines the HEAD for the next name after a request for this one, where
 * possible. */
static struct exchange *resolve_ahead(struct regtag *r, struct tag_verb *v, size_t index)
{
    struct resolve *z = &v->resolves[!v->current];
    if (index >= v->names.count || r->resolve_by_get || !remote_pipelines(&r->client.remote))
        return NULL;
    begin_resolve(r, v, z, index, 0);
    v->ahead = index;
    return &z->exchange;
}

static enum regtag_event resolve_name(struct regtag *r, struct tag_verb *v, uint64_t not_before)
{
    ENTER("tag", v->state, TAG_RESOLVE);
    if (v->ahead == v->index) {
        v->current = !v->current;
        v->ahead = v->names.count;
    } else
        begin_resolve(r, v, resolve_of(v), v->index, not_before);
    return GO_ON;
}

/* The tag may have been set: don't take a 404 to HEAD for an answer. */
static void resolve_certainly(struct regtag *r, struct tag_verb *v)
{
    struct resolve_options options = {.certain = true, .attempts = &v->change.attempts};
    resolve_begin(r, resolve_of(v), name_of(v), &options);
}

/* After a backoff, resolve the tag again and go on from there. False if there are no retries left. */
static bool resolve_later(struct regtag *r, struct tag_verb *v, const struct error *problem,
                          uint64_t least)
{
    uint64_t resume;
    if (!exchange_retry_later(&v->change.exchange, problem, least, &resume))
        return false;
    resolve_name(r, v, resume);
    return true;
}

/* Skips duplicates: the index of the first name at or after `index` that has not come earlier. */
static size_t first_from(struct names *n, size_t index)
{
    while (index < n->count && !names_is_first(n, index))
        index++;
    return index;
}

/* ---- The manifest ---------------------------------------------------------------------------- */

/* Every name will fail with the same error. */
static void on_fetch_failure(struct regtag *r, struct tag_verb *v)
{
    v->no_manifest = true;
    client_cancel(&r->client, &v->resolves[!v->current].exchange);
    v->ahead = v->names.count;
}

/* The indexes of names and guards go in the unused rest of the manifest buffer. */
static void index_names(struct regtag *r, struct tag_verb *v)
{
    size_t half = (r->manifest_max - r->manifest_size) / 2;
    char *behind = r->manifest + r->manifest_size;
    names_begin(&v->names, v->names.list, v->names.count, '\0', behind, half);
    guards_index(r, behind + half, half);
}

static enum regtag_event step_fetch(struct regtag *r, struct tag_verb *v)
{
    REQUIRE(v->index == 0 && v->next == 0 && !v->abort_error.status);
    enum fetch_event event = fetch_step(r, &v->fetch, &v->abort_error);
    if (event == FETCH_WAIT)
        return REGTAG_WAIT;
    if (event == FETCH_FAILED)
        on_fetch_failure(r, v);
    index_names(r, v);
    v->next = first_from(&v->names, 0);
    ENTER("tag", v->state, TAG_NEXT);
    return GO_ON;
}

static enum regtag_event begin(struct regtag *r, struct tag_verb *v)
{
    struct fetch_options options = {.platform = slice_of(r->config.platform),
                                    .to_tag = true,
                                    .follower = resolve_ahead(r, v, 0),
                                    .attempts = &v->change.attempts};
    ENTER("tag", v->state, TAG_FETCH);
    fetch_begin(r, &v->fetch, &options);
    return GO_ON;
}

/* ---- From name to name ----------------------------------------------------------------------- */

static enum regtag_event over(struct regtag *r, struct tag_verb *v)
{
    ENTER("tag", v->state, TAG_OVER);
    return verb_done(r);
}

static enum regtag_event next(struct regtag *r, struct tag_verb *v)
{
    REQUIRE(v->next <= v->names.count && (*r->digest || v->abort_error.status));
    v->index = v->next;
    if (v->index == v->names.count)
        return over(r, v);
    v->next = first_from(&v->names, v->index + 1);
    v->change.requested = v->unanswered = false;
    v->change.attempts.failed = 0;
    verb_begin_result(r, name_of(v), r->digest);
    if (v->abort_error.status)
        return settle(r, v, REGTAG_TAG_FAILED, &v->abort_error);
    return resolve_name(r, v, 0);
}

/* ---- Before the PUT -------------------------------------------------------------------------- */

/* Pipeline resolving the next name, unless this one is to be read back first. */
static enum regtag_event begin_upload(struct regtag *r, struct tag_verb *v)
{
    struct request q = {.method = METHOD_PUT,
                        .place = PLACE_MANIFESTS,
                        .target = slice_of(name_of(v)),
                        .body = {.size = r->manifest_size, .bytes = r->manifest},
                        .content_type = &r->media_type->name,
                        .meanings = UPLOAD_MEANINGS,
                        .attempts = &v->change.attempts,
                        .fresh = v->change.fresh};
    if (!r->config.confirm)
        q.follower = resolve_ahead(r, v, v->next);
    ENTER("tag", v->state, TAG_UPLOAD);
    client_begin(&r->client, &v->change.exchange, &q);
    v->change.requested = true;
    return GO_ON;
}

static enum regtag_event on_resolved(struct regtag *r, struct tag_verb *v)
{
    const struct resolve *z = resolve_of(v);
    struct error *problem = verb_problem(r);
    bool there = resolve_found(z, r->digest);
    /* An earlier upload worked although its response did not say so. */
    if (v->change.requested && there)
        return settle_set(r, v);
    v->unanswered = v->unanswered && z->sight == SIGHT_UNKNOWN;
    /* Somebody else may have moved the tag since the last upload. */
    if (!v->change.requested || z->sight != SIGHT_UNKNOWN)
        change_note_previous(r, &v->change, z);
    if (!guard_holds(r, z, problem))
        return settle_failed(r, v, REGTAG_TAG_FAILED, problem);
    if (there)
        return settle_unchanged(r, v);
    if (r->config.dry_run)
        return settle_set(r, v);
    if (v->change.requested)
        return begin_upload(r, v);
    ENTER("tag", v->state, TAG_ANNOUNCED);
    return REGTAG_UPLOAD;
}

static enum regtag_event step_resolve(struct regtag *r, struct tag_verb *v)
{
    REQUIRE(*r->digest && !v->abort_error.status && resolve_of(v)->tag == name_of(v));
    return resolve_step(r, resolve_of(v)) ? on_resolved(r, v) : REGTAG_WAIT;
}

static enum regtag_event on_announced(struct regtag *r, struct tag_verb *v)
{
    REQUIRE(!v->change.requested && !r->config.dry_run && r->result.outcome == REGTAG_TAG_PENDING);
    v->change.attempts.failed = 0;
    return begin_upload(r, v);
}

/* ---- PUT ------------------------------------------------------------------------------------- */

/* The upload's outcome is unclear: find out where the tag points. */
static enum regtag_event look_again(struct regtag *r, struct tag_verb *v, enum reason reason,
                                    const struct error *error, bool transient)
{
    v->unanswered = v->unanswered || reason == REASON_NO_ANSWER;
    v->reason = reason;
    change_leave_open(&v->change, error, transient);
    VERB_TELL(r, REGTAG_TRACE_NOTE, "looking where %s points: %s", name_of(v), error->text);
    ENTER("tag", v->state, TAG_UNCONFIRMED);
    resolve_certainly(r, v);
    return GO_ON;
}

/* The registry states the digest that the tag points at now. */
static enum regtag_event on_confirmation(struct regtag *r, struct tag_verb *v, struct slice confirmed)
{
    struct error *problem = verb_problem(r);
    if (!slice_equal(confirmed, slice_of(r->digest))) {
        error_set(problem, REGTAG_E_NOT_CONFIRMED, "uploaded as %s, but the registry confirms %.*s",
                  r->digest, SLICE_ARG(confirmed));
        return settle_failed(r, v, REGTAG_TAG_FAILED, problem);
    }
    if (!r->config.confirm)
        return settle_set(r, v);
    ENTER("tag", v->state, TAG_CONFIRM);
    resolve_certainly(r, v);
    return GO_ON;
}

/* Whether the tag may be right despite the error: a server or proxy can fail after setting it, and an
 * immutable tag may already point at the digest, if it could not be resolved before. */
static bool leaves_it_open(const struct regtag *r, const struct tag_verb *v, const struct error *problem)
{
    return v->unanswered || problem->status == REGTAG_E_SERVER_FAILED ||
           (problem->status == REGTAG_E_IMMUTABLE && r->result.before == REGTAG_PREVIOUS_UNKNOWN);
}

static enum regtag_event on_upload_answer(struct regtag *r, struct tag_verb *v)
{
    const struct http_response *response = v->change.exchange.response;
    struct error *problem = verb_problem(r);
    bool transient = status_is_transient(response->status);
    struct slice digest;

    if (response->status >= 200 && response->status < 300) {
        if (answer_digest(response, &digest) && digest_is_sha256(digest))
            return on_confirmation(r, v, digest);
        error_set(problem, REGTAG_E_UNCERTAIN, "the registry took the upload without stating a digest");
        return look_again(r, v, REASON_NO_DIGEST, problem, false);
    }
    exchange_explain(&v->change.exchange, problem);
    if (leaves_it_open(r, v, problem))
        return look_again(r, v, REASON_ERROR, problem, transient);
    if (transient && resolve_later(r, v, problem, exchange_retry_after(&v->change.exchange)))
        return GO_ON;
    return settle_failed(r, v, REGTAG_TAG_FAILED, problem);
}

/* An upload that was not sent in full cannot have set the tag. */
static enum regtag_event on_upload_failure(struct regtag *r, struct tag_verb *v)
{
    const struct error *problem = &r->client.context.error;
    bool transient = exchange_is_transient(&v->change.exchange);
    if (exchange_may_have_acted(&v->change.exchange) || v->unanswered)
        return look_again(r, v, REASON_NO_ANSWER, problem, transient);
    if (transient && resolve_later(r, v, problem, 0))
        return GO_ON;
    return settle_failed(r, v, REGTAG_TAG_FAILED, problem);
}

static enum regtag_event step_upload(struct regtag *r, struct tag_verb *v)
{
    struct slice part;
    REQUIRE(v->change.requested && *r->digest && r->manifest_size && r->media_type);
    switch (client_step(&r->client, &v->change.exchange, &part)) {
    case EXCHANGE_END: return on_upload_answer(r, v);
    case EXCHANGE_FAILED: return on_upload_failure(r, v);
    default: return REGTAG_WAIT;
    }
}

/* ---- After the PUT --------------------------------------------------------------------------- */

static enum regtag_event settle_uncertain(struct regtag *r, struct tag_verb *v)
{
    const char *cause = v->change.cause.text, *seen = resolve_describe(r, resolve_of(v));
    struct error *problem = verb_problem(r);
    error_set(error_hint(problem, change_hint(r, &v->change)), REGTAG_E_UNCERTAIN,
              "it is uncertain whether the tag is set: %s; a second look: %s; tag it again to make sure",
              cause, strcmp(cause, seen) == 0 ? "the same" : seen);
    return settle_failed(r, v, REGTAG_TAG_UNCERTAIN, problem);
}

/* The tag does not point at the digest, or cannot be resolved. Retry if the failure was transient and
 * any guard still holds. Otherwise, an error response is taken at its word; anything else is uncertain,
 * since the registry may still be processing the upload. */
static enum regtag_event on_not_found(struct regtag *r, struct tag_verb *v)
{
    struct error *problem = verb_problem(r);
    uint64_t resume;
    switch (change_next(r, &v->change, resolve_of(v), problem, &resume)) {
    case CHANGE_NOW: return on_resolved(r, v);
    case CHANGE_LATER: return resolve_name(r, v, resume);
    default: break;
    }
    if (v->reason == REASON_ERROR && !v->unanswered)
        return settle_failed(r, v, REGTAG_TAG_FAILED,
                             problem->status == REGTAG_E_GUARD ? problem : &v->change.cause);
    return settle_uncertain(r, v);
}

static enum regtag_event step_unconfirmed(struct regtag *r, struct tag_verb *v)
{
    struct resolve *z = resolve_of(v);
    REQUIRE(v->change.requested && v->change.cause.status && z->certain && z->tag == name_of(v));
    if (!resolve_step(r, z))
        return REGTAG_WAIT;
    bool there = resolve_found(z, r->digest);
    if (there && v->change.cause.status == REGTAG_E_IMMUTABLE)
        return settle_unchanged(r, v);
    if (there)
        return settle_set(r, v);
    if (z->sight == SIGHT_DIGEST && v->reason == REASON_NO_DIGEST)
        return on_confirmation(r, v, slice_of(z->digest));
    return on_not_found(r, v);
}

static enum regtag_event step_confirm(struct regtag *r, struct tag_verb *v)
{
    const struct resolve *z = resolve_of(v);
    REQUIRE(v->change.requested && r->config.confirm && z->certain && z->tag == name_of(v));
    if (!resolve_step(r, resolve_of(v)))
        return REGTAG_WAIT;
    if (resolve_found(z, r->digest))
        return settle_set(r, v);
    bool unknown = z->sight == SIGHT_UNKNOWN;
    struct error *problem = verb_problem(r);
    const char *seen = resolve_describe(r, z);
    error_set(error_hint(problem, r->unknown.hint),
              unknown ? REGTAG_E_UNCERTAIN : REGTAG_E_NOT_CONFIRMED,
              "uploaded and taken, but reading it back: %s", seen);
    return settle_failed(r, v, unknown ? REGTAG_TAG_UNCERTAIN : REGTAG_TAG_FAILED, problem);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static enum regtag_event step(struct regtag *r)
{
    struct tag_verb *v = tag_of(r);
    switch (v->state) {
    case TAG_START: return begin(r, v);
    case TAG_FETCH: return step_fetch(r, v);
    case TAG_NEXT: return next(r, v);
    case TAG_RESOLVE: return step_resolve(r, v);
    case TAG_ANNOUNCED: return on_announced(r, v);
    case TAG_UPLOAD: return step_upload(r, v);
    case TAG_UNCONFIRMED: return step_unconfirmed(r, v);
    case TAG_CONFIRM: return step_confirm(r, v);
    case TAG_OVER: break;
    }
    return verb_done(r);
}

static const struct verb TAG = {.actions = "pull,push", .step = step};

static bool are_tags(struct regtag *r, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_of(names[i]);
        if (tag_valid(name))
            continue;
        VERB_USAGE(r,
                   "\"%.*s\" is not a tag: 1 to 128 of letters, digits, '_', '.' and '-', not starting "
                   "with '.' or '-', without the repository",
                   SLICE_ARG(slice_head(name, 400)));
        return false;
    }
    return true;
}

enum regtag_status regtag_tag(struct regtag *r, const char *image, const char *const *names,
                              size_t count)
{
    struct tag_verb *v = tag_of(r);
    if (verb_begin_image(r, &TAG, CLEARED, image) != REGTAG_OK ||
        !fetch_check_platform(r, slice_of(r->config.platform)) || !are_tags(r, names, count))
        return REGTAG_E_USAGE;
    v->names.list = names;
    v->names.count = v->ahead = count;
    error_clear(&v->abort_error);
    return guards_check(r, names, count);
}
