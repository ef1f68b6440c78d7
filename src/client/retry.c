#include "client/retry.h"

#include "http/date.h"

/* Maximum backoff in milliseconds: before the second attempt, doubled for each further one,
 * and overall. */
#define WAIT_FIRST 250u
#define WAIT_MAX 30000u

#define PROGRESS (64u * 1024)

void retry_note_progress(struct attempts *attempts, uint64_t *counted, uint64_t at)
{
    if (at < *counted + PROGRESS)
        return;
    *counted = at;
    attempts->failed = 0;
}

bool status_is_transient(unsigned http)
{
    return http == 408 || http == 429 || http == 500 || (http >= 502 && http <= 504) ||
           (http >= 520 && http <= 524) || http == 530; /* of Cloudflare: the registry is out of reach */
}

bool failure_is_transient(const struct context *c, bool cut)
{
    bool transient =
        c->error.status == REGTAG_E_NO_CONNECTION || c->error.status == REGTAG_E_TIMEOUT || cut;
    return transient && !c->permanent && c->now < c->deadline;
}

/* Whether to obey the limit: a request was refused, or requests seem to count. Docker Hub's HEADs don't, but
 * other clients behind the same address use up the limit, too, though hardly ever between each of our requests and the
 * next. If it has fallen only once and nothing is left, the next request shows whether ours count. */
static bool rate_counts(struct remote *r, uint64_t remaining, bool refused)
{
    bool fell = remaining < r->remaining, same = remaining == r->remaining;
    bool counts = refused || (fell && r->rate_fell);
    if (counts)
        r->rate_free = false;
    else if (same && r->rate_same)
        r->rate_free = true;
    r->rate_fell = fell;
    r->rate_same = same;
    r->remaining = remaining;
    return counts || (fell && remaining > 0 && !r->rate_free);
}

/* Spreads the requests left by RateLimit-Remaining over its window, in milliseconds per request. */
static uint64_t pace(struct remote *r, const struct http_response *response)
{
    bool refused = response->status == 429 || response->status == 503;
    uint64_t window, remaining;
    if (!http_rate_limit(response, &remaining, &window) || !rate_counts(r, remaining, refused))
        return 0;
    return window * 1000 / (remaining + 1);
}

void retry_note_pace(struct remote *r, const struct http_response *response, bool home)
{
    const struct context *c = r->context;
    uint64_t by_rate = home ? pace(r, response) : 0, by_request = http_retry_after(response);
    uint64_t pause = by_request > by_rate ? by_request : by_rate;
    if (home || pause > r->pause)
        r->pause = pause;
    uint64_t until = c->now + by_request;
    if (home && response->status == 429 && until < c->deadline && until > r->hold)
        r->hold = until;
}

/* Exponential backoff with full jitter, so that many devices do not retry in lockstep. Without random
 * numbers, wait for the maximum. */
static uint64_t backoff(const struct regtag_random *random, unsigned failed)
{
    uint64_t longest = failed < 7 ? WAIT_FIRST << failed : WAIT_MAX;
    uint32_t number = UINT32_MAX;

    if (random->bytes && random->bytes(random->context, &number, sizeof number) != 0)
        number = UINT32_MAX;
    return longest * number >> 32;
}

bool retry_later(const struct remote *r, struct attempts *attempts, const struct error *problem,
                 uint64_t least, uint64_t *resume)
{
    const struct context *c = r->context;
    uint64_t wait = backoff(&c->config->random, attempts->failed);
    if (wait < least)
        wait = least;
    if (attempts->failed >= c->config->retries || (attempts->polling && least) ||
        c->now >= c->deadline || wait >= c->deadline - c->now)
        return false;
    attempts->failed++;
    *resume = c->now + wait;
    remote_tell(r, REGTAG_TRACE_NOTE, "attempt %u of %u failed: %s (next in %llu ms)", attempts->failed,
                c->config->retries + 1, problem->text, (unsigned long long)wait);
    return true;
}
