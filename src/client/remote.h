/* A remote: one registry as one repository of it is worked on. Where it is, who asks, what may be shown, and the
 * connections that lead there. */
#ifndef REGTAG_CLIENT_REMOTE_H
#define REGTAG_CLIENT_REMOTE_H

#include "client/auth.h"
#include "client/connection.h"

struct exchange;

struct remote {
    struct context *context;
    const struct reference *reference; /* whose repository the paths of requests are in */
    const char *actions; /* on the repository, that a token is asked for: "pull", "pull,push" */
    struct regtag_origin origin;
    bool alone;         /* no request goes behind another: something on the way did not bear that */
    uint64_t pause;     /* milliseconds that it wants to be left alone, from its last answer */
    uint64_t remaining; /* the last RateLimit-Remaining */

    const struct exchange *redirected; /* whose request goes to `location` */
    char location[URL_MAX + 1];

    struct auth auth;
    struct connection home; /* to the registry */
    struct connection away; /* to a token server elsewhere, or to where a redirect leads */
};

/* Makes a remote whose connections have the numbers `number` and `number` + 1. Reference and origin are set by
 * whoever knows them; the reference must stay. */
void remote_init(struct remote *r, struct context *context, unsigned number);

/* Closes all connections and forgets all secrets. */
void remote_end(struct remote *r);

/* Whether credentials may be shown there: scheme, host and port are the registry's. */
bool remote_is_home(const struct remote *r, const struct regtag_origin *origin);

/* The connection for an origin. */
struct connection *remote_connection(struct remote *r, const struct regtag_origin *origin);

/* Whether one request may be sent behind another there. Where a 401 is to be expected, that would be one of two. */
bool remote_pipelines(const struct remote *r);

/* Writes asterisks over whatever in a text is one of our secrets, the proxy's login included. */
void remote_mask(const struct remote *r, char *text, size_t size);

/* Tells something on the way, if anyone listens; secrets are masked, and long lines are cut. */
void remote_tell(const struct remote *r, enum regtag_trace kind, const char *format, ...)
    WRITER_FORMAT(3, 4);

#endif
