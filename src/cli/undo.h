/* The command undo: moves back what a journal says was moved. */
#ifndef REGTAG_CLI_UNDO_H
#define REGTAG_CLI_UNDO_H

#include "cli/options.h"

/* Does what the options say, by the deadline, of clock_now(). Nothing is done when the journal cannot be
 * understood whole. Returns the status of the first failure. */
enum regtag_status undo_run(const struct options *o, uint64_t deadline);

#endif
