/* What is attached to the images that save gets, with --referrers: what refers to them, and what is at the tags that cosign
 * makes of their digests. */
#ifndef REGTAG_CLI_ATTACHED_H
#define REGTAG_CLI_ATTACHED_H

#include "base/error.h"
#include "cli/options.h"

/* Adds it to the arguments, each by its reference, behind the images. By the deadline, of regtag_clock(). False, and e set,
 * if it cannot be found out, or is too much. */
bool attached_add(struct options *o, uint64_t deadline, struct error *e);

#endif
