/* Pauses that a server asks for: Retry-After (RFC 9110, 10.2.3), and rate limits. */
#ifndef REGTAG_HTTP_DATE_H
#define REGTAG_HTTP_DATE_H

#include "http/response.h"

/* Parses an HTTP-date, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7), but not its obsolete forms, to
 * seconds since 1970. */
bool http_date(struct slice s, int64_t *seconds);

/* The pause that the server asks for, in milliseconds; 0: none, or one that makes no sense. Besides whole
 * seconds and dates, reads what servers send against the rules: 0.5, 2s, 500ms, and a Unix time. A time is
 * compared with the server's own Date, since our clock may be wrong, and is ignored if there is none. */
uint64_t http_retry_after(const struct http_response *response);

/* The requests left, from RateLimit-Remaining ("76" or "76;w=21600"), and the window in seconds, from
 * there, RateLimit-Reset or RateLimit-Limit. False unless both are known. */
bool http_rate_limit(const struct http_response *response, uint64_t *remaining, uint64_t *window);

#endif
