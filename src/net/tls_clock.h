/* The time to check certificates against. A device without a battery boots in 1970, so a clock that is
 * behind the build of this program, or behind the user's --time-floor, is wrong. */
#ifndef REGTAG_NET_TLS_CLOCK_H
#define REGTAG_NET_TLS_CLOCK_H

#include "base/calendar.h"
#include "base/writer.h"

/* Raises the floor, in seconds since 1970. */
void tls_clock_floor(int64_t seconds);

/* Seconds since 1970; *floored: it is the floor, since the clock is behind it. */
int64_t tls_clock_now(bool *floored);

/* Writes "2026-01-31 12:00:00 UTC", of a moment or of its parts. */
void write_moment(struct writer *w, int64_t seconds);
void write_date(struct writer *w, const struct calendar *c);

#endif
