/* When watch polls next: the interval with its jitter, backoff after failures, and the pause that a
 * registry asks for. All times are in milliseconds.
 *
 * Many devices may watch one registry, and what happens to it happens to all of them at once. None of that
 * may leave them in step: tests/adversity/herd.c has 100,000 of them. */
#ifndef REGTAG_CLI_SCHEDULE_H
#define REGTAG_CLI_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* To begin, set the first two and clear the others. */
struct schedule {
    uint64_t interval; /* from one poll to the next, while all is well */
    unsigned jitter;   /* percent by which each wait may vary, so that devices spread out */
    bool answered;     /* the registry has answered at least once */
    unsigned failures; /* polls without an answer, in a row */
    bool aligned;      /* the last poll may have ended at the same time for many devices */
};

/* `took`: how long the poll has taken. */
void schedule_on_answer(struct schedule *s, uint64_t took);
void schedule_on_failure(struct schedule *s);

/* How many retries the next poll may make; `retries` is the user's limit. And what else is done in a poll, which is `failing`
 * if it failed in the last one. */
unsigned schedule_retries(const struct schedule *s, unsigned retries);
unsigned schedule_retries_if(bool failing, unsigned retries);

/* Milliseconds that an idle connection is kept for the next poll. */
#define SCHEDULE_IDLE_MAX 90000

/* How long to wait now. `pause`, which the registry has asked for, is a minimum, but counts for a day at
 * most. `random` may have any value. */
uint64_t schedule_wait(const struct schedule *s, uint64_t pause, uint16_t random);

#endif
