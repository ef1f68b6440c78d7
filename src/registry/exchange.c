#include "registry/exchange.h"

#include <string.h>

#include "base/wipe.h"

void exchange_init(struct exchange *x, const struct regtag_config *config)
{
    memset(x, 0, offsetof(struct exchange, request_memory));
    x->config = config;
    x->connection = x->connections;
}

/* ---- Telling what goes over the wire --------------------------------------------------------- */

static void trace_line(const struct exchange *x, enum regtag_trace kind, struct slice line)
{
    struct slice name = slice_head(line, slice_find(line, ':'));
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    if (slice_equal(name, SLICE("Authorization")))
        line = SLICE("Authorization: ***");
    if (slice_equal(name, SLICE("Proxy-Authorization")))
        line = SLICE("Proxy-Authorization: ***");
    if (line.size)
        x->config->trace(x->config->trace_context, kind, line.data, line.size);
}

static void trace_lines(const struct exchange *x, enum regtag_trace kind, struct slice lines)
{
    while (x->config->trace && x->config->trace_wire && lines.data)
        trace_line(x, kind, slice_split(&lines, '\n'));
}

/* ---- The connection -------------------------------------------------------------------------- */

/* Which one is in use. */
static unsigned number_of(const struct exchange *x)
{
    return (unsigned)(x->connection - x->connections);
}

/* Whatever was read and not used goes with the connection: it must never answer a later request. */
static void close_connection(struct exchange *x)
{
    if (x->connection->open && !x->connection->want_open) /* else the caller does not know of it yet */
        x->connection->want_close = true;
    x->connection->open = false;
    x->connection->want_open = false;
    x->input = SLICE("");
}

static void open_connection(struct exchange *x)
{
    x->connection->open = true;
    x->connection->want_open = true;
    x->connection->up = false;
    x->connection->reused = false;
}

static ptrdiff_t read_connection(struct exchange *x)
{
    const struct regtag_transport *t = &x->config->transport;
    return t->read(t->context, number_of(x), x->input_memory, sizeof x->input_memory);
}

/* A connection that nobody is talking on has nothing to say. If it has ended meanwhile, or something
 * came that was not asked for, it is of no use any more. */
static bool is_quiet(struct exchange *x)
{
    return x->connection->up && read_connection(x) == REGTAG_AGAIN;
}

void exchange_begin_step(struct exchange *x)
{
    x->reads_left = READS_A_STEP;
}

/* ---- The request ----------------------------------------------------------------------------- */

/* Puts the request at its beginning, on a connection that is open or being opened. */
static void begin_attempt(struct exchange *x, bool head_request)
{
    if (!x->connection->open)
        open_connection(x);
    x->sent = 0;
    x->write_failed = false;
    http_response_start(&x->response, head_request, x->head_memory);
}

/* Writes the beginning of a request: in absolute-form where a proxy is to take it on (RFC 9112, 3.2.2). */
static void begin_request(struct exchange *x, const char *method, struct slice target)
{
    const struct regtag_transport *t = &x->config->transport;
    const struct regtag_origin *origin = &x->connection->origin;
    const char *proxy = t->proxy && !origin->tls ? t->proxy(t->context, origin) : NULL;
    char memory[sizeof origin->host + 8];
    struct writer authority = writer_to(memory, sizeof memory);

    write_authority(&authority, origin->tls, slice_of(origin->host), origin->port);
    write_request(&x->request, method, proxy ? written(&authority) : SLICE(""), target,
                  written(&authority));
    if (proxy && *proxy)
        write_field(&x->request, "Proxy-Authorization", slice_of(proxy));
}

void exchange_begin(struct exchange *x, unsigned connection, const struct regtag_origin *origin,
                    const char *method, struct slice target)
{
    if (x->follows) /* its answer would be taken for this one's */
        close_connection(x);
    x->follows = false;
    x->connection = &x->connections[connection];
    if (x->connection->open && (!origin_equal(&x->connection->origin, origin) || !is_quiet(x)))
        close_connection(x);
    x->connection->origin = *origin;
    x->request = writer_to(x->request_memory, sizeof x->request_memory);
    begin_request(x, method, target);
}

/* A new exchange, of which nothing is known yet. */
static void begin_exchange(struct exchange *x)
{
    error_clear(&x->error);
    x->lasting = false;
    x->cut = false;
    x->busy = true;
    x->sent_all = false;
    x->sent_again = false;
    x->only_once = false;
    x->answered = false;
}

void exchange_send(struct exchange *x, const char *method, struct slice body)
{
    write_fields_end(&x->request);
    x->header_size = x->request.used;
    x->body = body;
    begin_exchange(x);
    begin_attempt(x, strcmp(method, "HEAD") == 0);
}

void exchange_follow_begin(struct exchange *x, const char *method, struct slice target)
{
    x->follows = !x->request.overflow;
    begin_request(x, method, target);
}

void exchange_follow_send(struct exchange *x)
{
    write_fields_end(&x->request);
    if (!x->follows || !x->request.overflow)
        return;
    x->request.used = x->header_size;
    x->request.overflow = false;
    x->follows = false;
}

void exchange_take_follower(struct exchange *x)
{
    uint64_t before = x->header_size + x->body.size;
    struct slice follower = slice_from(written(&x->request), x->header_size);
    memmove(x->request_memory, follower.data, follower.size);
    x->request.used = follower.size;
    x->header_size = follower.size;
    x->body = SLICE("");
    x->follows = false;
    begin_exchange(x);
    x->sent -= before;
    x->sent_all = x->sent == x->header_size;
    http_response_start(&x->response, true, x->head_memory);
}

/* What is left to be sent: of the header, then of the body, then of what follows. */
static struct slice unsent(const struct exchange *x)
{
    struct slice text = written(&x->request), header = slice_head(text, x->header_size);
    if (x->body.size == 0)
        return slice_from(text, (size_t)x->sent);
    if (x->sent < header.size)
        return slice_from(header, (size_t)x->sent);
    if (x->sent < header.size + x->body.size)
        return slice_from(x->body, (size_t)(x->sent - header.size));
    return slice_from(text, (size_t)(x->sent - x->body.size));
}

/* Whether the request itself has been sent, whatever follows it. */
static bool is_sent(const struct exchange *x)
{
    return x->sent >= x->header_size + x->body.size;
}

/* Shows the request, or what follows it, when its first byte has been sent. */
static void tell_sent(const struct exchange *x, uint64_t before)
{
    struct slice text = written(&x->request);
    uint64_t own = x->header_size + x->body.size;
    if (before == 0)
        trace_lines(x, REGTAG_TRACE_REQUEST, slice_head(text, x->header_size));
    if (before <= own && x->sent > own)
        trace_lines(x, REGTAG_TRACE_REQUEST, slice_from(text, x->header_size));
}

/* Sends as much as the connection takes. */
static void send_request(struct exchange *x)
{
    const struct regtag_transport *t = &x->config->transport;
    struct slice rest = unsent(x);
    while (rest.size && !x->write_failed) {
        ptrdiff_t n = t->write(t->context, number_of(x), rest.data, rest.size);
        if (n == REGTAG_AGAIN)
            return;
        if (n <= 0) {
            x->write_failed = true;
            return;
        }
        x->connection->up = true;
        x->sent += (uint64_t)n;
        x->traffic += (uint64_t)n;
        x->sent_all = x->sent_all || is_sent(x);
        tell_sent(x, x->sent - (uint64_t)n);
        rest = unsent(x);
    }
}

/* ---- The answer ------------------------------------------------------------------------------ */

static enum exchange_event failed(struct exchange *x, int status, const char *problem)
{
    char where[HOST_PORT_MAX];
    struct writer w = writer_to(where, sizeof where);
    write_host_port(&w, &x->connection->origin);
    error_set(&x->error, status, "%.*s: %s", SLICE_ARG(written(&w)), problem);
    close_connection(x);
    x->busy = false;
    x->follows = false;
    return EXCHANGE_FAILED;
}

/* The server closed a connection that had been used before, instead of answering: it may just have
 * grown tired of waiting. */
static bool try_again(struct exchange *x)
{
    if (!x->connection->reused || x->sent_again || http_response_begun(&x->response) ||
        (x->only_once && x->sent_all))
        return false;
    close_connection(x);
    x->sent_again = true;
    begin_attempt(x, x->response.head_request);
    if (x->config->trace) {
        static const char NOTE[] = "the connection was closed meanwhile: sending again";
        x->config->trace(x->config->trace_context, REGTAG_TRACE_NOTE, NOTE, sizeof NOTE - 1);
    }
    return true;
}

/* Whether the connection can take another request after this answer, or has taken it already. */
static bool reusable(const struct exchange *x)
{
    return x->response.keep_alive && is_sent(x) && (x->input.size == 0 || x->follows);
}

static enum exchange_event answer_complete(struct exchange *x)
{
    x->busy = false;
    if (reusable(x))
        x->connection->reused = true;
    else {
        close_connection(x);
        x->follows = false;
    }
    return EXCHANGE_END;
}

static enum exchange_event answer_begun(struct exchange *x)
{
    x->answered = true;
    return EXCHANGE_HEAD;
}

static enum exchange_event answer_broken(struct exchange *x)
{
    if (http_response_is_tls(&x->response) && !x->answered)
        return failed(x, REGTAG_PROTOCOL, "this port speaks TLS, not plain HTTP; try --tls");
    char text[160];
    struct writer w = writer_to(text, sizeof text - 1);
    write_format(&w, "the server broke the protocol: %s", x->response.problem);
    text[w.used] = '\0';
    return failed(x, REGTAG_PROTOCOL, text);
}

/* The peer has ended its side; `cut` says that it may not have meant to. */
static enum exchange_event input_ended(struct exchange *x, bool cut)
{
    if (!http_response_begun(&x->response))
        return failed(x, REGTAG_NO_CONNECTION, "the connection was closed before an answer came");
    if (http_response_eof(&x->response, cut) == HTTP_END)
        return answer_complete(x);
    x->cut = true;
    return answer_broken(x);
}

static enum exchange_event input_failed(struct exchange *x)
{
    const struct regtag_transport *t = &x->config->transport;
    const char *text = "";
    int status = (int)t->failure(t->context, number_of(x), &text, &x->lasting);
    return failed(x, status, text);
}

enum exchange_event exchange_step(struct exchange *x, struct slice *body)
{
    if (x->request.overflow) /* not a byte of what is not whole is sent */
        return failed(x, REGTAG_OTHER, "the request is longer than the memory for it");
    for (;;) {
        if (x->connection->want_open) /* the caller does not know of it yet */
            return EXCHANGE_WAIT;
        send_request(x);
        switch (http_response_take(&x->response, &x->input, body)) {
        case HTTP_HEAD: return answer_begun(x);
        case HTTP_BODY: return EXCHANGE_BODY;
        case HTTP_END: return answer_complete(x);
        case HTTP_BROKEN: return answer_broken(x);
        default: break;
        }

        if (x->reads_left == 0)
            return EXCHANGE_WAIT;
        x->reads_left--;
        ptrdiff_t n = read_connection(x);
        if (n > 0) {
            x->connection->up = true;
            x->traffic += (uint64_t)n;
            x->input = (struct slice){x->input_memory, (size_t)n};
        } else if (n == REGTAG_AGAIN && !x->write_failed)
            return EXCHANGE_WAIT;
        else if (!try_again(x))
            return n == REGTAG_CLOSED || n == REGTAG_CUT ? input_ended(x, n == REGTAG_CUT)
                                                         : input_failed(x);
    }
}

void exchange_abandon(struct exchange *x)
{
    close_connection(x);
    x->busy = false;
    x->follows = false;
}

void exchange_end(struct exchange *x)
{
    wipe(x->request_memory, x->request.used); /* an Authorization may be in it */
    x->request.used = 0;
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++) {
        x->connection = &x->connections[i];
        close_connection(x);
    }
}

/* Ends the exchange; the message is what it was waiting for, and why that was too long. */
static void give_up(struct exchange *x, const char *answer, const char *why, uint64_t milliseconds)
{
    const struct regtag_transport *t = &x->config->transport;
    const char *waiting = answer;
    int status = REGTAG_TIMEOUT;
    char text[200];
    struct writer w = writer_to(text, sizeof text - 1);

    if (!x->connection->up && !x->connection->want_open) {
        if (read_connection(x) == REGTAG_FAILED) {
            input_failed(x); /* the reason came together with the end of the time */
            return;
        }
        status = (int)t->failure(t->context, number_of(x), &waiting, &x->lasting);
    }
    write_format(&w, "%s %s (%llu s) sets it", waiting, why,
                 (unsigned long long)((milliseconds + 999) / 1000));
    text[w.used] = '\0';
    failed(x, status, text);
}

void exchange_time_out(struct exchange *x, uint64_t timeout)
{
    give_up(x, "no complete answer came", "in time; --timeout", timeout);
}

void exchange_stall(struct exchange *x, uint64_t stall)
{
    give_up(x, "the answer has stalled", "for too long; --stall", stall);
}

void exchange_want(struct exchange *x, struct regtag_want *want)
{
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++) {
        struct connection *c = &x->connections[i];
        bool active = c == x->connection && c->open && x->busy;
        want->connection[i].close = c->want_close;
        want->connection[i].open = c->want_open;
        want->connection[i].origin = &c->origin;
        want->connection[i].read = active;
        want->connection[i].write = active && !x->write_failed && unsent(x).size > 0;
        c->want_close = false;
        c->want_open = false;
    }
}
