/* Docker's credential helpers: programs docker-credential-NAME that are asked for one server's login. */
#ifndef REGTAG_CLI_HELPER_H
#define REGTAG_CLI_HELPER_H

#include "base/sizes.h"
#include "cli/secrets.h"
#include "oci/document.h"

struct helper {
    const char *name;    /* of docker-credential-NAME */
    struct slice server; /* whose login is wanted, as Docker names it */
    uint64_t deadline;   /* of regtag_clock() */
    bool show_stderr;    /* its standard error is shown in the end; else it is discarded */
    char *memory;        /* HELPER_ANSWER_MAX + HELPER_ASIDE_MAX bytes; wiped afterwards */
    const struct document_memory *index;
};

enum helper_verdict {
    HELPER_SECRETS, /* they were written to the credentials */
    HELPER_NOTHING, /* it has none for this server */
    HELPER_NOT_RUN, /* there is no such program, or it cannot be run; e says why */
    HELPER_FAILED   /* it ran; e says what is wrong, with REGTAG_E_CREDENTIALS */
};

/* Searches the absolute directories of PATH for the program and runs it, with the argument "get" and the
 * server on its standard input, without a shell. It gets none of our open files, nor the secrets in our
 * environment. It is a process group of its own, which is killed at the deadline, as is a helper that has
 * left it. `c` must be empty, and stays so except with HELPER_SECRETS. */
enum helper_verdict helper_get(const struct helper *h, struct credentials *c, struct error *e);

#endif
