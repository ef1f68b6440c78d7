/* State shared by all requests of an operation: configuration, time, and the last failure. */
#ifndef REGTAG_CLIENT_CONTEXT_H
#define REGTAG_CLIENT_CONTEXT_H

#include "base/error.h"
#include "regtag.h"

struct remote;

struct context {
    const struct regtag_config *config;
    uint64_t now;        /* of this step; all times are in milliseconds */
    uint64_t deadline;   /* of the operation */
    uint64_t wake;       /* latest time for the next step */
    bool queued;         /* in this step, a request found no place on a connection */
    unsigned reads_left; /* in this step; bounded, so that even a fast server cannot hide a timeout */

    /* Traces a line of a request to this origin; set by the remote, which knows what to mask. */
    void (*trace_request)(const struct remote *r, const struct regtag_origin *origin, struct slice line);
    const struct remote *remote;

    /* Why the last request failed; reset when the next one begins. */
    bool permanent;   /* retrying would fail the same way */
    bool unreachable; /* no connection was established */
    struct error error;
};

#endif
