/* When watch asks again. All times are in milliseconds. */
#ifndef REGTAG_CLI_SCHEDULE_H
#define REGTAG_CLI_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* To begin, set the first two and clear the others. */
struct schedule {
    uint64_t interval; /* from one ask to the next, while all is well */
    unsigned jitter; /* by so many percent each wait is longer or shorter, so that devices spread out */
    bool answered;   /* the registry has answered, at any time */
    unsigned failures; /* asks without an answer, in a row */
};

void schedule_answered(struct schedule *s);
void schedule_failed(struct schedule *s);

/* How long to wait now. `pause` is how long the registry wants to be left alone, and a minimum, though no
 * longer than a day. Any `random` will do. */
uint64_t schedule_wait(const struct schedule *s, uint64_t pause, uint16_t random);

#endif
