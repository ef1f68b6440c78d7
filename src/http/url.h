/* URLs of the schemes http and https (RFC 3986): taking them apart, and resolving what a server names
 * relative to the address that it was asked at. */
#ifndef REGTAG_HTTP_URL_H
#define REGTAG_HTTP_URL_H

#include "base/sizes.h"
#include "base/writer.h"
#include "regtag.h"

struct url {
    bool tls;
    struct slice host;      /* an IPv6 address without brackets */
    unsigned port;          /* the scheme's own where none is written */
    struct slice authority; /* HOST[:PORT] as written */
    struct slice target;    /* path and query, without the fragment; may be empty, meaning "/" */
};

/* Takes an absolute URL apart. False when it is none, has a user in it, or a character that does not
 * belong in a URL. The slices point into `text`. */
bool url_parse(struct url *u, struct slice text);

/* Resolves a reference (RFC 3986, 5.2) against the absolute URL `base`, and writes the absolute URL to
 * w. False, with anything in w, when either is malformed or the result does not fit. */
bool url_resolve(struct slice base, struct slice reference, struct writer *w);

/* Whether two URLs have the same scheme, host and port. */
bool url_same_origin(const struct url *a, const struct url *b);

/* Where a URL leads. */
void url_origin(const struct url *u, struct regtag_origin *origin);

/* Whether two origins are one. */
bool origin_equal(const struct regtag_origin *a, const struct regtag_origin *b);

/* "HOST:PORT", with the port whatever it is; IPv6 in brackets. */
void write_host_port(struct writer *w, const struct regtag_origin *origin);

/* "http://HOST" or "https://HOST", with ":PORT" where it isn't the scheme's own. */
void write_origin(struct writer *w, const struct regtag_origin *origin);

/* "HOST", "HOST:PORT" where the port isn't the scheme's own; IPv6 in brackets. */
void write_authority(struct writer *w, bool tls, struct slice host, unsigned port);

#endif
