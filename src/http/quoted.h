/* Parts of header values that several headers share (RFC 9110, 5.6). */
#ifndef REGTAG_HTTP_QUOTED_H
#define REGTAG_HTTP_QUOTED_H

#include "base/slice.h"

/* Takes spaces and tabs off the front. */
void skip_spaces(struct slice *s);

/* Takes c off the front. False if it is not there. */
bool skip_char(struct slice *s, char c);

/* Takes a token off the front; it may be empty. */
struct slice take_token(struct slice *s);

/* Visible characters, spaces, tabs, and bytes beyond ASCII may be quoted. */
bool is_quotable(char c);

/* Takes a quoted string off the front. *text comes without its quotes, but with its escapes. False if it
 * is malformed. */
bool take_quoted(struct slice *s, struct slice *text);

#endif
