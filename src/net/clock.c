#include "net/clock.h"

#include <time.h>

#define POLL_MAX 600000 /* milliseconds; callers wait again if it was not long enough */

uint64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int clock_until(uint64_t then)
{
    uint64_t now = clock_now();
    if (then <= now)
        return 0;
    return then - now > POLL_MAX ? POLL_MAX : (int)(then - now);
}
