/* Which tags of a list are meant: --include and --exclude. */
#ifndef REGTAG_CLI_GLOB_H
#define REGTAG_CLI_GLOB_H

#include "cli/options.h"

/* Whether the pattern matches all of the text. As in a shell: '*' stands for any characters, '?' for one, [a-z] for one of
 * these, and [!a-z] for any other. Not fnmatch(): a static program would get the C library's wide characters with it. */
bool glob_matches(const char *pattern, const char *text);

/* Whether a pattern of --include matches the tag, if there are any, and none of --exclude does. */
bool glob_wants(const struct options *o, const char *tag);

#endif
