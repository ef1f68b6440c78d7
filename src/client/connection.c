#include "client/connection.h"

#include <string.h>

#include "base/debug.h"
#include "base/wipe.h"
#include "client/connection_io.h"

#define DROP_PATIENCE 2000u      /* milliseconds to wait for the responses to withdrawn requests */
#define DISCARD_MAX (64u * 1024) /* bytes of such a response to read in order to keep the connection */

void connection_init(struct connection *c, struct context *context, unsigned number)
{
    memset(c, 0, offsetof(struct connection, words));
    c->words.size = 0;
    c->context = context;
    c->number = number;
    c->out = writer_to(c->out_memory, sizeof c->out_memory);
    c->answer_over = true;
    c->first_batch = CONNECTION_QUEUE;
}

void connection_begin_step(struct connection *c)
{
    c->awaited = c->starved = c->dry = false;
}

void connection_end(struct connection *c)
{
    connection_close(c);
    connection_drop_headers(c);
    wipe(c->input_memory, c->input_most); /* a token server's answer may be in it */
    c->input_most = 0;
}

/* ---- The queue --------------------------------------------------------------------------------- */

bool connection_can_pipeline(const struct connection *c, const struct regtag_origin *origin)
{
    unsigned most = c->batch > 1 ? CONNECTION_QUEUE : c->first_batch;
    return c->open && c->count > 0 && c->count < most && !c->claim && !c->draining && !c->unsolicited &&
           !c->write_failed && origin_equal(&c->origin, origin);
}

void connection_send(struct connection *c, const struct regtag_origin *origin, struct transfer *t)
{
    REQUIRE(!t->connection && (c->count == 0 || connection_can_pipeline(c, origin)));
    if (c->open && !origin_equal(&c->origin, origin))
        connection_close(c);
    c->origin = *origin;
    if (!c->open)
        connection_open(c);
    t->connection = t->last = c;
    t->pipelined = c->count > 0;
    if (c->count) {
        c->joined++;
        if (c->queue[0].transfer)
            c->queue[0].transfer->followers++;
    } else {
        c->batch++;
        c->joined = 0;
        c->draining = false;
    }
    t->batch = c->batch;
    t->followers = 0;
    c->claim = NULL;
    t->sent = t->answered = t->early = t->failed = t->stale = t->cut = false;
    c->queue[c->count] = (struct in_flight){.transfer = t, .head_request = t->head_request};
    c->count++;
}

enum standing connection_standing(const struct transfer *t)
{
    struct connection *c = t->last;
    if (t->batch == c->batch)
        connection_idle(c); /* the others may have been withdrawn: nobody else reads their answers */
    if (t->batch == c->unsound)
        return STANDING_VOID;
    return t->batch == c->batch && c->count ? STANDING_OPEN : STANDING_FIRM;
}

/* ---- Responses ------------------------------------------------------------------------------- */

/* Parses more of the front response from the input. */
static enum http_event take(struct connection *c, struct slice *part)
{
    const struct in_flight *front = &c->queue[0];
    if (c->answer_over) {
        http_response_start(&c->response, front->head_request, c->head_memory);
        c->words.size = 0;
        c->discarded = 0;
        c->answer_over = false;
    }
    if (!http_response_begun(&c->response))
        connection_skip_empty_lines(c);
    if (c->input.size && !http_response_begun(&c->response)) {
        REQUIRE(c->written > 0); /* or it would have been taken for unsolicited data */
        c->early = c->input_from < front->header_end;
        c->draining = true;
    }
    return http_response_take(&c->response, &c->input, part);
}

static void pop(struct connection *c)
{
    connection_lose(&c->queue[0]);
    c->count--;
    c->written -= c->written > 0;
    connection_make_room(c);
    if (c->count) /* it is the next one's turn, whose transfer may have been stepped before */
        c->context->wake = c->context->now;
    memmove(c->queue, c->queue + 1, c->count * sizeof c->queue[0]);
}

/* The front response is complete. False if it cannot be trusted: its request was pipelined and surplus
 * data followed, so requests and responses may be out of step. */
static bool complete(struct connection *c)
{
    const struct in_flight *front = c->queue;
    bool whole = c->handed >= front->end;
    bool pipelined = front->transfer && front->transfer->pipelined;
    bool reusable = c->response.keep_alive && whole && !c->early && !c->write_failed;
    REQUIRE(c->written > 0 && c->draining);
    pop(c);
    c->answers += pipelined;
    c->draining = c->count > 0;
    c->answer_over = true;
    c->used = true;
    c->replaced = c->replaced && c->early;
    if (!reusable) {
        connection_close(c);
        return true;
    }
    if (c->count || (c->input.size == 0 && !pipelined))
        return true;
    bool surplus = connection_listen(c) == SPEAKS;
    if (surplus) {
        connection_doubt(c);
        connection_close(c);
    }
    return !surplus || !pipelined;
}

static enum connection_event on_end(struct connection *c, struct transfer *t)
{
    if (complete(c))
        return CONNECTION_END;
    t->answered = false;
    t->failed = true;
    connection_fail_protocol(c, "more answers than requests");
    return CONNECTION_FAILED;
}

static void on_head(struct connection *c)
{
    struct transfer *t = c->queue[0].transfer;
    if (c->early && c->response.status < 400)
        connection_fail_protocol(c, "an answer before the request");
    else {
        t->answered = true;
        t->early = c->early;
    }
}

static void on_broken(struct connection *c)
{
    if (http_response_is_tls(&c->response))
        connection_fail(c, REGTAG_E_PROTOCOL, REGTAG_HINT_SCHEME_TLS,
                        "this port speaks TLS, not plain HTTP", "");
    else
        connection_fail_protocol(c, c->response.problem);
}

/* The peer closed its side; with `cut`, the connection may have been truncated. Returns whether the end
 * of input completes the response. */
static bool on_input_end(struct connection *c, bool cut)
{
    struct transfer *t = c->queue[0].transfer;
    REQUIRE(!c->answer_over);
    if (http_response_begun(&c->response)) {
        if (http_response_eof(&c->response, cut) == HTTP_END)
            return true;
        if (t)
            t->cut = true;
        on_broken(c);
        return false;
    }
    if (t)
        t->stale = c->used;
    connection_fail_closed(c);
    return false;
}

static void on_read_failure(struct connection *c)
{
    struct transfer *t = c->queue[0].transfer;
    REQUIRE(!c->answer_over);
    if (t)
        t->stale = c->used && !http_response_begun(&c->response);
    connection_fail_transport(c, REGTAG_HINT_NONE, "");
}

/* Skips the response to a withdrawn request; closes the connection if that takes too long. */
static void discard(struct connection *c, enum http_event event, const struct slice *part)
{
    c->discarded += event == HTTP_BODY ? part->size : 0;
    if (event == HTTP_END)
        complete(c);
    else if (event == HTTP_BROKEN || c->discarded > DISCARD_MAX || (event == HTTP_HEAD && c->early))
        connection_close(c);
}

/* Reads more input. False if there is none now or the connection failed. *ended: the end of input
 * completed the response. While a body is sent, only its first part looks for an early answer. */
static bool read_more(struct connection *c, bool *ended)
{
    *ended = false;
    if (c->context->reads_left == 0 || (c->dry && !c->write_failed))
        return false;
    c->context->reads_left--;
    ptrdiff_t n = connection_read(c);
    c->dry = n == REGTAG_IO_AGAIN;
    if (n == REGTAG_IO_CLOSED || n == REGTAG_IO_CUT)
        *ended = on_input_end(c, n == REGTAG_IO_CUT);
    else if (n == REGTAG_IO_FAILED || (n == REGTAG_IO_AGAIN && c->write_failed))
        on_read_failure(c);
    return n > 0 || *ended;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

bool connection_is_next(const struct transfer *t)
{
    const struct in_flight *f = t->connection->queue;
    while (!f->transfer)
        f++;
    return f->transfer == t;
}

static bool is_turn(const struct transfer *t)
{
    return t->connection->queue[0].transfer == t;
}

static enum connection_event wait(struct connection *c)
{
    c->awaited = true;
    return CONNECTION_WAIT;
}

static enum connection_event gone(const struct transfer *t)
{
    return t->failed ? CONNECTION_FAILED : CONNECTION_LOST;
}

/* Maps an HTTP event of this transfer's response; CONNECTION_WAIT if there is nothing to report yet. */
static enum connection_event pass_on(struct connection *c, struct transfer *t, enum http_event event)
{
    switch (event) {
    case HTTP_HEAD: on_head(c); return t->connection ? CONNECTION_HEAD : gone(t);
    case HTTP_BODY: return CONNECTION_BODY;
    case HTTP_END: return on_end(c, t);
    case HTTP_BROKEN: on_broken(c); return gone(t);
    default: return CONNECTION_WAIT;
    }
}

enum connection_event connection_step(struct transfer *t, struct slice *part)
{
    struct connection *c = t->connection;
    enum connection_event event;
    bool ended = false;
    while (t->connection) {
        /* The caller has not opened it yet. Write the headers now: if they do not fit, fail without
         * connecting. */
        if (c->want_open) {
            connection_write_headers(c);
            if (t->connection)
                return wait(c);
            break;
        }
        connection_send_pending(c);
        if (!t->connection || c->want_open)
            continue;
        if (!is_turn(t) && c->queue[0].transfer)
            return wait(c);
        enum http_event happened = ended ? HTTP_END : take(c, part);
        if (is_turn(t)) {
            event = pass_on(c, t, happened);
            if (event != CONNECTION_WAIT)
                return event;
        } else
            discard(c, happened, part);
        ended = false;
        if (t->connection && happened == HTTP_MORE && !read_more(c, &ended) && t->connection)
            return wait(c);
    }
    return gone(t);
}

/* ---- Withdrawing requests -------------------------------------------------------------------- */

void connection_withdraw(struct transfer *t)
{
    struct connection *c = t->connection;
    unsigned at = 0;
    if (!c)
        return;
    while (c->queue[at].transfer != t)
        at++;
    bool begun = at == 0 && !c->answer_over && http_response_begun(&c->response);
    t->connection = NULL;
    c->context->wake = c->context->now; /* others may have waited for it */
    if (c->want_open) { /* nothing was sent: the headers of the others are written again */
        connection_drop_headers(c);
        c->written = 0;
    }
    /* Its header was not written out yet: simply unqueue it. */
    if (at >= c->written) {
        c->count--;
        memmove(c->queue + at, c->queue + at + 1, (c->count - at) * sizeof c->queue[0]);
    } else if (begun || t->body->size) {
        connection_doubt(c); /* it may be withdrawn because its answer is another's */
        connection_close(c);
    } else {
        c->queue[at].transfer = NULL;
        c->drop_at = c->context->now + DROP_PATIENCE;
        if (c->drop_at > c->context->deadline)
            c->drop_at = c->context->deadline;
    }
}

bool connection_idle(struct connection *c)
{
    struct slice part;
    bool ended;
    while (c->count && !c->queue[0].transfer) {
        if (c->context->now >= c->drop_at) {
            connection_close(c);
            break;
        }
        connection_send_pending(c);
        if (c->count == 0 || c->queue[0].transfer)
            break; /* the connection was lost, or replaced by one without the withdrawn requests */
        enum http_event event = take(c, &part);
        if (event != HTTP_MORE)
            discard(c, event, &part);
        else if (!read_more(c, &ended)) {
            if (c->count == 0)
                break;
            c->awaited = true;
            if (c->drop_at < c->context->wake)
                c->context->wake = c->drop_at;
            return false;
        } else if (ended)
            connection_close(c);
    }
    return c->count == 0;
}

bool connection_is_wanted(const struct connection *c)
{
    unsigned i = 0;
    while (i < c->count && !c->queue[i].transfer)
        i++;
    return i < c->count;
}

/* ---- Giving up ------------------------------------------------------------------------------- */

void connection_reject(struct transfer *t, const char *problem)
{
    t->answered = false;
    t->stale = t->connection->used;
    connection_fail_protocol(t->connection, problem);
}

void connection_give_up(struct transfer *t, int hint, const char *waiting, const char *why)
{
    struct connection *c = t->connection;
    t->failed = true;
    connection_doubt(c);
    if (c->up || c->want_open)
        connection_fail(c, REGTAG_E_TIMEOUT, hint, waiting, why);
    else if (connection_read(c) == REGTAG_IO_FAILED) /* just as the time ran out: report why */
        connection_fail_transport(c, REGTAG_HINT_NONE, "");
    else
        connection_fail_transport(c, hint, why);
}

/* ---- What the caller must do ----------------------------------------------------------------- */

void connection_want(struct connection *c, struct regtag_want *want, size_t count)
{
    bool active = c->awaited && c->open;
    if (c->number >= count)
        return;
    want += c->number;
    want->close = c->want_close;
    want->open = c->want_open;
    want->origin = &c->origin;
    want->read = active;
    want->write = active && connection_has_unsent(c);
    c->want_close = c->want_open = false;
}
