#include "cli/schedule.h"

/* A device that has just started may have no network yet. */
#define FIRST_WAIT 15000

/* The longest backoff: so many intervals, and 15 minutes, unless the interval is longer. */
#define BACKOFF_FACTOR_MAX 16
#define BACKOFF_MAX 900000

/* Of a poll: with three requests instead of one, devices have had their first failure in one interval. */
#define RETRIES_MAX 2

/* Percent, for devices that may be in step. */
#define ALIGNED_JITTER 50

/* A registry that asks for more than a day is mistaken. */
#define PAUSE_MAX 86400000ul

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- What came of a poll --------------------------------------------------------------------- */

/* The registry was late, so others may have waited for it, too: more of them than the jitter would scatter. */
static bool is_late(const struct schedule *s, uint64_t took)
{
    return took > s->interval / 100 * s->jitter;
}

/* Devices start together after a power cut, and find the registry together when it is back. */
void schedule_on_answer(struct schedule *s, uint64_t took)
{
    s->aligned = !s->answered || s->failures || is_late(s, took);
    s->answered = true;
    s->failures = 0;
}

void schedule_on_failure(struct schedule *s)
{
    s->failures++;
    s->aligned = true;
}

/* While polls fail, the next one is the retry. A registry in trouble needs no more requests than usual. */
unsigned schedule_retries_if(bool failing, unsigned retries)
{
    return failing ? 0 : retries < RETRIES_MAX ? retries : RETRIES_MAX;
}

unsigned schedule_retries(const struct schedule *s, unsigned retries)
{
    return schedule_retries_if(s->failures, retries);
}

/* ---- The next wait --------------------------------------------------------------------------- */

/* Doubles with each failure. Once the registry has answered, it starts at the interval. */
static uint64_t backoff(const struct schedule *s)
{
    uint64_t longest = max_of(s->interval, min_of(s->interval * BACKOFF_FACTOR_MAX, BACKOFF_MAX));
    uint64_t wait = s->answered ? s->interval : min_of(s->interval, FIRST_WAIT);
    for (unsigned i = 1; i < s->failures && wait < longest; i++)
        wait *= 2;
    return min_of(wait, longest);
}

/* Half of the wait scatters devices that are in step over a whole one. No jitter: the user wants none. */
static uint64_t spread_of(const struct schedule *s, uint64_t wait)
{
    return wait * (s->jitter && s->aligned ? max_of(s->jitter, ALIGNED_JITTER) : s->jitter) / 100;
}

/* A pause may end at the same time for all: they come back in the course of an interval, also where the wait would have been
 * shorter than that, as before the first answer. */
uint64_t schedule_wait(const struct schedule *s, uint64_t pause, uint16_t random)
{
    uint64_t wait = s->failures ? backoff(s) : s->interval;
    uint64_t spread = spread_of(s, wait);
    uint64_t least = min_of(pause, PAUSE_MAX);
    if (wait - spread >= least)
        return wait - spread + 2 * spread * random / UINT16_MAX;
    if (s->jitter && least > wait)
        spread = max_of(spread, s->interval);
    return least + spread * random / UINT16_MAX;
}
