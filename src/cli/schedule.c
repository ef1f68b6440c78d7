#include "cli/schedule.h"

#define FIRST_WAIT 15000     /* a device that has just started may have no network yet */
#define FACTOR_MAX 16        /* of the interval */
#define LONGEST_WAIT 900000  /* after failures, unless the interval is longer */
#define PAUSE_MAX 86400000ul /* a registry that wants more than a day does not know what it says */

void schedule_answered(struct schedule *s)
{
    s->answered = true;
    s->failures = 0;
}

void schedule_failed(struct schedule *s)
{
    s->failures++;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Twice as long after each failure. Once there was an answer, it never gets shorter than the interval. */
static uint64_t backed_off(const struct schedule *s)
{
    uint64_t longest = most_of(s->interval, least_of(s->interval * FACTOR_MAX, LONGEST_WAIT));
    uint64_t wait = s->answered ? s->interval : least_of(s->interval, FIRST_WAIT);
    for (unsigned i = 1; i < s->failures && wait < longest; i++)
        wait *= 2;
    return least_of(wait, longest);
}

uint64_t schedule_wait(const struct schedule *s, uint64_t pause, uint16_t random)
{
    uint64_t wait = s->failures ? backed_off(s) : s->interval;
    uint64_t spread = wait * s->jitter / 100;
    uint64_t least = least_of(pause, PAUSE_MAX);
    uint64_t chance = 2 * spread * random / UINT16_MAX;
    return wait - spread >= least ? wait - spread + chance : least + chance / 2;
}
