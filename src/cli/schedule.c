#include "cli/schedule.h"

/* A device that has just started may have no network yet. */
#define FIRST_WAIT 15000

/* The longest backoff: so many intervals, and 15 minutes, unless the interval is longer. */
#define BACKOFF_FACTOR_MAX 16
#define BACKOFF_MAX 900000

/* A registry that asks for more than a day is mistaken. */
#define PAUSE_MAX 86400000ul

void schedule_on_answer(struct schedule *s)
{
    s->answered = true;
    s->failures = 0;
}

void schedule_on_failure(struct schedule *s)
{
    s->failures++;
}

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Doubles with each failure. Once the registry has answered, it starts at the interval. */
static uint64_t backoff(const struct schedule *s)
{
    uint64_t longest = max_of(s->interval, min_of(s->interval * BACKOFF_FACTOR_MAX, BACKOFF_MAX));
    uint64_t wait = s->answered ? s->interval : min_of(s->interval, FIRST_WAIT);
    for (unsigned i = 1; i < s->failures && wait < longest; i++)
        wait *= 2;
    return min_of(wait, longest);
}

uint64_t schedule_wait(const struct schedule *s, uint64_t pause, uint16_t random)
{
    uint64_t wait = s->failures ? backoff(s) : s->interval;
    uint64_t spread = wait * s->jitter / 100;
    uint64_t least = min_of(pause, PAUSE_MAX);
    uint64_t jitter = 2 * spread * random / UINT16_MAX;
    return wait - spread >= least ? wait - spread + jitter : least + jitter / 2;
}
