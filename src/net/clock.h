/* Time that never runs backwards. */
#ifndef REGTAG_NET_CLOCK_H
#define REGTAG_NET_CLOCK_H

#include <stdint.h>

uint64_t clock_now(void); /* milliseconds since some moment before the program began */

/* Milliseconds from now to then, for poll: 0 if it has passed, at most ten minutes. */
int clock_until(uint64_t then);

#endif
