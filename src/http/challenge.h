/* The challenges of WWW-Authenticate (RFC 9110, 11.6.1): one or several, each a scheme and parameters, all
 * separated by commas. */
#ifndef REGTAG_HTTP_CHALLENGE_H
#define REGTAG_HTTP_CHALLENGE_H

#include "base/writer.h"

enum challenge_part {
    CHALLENGE_END,
    CHALLENGE_SCHEME,    /* `name` is the scheme of a new challenge */
    CHALLENGE_PARAMETER, /* `name` and `value` are a parameter of it */
    CHALLENGE_BROKEN     /* the value cannot be understood from here on */
};

/* Goes on to the next part of a header's value. *value is what stands there, quotes excluded and escapes
 * included. A token68 behind a scheme is skipped. `inside`, false at first, is kept between the calls. */
enum challenge_part challenge_next(struct slice *in, bool *inside, struct slice *name,
                                   struct slice *value);

/* Writes a value without its escapes. */
void write_unquoted(struct writer *w, struct slice value);

#endif
