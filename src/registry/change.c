#include "registry/change.h"

#include <string.h>

void change_note_previous(struct regtag *r, struct change *c, const struct resolve *z)
{
    bool there = z->sight == SIGHT_DIGEST;
    if (there)
        memcpy(c->previous, z->digest, sizeof c->previous);
    r->result.previous = there ? c->previous : "";
    r->result.before = there                      ? REGTAG_PREVIOUS_KNOWN
                       : z->sight == SIGHT_ABSENT ? REGTAG_PREVIOUS_ABSENT
                                                  : REGTAG_PREVIOUS_UNKNOWN;
}

void change_leave_open(struct change *c, const struct error *cause, bool transient)
{
    c->cause = *cause;
    c->transient = transient;
    c->wait = exchange_retry_after(&c->exchange);
    c->at_once = exchange_met_end(&c->exchange);
    REQUIRE(!c->at_once || !c->fresh); /* no other connection can end so */
}

bool change_is_refused(struct change *c, unsigned status)
{
    bool refused = request_is_conditional(&c->exchange.request) &&
                   (status == 412 || status == 400 || status == 428 || status == 501);
    c->refused = c->refused || refused;
    return refused;
}

bool change_may_be_ours(const struct change *c)
{
    return c->requested && (!c->refused || c->lost);
}

int change_hint(const struct regtag *r, const struct change *c)
{
    return c->cause.hint ? c->cause.hint : r->unknown.hint;
}

enum change_next change_next(struct regtag *r, struct change *c, const struct resolve *z,
                             struct error *problem, uint64_t *resume)
{
    if (!c->transient || !guard_holds(r, z, problem))
        return CHANGE_OVER;
    c->lost = true;
    if (c->at_once && z->sight != SIGHT_UNKNOWN) {
        c->fresh = true;
        return CHANGE_NOW;
    }
    return exchange_retry_later(&c->exchange, &c->cause, c->wait, resume) ? CHANGE_LATER : CHANGE_OVER;
}
