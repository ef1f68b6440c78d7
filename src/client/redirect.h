/* Redirects (RFC 9110, 15.4): resolves the target and checks whether to follow it. */
#ifndef REGTAG_CLIENT_REDIRECT_H
#define REGTAG_CLIENT_REDIRECT_H

#include "base/error.h"
#include "http/response.h"
#include "http/url.h"

#define REDIRECTS_MAX 5u

/* Resolves the Location of a response against the request's URL in `location`, and replaces that by the
 * result. `before` is the number of redirects followed so far. False, and e set with REGTAG_E_PROTOCOL, if
 * the redirect cannot be followed. */
bool redirect_follow(const struct http_response *response, unsigned before, char location[URL_MAX + 1],
                     struct error *e);

#endif
