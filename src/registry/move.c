#include "registry/move.h"

#include <string.h>

static enum regtag_event over(struct regtag *r, struct move *m, enum regtag_outcome outcome,
                              const struct error *problem)
{
    r->result.outcome = outcome;
    if (problem) {
        r->result.status = (enum regtag_status)problem->status;
        r->result.hint = (enum regtag_hint)r->result_error.hint;
        m->change.cause = r->result_error;
    }
    ENTER("move", m->state, MOVE_OVER);
    return REGTAG_SETTLED;
}

/* ---- Settling ---------------------------------------------------------------------------------- */

static enum regtag_event settle(struct regtag *r, struct move *m, enum regtag_outcome outcome,
                                const struct error *problem)
{
    if (problem)
        verb_describe(r, m->name, problem, &r->result_error);
    return over(r, m, outcome, problem);
}

static enum regtag_event settle_set(struct regtag *r, struct move *m)
{
    enum regtag_previous before = r->result.before;
    enum regtag_outcome there = before == REGTAG_PREVIOUS_KNOWN ? REGTAG_TAG_MOVED : REGTAG_TAG_SET;
    return settle(r, m, before == REGTAG_PREVIOUS_ABSENT ? REGTAG_TAG_CREATED : there, NULL);
}

static enum regtag_event settle_unchanged(struct regtag *r, struct move *m)
{
    r->result.previous = r->digest;
    r->result.before = REGTAG_PREVIOUS_KNOWN;
    return settle(r, m, REGTAG_TAG_UNCHANGED, NULL);
}

/* ---- Where names point ----------------------------------------------------------------------- */

/* Without a guard, resolving before an upload is optional and gets little time. */
static void begin_resolve(struct regtag *r, struct move *m, bool certain, uint64_t not_before)
{
    struct resolve_options options = {.certain = certain || m->guarded || m->unanswered ||
                                                 r->config.certain_absence,
                                      .optional = !certain && !m->guarded,
                                      .pipelined = !m->guarded,
                                      .guarded = m->guarded,
                                      .reason = m->state == MOVE_UNCONFIRMED ? NULL : &m->change.cause,
                                      .attempts = &m->change.attempts,
                                      .not_before = not_before};
    resolve_begin(r, &m->resolve, m->name, &options);
}

static enum regtag_event resolve_name(struct regtag *r, struct move *m, uint64_t not_before)
{
    ENTER("move", m->state, MOVE_RESOLVE);
    begin_resolve(r, m, false, not_before);
    r->client.context.wake = r->client.context.now; /* for move_look */
    return REGTAG_WAIT;
}

/* After a backoff, resolve the tag again and go on from there. False if there are no retries left. */
static bool resolve_later(struct regtag *r, struct move *m, const struct error *problem, uint64_t least)
{
    uint64_t resume;
    if (!exchange_retry_later(&m->change.exchange, problem, least, &resume))
        return false;
    resolve_name(r, m, resume);
    return true;
}

/* ---- Before the PUT -------------------------------------------------------------------------- */

static enum regtag_event begin_upload(struct regtag *r, struct move *m)
{
    struct request q = {.method = METHOD_PUT,
                        .place = PLACE_MANIFESTS,
                        .target = slice_of(m->name),
                        .body = {.size = r->manifest_size, .bytes = r->manifest},
                        .content_type = &r->media_type->name,
                        .match = m->change.refused ? "" : guard_condition(r, &m->resolve),
                        .meanings = UPLOAD_MEANINGS,
                        .attempts = &m->change.attempts,
                        .fresh = m->change.fresh,
                        .pipelined = !m->guarded && !m->change.fresh,
                        .guarded = m->guarded};
    ENTER("move", m->state, MOVE_UPLOAD);
    client_begin(&r->client, &m->change.exchange, &q);
    m->change.requested = true;
    return GO_ON;
}

static enum regtag_event on_resolved(struct regtag *r, struct move *m)
{
    const struct resolve *z = &m->resolve;
    struct error *problem = verb_problem(r);
    bool there = resolve_found(z, r->digest);
    /* An earlier upload worked although its response did not say so. */
    if (change_may_be_ours(&m->change) && there)
        return settle_set(r, m);
    m->unanswered = m->unanswered && z->sight == SIGHT_UNKNOWN;
    /* Somebody else may have moved the tag since the last upload. */
    if (!m->change.requested || z->sight != SIGHT_UNKNOWN)
        change_note_previous(r, &m->change, z);
    if (!guard_holds(r, z, problem))
        return settle(r, m, REGTAG_TAG_FAILED, problem);
    if (there)
        return settle_unchanged(r, m);
    if (r->config.dry_run)
        return settle_set(r, m);
    ENTER("move", m->state, MOVE_ANNOUNCED);
    if (m->announced)
        return GO_ON;
    m->announced = true;
    return REGTAG_UPLOAD;
}

/* Why the tag could not be resolved is in `cause` until the manifest is there. */
static enum regtag_event step_resolve(struct regtag *r, struct move *m)
{
    REQUIRE(m->resolve.tag == m->name);
    if (!resolve_step(r, &m->resolve))
        return REGTAG_WAIT;
    ENTER("move", m->state, MOVE_RESOLVED);
    return GO_ON;
}

/* The answer counts as soon as the others that came with it do; move_look reads them. */
static enum regtag_event step_looking(struct regtag *r, struct move *m)
{
    return resolve_is_held(&m->resolve) ? step_resolve(r, m) : REGTAG_WAIT;
}

static enum regtag_event step_resolved(struct regtag *r, struct move *m)
{
    if (!*r->digest)
        return REGTAG_WAIT; /* for the manifest */
    if (m->resolve.sight == SIGHT_UNKNOWN)
        r->unknown = m->change.cause;
    return on_resolved(r, m);
}

/* If the registry has asked for a pause meanwhile, a guard must be checked again after it. */
static enum regtag_event on_announced(struct regtag *r, struct move *m)
{
    uint64_t hold = r->client.remote.hold;
    REQUIRE(!r->config.dry_run && r->result.outcome == REGTAG_TAG_PENDING);
    if (m->guarded && hold > r->client.context.now)
        return resolve_name(r, m, hold);
    if (!m->change.requested)
        m->change.attempts.failed = 0;
    return begin_upload(r, m);
}

/* ---- PUT ------------------------------------------------------------------------------------- */

/* The upload's outcome is unclear, and `cause` says why: find out where the tag points. */
static enum regtag_event look_again(struct regtag *r, struct move *m, enum reason reason)
{
    m->unanswered = m->unanswered || reason == REASON_NO_ANSWER;
    m->reason = reason;
    VERB_TELL(r, REGTAG_TRACE_NOTE, "looking where %s points: %s", m->name, m->change.cause.text);
    ENTER("move", m->state, MOVE_UNCONFIRMED);
    begin_resolve(r, m, true, 0); /* the tag may have been set: don't take a 404 to HEAD for an answer */
    return GO_ON;
}

static enum regtag_event on_confirmed(struct regtag *r, struct move *m)
{
    if (!r->config.confirm)
        return settle_set(r, m);
    ENTER("move", m->state, MOVE_CONFIRM);
    begin_resolve(r, m, true, 0); /* the tag may have been set: don't take a 404 to HEAD for an answer */
    return GO_ON;
}

/* Whether the tag may be right despite the error: a server or proxy can fail after setting it, and an
 * immutable tag may already point at the digest, if it could not be resolved before. */
static bool leaves_it_open(const struct regtag *r, const struct move *m, const struct error *problem)
{
    return m->unanswered || problem->status == REGTAG_E_SERVER_FAILED ||
           (problem->status == REGTAG_E_IMMUTABLE && r->result.before == REGTAG_PREVIOUS_UNKNOWN);
}

/* Keeps what the answer says, until it is sure that it is the one to this request. */
static enum regtag_event on_upload_answer(struct regtag *r, struct move *m)
{
    const struct http_response *response = m->change.exchange.response;
    struct error *problem = verb_problem(r);
    struct slice digest;
    bool taken = response->status < 300;
    bool stated = taken && answer_digest(response, &digest) && digest_is_sha256(digest);

    m->verdict = !taken                                     ? VERDICT_REFUSED
                 : !stated                                  ? VERDICT_NO_DIGEST
                 : slice_equal(digest, slice_of(r->digest)) ? VERDICT_CONFIRMED
                                                            : VERDICT_OTHER;
    if (change_is_refused(&m->change, response->status))
        m->verdict = VERDICT_CONDITION;
    if (!taken)
        exchange_explain(&m->change.exchange, problem);
    if (m->verdict == VERDICT_NO_DIGEST)
        error_set(problem, REGTAG_E_UNCERTAIN, "the registry accepted the upload, but stated no digest");
    if (m->verdict == VERDICT_OTHER)
        verb_other_digest(r, digest);
    if (m->verdict != VERDICT_CONFIRMED)
        change_leave_open(&m->change, problem, status_is_transient(response->status));
    ENTER("move", m->state, MOVE_HELD);
    return GO_ON;
}

static enum regtag_event on_refused(struct regtag *r, struct move *m)
{
    const struct error *problem = &m->change.cause;
    if (leaves_it_open(r, m, problem))
        return look_again(r, m, REASON_ERROR);
    if (m->change.transient && resolve_later(r, m, problem, m->change.wait))
        return REGTAG_WAIT;
    return settle(r, m, REGTAG_TAG_FAILED, problem);
}

static enum regtag_event on_firm_answer(struct regtag *r, struct move *m)
{
    switch (m->verdict) {
    case VERDICT_CONFIRMED: return on_confirmed(r, m);
    case VERDICT_OTHER: return settle(r, m, REGTAG_TAG_FAILED, &m->change.cause);
    case VERDICT_CONDITION: return resolve_name(r, m, 0);
    case VERDICT_NO_DIGEST: return look_again(r, m, REASON_NO_DIGEST);
    default: return on_refused(r, m);
    }
}

/* An upload that was not sent in full cannot have set the tag. */
static enum regtag_event on_upload_failure(struct regtag *r, struct move *m)
{
    const struct error *problem = &r->client.context.error;
    bool transient = exchange_is_transient(&m->change.exchange);
    if (exchange_may_have_acted(&m->change.exchange) || m->unanswered) {
        change_leave_open(&m->change, problem, transient);
        return look_again(r, m, REASON_NO_ANSWER);
    }
    if (transient && resolve_later(r, m, problem, 0))
        return REGTAG_WAIT;
    return settle(r, m, REGTAG_TAG_FAILED, problem);
}

/* An answer that may be that of another request says nothing. */
static enum regtag_event on_void_answer(struct regtag *r, struct move *m)
{
    struct error *problem = verb_problem(r);
    error_set(problem, REGTAG_E_PROTOCOL, "the answer does not fit the request");
    change_leave_open(&m->change, problem, true);
    return look_again(r, m, REASON_NO_ANSWER);
}

static enum regtag_event step_held(struct regtag *r, struct move *m)
{
    switch (exchange_standing(&m->change.exchange)) {
    case STANDING_OPEN: r->client.context.queued = true; return REGTAG_WAIT;
    case STANDING_FIRM: return on_firm_answer(r, m);
    default: return on_void_answer(r, m);
    }
}

static enum regtag_event step_upload(struct regtag *r, struct move *m)
{
    struct slice part;
    REQUIRE(m->change.requested && *r->digest && r->manifest_size && r->media_type);
    switch (client_step(&r->client, &m->change.exchange, &part)) {
    case EXCHANGE_END: return on_upload_answer(r, m);
    case EXCHANGE_FAILED: return on_upload_failure(r, m);
    default: return REGTAG_WAIT;
    }
}

/* ---- After the PUT --------------------------------------------------------------------------- */

static enum regtag_event settle_uncertain(struct regtag *r, struct move *m)
{
    const char *cause = m->change.cause.text, *seen = resolve_describe(r, &m->resolve);
    struct error *problem = verb_problem(r);
    error_set(error_hint(problem, change_hint(r, &m->change)), REGTAG_E_UNCERTAIN,
              "uncertain whether the tag was set: %s; a second look: %s; tag again to make sure", cause,
              strcmp(cause, seen) == 0 ? "the same" : seen);
    return settle(r, m, REGTAG_TAG_UNCERTAIN, problem);
}

/* The tag does not point at the digest, or cannot be resolved. Retry if the failure was transient and
 * any guard still holds. Otherwise, an error response is taken at its word; anything else is uncertain,
 * since the registry may still be processing the upload. */
static enum regtag_event on_not_found(struct regtag *r, struct move *m)
{
    struct error *problem = verb_problem(r);
    uint64_t resume;
    switch (change_next(r, &m->change, &m->resolve, problem, &resume)) {
    case CHANGE_NOW: return on_resolved(r, m);
    case CHANGE_LATER: return resolve_name(r, m, resume);
    default: break;
    }
    if (m->reason == REASON_ERROR && !m->unanswered)
        return settle(r, m, REGTAG_TAG_FAILED,
                      problem->status == REGTAG_E_GUARD ? problem : &m->change.cause);
    return settle_uncertain(r, m);
}

static enum regtag_event step_unconfirmed(struct regtag *r, struct move *m)
{
    struct resolve *z = &m->resolve;
    REQUIRE(m->change.requested && m->change.cause.status && z->certain && z->tag == m->name);
    if (!resolve_step(r, z))
        return REGTAG_WAIT;
    bool there = resolve_found(z, r->digest);
    if (there && m->change.cause.status == REGTAG_E_IMMUTABLE)
        return settle_unchanged(r, m);
    if (there)
        return settle_set(r, m);
    if (z->sight == SIGHT_DIGEST && m->reason == REASON_NO_DIGEST)
        return settle(r, m, REGTAG_TAG_FAILED, verb_other_digest(r, slice_of(z->digest)));
    return on_not_found(r, m);
}

static enum regtag_event step_confirm(struct regtag *r, struct move *m)
{
    const struct resolve *z = &m->resolve;
    REQUIRE(m->change.requested && r->config.confirm && z->certain && z->tag == m->name);
    if (!resolve_step(r, &m->resolve))
        return REGTAG_WAIT;
    if (resolve_found(z, r->digest))
        return settle_set(r, m);
    bool unknown = z->sight == SIGHT_UNKNOWN;
    struct error *problem = verb_problem(r);
    const char *seen = resolve_describe(r, z);
    error_set(error_hint(problem, r->unknown.hint),
              unknown ? REGTAG_E_UNCERTAIN : REGTAG_E_NOT_CONFIRMED,
              "uploaded and accepted, but read back: %s", seen);
    return settle(r, m, unknown ? REGTAG_TAG_UNCERTAIN : REGTAG_TAG_FAILED, problem);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

void move_begin(struct regtag *r, struct move *m, const char *name, bool guarded)
{
    memset(m, 0, offsetof(struct move, change) + CHANGE_CLEARED);
    m->name = name;
    m->guarded = guarded;
    verb_begin_result(r, name, r->digest);
    m->result = r->result;
}

void move_fail(struct regtag *r, struct move *m, const struct error *problem, bool of_image)
{
    r->result = m->result;
    client_cancel(&r->client, &m->resolve.exchange);
    verb_describe(r, of_image ? NULL : m->name, problem, &r->result_error);
    over(r, m, REGTAG_TAG_FAILED, problem);
    m->result = r->result;
}

void move_look(struct regtag *r, struct move *m)
{
    if (m->state == MOVE_START)
        resolve_name(r, m, 0);
    if (m->state == MOVE_RESOLVE)
        step_resolve(r, m);
}

static enum regtag_event run_state(struct regtag *r, struct move *m)
{
    switch (m->state) {
    case MOVE_START: return REGTAG_WAIT;
    case MOVE_RESOLVE: return step_looking(r, m);
    case MOVE_RESOLVED: return step_resolved(r, m);
    case MOVE_ANNOUNCED: return on_announced(r, m);
    case MOVE_UPLOAD: return step_upload(r, m);
    case MOVE_HELD: return step_held(r, m);
    case MOVE_UNCONFIRMED: return step_unconfirmed(r, m);
    case MOVE_CONFIRM: return step_confirm(r, m);
    default: return REGTAG_SETTLED; /* declined */
    }
}

enum regtag_event move_step(struct regtag *r, struct move *m)
{
    enum regtag_event event = GO_ON;
    r->result = m->result;
    while (event == GO_ON)
        event = run_state(r, m);
    m->result = r->result;
    return event;
}

void move_show(struct regtag *r, const struct move *m)
{
    r->result = m->result;
    if (m->result.status == REGTAG_OK)
        return;
    r->result_error = m->change.cause;
    r->result.error = r->result_error.text;
    if (r->error.status == REGTAG_OK)
        r->error = r->result_error;
}
