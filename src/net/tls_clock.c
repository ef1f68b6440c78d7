#include "net/tls_clock.h"

#include <time.h>

#ifndef REGTAG_BUILD_TIME
#define REGTAG_BUILD_TIME 0 /* the Makefile knows */
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

void write_date(struct writer *w, const int parts[6])
{
    static const char BEHIND[6][5] = {"-", "-", " ", ":", ":", " UTC"};
    for (int i = 0; i < 6; i++)
        write_format(w, "%s%u%s", parts[i] < 10 ? "0" : "", (unsigned)parts[i], BEHIND[i]);
}

void write_moment(struct writer *w, int64_t seconds)
{
    struct tm t;
    time_t when = (time_t)seconds;
    if (gmtime_r(&when, &t)) {
        int parts[6] = {t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec};
        write_date(w, parts);
    }
}
