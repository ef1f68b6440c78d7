/* Reporting an outage without flooding the log: a failure that repeats is reported when it begins, when
 * its kind changes, and when it is over, but not each time. */
#ifndef REGTAG_CLI_OUTAGE_H
#define REGTAG_CLI_OUTAGE_H

#include "base/error.h"

/* To begin, clear it. */
struct outage {
    int status;        /* of the last failure; 0: all is well */
    unsigned failures; /* in a row */
    uint64_t since;    /* when the first of them came, by regtag_clock() */
};

/* Counts a failure. Returns whether it should be reported. */
bool outage_on_failure(struct outage *o, int status);

/* Ends the outage. If there was one, reports "WHO WHAT, after 3 failures in 2 h 5 min", unless
 * `quiet`. */
void outage_on_success(struct outage *o, const char *who, const char *what, bool quiet);

/* "45 s", "2 h 5 min". */
void write_duration(struct writer *w, uint64_t milliseconds);

#endif
