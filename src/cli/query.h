/* What verbs share that only ask: an operation that changes nothing, on one image or repository. */
#ifndef REGTAG_CLI_QUERY_H
#define REGTAG_CLI_QUERY_H

#include "cli/options.h"

struct query {
    /* Starts the operation on the argument. */
    enum regtag_status (*begin)(struct regtag *r, const struct options *o);

    /* A tag was listed; or NULL. Returns whether to go on. */
    bool (*on_listed)(const struct options *o, const struct regtag_result *result);

    /* The operation is over, or could not begin without a login: prints its result; or NULL. On failure
     * `error` says why, and goes to standard error later. */
    void (*on_end)(const struct options *o, struct regtag *r, enum regtag_status status,
                   const char *error);
};

/* Logs in and runs the operation to its end, or until standard output cannot be written. Returns the
 * exit status. */
int query_run(const struct query *q, const struct options *o, uint64_t deadline);

#endif
