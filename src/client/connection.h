/* A connection, the requests in flight on it, and their responses.
 *
 * HTTP/1.1 has no request IDs: only the order of the responses says which request each belongs to
 * (RFC 9112, 9.3.2). Therefore a connection owns both the bytes read from it and the queue of requests
 * sent on it:
 *
 * - A response belongs to the request at the front of the queue, and never to one sent on another
 *   connection.
 * - With nothing in flight, the connection is read before a request is written. If it was closed or has
 *   sent unsolicited data, the request goes out on a new connection.
 * - A response that began before its request's header was handed to the transport does not answer that
 *   request. An error status is reported as the reason for the failure; anything else is a protocol
 *   error.
 * - A connection with an unfinished, malformed or surplus response is closed, never reused.
 *
 * The sender owns a struct transfer per request and calls connection_step until it returns
 * CONNECTION_END, CONNECTION_FAILED or CONNECTION_LOST. */
#ifndef REGTAG_CLIENT_CONNECTION_H
#define REGTAG_CLIENT_CONNECTION_H

#include "client/answer.h"
#include "client/context.h"
#include "http/response.h"
#include "http/url.h"

#define CONNECTION_QUEUE 16u /* maximum of requests in flight on a connection */

enum connection_event {
    CONNECTION_WAIT,   /* nothing to do until the connection is ready */
    CONNECTION_HEAD,   /* status line and header were received: connection->response */
    CONNECTION_BODY,   /* *part is the next part of the body */
    CONNECTION_END,    /* the response is complete */
    CONNECTION_FAILED, /* no response, or an incomplete one: context->error says why */
    CONNECTION_LOST    /* the connection was closed while another request was at the front */
};

/* The body of a request: `size` bytes, either at `bytes`, which must remain valid until the transfer is
 * over, or produced on demand. `produce` returns any number of bytes from offset `at` on, valid until
 * the next call; an empty slice means not available yet, and it is called again in the next step. It may
 * be called for the same offset more than once, because a request may be resent. */
struct body {
    uint64_t size;
    const char *bytes; /* NULL: call `produce` */
    struct slice (*produce)(void *context, uint64_t at);
    void *context;
};

struct transfer {
    /* Set by the sender. `write_header` writes the request line and the fields, without the empty line.
     * It may be called more than once, at any time before the response. */
    void (*write_header)(void *sender, struct writer *w);
    void *sender;
    const struct body *body;
    bool head_request; /* HEAD: the response has no body, whatever its header says */

    /* Set by the connection. */
    struct connection *connection; /* while in flight; else NULL */
    struct connection *last;       /* the one that it was sent on last */
    bool pipelined;                /* queued while another request was in flight */
    unsigned followers;            /* requests that were queued while this was at the front */
    uint64_t batch;                /* of requests on that connection that it belongs to */
    bool sent;                     /* handed over completely: the server may have acted on it */
    bool answered;                 /* status line and header of the response were received */
    bool early;                    /* the response began before the request was sent; see above */
    bool failed;                   /* the connection failed while this was at the front */
    bool stale; /* with CONNECTION_FAILED: a reused connection ended before any byte of the response */
    bool cut;   /* with CONNECTION_FAILED: the connection ended in the middle of the response */
};

/* A queue entry. Positions are in bytes handed to the transport since the connection was opened. */
struct in_flight {
    struct transfer *transfer; /* NULL: withdrawn; the response will be discarded */
    bool head_request;
    uint64_t begin, header_end, end;
};

struct connection {
    struct context *context;
    unsigned number;   /* the transport's number for it */
    bool open;         /* in use, or being opened */
    bool up;           /* bytes were transferred, so it is connected */
    bool used;         /* has carried a complete response */
    bool replaced;     /* replaces one that ended or sent unsolicited data before it was used */
    bool unsolicited;  /* received unsolicited data: send nothing more */
    bool write_failed; /* cannot send any more, but a response may already be waiting */
    bool want_open, want_close;
    bool cut_short;               /* ended while requests were in flight */
    bool draining;                /* the batch is being answered: nothing joins it any more */
    uint64_t batch;               /* requests that were in flight together, numbered from 1 */
    unsigned joined;              /* requests that joined the batch after its first */
    unsigned first_batch;         /* the most requests in the first one */
    uint64_t unsound;             /* the last batch whose requests and answers were out of step */
    unsigned answers;             /* to pipelined requests, since it was opened */
    const struct transfer *claim; /* waits until nothing is in flight; nothing is queued before it */
    bool awaited;                 /* in this step: a transfer waits for it */
    bool starved;                 /* in this step: the body has no bytes available yet */
    bool dry;                     /* in this step: there was nothing to read */

    struct in_flight queue[CONNECTION_QUEUE];
    unsigned count;      /* entries in the queue */
    unsigned written;    /* entries whose header was written to `out` */
    uint64_t handed;     /* bytes handed to the transport since it was opened */
    uint64_t traffic;    /* bytes in both directions, over all openings */
    uint64_t drop_at;    /* when to stop waiting for the responses to withdrawn requests */
    struct writer out;   /* request headers */
    size_t out_handed;   /* bytes of `out` handed to the transport */
    size_t out_traced;   /* bytes of `out` traced */
    struct slice input;  /* read but not yet parsed */
    size_t input_most;   /* bytes of input_memory that were ever used: they are wiped at the end */
    uint64_t input_from; /* value of `handed` when `input` was read */

    /* The response at the front, or the last one; valid until the next one begins. */
    bool answer_over;
    bool early;         /* it began before its request was sent */
    uint64_t discarded; /* bytes of its body, if the request was withdrawn */
    struct http_response response;
    struct regtag_origin origin;
    struct answer_words words; /* beginning of a non-content body, set by the exchange */

    char out_memory[REQUEST_MAX];
    char input_memory[INPUT_MAX];
    char head_memory[HTTP_HEAD_MAX];
};

/* Initializes a closed connection, without touching the pages of the large buffers. */
void connection_init(struct connection *c, struct context *context, unsigned number);

/* Begins a step: no transfer waits for the connection yet. */
void connection_begin_step(struct connection *c);

/* What an answer to a pipelined request is worth: if it came twice, or something that nobody asked for came
 * before it, that only shows at the end of its batch. Reads the answers to withdrawn requests of the batch, which nobody
 * else may be waiting for. */
enum standing {
    STANDING_OPEN, /* others of the batch are in flight */
    STANDING_FIRM,
    STANDING_VOID /* it may have been the answer to another request */
};
enum standing connection_standing(const struct transfer *t);

/* Whether nothing is in flight. Reads and discards the responses to withdrawn requests; closes the
 * connection if they take longer than two seconds. */
bool connection_idle(struct connection *c);

/* Whether a request is in flight that was not withdrawn. */
bool connection_is_wanted(const struct connection *c);

/* Whether another request to `origin` can be pipelined: the connection goes there, and the queue is not
 * full. */
bool connection_can_pipeline(const struct connection *c, const struct regtag_origin *origin);

/* Queues a request, and opens the connection if necessary. The connection must be idle or able to
 * pipeline. */
void connection_send(struct connection *c, const struct regtag_origin *origin, struct transfer *t);

/* Advances a queued transfer. *part is set for CONNECTION_BODY and valid until the next call. */
enum connection_event connection_step(struct transfer *t, struct slice *part);

/* Whether the transfer, which is in flight, is at the front, or behind none but withdrawn ones. */
bool connection_is_next(const struct transfer *t);

/* Abandons a transfer. If it has no body and its response has not begun, the response is discarded later
 * and the connection survives; otherwise the connection is closed. Does nothing if the transfer is not
 * in flight. */
void connection_withdraw(struct transfer *t);

/* After CONNECTION_LOST: sets the context's error. Whatever happened, it happened to another request. */
void connection_explain_loss(struct connection *c);

/* Closes the connection because the response makes no sense; `problem` becomes the error. */
void connection_reject(struct transfer *t, const char *problem);

/* Closes the connection because the transfer's time is up. The error is `waiting`, or while still
 * connecting the transport's own message, followed by `why`; its hint is `hint`, unless the transport
 * gives another. */
void connection_give_up(struct transfer *t, int hint, const char *waiting, const char *why);

/* Closes the connection, if open. All requests in flight are lost. */
void connection_close(struct connection *c);

/* Closes the connection and wipes the headers, which may hold credentials. */
void connection_end(struct connection *c);

/* Sets its element of want[0..count), if there is one, to what the connection needs before the next
 * step. */
void connection_want(struct connection *c, struct regtag_want *want, size_t count);

#endif
