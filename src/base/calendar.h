/* Dates of the Gregorian calendar, in UTC. */
#ifndef REGTAG_BASE_CALENDAR_H
#define REGTAG_BASE_CALENDAR_H

#include "base/slice.h"

struct calendar {
    unsigned year, month, day, hour, minute, second; /* month and day count from 1 */
};

/* Seconds from 1970 to then; a leap second is the one behind it. False where there is no such moment, or it
 * is before 1970 or after 9999. */
bool calendar_seconds(const struct calendar *c, int64_t *seconds);

/* Takes a time apart: the nearest that there is, from 1970 to 9999. Not by gmtime_r: glibc's allocates memory and
 * reads /etc/localtime. */
void calendar_of(int64_t seconds, struct calendar *c);

/* Takes a number of exactly so many digits off the front, and the character behind it, unless that is 0. */
bool take_digits(struct slice *s, size_t digits, char behind, unsigned *number);

#endif
