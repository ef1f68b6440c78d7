/* Giving an image its new tags, one after the other. */
#include "registry/operation.h"

/* ---- From name to name ------------------------------------------------------------------------------ */

static bool had_before(const struct regtag *r, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (slice_equal(slice_of(r->names[i]), slice_of(r->names[index])))
            return true;
    return false;
}

static enum regtag_event settle(struct regtag *r, enum regtag_outcome outcome, const struct error *whole)
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

enum regtag_event phase_next(struct regtag *r)
{
    struct error whole;
    while (r->index < r->count && had_before(r, r->index))
        r->index++;
    if (r->index == r->count)
        return operation_done(r);

    r->result = (struct regtag_result){r->names[r->index], r->digest, REGTAG_PENDING, REGTAG_OK, ""};
    if (r->fate.status) {
        operation_describe(r, r->fetch_failed ? NULL : r->result.name, &r->fate, &whole);
        return settle(r, REGTAG_NOT_SET, &whole);
    }
    operation_go(r, PHASE_ANNOUNCED);
    return REGTAG_UPLOAD;
}

/* Where there is no way to the registry any more, or no time, there is none for the other names. */
static void decide_fate(struct regtag *r)
{
    const struct exchange *x = &r->exchange;
    bool cut_off = !x->answered && !x->connection.up;
    if (x->error.status && (cut_off || r->now >= r->deadline))
        r->fate = x->error;
    else if (r->now >= r->deadline)
        error_set(&r->fate, REGTAG_TIMEOUT, "no time was left; --timeout sets the limit");
}

/* The name could not be set, or not for certain. */
static enum regtag_event settle_badly(struct regtag *r, enum regtag_outcome outcome,
                                      const struct error *problem)
{
    struct error whole;
    operation_describe(r, r->result.name, problem, &whole);
    decide_fate(r);
    return settle(r, outcome, &whole);
}

/* ---- PUT --------------------------------------------------------------------------------------------- */

/* An upload that is not answered is looked at again, and that takes some of the time that is left. */
static uint64_t upload_until(const struct regtag *r)
{
    return r->deadline - (r->now < r->deadline ? (r->deadline - r->now) / 4 : 0);
}

enum regtag_event phase_announced(struct regtag *r)
{
    struct slice manifest = {r->manifest, r->manifest_size};
    struct writer *w = &r->exchange.request;

    operation_go(r, PHASE_UPLOAD);
    operation_manifest_request(r, "PUT", slice_of(r->result.name));
    write_field(w, "Content-Type", r->media_type->name);
    write_format(w, "Content-Length: %zu\r\n", manifest.size);
    operation_send(r, "PUT", manifest, upload_until(r));
    return GO_ON;
}

/* Nobody knows whether the tag is set. `cause` is why. */
static enum regtag_event look(struct regtag *r, const struct error *cause, bool answered)
{
    r->cause = *cause;
    r->upload_answered = answered;
    operation_tell(r, REGTAG_TRACE_NOTE, "looking whether %s is set: %s", r->result.name, cause->text);
    return operation_go(r, PHASE_LOOK);
}

/* The confirmed digest decides. */
static enum regtag_event compare(struct regtag *r, struct slice confirmed)
{
    struct error problem = {.status = 0};
    if (slice_equal(confirmed, slice_of(r->digest)))
        return settle(r, REGTAG_SET, NULL);
    error_set(&problem, REGTAG_NOT_CONFIRMED, "uploaded as %s, but the registry confirms %.*s", r->digest,
              SLICE_ARG(confirmed));
    return settle_badly(r, REGTAG_NOT_SET, &problem);
}

static enum regtag_event uploaded(struct regtag *r)
{
    const struct http_response *response = &r->exchange.response;
    struct error problem = {.status = 0};
    struct slice digest;

    if (response->status >= 200 && response->status < 300) {
        if (answer_digest(response, &digest) && digest_is_sha256(digest))
            return compare(r, digest);
        error_set(&problem, REGTAG_UNCERTAIN, "the registry took the upload without stating a digest");
        return look(r, &problem, true);
    }
    answer_error(REQUEST_UPLOAD, response, &r->words, &problem);
    /* A server, or a proxy before it, may fail after the tag was set. */
    return response->status >= 500 ? look(r, &problem, true)
                                   : settle_badly(r, REGTAG_NOT_SET, &problem);
}

enum regtag_event phase_upload(struct regtag *r)
{
    switch (operation_answer(r)) {
    case EXCHANGE_WAIT:
        return REGTAG_WAIT;
    case EXCHANGE_END:
        return uploaded(r);
    default:
        break;
    }
    /* What was not sent whole cannot have been taken. */
    return r->exchange.sent_all ? look(r, &r->exchange.error, false)
                                : settle_badly(r, REGTAG_NOT_SET, &r->exchange.error);
}

/* ---- HEAD of the new tag ----------------------------------------------------------------------------- */

static enum regtag_event uncertain(struct regtag *r, const struct error *look_problem)
{
    struct error problem = {.status = 0};
    error_set(&problem, REGTAG_UNCERTAIN,
              "it is not certain whether the tag is set: %s; and the look at it: %s; tag it again to make "
              "sure", r->cause.text, look_problem->text);
    return settle_badly(r, REGTAG_MAYBE_SET, &problem);
}

/* The look has shown nothing. An answer that was an error is believed then. */
static enum regtag_event seen_nothing(struct regtag *r, const struct error *look_problem)
{
    bool failed = r->upload_answered && r->cause.status != REGTAG_UNCERTAIN;
    return failed ? settle_badly(r, REGTAG_NOT_SET, &r->cause) : uncertain(r, look_problem);
}

static enum regtag_event looked(struct regtag *r)
{
    const struct http_response *response = &r->exchange.response;
    struct error problem = {.status = 0};
    struct slice digest;
    bool taken = r->upload_answered && r->cause.status == REGTAG_UNCERTAIN;

    if (response->status == 404 && !taken)
        return settle_badly(r, REGTAG_NOT_SET, &r->cause);
    if (response->status != 200) {
        answer_error(REQUEST_MANIFEST, response, &r->words, &problem);
        return seen_nothing(r, &problem);
    }
    if (!answer_digest(response, &digest) || !digest_is_sha256(digest)) {
        error_set(&problem, REGTAG_UNCERTAIN, "the registry states no digest");
        return seen_nothing(r, &problem);
    }
    /* The tag points elsewhere: an upload that was not confirmed has not happened. */
    if (!taken && !slice_equal(digest, slice_of(r->digest)))
        return settle_badly(r, REGTAG_NOT_SET, &r->cause);
    return compare(r, digest);
}

enum regtag_event phase_look(struct regtag *r)
{
    if (!r->begun) {
        operation_manifest_request(r, "HEAD", slice_of(r->result.name));
        operation_send(r, "HEAD", SLICE(""), r->deadline);
    }
    switch (operation_answer(r)) {
    case EXCHANGE_WAIT:
        return REGTAG_WAIT;
    case EXCHANGE_END:
        return looked(r);
    default:
        return seen_nothing(r, &r->exchange.error);
    }
}
