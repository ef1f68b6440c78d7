/* Runs the COMMAND of watch, and waits for it. */
#ifndef REGTAG_CLI_COMMAND_H
#define REGTAG_CLI_COMMAND_H

#include "base/error.h"

struct command {
    /* The program, which is searched for in PATH, and its arguments; NULL at the end. */
    char **arguments;

    /* Its REGTAG_IMAGE, REGTAG_OLD and REGTAG_NEW. */
    const char *image, *old_digest, *new_digest;
};

/* Runs it in a process group of its own, to which SIGTERM and SIGINT are passed on. Its standard input
 * is empty, the other two are ours. Returns what a shell would have in $?: its exit status, 128 plus the
 * number of the signal that ended it, 127 if there is no such program, 126 if it cannot be run. Unless
 * that is 0, it is the status of e as well, which says why. */
int command_run(const struct command *c, struct error *e);

/* Reaps children that have ended. As the first process of a container we inherit those that COMMAND
 * leaves in the background. */
void command_reap(void);

#endif
