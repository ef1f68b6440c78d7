/* tag --from: an operation for each line of a file. */
#ifndef REGTAG_CLI_TAG_FROM_H
#define REGTAG_CLI_TAG_FROM_H

#include "cli/options.h"

/* Runs it by the deadline, of regtag_clock(). Returns the exit status. */
int tag_from(const struct options *o, uint64_t deadline);

#endif
