#include "net/tls_clock.h"

#include <time.h>

#ifndef REGTAG_BUILD_TIME
#define REGTAG_BUILD_TIME 0 /* the Makefile knows */
#endif

#define LAST_SECOND 253402300799 /* of the year 9999, the last that a certificate can name */

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

/* The calendar repeats itself every 400 years; a year begins in March here, so that the odd day is its last. */
void tls_clock_split(int64_t seconds, int parts[6])
{
    int64_t in_time = seconds < 0 ? 0 : seconds > LAST_SECOND ? LAST_SECOND : seconds;
    int days = (int)(in_time / 86400), second = (int)(in_time % 86400);
    int day = days + 719468; /* since 1 March of the year 0 */
    int era = day / 146097;
    day -= era * 146097;
    int year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    int month = (5 * day + 2) / 153;

    parts[0] = era * 400 + year + (month >= 10);
    parts[1] = month < 10 ? month + 3 : month - 9;
    parts[2] = day - (153 * month + 2) / 5 + 1;
    parts[3] = second / 3600;
    parts[4] = second / 60 % 60;
    parts[5] = second % 60;
}

void write_moment(struct writer *w, int64_t seconds)
{
    int parts[6];
    tls_clock_split(seconds, parts);
    write_date(w, parts);
}
