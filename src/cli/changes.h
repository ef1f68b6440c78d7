/* The commands that change tags: tag and delete. */
#ifndef REGTAG_CLI_CHANGES_H
#define REGTAG_CLI_CHANGES_H

#include "cli/options.h"

/* Does what the options say, by the deadline, of clock_now(). What is wrong with an argument is told before
 * anything is done. Returns the status of the first failure. */
enum regtag_status changes_run(const struct options *o, uint64_t deadline);

/* Says that it was a dry run, if it was one. */
void changes_tell_dry_run(const struct options *o);

#endif
