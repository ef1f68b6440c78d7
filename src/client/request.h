/* A request, as a verb hands it in: what it asks for, how it may be resent, and how it is written.
 *
 * |             | resent automatically                                    | redirects followed      |
 * |-------------|---------------------------------------------------------|-------------------------|
 * | GET, HEAD   | after transient failures, with backoff                  | 301, 302, 303, 307, 308 |
 * | PUT, DELETE | only if not fully sent; else the sender must look first | 307, 308                |
 * | POST, PATCH | only if not fully sent                                  | none                    |
 */
#ifndef REGTAG_CLIENT_REQUEST_H
#define REGTAG_CLIENT_REQUEST_H

#include "client/remote.h"

enum method { METHOD_GET, METHOD_HEAD, METHOD_PUT, METHOD_DELETE, METHOD_POST, METHOD_PATCH };

/* Whether a request that may have reached the server is resent automatically. */
enum resend {
    RESEND_BY_METHOD,    /* see the table above */
    RESEND_FREELY,       /* safe or idempotent */
    RESEND_AFTER_LOOKUP, /* the sender checks first; a quarter of the time left is reserved for that */
    RESEND_NEVER
};

/* Prefix of a request's target: none, so that the target is complete, "/v2/REPOSITORY/manifests/", and the same with
 * "blobs". */
enum place { PLACE_ANY, PLACE_MANIFESTS, PLACE_BLOBS };

/* A request. Slices and pointers are borrowed: they must remain valid until the exchange is over. */
struct request {
    enum method method;
    enum place place;
    struct slice target;
    const struct regtag_origin *origin; /* NULL: the registry's */

    struct body body;
    const struct slice *content_type; /* of the body, or NULL */
    const char *known;                /* digest for If-None-Match, or NULL or "" for none */
    /* NULL, or how many bytes are there already, whenever it is sent. GET: if any, only the rest is asked for (RFC
     * 9110, 14.2), and a 206 delivers content, too. PATCH: the body continues an upload. */
    const uint64_t *from;
    const char *match; /* ETag for If-Match, or "*" for If-None-Match, or NULL or "" for neither */

    enum resend resend;
    bool accepts_manifests; /* sends Accept with all manifest media types, */
    bool accept_lines;      /* on a line each */
    bool to_token_server;   /* sends the token server's credentials instead of the registry's */
    bool content;           /* deliver the body of a 200; any other body only serves error messages */
    bool bodiless;          /* GET: a 204 is an answer, too */
    bool optional;          /* may fail: at most a quarter of the time left, no retry after a timeout */
    bool fresh;             /* needs a new connection, because a reused one ended without a response */
    bool pipelined;         /* may be in flight together with others; its sender steps all of them */
    bool guarded;           /* the reserved connection is for it */
    bool alone;             /* on any connection to the registry where nothing is in flight */

    const struct meaning *meanings; /* of error responses; see answer.h */
    struct attempts *attempts;      /* failed attempts so far */
    uint64_t not_before;            /* earliest time to send it, in milliseconds; 0: at once */
};

bool request_changes_nothing(const struct request *q);

/* By its method, where it does not say. */
enum resend request_resend(const struct request *q);

/* Until when it may take if it begins now. Optional requests may use at most a quarter of the time left; those
 * that need a lookup after a failure leave the last quarter for it. */
uint64_t request_deadline(const struct request *q, const struct context *c);

/* Whether it follows a redirect with this status. */
bool request_follows(const struct request *q, unsigned status);

/* Whether it asks for a part of the content only. */
bool request_has_range(const struct request *q);

/* Whether it depends on a precondition of its own (RFC 9110, 13.1). */
bool request_is_conditional(const struct request *q);

/* Where it goes: to its origin, or to remote->location, whose origin is written to *memory. */
const struct regtag_origin *request_origin(const struct request *q, const struct remote *r,
                                           bool redirected, struct regtag_origin *memory);

/* The target of a request that was not redirected. */
void request_write_target(const struct request *q, const struct remote *r, struct writer *w);

/* The request line and the fields, without the empty line. */
void request_write(const struct request *q, const struct remote *r, bool redirected, struct writer *w);

#endif
