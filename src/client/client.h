/* The client: sends a request to a registry and delivers the response, with logins, redirects and
 * retries in between.
 *
 * A verb passes a struct request (request.h): method, place, body, and how it may be resent. It gets
 * back the events of a struct exchange, which it owns and keeps in place while the request is in
 * progress:
 *
 *     client_begin(client, &x, &(struct request){.method = METHOD_GET, .place = PLACE_MANIFESTS, ...});
 *     switch (client_step(client, &x, &part)) {
 *     case EXCHANGE_WAIT:    nothing more to do in this step
 *     case EXCHANGE_HEAD:    the content begins; only for a 200 to a request with `content` set, or a 206 to one
 *                            with `from`. Comes again if a GET had to be resent: discard what was received
 *                            so far, unless it is a 206
 *     case EXCHANGE_BODY:    the next part of the content
 *     case EXCHANGE_END:     the response is complete; check x.response->status. exchange_explain turns
 *                            an unsuccessful response into an error
 *     case EXCHANGE_FAILED:  no response; context.error says why, and exchange_may_have_acted whether
 *                            the server may have carried out the request anyway
 *     }
 *
 * A verb never sees a challenge, an expired token, a followed redirect, a retry, a backoff, or an idle
 * connection that was closed. Several exchanges may be in progress, but they share connections: each
 * must be stepped or cancelled, or it blocks the others. To abandon an exchange, cancel it or begin
 * another request with it.
 *
 * The files; each depends only on those below it:
 *
 *     client      exchanges, with logins on demand
 *     login       challenges and tokens
 *     exchange    a request, its redirects and its retries; exchange_result: what came of it
 *     redirect, retry, pipeline
 *     request     what is asked for, how it may be resent, how it is written
 *     remote      a registry: origin, credentials, connections
 *     auth, realm, mask, token
 *     connection  requests in flight, and the bytes of their responses
 *     answer      error responses
 *     accept      the media types of manifests
 *     context     time, limits, and the last error */
#ifndef REGTAG_CLIENT_CLIENT_H
#define REGTAG_CLIENT_CLIENT_H

#include "client/login.h"

struct client {
    struct context context;
    const struct exchange *logging_in; /* the exchange that waits for `login`, or NULL */
    struct login login;
    struct remote remote;
};

/* The configuration, the side of the registry, and the connections, of which `first` and the next `count` are for this
 * client, are borrowed: they must outlive *c. */
void client_init(struct client *c, const struct regtag_config *config, const struct regtag_side *side,
                 struct connection *connections, unsigned first, unsigned count);

/* Between two operations that share connections and the token: client_rest closes connections with
 * requests in flight that were not withdrawn, client_again resets what belongs to a single operation. */
void client_rest(struct client *c);
void client_again(struct client *c);

/* Closes all connections and wipes all secrets. */
void client_end(struct client *c);

/* Begins a step. `now` and the operation's `deadline` are in milliseconds on the same clock. */
void client_begin_step(struct client *c, uint64_t now, uint64_t deadline);

/* Ends the step; sets the elements of its connections in want[0..count) to what the caller must do before the next
 * one. */
void client_end_step(struct client *c, struct regtag_want *want, size_t count);

/* Like exchange_begin, exchange_step and exchange_cancel, with logins. */
void client_begin(struct client *c, struct exchange *x, const struct request *request);
enum exchange_event client_step(struct client *c, struct exchange *x, struct slice *part);
void client_cancel(struct client *c, struct exchange *x);

#endif
