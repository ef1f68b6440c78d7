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
    if (r->uploaded)
        return operation_turn(r, PHASE_DELETE);
    operation_go(r, PHASE_DELETE);
    return REGTAG_UPLOAD;
}

/* ---- Siblings: the tags that point at the same manifest -------------------------------------- */

/* The names of all tags of the repository are kept in the memory of the manifest, which is free here. */
static enum regtag_event begin_siblings(struct regtag *r)
{
    r->by_digest = true;
    r->manifest_size = 0;
    r->sibling = 0;
    listing_begin(r, 0);
    return operation_go(r, PHASE_PAGE);
}

bool siblings_keep(struct regtag *r, const char *name)
{
    size_t size = strlen(name) + 1;
    if (size > r->manifest_max - r->manifest_size)
        return false;
    memcpy(r->manifest + r->manifest_size, name, size);
    r->manifest_size += size;
    return true;
}

enum regtag_event siblings_failed(struct regtag *r, const struct error *problem)
{
    struct error whole = {.status = 0};
    error_set(&whole, problem->status,
              "nothing was deleted, since not all that goes with it can be told: %s", problem->text);
    r->result.name = r->condemned;
    exchange_abandon(&r->exchange);
    return operation_settle_badly(r, REGTAG_NOT_SET, &whole);
}

enum regtag_event siblings_listed(struct regtag *r)
{
    return operation_go(r, PHASE_SIBLING);
}

enum regtag_event phase_sibling(struct regtag *r)
{
    while (r->sibling < r->manifest_size) {
        r->result.name = r->manifest + r->sibling;
        r->sibling += strlen(r->result.name) + 1;
        if (strcmp(r->result.name, r->condemned) != 0)
            return operation_look(r, PHASE_SIBLING_SEEN);
    }
    r->result.name = r->condemned;
    return operation_go(r, PHASE_DELETE);
}

enum regtag_event phase_sibling_seen(struct regtag *r)
{
    const struct look *look = &r->look;
    if (look->sight == SIGHT_NOTHING)
        return siblings_failed(r, &look->why);
    operation_go(r, PHASE_SIBLING);
    return look->sight == SIGHT_DIGEST && strcmp(look->digest, r->previous) == 0 ? REGTAG_LISTED : GO_ON;
}

/* ---- DELETE ---------------------------------------------------------------------------------- */

static enum regtag_event look_again(struct regtag *r, const struct error *cause, bool passing)
{
    r->cause = *cause;
    r->passing = passing;
    r->cause_wait = asked_to_wait(r);
    return operation_look(r, PHASE_DELETED);
}

static enum regtag_event deletion_answered(struct regtag *r)
{
    unsigned status = r->exchange.response.status;
    struct error problem = {.status = 0};
    if (status >= 200 && status < 300) {
        error_set(&problem, REGTAG_UNCERTAIN, "the registry took the request (HTTP %u)", status);
        return look_again(r, &problem, false);
    }
    if ((status == 400 || status == 405) && r->config.siblings && !r->by_digest && *r->result.previous)
        return begin_siblings(r);
    operation_explain(r, r->by_digest ? REQUEST_DELETE_ALL : REQUEST_DELETE, &problem);
    bool twice = status == 404 && r->exchange.sent_again; /* the first may have deleted it */
    if (problem.status == REGTAG_SERVER_FAILED || twice)
        return look_again(r, &problem, status_passes(status));
    return status_passes(status) && operation_look_later(r, &problem, asked_to_wait(r), PHASE_CONDEMNED)
               ? GO_ON
               : operation_settle_badly(r, REGTAG_NOT_SET, &problem);
}

enum regtag_event phase_delete(struct regtag *r)
{
    if (!r->begun) {
        operation_manifest_request(r, "DELETE", slice_of(r->by_digest ? r->previous : r->result.name));
        operation_send(r, "DELETE", SLICE(""), operation_until(r, 4));
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
    return passing && operation_look_later(r, problem, 0, PHASE_CONDEMNED)
               ? GO_ON
               : operation_settle_badly(r, REGTAG_NOT_SET, problem);
}

/* ---- After ----------------------------------------------------------------------------------- */

enum regtag_event phase_deleted(struct regtag *r)
{
    struct error problem = {.status = 0};
    const struct look *look = &r->look;
    if (look->sight == SIGHT_ABSENT)
        return operation_settle(r, REGTAG_DELETED, NULL);
    if (r->passing && guard_holds(r, &problem) &&
        operation_look_later(r, &r->cause, r->cause_wait, PHASE_CONDEMNED))
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
