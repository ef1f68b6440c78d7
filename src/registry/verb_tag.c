/* regtag_tag: gives an image its new tags, one after the other. */
#include <string.h>

#include "base/names.h"
#include "registry/change.h"
#include "registry/manifest_fetch.h"

enum tag_state {
    TAG_START,
    TAG_FETCH,       /* the manifest */
    TAG_NEXT,        /* on to the next name */
    TAG_RESOLVE,     /* where does it point before? */
    TAG_ANNOUNCED,   /* REGTAG_UPLOAD has been handed out */
    TAG_UPLOAD,      /* PUT of the manifest */
    TAG_UNCONFIRMED, /* where does it point, since the PUT left that open? */
    TAG_CONFIRM,     /* the same, since --confirm wants to know */
    TAG_OVER
};

/* Why nobody knows whether an upload has set the tag. */
enum reason {
    REASON_NO_ANSWER, /* it was sent, and that was the last of it */
    REASON_NO_DIGEST, /* it was taken, but not confirmed */
    REASON_ERROR      /* the answer was an error that may not be the whole truth */
};

struct tag_verb {
    enum tag_state state;
    struct names names;
    size_t index, next;         /* of this name, and of the one after it */
    struct resolve resolves[2]; /* of this name, and, ahead of time, of the next one */
    unsigned current;           /* which of them is that of this name */
    size_t ahead; /* the index of the name that the other one is about; the count: of none */
    struct manifest_fetch fetch;
    bool unanswered;    /* an upload of this name was, and the tag has not been seen since */
    enum reason reason; /* why it is unconfirmed */
    bool no_manifest;   /* the last member is about the image, not about its names */
    struct change change;
    struct error abort_error; /* what decides for all names that are left */
};

/* How much of it has to be cleared: all but the texts of errors. */
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

/* Where there is no way to the registry any more, or no time, there is none for the other names. */
static enum regtag_event settle_failed(struct regtag *r, struct tag_verb *v, enum regtag_outcome outcome,
                                       const struct error *problem)
{
    verb_cannot_go_on(r, &v->abort_error);
    return settle(r, v, outcome, problem);
}

static enum regtag_event settle_set(struct regtag *r, struct tag_verb *v)
{
    enum regtag_outcome there = *r->result.previous ? REGTAG_MOVED : REGTAG_SET;
    return settle(r, v, r->result.absent ? REGTAG_CREATED : there, NULL);
}

static enum regtag_event settle_unchanged(struct regtag *r, struct tag_verb *v)
{
    r->result.previous = r->digest;
    return settle(r, v, REGTAG_UNCHANGED, NULL);
}

/* ---- Where names point ----------------------------------------------------------------------- */

/* The look before an upload: one that could be done without does not get much time. */
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

/* That of the next name goes behind a request of this one, where possible. */
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

/* What decides about a tag that may have been set must be certain. */
static void resolve_certainly(struct regtag *r, struct tag_verb *v)
{
    struct resolve_options options = {.certain = true, .attempts = &v->change.attempts};
    resolve_begin(r, resolve_of(v), name_of(v), &options);
}

/* Waits, looks where the tag points, and goes on from there. False when there is no trying again. */
static bool resolve_later(struct regtag *r, struct tag_verb *v, const struct error *problem,
                          uint64_t least)
{
    uint64_t resume;
    if (!exchange_retry_later(&v->change.exchange, problem, least, &resume))
        return false;
    resolve_name(r, v, resume);
    return true;
}

/* The index of the first name from there on that was not there before. */
static size_t first_from(struct names *n, size_t index)
{
    while (index < n->count && !names_is_first(n, index))
        index++;
    return index;
}

/* ---- The manifest ---------------------------------------------------------------------------- */

/* Each name is told why nothing comes of it. */
static void on_fetch_failure(struct regtag *r, struct tag_verb *v)
{
    v->no_manifest = true;
    client_cancel(&r->client, &v->resolves[!v->current].exchange);
    v->ahead = v->names.count;
}

/* Names and guards are looked up by help of the memory that the manifest leaves free. */
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
        return settle(r, v, REGTAG_NOT_SET, &v->abort_error);
    return resolve_name(r, v, 0);
}

/* ---- Before the PUT -------------------------------------------------------------------------- */

/* The look at the next name follows, unless this one is read back first. */
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
    /* By an upload whose answer was not the whole truth. */
    if (v->change.requested && there)
        return settle_set(r, v);
    v->unanswered = v->unanswered && z->sight == SIGHT_UNKNOWN;
    /* Since the last upload, somebody else may have moved it. */
    if (!v->change.requested || z->sight != SIGHT_UNKNOWN)
        change_note_previous(r, &v->change, z);
    if (!guard_holds(r, z, problem))
        return settle_failed(r, v, REGTAG_NOT_SET, problem);
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
    REQUIRE(!v->change.requested && !r->config.dry_run && r->result.outcome == REGTAG_PENDING);
    v->change.attempts.failed = 0;
    return begin_upload(r, v);
}

/* ---- PUT ------------------------------------------------------------------------------------- */

/* The tag is looked at, because the upload left this open. */
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

/* The registry says which digest the tag points at now. */
static enum regtag_event on_confirmation(struct regtag *r, struct tag_verb *v, struct slice confirmed)
{
    struct error *problem = verb_problem(r);
    if (!slice_equal(confirmed, slice_of(r->digest))) {
        error_set(problem, REGTAG_NOT_CONFIRMED, "uploaded as %s, but the registry confirms %.*s",
                  r->digest, SLICE_ARG(confirmed));
        return settle_failed(r, v, REGTAG_NOT_SET, problem);
    }
    if (!r->config.confirm)
        return settle_set(r, v);
    ENTER("tag", v->state, TAG_CONFIRM);
    resolve_certainly(r, v);
    return GO_ON;
}

/* An error that may not be the end of it: a server, or a proxy before it, may fail after the tag was set, and a tag
 * that must not be moved may be where it should be, if that was not to be seen before. */
static bool leaves_it_open(const struct regtag *r, const struct tag_verb *v, const struct error *problem)
{
    bool seen = r->result.absent || *r->result.previous;
    return v->unanswered || problem->status == REGTAG_SERVER_FAILED ||
           (problem->status == REGTAG_IMMUTABLE && !seen);
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
        error_set(problem, REGTAG_UNCERTAIN, "the registry took the upload without stating a digest");
        return look_again(r, v, REASON_NO_DIGEST, problem, false);
    }
    exchange_explain(&v->change.exchange, problem);
    if (leaves_it_open(r, v, problem))
        return look_again(r, v, REASON_ERROR, problem, transient);
    if (transient && resolve_later(r, v, problem, exchange_retry_after(&v->change.exchange)))
        return GO_ON;
    return settle_failed(r, v, REGTAG_NOT_SET, problem);
}

/* What was not sent whole cannot have been taken. */
static enum regtag_event on_upload_failure(struct regtag *r, struct tag_verb *v)
{
    const struct error *problem = &r->client.context.error;
    bool transient = exchange_is_transient(&v->change.exchange);
    if (exchange_may_have_acted(&v->change.exchange) || v->unanswered)
        return look_again(r, v, REASON_NO_ANSWER, problem, transient);
    if (transient && resolve_later(r, v, problem, 0))
        return GO_ON;
    return settle_failed(r, v, REGTAG_NOT_SET, problem);
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
    error_set(problem, REGTAG_UNCERTAIN,
              "it is uncertain whether the tag is set: %s; a second look: %s; tag it again to make sure",
              cause, strcmp(cause, seen) == 0 ? "the same" : seen);
    return settle_failed(r, v, REGTAG_MAYBE_SET, problem);
}

/* The look has not shown the digest. An error is believed then; all else is uncertain, for an upload that was sent may
 * still be on its way through the registry. Where it is not guarded, it can simply be sent again; and where it is, if the
 * tag is still where it was. */
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
        return settle_failed(r, v, REGTAG_NOT_SET,
                             problem->status == REGTAG_GUARD ? problem : &v->change.cause);
    return settle_uncertain(r, v);
}

static enum regtag_event step_unconfirmed(struct regtag *r, struct tag_verb *v)
{
    struct resolve *z = resolve_of(v);
    REQUIRE(v->change.requested && v->change.cause.status && z->certain && z->tag == name_of(v));
    if (!resolve_step(r, z))
        return REGTAG_WAIT;
    bool there = resolve_found(z, r->digest);
    if (there && v->change.cause.status == REGTAG_IMMUTABLE)
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
    error_set(problem, unknown ? REGTAG_UNCERTAIN : REGTAG_NOT_CONFIRMED,
              "uploaded and taken, but reading it back: %s", resolve_describe(r, z));
    return settle_failed(r, v, unknown ? REGTAG_MAYBE_SET : REGTAG_NOT_SET, problem);
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
        return REGTAG_USAGE;
    v->names.list = names;
    v->names.count = v->ahead = count;
    error_clear(&v->abort_error);
    return guards_check(r, names, count);
}
