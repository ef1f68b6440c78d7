/* Parses http and https URLs (RFC 3986), and resolves references relative to them. */
#ifndef REGTAG_HTTP_URL_H
#define REGTAG_HTTP_URL_H

#include "base/sizes.h"
#include "base/writer.h"
#include "regtag.h"

struct url {
    bool tls;
    struct slice host;      /* an IPv6 address without brackets */
    unsigned port;          /* the scheme's default if there is none */
    struct slice authority; /* HOST[:PORT] as written */
    struct slice target;    /* path and query, without the fragment; may be empty, meaning "/" */
};

/* Parses an absolute URL; the slices point into `text`. False if it is not valid or has a user. */
bool url_parse(struct url *u, struct slice text);

/* Resolves a reference against the absolute URL `base` (RFC 3986, 5.2), and writes the absolute URL to
 * w. False, with anything in w, if either is malformed or the result does not fit. */
bool url_resolve(struct slice base, struct slice reference, struct writer *w);

/* Whether two URLs have the same scheme, host and port. */
bool url_same_origin(const struct url *a, const struct url *b);

/* The origin of a URL, with `registry` false. */
void url_origin(const struct url *u, struct regtag_origin *origin);

/* Whether two origins have the same scheme, host and port. */
bool origin_equal(const struct regtag_origin *a, const struct regtag_origin *b);

/* "HOST:PORT", even if the port is the default; IPv6 in brackets. */
void write_host_port(struct writer *w, const struct regtag_origin *origin);

/* "http://HOST" or "https://HOST", with ":PORT" unless it is the scheme's default. */
void write_origin(struct writer *w, const struct regtag_origin *origin);

/* "HOST", or "HOST:PORT" unless the port is the scheme's default; IPv6 in brackets. */
void write_authority(struct writer *w, bool tls, struct slice host, unsigned port);

/* Percent-encoded (RFC 3986, 2.1), so that it is valid as a value in a query or a form. */
void write_encoded(struct writer *w, struct slice s);

#endif
