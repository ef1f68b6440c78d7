/* One request and its answer over a connection of the caller's. It dials, sends, reads while it still
 * sends, uses a connection again when it can, and sends the request again, once, when a connection that
 * had been used before turns out to be closed (RFC 9112, 9.3.1; GET, HEAD, PUT and DELETE are idempotent).
 *
 * A HEAD may follow right behind a request, without waiting for its answer (RFC 9112, 9.3.2): it is the
 * next exchange, begun early. */
#ifndef REGTAG_REGISTRY_EXCHANGE_H
#define REGTAG_REGISTRY_EXCHANGE_H

#include "base/error.h"
#include "base/sizes.h"
#include "http/request.h"
#include "http/response.h"
#include "http/url.h"
#include "regtag.h"

#define READS_A_STEP 64u /* before the clock is looked at again */

enum exchange_event {
    EXCHANGE_WAIT,  /* nothing to do until the connection is ready: exchange_want() */
    EXCHANGE_HEAD,  /* the answer's status and header are there: `response` */
    EXCHANGE_BODY,  /* *body is the next part of the answer's content */
    EXCHANGE_END,   /* the answer is complete */
    EXCHANGE_MOVED, /* never from here: the operation is in another phase now */
    EXCHANGE_FAILED /* there is no answer, or not a whole one; `error` is set */
};

struct connection {
    struct regtag_origin origin;
    bool open;       /* it is in use, or being opened */
    bool up;         /* it has taken bytes, so it is connected */
    bool reused;     /* an answer has come over it */
    bool want_open;  /* the caller is to open it */
    bool want_close; /* the caller is to close it, first */
};

struct exchange {
    const struct regtag_config *config;
    struct error error;
    bool lasting; /* with EXCHANGE_FAILED: trying again would end the same */
    bool cut;     /* with EXCHANGE_FAILED: the connection has ended within the answer */
    struct connection connections[REGTAG_CONNECTIONS];
    struct connection *connection; /* the one in use */
    struct writer request;         /* its header; and behind it the HEAD that follows, if `follows` */
    size_t header_size;
    struct slice body;
    bool busy;        /* there is an exchange under way */
    bool follows;     /* a HEAD follows, and the connection is still good for it */
    uint64_t sent;    /* bytes of the header, the body, and the HEAD that follows */
    uint64_t traffic; /* bytes that have gone either way, ever */
    bool sent_all;    /* at least once all of it was sent: the server may have acted on it */
    bool sent_again;
    bool only_once; /* it is not sent again by itself once all of it was sent: the caller looks first */
    bool write_failed; /* no more can be sent; an answer may have come already */
    bool answered;     /* status and header have come */
    struct http_response response;
    unsigned reads_left; /* in this step */
    struct slice input;  /* what was read and not used yet */
    char request_memory[REQUEST_MAX];
    char input_memory[INPUT_MAX];
    char head_memory[HTTP_HEAD_MAX];
};

void exchange_init(struct exchange *x, const struct regtag_config *config);

/* Begins a step of the operation: so much is read in it at the most, however fast the server talks, so
 * that the clock is looked at. */
void exchange_begin_step(struct exchange *x);

/* Begins a request to `origin`, over the connection of that number; its header is then written to
 * x->request, up to but without the empty line. An open connection is used again if it leads there. */
void exchange_begin(struct exchange *x, unsigned connection, const struct regtag_origin *origin,
                    const char *method, struct slice target);

/* The request is written; it is sent with `body`, which must stay until the end. `method` as above. */
void exchange_send(struct exchange *x, const char *method, struct slice body);

/* The same two for a HEAD that follows the request just sent, to the same origin. What does not fit into
 * the memory does not follow. */
void exchange_follow_begin(struct exchange *x, const char *method, struct slice target);
void exchange_follow_send(struct exchange *x);

/* Goes on with the HEAD that follows, as the exchange at hand: instead of exchange_begin and exchange_send,
 * where x->follows. It may be on its way, and answered, already. */
void exchange_take_follower(struct exchange *x);

enum exchange_event exchange_step(struct exchange *x, struct slice *body);

/* No more of this exchange is wanted: closes the connection. */
void exchange_abandon(struct exchange *x);

/* Closes all connections. */
void exchange_end(struct exchange *x);

/* Ends the exchange because its time is over, or because there was no byte for so long: sets the error,
 * closes the connection. Milliseconds. */
void exchange_time_out(struct exchange *x, uint64_t timeout);
void exchange_stall(struct exchange *x, uint64_t stall);

/* Adds what the connection waits for to *want. */
void exchange_want(struct exchange *x, struct regtag_want *want);

#endif
