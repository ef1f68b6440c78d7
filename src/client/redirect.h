/* Redirects (RFC 9110, 15.4): where one leads, and whether it may be followed. */
#ifndef REGTAG_CLIENT_REDIRECT_H
#define REGTAG_CLIENT_REDIRECT_H

#include "http/response.h"
#include "http/url.h"

#define REDIRECTS_MAX 5u

/* Resolves the Location of an answer against the URL in `location`, which the request went to, and puts what comes of
 * it there. Returns NULL, or why it cannot be followed; `before` is how many redirects led to that URL. */
const char *redirect_follow(const struct http_response *response, unsigned before,
                            char location[URL_MAX + 1]);

#endif
