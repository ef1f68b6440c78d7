#include "base/calendar.h"

#define LAST_SECOND 253402300799 /* of the year 9999, the last that certificates can express */

/* Days from 1970-01-01. Counts years from March, so that the leap day is the last day. */
static int64_t days_before(const struct calendar *c)
{
    int64_t y = c->month <= 2 ? c->year - 1 : c->year;
    int64_t m = c->month <= 2 ? c->month + 9 : c->month - 3;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + c->day - 1 - 719468;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned char DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return DAYS[month - 1] + (month == 2 && leap ? 1u : 0u);
}

bool calendar_seconds(const struct calendar *c, int64_t *seconds)
{
    if (c->year < 1970 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1 ||
        c->day > days_in(c->year, c->month) || c->hour > 23 || c->minute > 59 || c->second > 60)
        return false;
    *seconds = ((days_before(c) * 24 + c->hour) * 60 + c->minute) * 60 + c->second;
    return true;
}

/* The calendar repeats every 400 years. Years begin in March here, too. */
void calendar_of(int64_t seconds, struct calendar *c)
{
    uint64_t clamped = seconds < 0 ? 0 : seconds > LAST_SECOND ? LAST_SECOND : (uint64_t)seconds;
    unsigned day = (unsigned)(clamped / 86400) + 719468; /* since 1 March of the year 0 */
    unsigned second = (unsigned)(clamped % 86400), era = day / 146097;
    day -= era * 146097;
    unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    unsigned month = (5 * day + 2) / 153;

    c->year = era * 400 + year + (month >= 10 ? 1 : 0);
    c->month = month < 10 ? month + 3 : month - 9;
    c->day = day - (153 * month + 2) / 5 + 1;
    c->hour = second / 3600;
    c->minute = second / 60 % 60;
    c->second = second % 60;
}

bool take_digits(struct slice *s, size_t digits, char next, unsigned *number)
{
    uint64_t n;
    if (s->size < digits || !slice_number(slice_head(*s, digits), 999999999, &n))
        return false;
    *number = (unsigned)n;
    *s = slice_from(*s, digits);
    if (next == '\0')
        return true;
    if (s->size == 0 || s->data[0] != next)
        return false;
    *s = slice_from(*s, 1);
    return true;
}
