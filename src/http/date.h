/* When a server wants to be asked again: Retry-After (RFC 9110, 10.2.3), and what is left of a rate. */
#ifndef REGTAG_HTTP_DATE_H
#define REGTAG_HTTP_DATE_H

#include "http/response.h"

/* Reads an HTTP-date, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7; the obsolete forms are not read).
 * Seconds from 1970. */
bool http_date(struct slice s, int64_t *seconds);

/* How long the server wants to be left alone, in milliseconds; 0 when it does not say. A date counts from
 * the server's own Date, since our clock may be wrong; without that it says nothing. */
uint64_t http_retry_after(const struct http_response *response);

/* RateLimit-Remaining, "76" or "76;w=21600", with the window from there, from RateLimit-Reset or from
 * RateLimit-Limit, in seconds. False when it does not say both. */
bool http_rate_limit(const struct http_response *response, uint64_t *remaining, uint64_t *window);

#endif
