/* Docker's credential helpers: programs docker-credential-NAME that are asked for one server's login. */
#ifndef REGTAG_CLI_HELPER_H
#define REGTAG_CLI_HELPER_H

#include "base/sizes.h"
#include "cli/secrets.h"
#include "oci/document.h"

struct helper {
    const char *name;    /* [A-Za-z0-9_-]+ of docker-credential-NAME */
    struct slice server; /* whose login is wanted, as Docker names it */
    uint64_t deadline;   /* of clock_now() */
    bool chatty;         /* its standard error is ours; else it is dropped */
    char *memory;        /* HELPER_ANSWER_MAX bytes; they are wiped afterwards */
    const struct document_memory *index;
};

enum helper_verdict {
    HELPER_SECRETS, /* they were written to the credentials */
    HELPER_NOTHING, /* it knows nothing about this server */
    HELPER_MISSING, /* there is no such program; e is not set */
    HELPER_FAILED   /* e says why, with REGTAG_CREDENTIALS */
};

/* Asks. The program is looked for in the absolute directories of PATH and run without a shell, as a process
 * group of its own, which is killed at the deadline. It gets "get", the server on its standard input, and
 * none of our files or secrets in its environment. `c` must be empty, and stays so but with HELPER_SECRETS. */
enum helper_verdict helper_get(const struct helper *h, struct credentials *c, struct error *e);

#endif
