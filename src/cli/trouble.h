/* A failure that comes again and again is told when it begins, when it becomes another one, and when it is
 * over; not each time. */
#ifndef REGTAG_CLI_TROUBLE_H
#define REGTAG_CLI_TROUBLE_H

#include "base/error.h"

/* To begin, clear it. */
struct trouble {
    int kind;       /* the status of the last failure; 0: all is well */
    unsigned count; /* failures in a row */
    uint64_t since; /* when the first one came, by clock_now() */
};

/* One more failure. Returns whether it is to be told. */
bool trouble_met(struct trouble *t, int kind);

/* It went well. Where it did not before, says so: "WHO WHAT, after 3 failures in 2 h 5 min". */
void trouble_over(struct trouble *t, const char *who, const char *what, bool quiet);

/* "45 s", "2 h 5 min". */
void write_duration(struct writer *w, uint64_t milliseconds);

#endif
