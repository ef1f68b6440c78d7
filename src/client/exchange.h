/* One request and its answer: sent on a connection of its remote, redirected, and sent again where that is allowed and
 * may help. What is resent, followed or waited for derives from the request, never from who sent it:
 *
 * |           | resent                                            | follows            |
 * |-----------|---------------------------------------------------|--------------------|
 * | GET, HEAD | by itself, after transient failures with a pause  | 301, 302, 303, 307, 308 |
 * | PUT, DELETE | by itself only while it was not sent whole; after that its sender has to look first | 307, 308 |
 * | POST      | only while it was not sent whole                  | nothing            |
 *
 * No 401 is handled here; see client.h. */
#ifndef REGTAG_CLIENT_EXCHANGE_H
#define REGTAG_CLIENT_EXCHANGE_H

#include "client/retry.h"

enum method { METHOD_GET, METHOD_HEAD, METHOD_PUT, METHOD_DELETE, METHOD_POST };

/* Whether a request that may have arrived is sent again without its sender being asked. */
enum resend {
    RESEND_BY_METHOD,    /* as the table says */
    RESEND_FREELY,       /* it changes nothing, or the same the second time */
    RESEND_AFTER_LOOKUP, /* its sender looks first; a quarter of the time left is kept for that */
    RESEND_NEVER
};

/* What stands before a request's target: nothing, so that it is all of it, or "/v2/REPOSITORY/manifests/". */
enum place { PLACE_ANY, PLACE_MANIFESTS };

/* What to ask. Slices and pointers are read until the end of the exchange, and not copied. */
struct request {
    enum method method;
    enum place place;
    struct slice target;
    const struct regtag_origin *origin; /* NULL: the registry's */

    struct body body;
    const struct slice *content_type; /* NULL, or that of the body */
    const char *known;                /* NULL, "", or the digest for If-None-Match */

    enum resend resend;
    bool accepts_manifests; /* sends Accept with the media types of all manifests */
    bool to_token_server;   /* sends what a token server wants to see in place of the registry's token */
    bool content;  /* the body of a 200 is handed out in parts; any other is kept for its words */
    bool optional; /* may fail: gets a quarter of the time left, and is not tried again after it */
    bool fresh; /* not on a connection that has served before: the last one ended instead of answering */

    const struct meaning *meanings; /* of answers that are not the one hoped for */
    struct attempts *attempts;      /* those that have failed, of this purpose */
    uint64_t not_before;            /* when it may be sent; 0: at once */
    struct exchange
        *follower; /* NULL, or an exchange whose request goes right behind this one, if it can */
};

enum exchange_event {
    EXCHANGE_WAIT,  /* nothing to do before a connection is ready, or the time has come */
    EXCHANGE_HEAD,  /* the content that was asked for begins, perhaps anew: x->response */
    EXCHANGE_BODY,  /* *part is the next part of it */
    EXCHANGE_END,   /* the answer is complete, content or not; see the status of x->response */
    EXCHANGE_FAILED /* there is no answer, or not a whole one: the error is in the context */
};

enum exchange_state { EXCHANGE_IDLE, EXCHANGE_PENDING, EXCHANGE_SENT, EXCHANGE_OVER };

/* What is to be done once the answer at hand is complete. */
enum answer_use { USE_CONTENT, USE_WORDS, USE_REDIRECT, USE_RETRY };

struct exchange {
    struct remote *remote;
    struct request request;
    struct transfer transfer;
    enum exchange_state state;
    enum answer_use use;
    uint64_t resume;         /* when it is sent */
    bool timed;              /* its time has begun to run: it is its turn */
    uint64_t until;          /* when it has to be over */
    uint64_t moved, traffic; /* when bytes moved last; how many there had been by then */
    uint64_t drained;        /* bytes of a body that is not content */
    unsigned redirects;
    bool sent_again; /* in place of one that met a connection grown tired of waiting */
    bool logged_in;  /* a login was made for it: a second 401 is final */

    /* From EXCHANGE_HEAD or EXCHANGE_END on, until the next call that takes a request further. */
    const struct http_response *response;
    const struct answer_words *words;
};

/* Begins an exchange, in a struct that was cleared once; an exchange it was used for before is cancelled. Nothing is
 * sent before it is stepped. */
void exchange_begin(struct exchange *x, struct remote *remote, const struct request *request);

enum exchange_event exchange_step(struct exchange *x, struct slice *part);

/* Sends the same request again, as if for the first time. */
void exchange_restart(struct exchange *x);

/* No more of the answer is wanted. */
void exchange_cancel(struct exchange *x);

/* After EXCHANGE_FAILED: whether all of the request was sent, so that the server may have acted on it. */
bool exchange_may_have_acted(const struct exchange *x);

/* After EXCHANGE_FAILED: whether the same may go well the next time, and whether at once: a connection that had been
 * idle ended instead of answering. */
bool exchange_is_transient(const struct exchange *x);
bool exchange_met_idle_end(const struct exchange *x);

/* After EXCHANGE_END: how many milliseconds the server wants to be left alone; 0 where it does not say. */
uint64_t exchange_retry_after(const struct exchange *x);

/* retry_later for the purpose of this exchange. */
bool exchange_retry_later(struct exchange *x, const struct error *problem, uint64_t least,
                          uint64_t *resume);

/* After EXCHANGE_END: sets e to what the answer means. */
void exchange_explain(const struct exchange *x, struct error *e);

#endif
