/* What all requests of an operation share: the configuration, the time, and the last failure. */
#ifndef REGTAG_CLIENT_CONTEXT_H
#define REGTAG_CLIENT_CONTEXT_H

#include "base/error.h"
#include "regtag.h"

struct context {
    const struct regtag_config *config;
    uint64_t now;        /* of this step, in milliseconds */
    uint64_t deadline;   /* of the operation */
    uint64_t wake;       /* when the next step is due at the latest */
    unsigned reads_left; /* in this step: however fast a server talks, the clock is looked at again */

    /* Why the last request failed, until the next one is begun: the message, whether a failure like it would
     * only be met again, and whether not even a connection came about. */
    struct error error;
    bool permanent;
    bool unreachable;
};

#endif
