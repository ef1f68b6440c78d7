/* The time that certificates are held against. A device without a battery boots in 1970: its clock is
 * wrong where it is before the day on which this program was built, or before a floor that the user sets. */
#ifndef REGTAG_NET_TLS_CLOCK_H
#define REGTAG_NET_TLS_CLOCK_H

#include "base/calendar.h"
#include "base/writer.h"

/* Raises the floor, in seconds since 1970. */
void tls_clock_floor(int64_t seconds);

/* The time, in seconds since 1970; *floored tells that it is the floor, not the device's clock. */
int64_t tls_clock_now(bool *floored);

/* Writes "2026-01-31 12:00:00 UTC", of a moment or of its parts. */
void write_moment(struct writer *w, int64_t seconds);
void write_date(struct writer *w, const struct calendar *c);

#endif
