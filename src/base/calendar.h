/* Dates of the Gregorian calendar, in UTC. */
#ifndef REGTAG_BASE_CALENDAR_H
#define REGTAG_BASE_CALENDAR_H

#include "base/slice.h"

struct calendar {
    unsigned year, month, day, hour, minute, second; /* month and day count from 1 */
};

/* Seconds from 1970 to then; a leap second counts as the second after it. False if there is no such
 * time, or it is before 1970 or after 9999. */
bool calendar_seconds(const struct calendar *c, int64_t *seconds);

/* The reverse; a time before 1970 or after 9999 becomes the nearest one within. Not by gmtime_r: glibc's
 * allocates memory and reads /etc/localtime. */
void calendar_of(int64_t seconds, struct calendar *c);

/* Takes a number of exactly so many digits off the front, and the character that must follow it, unless
 * that is 0. */
bool take_digits(struct slice *s, size_t digits, char next, unsigned *number);

#endif
