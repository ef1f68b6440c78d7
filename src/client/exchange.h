/* One request and its response, including the redirects and retries that the request allows. A 401 is not
 * handled here; see client.h. */
#ifndef REGTAG_CLIENT_EXCHANGE_H
#define REGTAG_CLIENT_EXCHANGE_H

#include "client/request.h"
#include "client/retry.h"

enum exchange_event {
    EXCHANGE_WAIT,  /* nothing to do until a connection is ready or a time is reached */
    EXCHANGE_HEAD,  /* the content begins, or begins again after a resend: x->response */
    EXCHANGE_BODY,  /* *part is the next part of the content */
    EXCHANGE_END,   /* the response is complete; check the status in x->response */
    EXCHANGE_FAILED /* no response, or an incomplete one: the error is in the context */
};

enum exchange_state { EXCHANGE_IDLE, EXCHANGE_PENDING, EXCHANGE_SENT, EXCHANGE_OVER };

/* What to do with the current response. */
enum answer_use { USE_CONTENT, USE_WORDS, USE_REDIRECT, USE_RETRY, USE_LINES };

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
    bool parked;     /* waits until it can be redirected */
    unsigned logins; /* that were made for it since it was begun, or tried again */
    unsigned login;  /* the number of the login that it was sent with */

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

/* Before it is sent: when it may be, as far as time is concerned. The registry may have asked for a pause. */
uint64_t exchange_due(const struct exchange *x);

/* Starts over with the same request, as if it had never been sent; where it was redirected to, if that is still
 * known. */
void exchange_restart(struct exchange *x);

/* Lets others have what it holds while it waits: its place in front of a connection, and where it was redirected to. */
void exchange_yield(struct exchange *x);

/* Abandons the exchange; does nothing if it is over. */
void exchange_cancel(struct exchange *x);

/* Whether it has been sent, or is being sent, and its response is still to come. */
bool exchange_is_in_flight(const struct exchange *x);

/* Whether it goes to the registry itself, and not to the target of a redirect. */
bool exchange_is_home(const struct exchange *x);

/* After EXCHANGE_END, for pipelined requests: what the response is worth (connection.h). */
enum standing exchange_standing(const struct exchange *x);

/* After EXCHANGE_FAILED: whether the request was fully sent, so that the server may have acted on it. */
bool exchange_may_have_acted(const struct exchange *x);

/* After EXCHANGE_FAILED: whether a retry may succeed, and whether it may be immediate because an idle
 * connection was closed before the response, or a pipeline has broken. */
bool exchange_is_transient(const struct exchange *x);
bool exchange_met_end(const struct exchange *x);

/* After EXCHANGE_END: Retry-After in milliseconds, or 0 if the server sent none. */
uint64_t exchange_retry_after(const struct exchange *x);

/* Calls retry_later with the attempts of this exchange. */
bool exchange_retry_later(struct exchange *x, const struct error *problem, uint64_t least,
                          uint64_t *resume);

/* After EXCHANGE_END: sets e to what the response means. */
void exchange_explain(const struct exchange *x, struct error *e);

#endif
