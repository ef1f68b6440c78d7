/* A connection, the requests in flight on it, and the answers to them.
 *
 * HTTP/1.1 has no numbers that would tell which answer belongs to which request: they come in the order of the
 * requests (RFC 9112, 9.3.2), and nothing but that order says so. So a connection owns the bytes read from it and
 * the queue of what was sent on it, and the two are never parted:
 *
 * - An answer goes to the request at the front of the queue, and bytes read here answer nothing sent elsewhere.
 * - Before a request is written on a connection with nothing in flight, the connection is read. If it has ended, or
 *   says something nobody asked for, the request goes out on a new one.
 * - An answer that began before its request's header was handed to the transport is no answer to it. An error is
 *   passed on as the reason; anything else breaks the connection.
 * - A connection whose answer is unfinished, broken or surplus is closed before anything else happens on it.
 *
 * Whoever sends a request keeps a struct transfer for it, and calls connection_step until that answers
 * CONNECTION_END, or one of the two events that say there will be no answer. */
#ifndef REGTAG_CLIENT_CONNECTION_H
#define REGTAG_CLIENT_CONNECTION_H

#include "client/answer.h"
#include "client/context.h"
#include "http/response.h"
#include "http/url.h"

#define CONNECTION_QUEUE 2u /* requests in flight on a connection at a time */

enum connection_event {
    CONNECTION_WAIT,   /* nothing to do before the connection is ready */
    CONNECTION_HEAD,   /* the answer's status line and header: connection->response */
    CONNECTION_BODY,   /* *part is the next part of its content */
    CONNECTION_END,    /* the answer is complete */
    CONNECTION_FAILED, /* there is no answer, or not a whole one: context->error says why */
    CONNECTION_LOST    /* its connection was closed while something else was at the front of the queue */
};

/* The body of a request: `size` bytes, either all of them at `bytes`, which must stay until the end, or produced
 * on demand. `produce` returns the bytes from offset `at` on, as many as it likes, valid until the next call;
 * none when they are not there yet: then it is asked again with the next step. It may be asked for the same
 * bytes twice, since a request may be sent again. */
struct body {
    uint64_t size;
    const char *bytes; /* NULL: `produce` has them */
    struct slice (*produce)(void *context, uint64_t at);
    void *context;
};

struct transfer {
    /* What the sender sets. `write_header` writes everything up to, but without, the empty line; it may be called
     * more than once, and at any time until the answer. */
    void (*write_header)(void *sender, struct writer *w);
    void *sender;
    const struct body *body;
    bool head_request; /* its answer has no body, whatever its header says */

    /* What becomes of it. */
    struct connection *connection; /* that it is in flight on, or NULL */
    bool pipelined;                /* another request was unanswered when it was queued */
    bool sent;                     /* all of it was handed over: the server may have acted on it */
    bool answered;                 /* the status line and the header of its answer have come */
    bool early;  /* it was answered before it was sent: such an error is a reason, no more */
    bool failed; /* with no connection: it was at the front */
    bool stale;  /* with CONNECTION_FAILED: the connection had served before, and ended without a byte */
    bool cut;    /* with CONNECTION_FAILED: the connection ended within the answer */
};

/* An entry of the queue. Positions count what was handed to the transport since the connection was opened. */
struct in_flight {
    struct transfer *transfer; /* NULL: nobody wants the answer any more */
    bool head_request;
    uint64_t begin, header_end, end;
};

struct connection {
    struct context *context;
    unsigned number; /* the transport's */
    struct regtag_origin origin;
    bool open;         /* it is in use, or being opened */
    bool up;           /* bytes have moved, so it is connected */
    bool used;         /* an answer has come over it */
    bool replaced;     /* in place of one that spoke first, or ended, before it was used */
    bool unsolicited;  /* what has come was not asked for: nothing more is sent */
    bool write_failed; /* no more can be sent; an answer may have come already */
    bool want_open, want_close;
    bool awaited; /* somebody waits for it, in this step */
    bool starved; /* the body to be sent has no bytes yet, in this step */

    struct in_flight queue[CONNECTION_QUEUE];
    unsigned count;      /* entries of it */
    unsigned written;    /* entries whose header has been written out */
    uint64_t handed;     /* bytes handed to the transport since it was opened */
    uint64_t traffic;    /* bytes that went either way, ever */
    uint64_t drop_at;    /* when unwanted answers are waited for no longer */
    struct writer out;   /* headers, */
    size_t out_handed;   /* and how much of them was handed over, */
    size_t out_traced;   /* or was shown */
    struct slice input;  /* what was read and is not used yet */
    uint64_t input_from; /* what had been handed over before that was read */

    /* The answer at the front, or the last one. It stays until the next one begins. */
    bool answer_over;
    bool early; /* it began before its request was sent */
    uint64_t discarded;
    struct http_response response;
    struct answer_words words; /* the beginning of a body that is not content, kept by the reader */

    char out_memory[REQUEST_MAX];
    char input_memory[INPUT_MAX];
    char head_memory[HTTP_HEAD_MAX];
};

/* Makes a connection that is not open. The large buffers stay untouched. */
void connection_init(struct connection *c, struct context *context, unsigned number);

/* Begins a step: nobody waits for the connection yet. */
void connection_begin_step(struct connection *c);

/* Whether nothing is in flight. Reads what is still to come for requests that were withdrawn; after two seconds it
 * closes the connection instead. */
bool connection_idle(struct connection *c);

/* Whether another request can be put behind the last one: the connection leads there, and there is room. */
bool connection_can_pipeline(const struct connection *c, const struct regtag_origin *origin);

/* Queues a request. The connection must be idle, or else able to pipeline; it is opened where need be. */
void connection_send(struct connection *c, const struct regtag_origin *origin, struct transfer *t);

/* Goes on with a transfer that was sent. *part is set with CONNECTION_BODY and valid until the next call. */
enum connection_event connection_step(struct transfer *t, struct slice *part);

/* Whether the answer that is read now, or next, is that of this transfer. */
bool connection_is_turn(const struct transfer *t);

/* The answer will not be read to its end. What nobody has begun to answer may still be answered; else the
 * connection is closed. Does nothing to a transfer that is not in flight. */
void connection_withdraw(struct transfer *t);

/* Withdraws all that is pipelined; whoever sent that gets CONNECTION_LOST. */
void connection_withdraw_pipelined(struct connection *c);

/* The answer to this transfer cannot be one: closes the connection, with that as the error. */
void connection_reject(struct transfer *t, const char *problem);

/* The time for this transfer is over: closes the connection. The error is what it was waiting for, or `waiting` if
 * it was connected, and then `why`. */
void connection_give_up(struct transfer *t, const char *waiting, const char *why);

/* Closes the connection, if it is open. What was in flight is lost. */
void connection_close(struct connection *c);

/* Closes it and wipes what may hold an Authorization. */
void connection_end(struct connection *c);

/* Says what the connection needs before the next step. */
void connection_want(struct connection *c, struct regtag_want *want);

#endif
