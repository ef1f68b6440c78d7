/* The Accept field of requests for manifests: all media types on one line or, for registries that understand
 * no list, on a line each. Both mean the same (RFC 9110, 5.3). */
#ifndef REGTAG_CLIENT_ACCEPT_H
#define REGTAG_CLIENT_ACCEPT_H

#include "base/writer.h"
#include "http/response.h"

void accept_write(struct writer *w, bool lines);

/* Whether the answer ignores most of the types. Not a 406 to HEAD, which is followed by a GET anyway. */
bool accept_is_misread(const struct http_response *response);

#endif
