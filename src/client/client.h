/* The client: one request to a registry and its answer, whatever that takes.
 *
 * What a verb hands in is a struct request (exchange.h): method, place, body, and what may be done with it. What it gets
 * back are events of a struct exchange, which it keeps for as long as the request is under way:
 *
 *     client_begin(client, &x, &(struct request){.method = METHOD_GET, .place = PLACE_MANIFESTS, ...});
 *     switch (client_step(client, &x, &part)) {
 *     case EXCHANGE_WAIT:    nothing more to do in this step
 *     case EXCHANGE_HEAD:    the content asked for begins: with a 200 and `content` only. May come again,
 *                            when a GET had to be sent again: what came of the first one is void
 *     case EXCHANGE_BODY:    the next part of it
 *     case EXCHANGE_END:     the answer is complete; x.response->status says which answer it is, and if it is
 *                            not the one hoped for exchange_explain says what it means
 *     case EXCHANGE_FAILED:  there is no answer; context.error says why, exchange_may_have_acted whether the
 *                            server may have done what it was asked to all the same
 *     }
 *
 * A verb never sees a challenge, an expired token, a redirect that may be followed, a retry, a backoff, or an idle
 * connection that was closed. Several exchanges may be under way; each of them has to be stepped, or cancelled, for the
 * others to go on. A verb that has lost interest cancels its exchange, or uses it for another request, which is the same.
 *
 * The files, each of which knows those below it only:
 *
 *     client      an exchange that is logged in when it has to be
 *     login       challenges and tokens
 *     exchange    a request, its redirects and its retries
 *     redirect, retry
 *     remote      a registry: origin, credentials, connections
 *     auth, realm, mask, token
 *     connection  bytes, in order
 *     answer      what an answer means
 *     context     time, limits, and the last error */
#ifndef REGTAG_CLIENT_CLIENT_H
#define REGTAG_CLIENT_CLIENT_H

#include "client/login.h"

struct client {
    struct context context;
    struct remote remote;
    const struct exchange *logging_in; /* whose login is under way, or NULL */
    struct login login;
};

/* The configuration must stay. */
void client_init(struct client *c, const struct regtag_config *config);

/* Between two operations that share connections and token: the first closes what is in the middle of something, the
 * second forgets what belongs to one operation only. */
void client_rest(struct client *c);
void client_again(struct client *c);

/* Closes all connections and forgets all secrets. */
void client_end(struct client *c);

/* Begins a step, at this time, of an operation that is to be over at the deadline. */
void client_begin_step(struct client *c, uint64_t now, uint64_t deadline);

/* Ends it: sets what has to be done before the next one. */
void client_end_step(struct client *c, struct regtag_want *want);

/* As exchange_begin and so on, for the registry. */
void client_begin(struct client *c, struct exchange *x, const struct request *request);
enum exchange_event client_step(struct client *c, struct exchange *x, struct slice *part);
void client_cancel(struct client *c, struct exchange *x);

#endif
