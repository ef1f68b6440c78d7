/* Trying again: what may pass is waited for, longer each time, and never beyond the deadline. */
#include "http/date.h"
#include "registry/operation.h"

#define WAIT_FIRST                                                                                      \
    250u /* milliseconds, at most, before the second attempt; twice that before the third ... */
#define WAIT_MAX 30000u

/* ---- What may pass --------------------------------------------------------------------------- */

bool status_passes(unsigned http)
{
    return http == 408 || http == 429 || http == 500 || http == 502 || http == 503 || http == 504;
}

bool failure_passes(const struct regtag *r)
{
    const struct exchange *x = &r->exchange;
    bool passes = x->error.status == REGTAG_NO_CONNECTION || x->error.status == REGTAG_TIMEOUT || x->cut;
    return passes && !x->lasting && r->now < r->deadline;
}

/* An upload is looked at first, a part of a list has been handed out, and what is only drained has been
 * answered already. */
bool retry_handles(const struct regtag *r)
{
    switch (r->phase) {
    case PHASE_LOOK:
    case PHASE_WEIGH:
        /* One that followed and got no answer is sent again by itself; and one that hangs is not worth the
         * time, if it could be done without. */
        if (r->followed && !r->exchange.answered)
            return false;
        return !(r->exchange.error.status == REGTAG_TIMEOUT && look_is_optional(r));
    case PHASE_ASK:
    case PHASE_FETCH:
    case PHASE_PING:
    case PHASE_TOKEN: return true;
    case PHASE_PAGE: return r->listing.on_page == 0;
    default: return false;
    }
}

/* ---- When ------------------------------------------------------------------------------------ */

/* What RateLimit-Remaining leaves is to last for its window; where asking costs nothing (Docker Hub's HEAD),
 * it does not matter. */
static uint64_t pace(struct regtag *r)
{
    uint64_t before = r->remaining, window, remaining;
    if (!http_rate_limit(&r->exchange.response, &remaining, &window))
        return 0;
    r->remaining = remaining;
    return remaining < before || remaining == 0 ? window * 1000 / (remaining + 1) : 0;
}

void retry_note_pace(struct regtag *r)
{
    uint64_t by_rate = pace(r), by_request = http_retry_after(&r->exchange.response);
    r->pause = by_request > by_rate ? by_request : by_rate;
}

uint64_t regtag_pause(const struct regtag *r)
{
    return r->pause;
}

/* Anything up to twice as long each time ("full jitter"), so that many devices do not come back together. */
static uint64_t backoff(const struct regtag *r)
{
    const struct regtag_random *random = &r->config.random;
    uint64_t longest = r->tries < 7 ? WAIT_FIRST << r->tries : WAIT_MAX;
    uint32_t number = UINT32_MAX;

    if (random->bytes && random->bytes(random->context, &number, sizeof number) != 0)
        number = UINT32_MAX;
    return longest * number >> 32;
}

uint64_t asked_to_wait(const struct regtag *r)
{
    return r->exchange.answered ? http_retry_after(&r->exchange.response) : 0;
}

bool operation_pause(struct regtag *r, const struct error *problem, uint64_t least, enum phase then)
{
    uint64_t wait = backoff(r);
    if (wait < least)
        wait = least;
    if (r->tries >= r->config.retries || r->now >= r->deadline || wait >= r->deadline - r->now)
        return false;
    r->tries++;
    r->no_following |=
        !r->exchange.answered; /* in case that this is what somebody on the way cannot bear */
    r->resume = r->now + wait;
    r->retried = then;
    r->phase = PHASE_PAUSE;
    operation_tell(r, REGTAG_TRACE_NOTE, "attempt %u of %u failed: %s (the next one in %llu ms)",
                   r->tries, r->config.retries + 1, problem->text, (unsigned long long)wait);
    return true;
}

bool operation_look_later(struct regtag *r, const struct error *problem, uint64_t least, enum phase then)
{
    r->look.then = then;
    r->look.head = 0;
    return operation_pause(r, problem, least, r->look.by_get ? PHASE_WEIGH : PHASE_LOOK);
}

enum regtag_event phase_pause(struct regtag *r)
{
    r->until = r->resume;
    if (r->now < r->resume)
        return REGTAG_WAIT;
    return operation_turn(r, r->retried);
}

/* ---- An answer that may be another one the next time ----------------------------------------- */

static enum request_kind kind_of(enum phase phase)
{
    return phase == PHASE_PAGE ? REQUEST_LIST : phase == PHASE_TOKEN ? REQUEST_TOKEN : REQUEST_MANIFEST;
}

enum regtag_event phase_retry(struct regtag *r)
{
    struct error problem = {.status = 0};
    if (operation_answer(r) == EXCHANGE_WAIT)
        return REGTAG_WAIT;
    operation_explain(r, kind_of(r->retried), &problem);
    if (operation_pause(r, &problem, asked_to_wait(r), r->retried))
        return GO_ON;
    r->phase = r->retried;
    r->begun = true;
    r->refusal = problem;
    return GO_ON;
}
