/* One request and its response, including redirects and retries. Which are allowed depends only on the
 * request, never on the caller:
 *
 * |             | resent automatically                                    | redirects followed      |
 * |-------------|---------------------------------------------------------|-------------------------|
 * | GET, HEAD   | after transient failures, with backoff                  | 301, 302, 303, 307, 308 |
 * | PUT, DELETE | only if not fully sent; else the sender must look first | 307, 308                |
 * | POST        | only if not fully sent                                  | none                    |
 *
 * A 401 is not handled here; see client.h. */
#ifndef REGTAG_CLIENT_EXCHANGE_H
#define REGTAG_CLIENT_EXCHANGE_H

#include "client/retry.h"

enum method { METHOD_GET, METHOD_HEAD, METHOD_PUT, METHOD_DELETE, METHOD_POST };

/* Whether a request that may have reached the server is resent automatically. */
enum resend {
    RESEND_BY_METHOD,    /* see the table above */
    RESEND_FREELY,       /* safe or idempotent */
    RESEND_AFTER_LOOKUP, /* the sender checks first; a quarter of the time left is reserved for that */
    RESEND_NEVER
};

/* Prefix of a request's target: none, so that the target is complete, or "/v2/REPOSITORY/manifests/". */
enum place { PLACE_ANY, PLACE_MANIFESTS };

/* A request. Slices and pointers are borrowed: they must remain valid until the exchange is over. */
struct request {
    enum method method;
    enum place place;
    struct slice target;
    const struct regtag_origin *origin; /* NULL: the registry's */

    struct body body;
    const struct slice *content_type; /* of the body, or NULL */
    const char *known;                /* digest for If-None-Match, or NULL or "" for none */

    enum resend resend;
    bool accepts_manifests; /* sends Accept with all manifest media types */
    bool to_token_server;   /* sends the token server's credentials instead of the registry's */
    bool content;           /* deliver the body of a 200; any other body only serves error messages */
    bool optional;          /* may fail: at most a quarter of the time left, no retry after a timeout */
    bool fresh;             /* needs a new connection, because a reused one ended without a response */

    const struct meaning *meanings; /* of error responses; see answer.h */
    struct attempts *attempts;      /* failed attempts so far; NULL: no retries */
    uint64_t not_before;            /* earliest time to send it, in milliseconds; 0: at once */
    struct exchange *follower;      /* exchange to pipeline after this one if possible, or NULL */
};

enum exchange_event {
    EXCHANGE_WAIT,  /* nothing to do until a connection is ready or a time is reached */
    EXCHANGE_HEAD,  /* the content begins, or begins again after a resend: x->response */
    EXCHANGE_BODY,  /* *part is the next part of the content */
    EXCHANGE_END,   /* the response is complete; check the status in x->response */
    EXCHANGE_FAILED /* no response, or an incomplete one: the error is in the context */
};

enum exchange_state { EXCHANGE_IDLE, EXCHANGE_PENDING, EXCHANGE_SENT, EXCHANGE_OVER };

/* What to do with the current response. */
enum answer_use { USE_CONTENT, USE_WORDS, USE_REDIRECT, USE_RETRY };

struct exchange {
    struct remote *remote;
    enum exchange_state state;
    enum answer_use use;
    uint64_t resume;         /* earliest time to send it; 0: at once */
    bool timed;              /* its clock is running */
    uint64_t until;          /* its deadline, if timed */
    uint64_t moved, traffic; /* time of the last progress; the connection's traffic then */
    uint64_t drained;        /* bytes read of a body that is not content */
    unsigned redirects;
    bool sent_again; /* already resent after a stale connection or failed pipelining */
    bool logged_in;  /* a login was made for it, so another 401 is final */

    /* Set from EXCHANGE_HEAD or EXCHANGE_END on; valid until an exchange of the remote is stepped. */
    const struct http_response *response;
    const struct answer_words *words;

    struct transfer transfer;
    struct request request;
};

/* Begins an exchange, which sends nothing until it is stepped. *x must be zeroed before its first use; a
 * previous exchange in it is cancelled. */
void exchange_begin(struct exchange *x, struct remote *remote, const struct request *request);

enum exchange_event exchange_step(struct exchange *x, struct slice *part);

/* Starts over with the same request, as if it had never been sent. */
void exchange_restart(struct exchange *x);

/* Abandons the exchange; does nothing if it is over. */
void exchange_cancel(struct exchange *x);

/* After EXCHANGE_FAILED: whether the request was fully sent, so that the server may have acted on it. */
bool exchange_may_have_acted(const struct exchange *x);

/* After EXCHANGE_FAILED: whether a retry may succeed, and whether it may be immediate because an idle
 * connection was closed before the response. */
bool exchange_is_transient(const struct exchange *x);
bool exchange_met_idle_end(const struct exchange *x);

/* After EXCHANGE_END: Retry-After in milliseconds, or 0 if the server sent none. */
uint64_t exchange_retry_after(const struct exchange *x);

/* Calls retry_later with the attempts of this exchange. */
bool exchange_retry_later(struct exchange *x, const struct error *problem, uint64_t least,
                          uint64_t *resume);

/* After EXCHANGE_END: sets e to what the response means. */
void exchange_explain(const struct exchange *x, struct error *e);

#endif
