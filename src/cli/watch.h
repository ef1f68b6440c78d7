/* The command watch: asks again and again where a tag points, tells when that changes, and runs COMMAND. */
#ifndef REGTAG_CLI_WATCH_H
#define REGTAG_CLI_WATCH_H

#include "cli/options.h"

/* Returns an exit status; with --once that of COMMAND. The session must have been initialised. */
int watch(struct options *o);

#endif
