#include "client/exchange.h"

#include <string.h>

#include "base/debug.h"
#include "client/exchange_use.h"
#include "client/pipeline.h"
#include "client/redirect.h"

#define AGAIN ((enum exchange_event)(-1))
#define STARVED 4u             /* stalls, before an upload is given up that waits for its bytes */
#define DRAIN_MAX (64u * 1024) /* bytes of a non-content body to read in order to keep the connection */

/* ---- Where it goes ---------------------------------------------------------------------------- */

static const struct regtag_origin *origin_of(const struct exchange *x, struct regtag_origin *memory)
{
    return request_origin(&x->request, x->remote, x->redirects > 0, memory);
}

static struct connection *connection_of(const struct exchange *x)
{
    struct regtag_origin memory;
    if (x->remote->occupied)
        return x->remote->away;
    const struct regtag_origin *origin = origin_of(x, &memory);
    bool spread = (x->request.pipelined && !auth_is_unproven(&x->remote->auth)) || x->request.alone;
    bool evades = x->remote->reserved && !x->request.guarded;
    return (spread || evades) && remote_is_home(x->remote, origin)
               ? remote_least_busy(x->remote, &x->transfer)
               : remote_connection(x->remote, origin);
}

static void write_header(void *sender, struct writer *w)
{
    struct exchange *x = sender;
    request_write(&x->request, x->remote, x->redirects > 0, w);
    x->login = x->remote->auth.logins;
    if (!exchange_is_home(x))
        x->remote->asks_for_token = x->request.to_token_server;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static void make_pending(struct exchange *x, uint64_t resume)
{
    REQUIRE(!x->transfer.connection);
    ENTER("exchange", x->state, EXCHANGE_PENDING);
    x->resume = resume;
    x->timed = false;
    x->drained = 0;
}

/* Only one at a time can be redirected. */
static void release_location(const struct exchange *x)
{
    struct remote *r = x->remote;
    if (r->redirected != x)
        return;
    r->redirected = NULL;
    r->context->wake = r->context->now; /* another one may wait for it */
}

/* It goes to the registry again, and perhaps not at once. */
static void forget_redirects(struct exchange *x)
{
    x->redirects = 0;
    release_location(x);
}

void exchange_yield(struct exchange *x)
{
    if (x->state != EXCHANGE_PENDING)
        return;
    remote_unclaim(x->remote, &x->transfer);
    forget_redirects(x);
}

void exchange_cancel(struct exchange *x)
{
    connection_withdraw(&x->transfer);
    if (x->remote) {
        remote_unclaim(x->remote, &x->transfer);
        release_location(x);
    }
    if (x->state == EXCHANGE_PENDING || x->state == EXCHANGE_SENT)
        ENTER("exchange", x->state, EXCHANGE_OVER);
}

void exchange_begin(struct exchange *x, struct remote *remote, const struct request *request)
{
    struct context *c = remote->context;
    REQUIRE(request->attempts);
    exchange_cancel(x);
    memset(x, 0, sizeof *x);
    x->remote = remote;
    x->request = *request;
    x->transfer.write_header = write_header;
    x->transfer.sender = x;
    x->transfer.body = &x->request.body;
    x->transfer.head_request = request->method == METHOD_HEAD;
    error_clear(&c->error);
    c->permanent = c->unreachable = false;
    make_pending(x, request->not_before);
}

/* Behind a 401 it goes where it was redirected to, unless another one has been redirected meanwhile. */
void exchange_restart(struct exchange *x)
{
    connection_withdraw(&x->transfer);
    if (x->redirects && x->remote->located == x)
        x->remote->redirected = x;
    else
        x->redirects = 0;
    x->sent_again = false;
    make_pending(x, 0);
}

/* ---- In flight ------------------------------------------------------------------------------- */

static void start_clock(struct exchange *x, const struct connection *c)
{
    x->timed = true;
    x->until = request_deadline(&x->request, x->remote->context);
    x->moved = x->remote->context->now;
    x->traffic = c->traffic;
}

static void wake_at(struct context *c, uint64_t time)
{
    c->wake = time < c->wake ? time : c->wake;
}

uint64_t exchange_due(const struct exchange *x)
{
    uint64_t hold = x->remote->hold;
    return hold > x->resume && exchange_is_home(x) ? hold : x->resume;
}

/* Else the next step comes in time. */
static bool is_due(struct exchange *x)
{
    struct context *context = x->remote->context;
    uint64_t due = exchange_due(x);
    if (context->now < due) {
        wake_at(context, due);
        return false;
    }
    x->resume = 0;
    return true;
}

/* Waits until nothing is in flight; others that would have to wait for that come later. */
static bool waits_for_idle(struct exchange *x, struct connection *c)
{
    if (c->claim && c->claim != &x->transfer)
        return true;
    if (connection_idle(c))
        return false;
    if (!x->request.pipelined || !remote_pipelines(x->remote))
        c->claim = &x->transfer;
    return true;
}

static bool joins_pipeline(const struct exchange *x, const struct connection *c,
                           const struct regtag_origin *origin)
{
    return x->request.pipelined && pipeline_takes(x->remote, c, origin);
}

/* Queues the request on its connection. False if it has to wait. */
static bool send(struct exchange *x)
{
    struct regtag_origin memory;
    REQUIRE(x->state == EXCHANGE_PENDING && !x->transfer.connection);
    if (!is_due(x) || (x->parked && x->remote->redirected))
        return false;
    x->parked = false;
    const struct regtag_origin *origin = origin_of(x, &memory);
    if (origin->target != x->remote->origin.target) {
        memory = *origin;
        memory.target = x->remote->origin.target;
        origin = &memory;
    }
    struct connection *c = connection_of(x);
    if (!c || (!joins_pipeline(x, c, origin) && waits_for_idle(x, c))) {
        x->remote->context->queued = true;
        return false;
    }
    /* Others may have used the connection since this was lost on it. */
    if ((x->request.fresh || x->sent_again) && c->used && c->count == 0)
        connection_close(c);
    remote_unclaim(x->remote, &x->transfer); /* it may have waited for another connection */
    connection_send(c, origin, &x->transfer);
    ENTER("exchange", x->state, EXCHANGE_SENT);
    if (!x->transfer.pipelined)
        start_clock(x, c);
    return true;
}

static enum connection_event give_up(struct exchange *x, enum regtag_hint hint, const char *waiting,
                                     const char *why, uint64_t limit)
{
    char text[80];
    struct writer w = writer_to(text, sizeof text - 1);
    write_format(&w, " %s %llu s", why, (unsigned long long)((limit + 999) / 1000));
    text[w.used] = '\0';
    connection_give_up(&x->transfer, (int)hint, waiting, text);
    return CONNECTION_FAILED;
}

/* Whether a limit of milliseconds without progress has passed; else the next step comes in time for it. */
static bool is_stalled(const struct exchange *x, uint64_t limit)
{
    struct context *c = x->remote->context;
    if (c->now - x->moved >= limit)
        return true;
    if (limit < UINT64_MAX - x->moved)
        wake_at(c, x->moved + limit);
    return false;
}

/* How long to wait while nothing comes, 0 being forever. For a pipelined request, perhaps nothing ever will, once there is a
 * connection. If there is nothing to send, it is not this server that stalls: whoever brings it needs time to try again. */
static uint64_t patience(const struct exchange *x)
{
    const struct connection *c = x->transfer.connection;
    uint64_t stall = x->remote->context->config->stall;
    if (c->starved)
        return stall < UINT64_MAX / STARVED ? stall * STARVED : stall;
    if (!x->request.pipelined || !x->transfer.pipelined || x->transfer.answered || !c->up)
        return stall;
    uint64_t limit = pipeline_patience(x->remote);
    return stall && stall < limit ? stall : limit;
}

/* Steps the transfer and enforces `timeout` and `stall`. A pipelined request's clock starts when none
 * before it is waited for any more. */
static enum connection_event step_in_time(struct exchange *x, struct slice *part)
{
    struct context *context = x->remote->context;
    struct connection *c = x->transfer.connection;
    REQUIRE(x->state == EXCHANGE_SENT);
    if (x->timed && context->now >= x->until)
        return give_up(x, REGTAG_HINT_TIMEOUT, "no complete answer came", "within",
                       context->config->timeout);
    enum connection_event event = connection_step(&x->transfer, part);
    if (event != CONNECTION_WAIT)
        return event;
    if (!x->timed && connection_is_next(&x->transfer))
        start_clock(x, c);
    if (x->traffic != c->traffic) {
        x->traffic = c->traffic;
        x->moved = context->now;
    }
    wake_at(context, x->timed ? x->until : context->deadline);
    uint64_t limit = patience(x);
    if (x->timed && limit && is_stalled(x, limit))
        return give_up(x, REGTAG_HINT_STALL, "the answer has stalled", "for", limit);
    return event;
}

/* ---- Responses ------------------------------------------------------------------------------- */

static enum exchange_event over(struct exchange *x, enum exchange_event event)
{
    ENTER("exchange", x->state, EXCHANGE_OVER);
    release_location(x);
    return event;
}

/* What is optional does not wait for long, unless all have to. */
static bool may_wait(const struct exchange *x, uint64_t least)
{
    const struct context *c = x->remote->context;
    uint64_t then = c->now + least;
    return !x->request.optional || then < request_deadline(&x->request, c) || then <= x->remote->hold;
}

static bool retry(struct exchange *x, const struct error *problem, uint64_t least)
{
    uint64_t resume;
    if (!may_wait(x, least) || !exchange_retry_later(x, problem, least, &resume))
        return false;
    forget_redirects(x);
    x->sent_again = false;
    x->logins = 0;
    make_pending(x, resume);
    return true;
}

/* Resends at once, without counting an attempt: after a pipeline has broken, which is never in vain, since
 * either one of its requests was answered or there will be no more pipelines. */
static enum exchange_event send_again(struct exchange *x)
{
    make_pending(x, 0);
    return AGAIN;
}

static enum exchange_event on_end(struct exchange *x);

/* `lost`: another request on the connection, which was stepped before this one, has found that out. */
static enum exchange_event on_failure(struct exchange *x, bool lost)
{
    const struct context *c = x->remote->context;
    const struct transfer *t = &x->transfer;
    bool freely = request_resend(&x->request) == RESEND_FREELY;
    if (t->answered && x->use != USE_CONTENT) /* status and header are all we need */
        return on_end(x);
    if (pipeline_has_lost(t)) {
        pipeline_broke(x->remote, t->last, lost);
        if (freely || !t->sent)
            return send_again(x);
    }
    if (lost)
        connection_explain_loss(t->last);
    if (t->stale && (freely || !t->sent)) {
        REQUIRE(!x->sent_again); /* alone, it goes out on a new connection, which cannot be stale */
        remote_tell(x->remote, REGTAG_TRACE_NOTE, "the connection was closed meanwhile: resending");
        x->sent_again = true;
        return send_again(x);
    }
    bool worth_it = freely && exchange_is_transient(x) &&
                    !(x->request.optional && c->error.status == REGTAG_E_TIMEOUT);
    return worth_it && retry(x, &c->error, 0) ? AGAIN : over(x, EXCHANGE_FAILED);
}

static enum exchange_event on_head(struct exchange *x, struct connection *c)
{
    unsigned status = c->response.status;
    x->response = &c->response;
    x->words = &c->words;
    exchange_trace_answer(x);
    if (!exchange_answer_fits(x)) {
        connection_reject(&x->transfer, "the answer does not fit the request");
        return on_failure(x, false);
    }
    retry_note_pace(x->remote, x->response, exchange_is_home(x) && !x->request.to_token_server);
    if (status != 401 && x->login == x->remote->auth.logins && exchange_is_home(x))
        auth_note_taken(&x->remote->auth);
    if (!x->remote->answer_time && x->timed)
        x->remote->answer_time = (unsigned)(x->remote->context->now - x->moved);
    x->use = exchange_use_of_answer(x);
    return x->use == USE_CONTENT ? EXCHANGE_HEAD : AGAIN;
}

/* A body that is not content: keep the beginning for the error message, cut long ones short. */
static enum exchange_event on_words(struct exchange *x, struct connection *c, struct slice part)
{
    x->drained += part.size;
    answer_words_add(&c->words, part);
    if (x->drained <= DRAIN_MAX)
        return AGAIN;
    connection_withdraw(&x->transfer);
    return on_end(x);
}

static enum exchange_event on_redirect(struct exchange *x)
{
    struct remote *r = x->remote;
    if (r->redirected && r->redirected != x) {
        exchange_restart(x);
        x->parked = true;
        return AGAIN;
    }
    if (x->redirects == 0) {
        struct regtag_origin memory;
        struct writer w = writer_to(r->location, sizeof r->location - 1);
        r->located = x; /* others must not take it for theirs, even if this fails */
        write_origin(&w, origin_of(x, &memory));
        request_write_target(&x->request, r, &w);
        REQUIRE(!w.overflow); /* a URL that was parsed, or a short one */
        r->location[w.used] = '\0';
    }
    error_clear(&r->context->error);
    if (redirect_follow(x->response, x->redirects, r->location, &r->context->error)) {
        x->redirects++;
        exchange_restart(x);
        return AGAIN;
    }
    r->context->permanent = true;
    x->transfer.sent = x->transfer.answered = false; /* a redirected request had no effect */
    return over(x, EXCHANGE_FAILED);
}

/* An error sent before the request does not answer it, but probably says why there will be no other
 * response. */
static enum exchange_event on_early_error(struct exchange *x)
{
    struct context *c = x->remote->context;
    exchange_explain(x, &c->error);
    x->transfer.answered = false;
    return over(x, EXCHANGE_FAILED);
}

static enum exchange_event on_end(struct exchange *x)
{
    struct error *e = &x->remote->context->error;
    if (x->use == USE_REDIRECT)
        return on_redirect(x);
    if (x->use == USE_LINES) {
        x->request.accept_lines = true;
        forget_redirects(x);
        return send_again(x);
    }
    if (x->request.pipelined && x->transfer.pipelined && pipeline_is_refused(x->response, x->words)) {
        x->remote->alone = true;
        return send_again(x);
    }
    error_clear(e);
    if (x->use == USE_RETRY)
        exchange_explain(x, e);
    if (x->use == USE_RETRY && retry(x, e, exchange_retry_after(x)))
        return AGAIN;
    error_clear(e);
    return x->transfer.early ? on_early_error(x) : over(x, EXCHANGE_END);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* A pause that an earlier operation was asked for may be longer than there is time in this one. */
static bool is_held_too_long(const struct exchange *x)
{
    const struct context *c = x->remote->context;
    uint64_t due = exchange_due(x);
    return x->state == EXCHANGE_PENDING && due > c->now && due >= c->deadline;
}

static enum exchange_event on_hold(struct exchange *x)
{
    struct remote *r = x->remote;
    struct error *e = &r->context->error;
    r->pause = exchange_due(x) - r->context->now;
    error_clear(e);
    error_set(error_hint(e, REGTAG_HINT_TIMEOUT), REGTAG_E_SLOW_DOWN,
              "the registry has asked for a pause, which lasts another %llu s",
              (unsigned long long)(r->pause + 999) / 1000);
    exchange_cancel(x);
    x->transfer.sent = x->transfer.answered = false;
    return EXCHANGE_FAILED;
}

enum exchange_event exchange_step(struct exchange *x, struct slice *part)
{
    enum exchange_event event = AGAIN;
    REQUIRE(x->state == EXCHANGE_PENDING || x->state == EXCHANGE_SENT);
    while (event == AGAIN) {
        if (is_held_too_long(x))
            return on_hold(x);
        if (x->state == EXCHANGE_PENDING && !send(x))
            return EXCHANGE_WAIT;
        struct connection *c = x->transfer.connection;
        switch (c ? step_in_time(x, part) : CONNECTION_LOST) {
        case CONNECTION_WAIT: event = EXCHANGE_WAIT; break;
        case CONNECTION_HEAD: event = on_head(x, c); break;
        case CONNECTION_BODY:
            event = x->use == USE_CONTENT ? EXCHANGE_BODY : on_words(x, c, *part);
            break;
        case CONNECTION_END: event = on_end(x); break;
        case CONNECTION_FAILED: event = on_failure(x, false); break;
        default: event = on_failure(x, true); /* CONNECTION_LOST */
        }
    }
    return event;
}

bool exchange_is_in_flight(const struct exchange *x)
{
    return x->transfer.connection != NULL;
}
