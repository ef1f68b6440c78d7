/* What would help against an error of the library, in the command's own words: the library knows nothing
 * of options and verbs. */
#ifndef REGTAG_CLI_HINT_H
#define REGTAG_CLI_HINT_H

#include "base/error.h"
#include "regtag.h"

/* A hint of the command's own, beyond those of any library: undo must not recommend deleting siblings. */
#define HINT_TAG_STAYS 10000

/* The message with what would help, in static memory until the next call; the message itself if there is
 * nothing to add. A message that is too long is cut, not the hint. */
const char *hint_message(const char *message, int hint);

#endif
