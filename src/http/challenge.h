/* Parses WWW-Authenticate and Proxy-Authenticate (RFC 9110, 11.6.1): one or more challenges, each a scheme with parameters, all
 * separated by commas. */
#ifndef REGTAG_HTTP_CHALLENGE_H
#define REGTAG_HTTP_CHALLENGE_H

#include "base/writer.h"

enum challenge_part {
    CHALLENGE_END,
    CHALLENGE_SCHEME,    /* `name` is the scheme of a new challenge */
    CHALLENGE_PARAMETER, /* `name` and `value` are a parameter of it */
    CHALLENGE_BROKEN     /* malformed: ignore this challenge up to the next scheme */
};

/* Takes the next part off the header's value. *value comes without its quotes, but with its escapes. An
 * unquoted value may have any characters up to a comma, a semicolon or a space, which all separate. A
 * token68 after a scheme is skipped. *inside must be false at first, and is kept between calls. */
enum challenge_part challenge_next(struct slice *in, bool *inside, struct slice *name,
                                   struct slice *value);

/* Whether the Proxy-Authenticate fields of a header section offer logins, but none by user and password.
 * False if one is malformed. */
bool proxy_lacks_basic(struct slice section);

/* What to say then; begins with "the proxy ". */
extern const char PROXY_LACKS_BASIC[];

/* Writes a value without its escapes. */
void write_unquoted(struct writer *w, struct slice value);

#endif
