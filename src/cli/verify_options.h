/* The keys that an image must be signed with. */
#ifndef REGTAG_CLI_VERIFY_OPTIONS_H
#define REGTAG_CLI_VERIFY_OPTIONS_H

#include "base/error.h"
#include "cli/options.h"

/* Reads those of --verify-key or, if there are none, of REGTAG_VERIFY_KEY, by the deadline, of regtag_clock(). False, and e
 * set with REGTAG_E_USAGE, if one is of no use. */
bool verify_options(const struct options *o, uint64_t deadline, struct error *e);

#endif
