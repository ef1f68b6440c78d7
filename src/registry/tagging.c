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

static enum regtag_event settle(struct regtag *r, enum regtag_outcome outcome, const struct error *whole)
{
    r->result.outcome = outcome;
    if (outcome == REGTAG_UNCHANGED)
        r->result.previous = r->digest;
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

    r->result =
        (struct regtag_result){r->names[r->index], r->digest, "", REGTAG_PENDING, REGTAG_OK, "", false};
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
    bool cut_off = !x->answered && !x->connection->up;
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

/* ---- PUT ------------------------------------------------------------------------------------- */

/* An upload that is not answered is looked at again, and that takes some of the time that is left. */
static uint64_t upload_until(const struct regtag *r)
{
    return r->deadline - (r->now < r->deadline ? (r->deadline - r->now) / 4 : 0);
}

enum regtag_event phase_announced(struct regtag *r)
{
    return operation_go(r, PHASE_UPLOAD);
}

static void begin_upload(struct regtag *r)
{
    struct slice manifest = {r->manifest, r->manifest_size};
    struct writer *w = &r->exchange.request;
    operation_manifest_request(r, "PUT", slice_of(r->result.name));
    write_field(w, "Content-Type", r->media_type->name);
    write_format(w, "Content-Length: %zu\r\n", manifest.size);
    operation_send(r, "PUT", manifest, upload_until(r));
}

/* The tag is looked at, because the upload left this doubt; `cause` says more. */
static enum regtag_event look(struct regtag *r, enum doubt doubt, const struct error *cause)
{
    r->doubt = doubt;
    r->cause = *cause;
    operation_tell(r, REGTAG_TRACE_NOTE, "looking where %s points: %s", r->result.name, cause->text);
    return operation_go(r, PHASE_LOOK);
}

/* The confirmed digest decides. */
static enum regtag_event compare(struct regtag *r, struct slice confirmed)
{
    struct error problem = {.status = 0};
    if (slice_equal(confirmed, slice_of(r->digest)))
        return settle(r, REGTAG_SET, NULL);
    error_set(&problem, REGTAG_NOT_CONFIRMED, "uploaded as %s, but the registry confirms %.*s",
              r->digest, SLICE_ARG(confirmed));
    return settle_badly(r, REGTAG_NOT_SET, &problem);
}

/* An error that may not be the end of it: a server, or a proxy before it, may fail after the tag was set,
 * and a tag that must not be moved may be where it should be. */
static bool leaves_doubt(const struct error *problem)
{
    return problem->status == REGTAG_SERVER_FAILED || problem->status == REGTAG_IMMUTABLE;
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
        return look(r, DOUBT_NO_DIGEST, &problem);
    }
    operation_explain(r, REQUEST_UPLOAD, &problem);
    return leaves_doubt(&problem) ? look(r, DOUBT_ERROR, &problem)
                                  : settle_badly(r, REGTAG_NOT_SET, &problem);
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
    return r->exchange.sent_all ? look(r, DOUBT_NO_ANSWER, &r->exchange.error)
                                : settle_badly(r, REGTAG_NOT_SET, &r->exchange.error);
}

/* ---- HEAD of the new tag --------------------------------------------------------------------- */

/* The look has not shown the digest. An error is believed then; all else is uncertain, for an upload that
 * was sent may still be on its way through the registry. */
static enum regtag_event not_seen(struct regtag *r, const struct error *seen)
{
    struct error problem = {.status = 0};
    if (r->doubt == DOUBT_ERROR)
        return settle_badly(r, REGTAG_NOT_SET, &r->cause);
    error_set(&problem, REGTAG_UNCERTAIN,
              "it is uncertain whether the tag is set: %s; a second look: %s; tag it again to make sure",
              r->cause.text, strcmp(r->cause.text, seen->text) == 0 ? "the same" : seen->text);
    return settle_badly(r, REGTAG_MAYBE_SET, &problem);
}

static enum regtag_event looked(struct regtag *r)
{
    const struct http_response *response = &r->exchange.response;
    struct error seen = {.status = 0};
    struct slice digest;

    if (response->status == 404)
        error_set(&seen, REGTAG_NOT_FOUND, "there is no such tag");
    else if (response->status != 200)
        operation_explain(r, REQUEST_MANIFEST, &seen);
    else if (!answer_digest(response, &digest) || !digest_is_sha256(digest))
        error_set(&seen, REGTAG_PROTOCOL, "the registry states no digest");
    else if (slice_equal(digest, slice_of(r->digest)) && r->cause.status == REGTAG_IMMUTABLE)
        return settle(r, REGTAG_UNCHANGED, NULL);
    else if (slice_equal(digest, slice_of(r->digest)) || r->doubt == DOUBT_NO_DIGEST)
        return compare(r, digest);
    else
        error_set(&seen, REGTAG_OTHER, "it points at %.*s", SLICE_ARG(digest));
    return not_seen(r, &seen);
}

enum regtag_event phase_look(struct regtag *r)
{
    if (!r->begun) {
        operation_manifest_request(r, "HEAD", slice_of(r->result.name));
        operation_send(r, "HEAD", SLICE(""), r->deadline);
    }
    switch (operation_answer(r)) {
    case EXCHANGE_WAIT: return REGTAG_WAIT;
    case EXCHANGE_MOVED: return GO_ON;
    case EXCHANGE_END: return looked(r);
    default: return not_seen(r, &r->exchange.error);
    }
}
