/* Deleting a tag, and nothing else. */
#include <string.h>

#include "registry/operation.h"

/* ---- Before ---------------------------------------------------------------------------------- */

enum regtag_event phase_condemn(struct regtag *r)
{
    struct slice tag = reference_tag(&r->reference);
    memcpy(r->condemned, tag.data, tag.size);
    r->condemned[tag.size] = '\0';
    r->result = (struct regtag_result){r->condemned, "", "", REGTAG_PENDING, REGTAG_OK, "", false};
    return operation_look(r, PHASE_CONDEMNED);
}

enum regtag_event phase_condemned(struct regtag *r)
{
    struct error problem = {.status = 0};
    if (!r->uploaded)
        operation_note_previous(r);
    if (r->look.sight == SIGHT_ABSENT &&
        r->uploaded) /* by a DELETE whose answer was not the whole truth */
        return operation_settle(r, REGTAG_DELETED, NULL);
    if (!guard_holds(r, &problem))
        return operation_settle_badly(r, REGTAG_NOT_SET, &problem);
    if (r->look.sight == SIGHT_ABSENT) {
        error_set(&problem, REGTAG_NOT_FOUND, "there is no such tag");
        return operation_settle_badly(r, REGTAG_NOT_SET, &problem);
    }
    if (r->config.dry_run)
        return operation_settle(r, REGTAG_DELETED, NULL);
    operation_go(r, PHASE_DELETE);
    return REGTAG_UPLOAD;
}

/* ---- DELETE ---------------------------------------------------------------------------------- */

static enum regtag_event look_again(struct regtag *r, const struct error *cause, bool passing)
{
    r->cause = *cause;
    r->passing = passing;
    return operation_look(r, PHASE_DELETED);
}

static bool try_later(struct regtag *r, const struct error *cause)
{
    r->look.then = PHASE_CONDEMNED;
    return operation_pause(r, cause, PHASE_LOOK);
}

static enum regtag_event deletion_answered(struct regtag *r)
{
    unsigned status = r->exchange.response.status;
    struct error problem = {.status = 0};
    if (status >= 200 && status < 300) {
        error_set(&problem, REGTAG_UNCERTAIN, "the registry took the request (HTTP %u)", status);
        return look_again(r, &problem, false);
    }
    operation_explain(r, REQUEST_DELETE, &problem);
    if (problem.status == REGTAG_SERVER_FAILED)
        return look_again(r, &problem, status_passes(status));
    return status_passes(status) && try_later(r, &problem)
               ? GO_ON
               : operation_settle_badly(r, REGTAG_NOT_SET, &problem);
}

enum regtag_event phase_delete(struct regtag *r)
{
    if (!r->begun) {
        operation_manifest_request(r, "DELETE", slice_of(r->result.name));
        operation_send(r, "DELETE", SLICE(""), r->deadline - (r->deadline - r->now) / 4);
        r->uploaded = true;
    }
    switch (operation_answer(r)) {
    case EXCHANGE_WAIT: return REGTAG_WAIT;
    case EXCHANGE_MOVED: return GO_ON;
    case EXCHANGE_END: return deletion_answered(r);
    default: break;
    }
    const struct error *problem = &r->exchange.error;
    bool passing = failure_passes(r);
    if (r->exchange.sent_all)
        return look_again(r, problem, passing);
    return passing && try_later(r, problem) ? GO_ON : operation_settle_badly(r, REGTAG_NOT_SET, problem);
}

/* ---- After ----------------------------------------------------------------------------------- */

enum regtag_event phase_deleted(struct regtag *r)
{
    struct error problem = {.status = 0};
    const struct look *look = &r->look;
    if (look->sight == SIGHT_ABSENT)
        return operation_settle(r, REGTAG_DELETED, NULL);
    if (r->passing && guard_holds(r, &problem) && try_later(r, &r->cause))
        return GO_ON;
    if (r->cause.status == REGTAG_SERVER_FAILED)
        return operation_settle_badly(r, REGTAG_NOT_SET, &r->cause);
    error_clear(&problem);
    error_set(&problem, REGTAG_UNCERTAIN,
              "it is uncertain whether the tag is deleted: %s; a second look: %s%s", r->cause.text,
              look->sight == SIGHT_DIGEST ? "it points at " : "",
              look->sight == SIGHT_DIGEST ? look->digest : look->why.text);
    return operation_settle_badly(r, REGTAG_MAYBE_SET, &problem);
}
