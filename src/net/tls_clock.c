#include "net/tls_clock.h"

#include <time.h>

#ifndef REGTAG_BUILD_TIME
#define REGTAG_BUILD_TIME 0 /* the Makefile sets it */
#endif

static int64_t lowest = REGTAG_BUILD_TIME;

void tls_clock_floor(int64_t seconds)
{
    if (seconds > lowest)
        lowest = seconds;
}

int64_t tls_clock_now(bool *floored)
{
    int64_t now = time(NULL);
    *floored = now < lowest;
    return *floored ? lowest : now;
}

void write_date(struct writer *w, const struct calendar *c)
{
    static const char SEPARATORS[6][5] = {"-", "-", " ", ":", ":", " UTC"};
    unsigned parts[6] = {c->year, c->month, c->day, c->hour, c->minute, c->second};
    for (int i = 0; i < 6; i++)
        write_format(w, "%s%u%s", parts[i] < 10 ? "0" : "", parts[i], SEPARATORS[i]);
}

void write_moment(struct writer *w, int64_t seconds)
{
    struct calendar c;
    calendar_of(seconds, &c);
    write_date(w, &c);
}
