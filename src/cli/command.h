/* The COMMAND of watch: a program that is run and waited for. */
#ifndef REGTAG_CLI_COMMAND_H
#define REGTAG_CLI_COMMAND_H

#include "base/error.h"

struct command {
    char **arguments; /* the program, looked for in PATH, and what it is given; NULL at the end */
    const char *image, *old_digest, *new_digest; /* its REGTAG_IMAGE, REGTAG_OLD and REGTAG_NEW */
};

/* Runs it to its end, as a process group of its own, which is ended with us by SIGTERM and SIGINT. Its
 * standard input is empty, the other two are ours. Returns what a shell would have in $?: its status,
 * 128 and the number of the signal that has ended it, 127 where there is no such program, 126 where it
 * cannot be run. Unless that is 0, e has it, too, and says what was wrong. */
int command_run(const struct command *c, struct error *e);

/* Forgets the processes that have ended and that nobody waits for. Where we are the first process of a
 * container, what COMMAND leaves in the background becomes ours. */
void command_reap(void);

#endif
