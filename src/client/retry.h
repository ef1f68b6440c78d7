/* Which failures are transient, and when to try again: later each time, and never beyond the deadline. */
#ifndef REGTAG_CLIENT_RETRY_H
#define REGTAG_CLIENT_RETRY_H

#include "client/remote.h"

/* What has been tried in vain for one purpose. It may take several requests, one after the other. */
struct attempts {
    unsigned failed;
};

/* Whether an answer with this status may be another one the next time. */
bool status_is_transient(unsigned http);

/* The same of the failure in the context: connections that broke or stalled. `cut`: within an answer. */
bool failure_is_transient(const struct context *c, bool cut);

/* Keeps what an answer says about when to ask again. */
void retry_note_pace(struct remote *r, const struct http_response *response);

/* Counts an attempt that failed because of `problem`, and sets *resume to when the next one is to begin, at least
 * `least` milliseconds from now. False when there is none: there have been enough, or the time is too short. */
bool retry_later(const struct remote *r, struct attempts *attempts, const struct error *problem,
                 uint64_t least, uint64_t *resume);

#endif
