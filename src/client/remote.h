/* A remote: one repository of one registry, with its origin, authentication, rate limits and
 * connections. */
#ifndef REGTAG_CLIENT_REMOTE_H
#define REGTAG_CLIENT_REMOTE_H

#include "client/auth.h"
#include "client/connection.h"

struct exchange;

struct remote {
    /* Up to `context`: what was learned about the registry. */
    bool accept_lines;    /* it reads Accept only with one media type on each line */
    bool alone;           /* no pipelining: a server or proxy failed to handle it */
    bool careful;         /* a pipeline has broken: the first request on a connection goes alone */
    unsigned answer_time; /* of the first answer, in milliseconds */
    uint64_t hold;        /* the registry asked not to be sent anything before this time */
    uint64_t pause;       /* milliseconds to wait before the next request, as of the last response */
    uint64_t remaining;   /* last RateLimit-Remaining */
    bool rate_fell;       /* it was less than the one before, */
    bool rate_same;       /* or the same */
    bool rate_free;       /* requests do not seem to count */

    struct context *context;
    const struct reference *reference; /* names the repository for request paths and token scopes */
    const char *actions;               /* of the token scope: "pull", "pull,push" */
    uint64_t scope;                    /* of the login: a hash of both, */
    const struct reference *also;      /* NULL, or another repository there to pull from, */
    uint64_t also_scope;               /* and 0, or a hash of that */
    bool reserved;                     /* `home` is for a request that is never pipelined */
    bool occupied;                     /* the answer on it waits for others, which go over `away` */
    unsigned first;                    /* number of the first connection */
    unsigned connections, in_use;      /* connections that there are, and that were used at all */
    struct connection *home;           /* to the registry; so are those after `away` */
    struct connection *away; /* to any other origin: a token server or the target of a redirect */

    const struct exchange *redirected; /* the exchange that needs `location`, or NULL */
    const struct exchange *located;    /* whose it was last */
    bool asks_for_token;               /* the last request for another origin: its URL is no secret */
    struct regtag_origin origin;

    /* The large buffers come last: what each run needs stays on few pages. */
    struct auth auth;
    char location[URL_MAX + 1];
};

/* Initializes a remote with two of the connections, of which `first` and the next `count` are for it. Their memory is
 * borrowed, as is the side. remote_turn_to says whose it is. */
void remote_init(struct remote *r, struct context *context, const struct regtag_side *side,
                 struct connection *connections, unsigned first, unsigned count);

/* Turns to a repository, of the registry at `origin`, which has `registry` set; the reference and the actions are
 * borrowed. What was open or known before is kept as far as it holds: connections if the registry is the same, the login
 * if the repository and the actions are the same, too. */
void remote_turn_to(struct remote *r, const struct regtag_origin *origin,
                    const struct reference *reference, const char *actions);

/* The login is for pulling from `also`, too, unless that is NULL; it is borrowed. A login for another one is dropped. */
void remote_pull_also(struct remote *r, const struct reference *also);

/* Closes all connections and wipes all secrets. */
void remote_end(struct remote *r);

/* Whether `origin` may receive the registry's credentials: same scheme, host and port. */
bool remote_is_home(const struct remote *r, const struct regtag_origin *origin);

/* Lets requests that are in flight together go out on all connections, from now on. With more requests than
 * those take at once, their first batches differ in size: connections that are answered at different times keep
 * the registry busy, and the requests that are first in order are answered first. */
void remote_widen(struct remote *r, uint64_t requests);

/* The connection to the registry that the transfer waits for, or else the one to send it on: of those that take
 * another request, the one with the fewest in flight. NULL if the only one is reserved. */
struct connection *remote_least_busy(struct remote *r, const struct transfer *t);

/* The connection to use for an origin. */
struct connection *remote_connection(struct remote *r, const struct regtag_origin *origin);

/* Takes back the transfer's claim on a connection, or all claims if it is NULL. */
void remote_unclaim(struct remote *r, const struct transfer *t);

/* Whether to pipeline requests. Not while a 401 is expected: every pipelined request would get one. */
bool remote_pipelines(const struct remote *r);

/* Overwrites our secrets in a text with asterisks, including the proxy's login. */
void remote_mask(const struct remote *r, char *text, size_t size);

/* Traces a line, if tracing is on; secrets are masked, and long lines are truncated. */
void remote_tell(const struct remote *r, enum regtag_trace kind, const char *format, ...)
    WRITER_FORMAT(3, 4);

#endif
