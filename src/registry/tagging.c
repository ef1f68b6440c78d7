/* Giving an image its new tags, one after the other. */
#include <string.h>

#include "registry/operation.h"

/* ---- From name to name ----------------------------------------------------------------------- */

static bool had_before(const struct regtag *r, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (slice_equal(slice_of(r->names[i]), slice_of(r->names[index])))
            return true;
    return false;
}

enum regtag_event operation_settle(struct regtag *r, enum regtag_outcome outcome,
                                   const struct error *whole)
{
    r->result.outcome = outcome;
    if (whole) {
        r->name_error = *whole;
        r->result.status = (enum regtag_status)whole->status;
        r->result.error = r->name_error.text;
        error_set(&r->error, whole->status, "%s", whole->text);
    }
    r->index++;
    operation_go(r, PHASE_NEXT);
    return REGTAG_SETTLED;
}

enum regtag_event operation_settle_well(struct regtag *r)
{
    const struct regtag_result *result = &r->result;
    return operation_settle(r,
                            result->absent      ? REGTAG_CREATED
                            : *result->previous ? REGTAG_MOVED
                                                : REGTAG_SET,
                            NULL);
}

enum regtag_event operation_settle_unchanged(struct regtag *r)
{
    r->result.previous = r->digest;
    return operation_settle(r, REGTAG_UNCHANGED, NULL);
}

size_t names_next(const struct regtag *r, size_t at)
{
    while (at < r->count && had_before(r, at))
        at++;
    return at;
}

static enum regtag_event announce(struct regtag *r)
{
    operation_go(r, PHASE_ANNOUNCED);
    return REGTAG_UPLOAD;
}

/* A name that has been among several. */
static enum regtag_event go_on_with(struct regtag *r, const struct together_name *known)
{
    r->result.previous = known->previous;
    r->result.absent = known->absent;
    r->uploaded = known->state == TOGETHER_UNSURE;
    r->unsure = r->uploaded;
    switch (known->state) {
    case TOGETHER_UNCHANGED: return operation_settle_unchanged(r);
    case TOGETHER_SET:
        return r->config.confirm ? operation_look(r, PHASE_CONFIRMED) : operation_settle_well(r);
    case TOGETHER_ANNOUNCED: return operation_turn(r, PHASE_UPLOAD);
    case TOGETHER_UNSURE: return operation_look(r, PHASE_SEEN);
    default: return announce(r);
    }
}

/* What decides for all names decides for this one, too; unless it has been among several that were sent. */
static enum regtag_event settle_by_fate(struct regtag *r, const struct together_name *known)
{
    bool sent = known && (known->state == TOGETHER_UNSURE || known->state == TOGETHER_SET);
    struct error problem = r->fate, whole;
    if (sent) {
        error_clear(&problem);
        error_set(&problem, REGTAG_UNCERTAIN,
                  "it is uncertain whether the tag is set: %s; tag it again to make sure", r->fate.text);
    }
    operation_describe(r, r->fetch_failed ? NULL : r->result.name, &problem, &whole);
    return operation_settle(r, sent ? REGTAG_MAYBE_SET : REGTAG_NOT_SET, &whole);
}

/* Whether nothing more is to be sent for this name. */
static bool is_done(const struct regtag *r, const struct together_name *known)
{
    return known &&
           (known->state == TOGETHER_UNCHANGED || (known->state == TOGETHER_SET && !r->config.confirm));
}

enum regtag_event phase_next(struct regtag *r)
{
    r->index = names_next(r, r->index);
    if (r->index == r->count || r->verb == VERB_DELETE)
        return operation_done(r);

    const struct together_name *known = together_find(r, r->index);
    r->result =
        (struct regtag_result){r->names[r->index], r->digest, "", REGTAG_PENDING, REGTAG_OK, "", false};
    r->uploaded = false;
    r->unsure = false;
    if (r->fate.status && !is_done(r, known))
        return settle_by_fate(r, known);
    if (!r->begun && operation_renew_token(r))
        return GO_ON;
    if (known)
        return go_on_with(r, known);
    return together_begin(r) ? GO_ON : operation_look(r, PHASE_SEEN);
}

/* Where there is no way to the registry any more, or no time, there is none for the other names. */
static void decide_fate(struct regtag *r)
{
    const struct exchange *x = &r->exchange;
    bool cut_off = !x->answered && !x->connection->up;
    if (x->error.status && (cut_off || r->now >= r->deadline))
        r->fate = x->error;
    else if (r->now >= r->deadline)
        error_set(&r->fate, REGTAG_TIMEOUT, "no time was left; --timeout sets the limit");
}

enum regtag_event operation_settle_badly(struct regtag *r, enum regtag_outcome outcome,
                                         const struct error *problem)
{
    struct error whole;
    operation_describe(r, r->result.name, problem, &whole);
    decide_fate(r);
    return operation_settle(r, outcome, &whole);
}

/* ---- Before the PUT -------------------------------------------------------------------------- */

void operation_note_previous(struct regtag *r)
{
    const struct look *look = &r->look;
    if (look->sight == SIGHT_DIGEST)
        memcpy(r->previous, look->digest, sizeof r->previous);
    r->result.previous = look->sight == SIGHT_DIGEST ? r->previous : "";
    r->result.absent = look->sight == SIGHT_ABSENT;
}

/* Whether the look has shown the tag where it is to be. */
static bool is_there(const struct regtag *r)
{
    return r->look.sight == SIGHT_DIGEST && slice_equal(slice_of(r->look.digest), slice_of(r->digest));
}

enum regtag_event phase_seen(struct regtag *r)
{
    const struct look *look = &r->look;
    struct error problem = {.status = 0};
    bool there = is_there(r);
    if (r->uploaded && there) /* by an upload whose answer was not the whole truth */
        return operation_settle_well(r);
    r->unsure = r->unsure && look->sight == SIGHT_NOTHING;
    if (!r->uploaded)
        operation_note_previous(r);
    if (!guard_holds(r, &problem))
        return operation_settle_badly(r, REGTAG_NOT_SET, &problem);
    if (there)
        return operation_settle_unchanged(r);
    if (r->config.dry_run)
        return operation_settle_well(r);
    if (r->uploaded)
        return operation_turn(r, PHASE_UPLOAD);
    return announce(r);
}

/* ---- PUT ------------------------------------------------------------------------------------- */

/* What is not answered is looked at again, and that takes some of the time that is left. */
uint64_t operation_until(const struct regtag *r, unsigned part)
{
    return r->deadline - (r->now < r->deadline ? (r->deadline - r->now) / part : 0);
}

enum regtag_event phase_announced(struct regtag *r)
{
    return operation_go(r, PHASE_UPLOAD);
}

/* The look at the next name follows, unless this one is read back first. */
static void begin_upload(struct regtag *r)
{
    struct slice manifest = {r->manifest, r->manifest_size};
    struct writer *w = &r->exchange.request;
    size_t next = names_next(r, r->index + 1);
    operation_manifest_request(r, "PUT", slice_of(r->result.name));
    write_field(w, "Content-Type", r->media_type->name);
    write_format(w, "Content-Length: %zu\r\n", manifest.size);
    operation_send(r, "PUT", manifest, operation_until(r, 4));
    r->exchange.only_once = guard_exists(r);
    r->uploaded = true;
    if (next < r->count && !r->config.confirm && !together_find(r, next))
        operation_follow(r, r->names[next]);
}

/* The tag is looked at, because the upload left this doubt; `cause` says more. */
static enum regtag_event look_again(struct regtag *r, enum doubt doubt, const struct error *cause,
                                    bool passing)
{
    r->doubt = doubt;
    r->unsure = r->unsure || doubt == DOUBT_NO_ANSWER;
    r->cause = *cause;
    r->passing = passing;
    r->cause_wait = asked_to_wait(r);
    operation_tell(r, REGTAG_TRACE_NOTE, "looking where %s points: %s", r->result.name, cause->text);
    return operation_look(r, PHASE_DOUBTED);
}

/* The confirmed digest decides. */
static enum regtag_event compare(struct regtag *r, struct slice confirmed)
{
    struct error problem = {.status = 0};
    if (slice_equal(confirmed, slice_of(r->digest)))
        return r->config.confirm ? operation_look(r, PHASE_CONFIRMED) : operation_settle_well(r);
    error_set(&problem, REGTAG_NOT_CONFIRMED, "uploaded as %s, but the registry confirms %.*s",
              r->digest, SLICE_ARG(confirmed));
    return operation_settle_badly(r, REGTAG_NOT_SET, &problem);
}

/* An error that may not be the end of it: a server, or a proxy before it, may fail after the tag was set,
 * and a tag that must not be moved may be where it should be, if that was not to be seen before. */
static bool leaves_doubt(const struct regtag *r, const struct error *problem)
{
    bool seen = r->result.absent || *r->result.previous;
    return r->unsure || problem->status == REGTAG_SERVER_FAILED ||
           (problem->status == REGTAG_IMMUTABLE && !seen);
}

static enum regtag_event uploaded(struct regtag *r)
{
    const struct http_response *response = &r->exchange.response;
    struct error problem = {.status = 0};
    bool passing = status_passes(response->status);
    struct slice digest;

    if (response->status >= 200 && response->status < 300) {
        if (answer_digest(response, &digest) && digest_is_sha256(digest))
            return compare(r, digest);
        error_set(&problem, REGTAG_UNCERTAIN, "the registry took the upload without stating a digest");
        return look_again(r, DOUBT_NO_DIGEST, &problem, false);
    }
    operation_explain(r, REQUEST_UPLOAD, &problem);
    if (leaves_doubt(r, &problem))
        return look_again(r, DOUBT_ERROR, &problem, passing);
    return passing && operation_look_later(r, &problem, asked_to_wait(r), PHASE_SEEN)
               ? GO_ON
               : operation_settle_badly(r, REGTAG_NOT_SET, &problem);
}

enum regtag_event phase_upload(struct regtag *r)
{
    if (!r->begun)
        begin_upload(r);
    switch (operation_answer(r)) {
    case EXCHANGE_WAIT: return REGTAG_WAIT;
    case EXCHANGE_MOVED: return GO_ON;
    case EXCHANGE_END: return uploaded(r);
    default: break;
    }
    /* What was not sent whole cannot have been taken. */
    const struct error *problem = &r->exchange.error;
    bool passing = failure_passes(r);
    if (r->exchange.sent_all || r->unsure)
        return look_again(r, DOUBT_NO_ANSWER, problem, passing);
    return passing && operation_look_later(r, problem, 0, PHASE_SEEN)
               ? GO_ON
               : operation_settle_badly(r, REGTAG_NOT_SET, problem);
}

/* ---- After the PUT --------------------------------------------------------------------------- */

/* What the look has shown, for a message. */
static void describe_sight(const struct regtag *r, struct error *e)
{
    const struct look *look = &r->look;
    if (look->sight == SIGHT_NOTHING)
        *e = look->why;
    else if (look->sight == SIGHT_ABSENT)
        error_set(e, REGTAG_NOT_FOUND, "there is no such tag");
    else
        error_set(e, REGTAG_OTHER, "it points at %s", look->digest);
}

/* The look has not shown the digest. An error is believed then; all else is uncertain, for an upload that
 * was sent may still be on its way through the registry. Where it is not guarded, it can simply be sent
 * again; and where it is, if the tag is still where it was. */
static enum regtag_event still_in_doubt(struct regtag *r)
{
    struct error problem = {.status = 0}, seen = {.status = 0};
    describe_sight(r, &seen);
    if (r->passing && guard_holds(r, &problem) &&
        operation_look_later(r, &r->cause, r->cause_wait, PHASE_SEEN))
        return GO_ON;
    if (r->doubt == DOUBT_ERROR && !r->unsure)
        return operation_settle_badly(r, REGTAG_NOT_SET,
                                      problem.status == REGTAG_GUARD ? &problem : &r->cause);
    error_clear(&problem);
    error_set(&problem, REGTAG_UNCERTAIN,
              "it is uncertain whether the tag is set: %s; a second look: %s; tag it again to make sure",
              r->cause.text, strcmp(r->cause.text, seen.text) == 0 ? "the same" : seen.text);
    return operation_settle_badly(r, REGTAG_MAYBE_SET, &problem);
}

enum regtag_event phase_doubted(struct regtag *r)
{
    struct slice digest = slice_of(r->look.digest);
    bool there = is_there(r);
    if (there && r->cause.status == REGTAG_IMMUTABLE)
        return operation_settle_unchanged(r);
    if (there)
        return operation_settle_well(r);
    if (r->look.sight == SIGHT_DIGEST && r->doubt == DOUBT_NO_DIGEST)
        return compare(r, digest);
    return still_in_doubt(r);
}

enum regtag_event phase_confirmed(struct regtag *r)
{
    struct error problem = {.status = 0}, seen = {.status = 0};
    bool nothing = r->look.sight == SIGHT_NOTHING;
    if (is_there(r))
        return operation_settle_well(r);
    describe_sight(r, &seen);
    error_set(&problem, nothing ? REGTAG_UNCERTAIN : REGTAG_NOT_CONFIRMED,
              "uploaded and taken, but reading it back: %s", seen.text);
    return operation_settle_badly(r, nothing ? REGTAG_MAYBE_SET : REGTAG_NOT_SET, &problem);
}
