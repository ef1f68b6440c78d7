/* Small parts of header values that several headers share (RFC 9110, 5.6). */
#ifndef REGTAG_HTTP_QUOTED_H
#define REGTAG_HTTP_QUOTED_H

#include "base/slice.h"

/* Takes spaces and tabs off the front. */
void skip_spaces(struct slice *s);

/* Takes one character off the front, if it is this one. */
bool skip_char(struct slice *s, char c);

/* Takes a token off the front; it may be empty. */
struct slice take_token(struct slice *s);

/* Takes a quoted string off the front; *text is what stands between the quotes, escapes included. False
 * when it has no end. */
bool take_quoted(struct slice *s, struct slice *text);

#endif
