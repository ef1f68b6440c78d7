/* Which failures are transient, and when to retry: with exponential backoff, and never past the
 * deadline. */
#ifndef REGTAG_CLIENT_RETRY_H
#define REGTAG_CLIENT_RETRY_H

#include "client/remote.h"

/* Failed attempts at one task, which may take several requests in succession. */
struct attempts {
    unsigned failed;
    bool polling; /* the caller asks again later anyway, and waits for as long as the server wants */
};

/* Failures no longer count once 64 KiB more have moved: a bad line is no reason to give up while it carries something.
 * `at` is how far a transfer has come; *counted is how far it had come when this was last so. */
void retry_note_progress(struct attempts *attempts, uint64_t *counted, uint64_t at);

/* Whether a retry may get a different response than this status. */
bool status_is_transient(unsigned http);

/* Whether the failure in the context may pass: a broken or stalled connection. `cut`: it broke within a
 * response. */
bool failure_is_transient(const struct context *c, bool cut);

/* Sets r->pause from the response's Retry-After. If it is the registry's own (`home`), its rate limit counts, too, and a
 * 429 that leaves time to wait sets r->hold; that of a token server or of a redirect's target only makes a pause longer. */
void retry_note_pace(struct remote *r, const struct http_response *response, bool home);

/* Counts an attempt that failed with `problem`, and sets *resume to the time of the next one, at least
 * `least` milliseconds from now. False if there are no retries left, the deadline is too near, or the caller is
 * polling and there is such a wait. */
bool retry_later(const struct remote *r, struct attempts *attempts, const struct error *problem,
                 uint64_t least, uint64_t *resume);

#endif
