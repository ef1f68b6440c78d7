#include "net/transport.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net/clock.h"

/* ---- One connection -------------------------------------------------------------------------- */

static unsigned number_of(const struct net *net, const struct net_connection *c)
{
    return (unsigned)(c - net->connections);
}

static bool has_socket(const struct net_connection *c)
{
    return c->state == NET_TUNNEL || c->state == NET_HANDSHAKE || c->state == NET_OPEN;
}

static void close_connection(struct net *net, struct net_connection *c)
{
    if (c->state == NET_DIALING)
        dial_end(&c->dial);
    if (c->state == NET_TUNNEL)
        tunnel_end(&c->tunnel);
    if (c->tls)
        tls_close(number_of(net, c));
    if (has_socket(c))
        close(c->fd);
    c->tls = false;
    c->state = NET_CLOSED;
    proxy_wipe(&c->proxy);
}

static void fail(struct net *net, struct net_connection *c, const struct error *problem)
{
    close_connection(net, c);
    c->state = NET_FAILED;
    error_set(&c->error, problem->status, "%s", problem->text);
}

static void trace(const struct net *net, const char *what, const char *more)
{
    char text[160];
    struct writer w = writer_to(text, sizeof text);
    if (!net->trace)
        return;
    write_format(&w, "%s%s", what, more);
    net->trace(net->trace_context, REGTAG_TRACE_NOTE, text, w.used);
}

/* ---- Connecting: dialing, then a proxy's tunnel, then TLS ------------------------------------- */

static void step_handshake(struct net *net, struct net_connection *c)
{
    struct error problem = {.status = 0};
    c->wants = tls_handshake(number_of(net, c), &problem);
    if (c->wants == TLS_FAILED)
        fail(net, c, &problem);
    else if (c->wants == TLS_DONE) {
        c->state = NET_OPEN;
        trace(net, "TLS is up", "");
    }
}

static void begin_handshake(struct net *net, struct net_connection *c)
{
    struct error problem = {.status = 0};
    unsigned number = number_of(net, c);
    c->state = NET_HANDSHAKE;
    c->tls = tls_open(number, c->fd, &c->origin, net->tls, number == 0, &problem);
    if (c->tls)
        step_handshake(net, c);
    else
        fail(net, c, &problem);
}

static void step_tunnel(struct net *net, struct net_connection *c)
{
    struct error problem = {.status = 0};
    switch (tunnel_step(&c->tunnel, c->fd, &problem)) {
    case TUNNEL_READ: c->wants = TLS_READ; break;
    case TUNNEL_WRITE: c->wants = TLS_WRITE; break;
    case TUNNEL_DONE:
        trace(net, "the proxy lets through", "");
        begin_handshake(net, c);
        break;
    case TUNNEL_FAILED:
        c->lasting = c->tunnel.response.status >= 400 && c->tunnel.response.status < 500;
        fail(net, c, &problem);
        break;
    }
}

static void begin_tunnel(struct net *net, struct net_connection *c)
{
    c->state = NET_TUNNEL;
    tunnel_begin(&c->tunnel, &c->proxy, &c->origin, net->tunnel_memory);
    step_tunnel(net, c);
}

static void on_socket(struct net *net, struct net_connection *c)
{
    if (!c->origin.tls)
        c->state = NET_OPEN;
    else if (c->proxy.used)
        begin_tunnel(net, c);
    else
        begin_handshake(net, c);
}

/* The unreachable address may be that of a proxy. */
static void on_dial_failure(struct net *net, struct net_connection *c)
{
    char host_port[HOST_PORT_MAX];
    struct writer w = writer_to(host_port, sizeof host_port);
    struct error problem = {.status = 0};
    if (c->proxy.used)
        write_host_port(&w, &c->proxy.origin);
    error_set(&problem, c->dial.error.status, "%s%.*s%s%s%s", c->proxy.used ? "the proxy " : "",
              SLICE_ARG(written(&w)), c->proxy.used ? ": " : "", c->dial.error.text,
              c->dial.refused && !c->proxy.used ? "; is the registry running, and is the port right?"
                                                : "");
    c->lasting = c->dial.lookup.unknown;
    fail(net, c, &problem);
}

static void on_dialed(struct net *net, struct net_connection *c)
{
    char address[ADDRESS_TEXT_MAX];
    address_text(&c->dial.addresses.list[c->dial.chosen], address);
    trace(net, "connected to ", address);
    c->fd = c->dial.fd;
    on_socket(net, c);
}

static void step_dial(struct net *net, struct net_connection *c)
{
    switch (dial_step(&c->dial)) {
    case DIAL_MORE: break;
    case DIAL_DONE: on_dialed(net, c); break;
    case DIAL_FAILED: on_dial_failure(net, c); break;
    }
}

/* Continues to set up a connection. */
static void step_connection(struct net *net, struct net_connection *c)
{
    if (c->state == NET_DIALING)
        step_dial(net, c);
    else if (c->state == NET_TUNNEL)
        step_tunnel(net, c);
    else if (c->state == NET_HANDSHAKE)
        step_handshake(net, c);
}

static void open_connection(struct net *net, struct net_connection *c,
                            const struct regtag_origin *origin)
{
    struct error problem = {.status = 0};
    close_connection(net, c);
    error_clear(&c->error);
    error_clear(&c->write_error);
    c->lasting = false;
    c->origin = *origin;
    c->read_wants = TLS_READ;
    c->write_wants = TLS_WRITE;
    if (origin->tls && tls_missing())
        error_set(&problem, REGTAG_UNTRUSTED, "%s", tls_missing());
    if (problem.status || !proxy_choose(&c->proxy, net->proxies, origin, &problem)) {
        fail(net, c, &problem);
        return;
    }
    c->state = NET_DIALING;
    dial_begin(&c->dial, c->proxy.used ? &c->proxy.origin : origin, net->overrides);
    step_dial(net, c);
}

/* ---- The transport --------------------------------------------------------------------------- */

/* The result of reading and writing on a connection that is not open. */
static ptrdiff_t not_up(const struct net_connection *c)
{
    return c->state == NET_FAILED || c->state == NET_CLOSED ? REGTAG_FAILED : REGTAG_AGAIN;
}

/* The result of a failed system call. Keeps the connection open after a failed write: a server that
 * refuses an upload answers, then closes, and that answer can still be read. */
static ptrdiff_t io_error(struct error *e)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return REGTAG_AGAIN;
    error_set(e, REGTAG_NO_CONNECTION, "the connection was lost: %s", strerror(errno));
    return REGTAG_FAILED;
}

static ptrdiff_t read_connection(void *context, unsigned connection, void *bytes, size_t size)
{
    struct net *net = context;
    struct net_connection *c = &net->connections[connection];
    if (c->state != NET_OPEN)
        return not_up(c);
    if (c->tls)
        return tls_read(connection, bytes, size, &c->read_wants, &c->error);
    ssize_t n = recv(c->fd, bytes, size, 0);
    if (n == 0)
        return REGTAG_CLOSED;
    return n > 0 ? n : io_error(&c->error);
}

static ptrdiff_t write_connection(void *context, unsigned connection, const void *bytes, size_t size)
{
    struct net *net = context;
    struct net_connection *c = &net->connections[connection];
    if (c->state != NET_OPEN)
        return not_up(c);
    if (c->tls)
        return tls_write(connection, bytes, size, &c->write_wants, &c->write_error);
    ssize_t n = send(c->fd, bytes, size, MSG_NOSIGNAL);
    return n > 0 ? n : io_error(&c->write_error);
}

/* For a connection that has not failed, but is not open yet: the deadline has passed. */
static enum regtag_status timeout_reason(const struct net_connection *c, const char **text)
{
    switch (c->state) {
    case NET_HANDSHAKE: *text = "connected, but TLS did not come to an end"; return REGTAG_TIMEOUT;
    case NET_TUNNEL: *text = "the proxy did not answer"; return REGTAG_NO_CONNECTION;
    default:
        *text = c->dial.looking_up ? lookup_timeout_text() : "it could not be reached";
        return REGTAG_NO_CONNECTION;
    }
}

static enum regtag_status failure(void *context, unsigned connection, const char **text, bool *lasting)
{
    const struct net *net = context;
    const struct net_connection *c = &net->connections[connection];
    const struct error *e = c->error.status ? &c->error : &c->write_error;
    if (!e->status)
        return timeout_reason(c, text);
    *text = e->text;
    *lasting = c->lasting;
    return (enum regtag_status)e->status;
}

static const char *proxy_for(void *context, const struct regtag_origin *origin)
{
    struct net *net = context;
    struct error ignored = {.status = 0}; /* opening the connection will meet it again */
    bool chosen = proxy_choose(&net->asked, net->proxies, origin, &ignored);
    return chosen && net->asked.used ? net->asked.authorization : NULL;
}

struct regtag_transport net_transport(struct net *net)
{
    return (struct regtag_transport){net, read_connection, write_connection, failure, proxy_for};
}

/* ---- Waiting --------------------------------------------------------------------------------- */

#define POLL_ENTRIES (REGTAG_CONNECTIONS * (ADDRESSES_MAX + 1))

struct waiting {
    struct pollfd list[POLL_ENTRIES];
    nfds_t count;
    uint64_t until;
    bool at_once; /* something is ready already: do not wait */
};

static short events_of(enum tls_progress wants)
{
    return wants == TLS_WRITE ? POLLOUT : POLLIN;
}

static void wait_at_most(struct waiting *waiting, uint64_t until)
{
    waiting->until = until < waiting->until ? until : waiting->until;
}

static void add_socket(struct waiting *waiting, int fd, short events)
{
    waiting->list[waiting->count++] = (struct pollfd){fd, events, 0};
}

/* With TLS, reading may have to wait until the socket is writable, and vice versa. */
static void add_open(struct waiting *waiting, const struct net_connection *c, unsigned number, bool read,
                     bool write)
{
    short events = 0;
    if (read)
        events |= c->tls ? events_of(c->read_wants) : POLLIN;
    if (write)
        events |= c->tls ? events_of(c->write_wants) : POLLOUT;
    add_socket(waiting, c->fd, events);
    waiting->at_once |= read && c->tls && tls_pending(number);
}

static void add_connection(struct waiting *waiting, const struct net_connection *c, unsigned number,
                           const struct regtag_want *want)
{
    bool read = want->connection[number].read, write = want->connection[number].write;
    switch (c->state) {
    case NET_DIALING:
        waiting->count += dial_poll(&c->dial, waiting->list + waiting->count);
        wait_at_most(waiting, dial_until(&c->dial));
        break;
    case NET_TUNNEL:
        wait_at_most(waiting, tunnel_until(&c->tunnel));
        add_socket(waiting, c->fd, events_of(c->wants));
        break;
    case NET_HANDSHAKE: add_socket(waiting, c->fd, events_of(c->wants)); break;
    case NET_OPEN:
        if (read || write)
            add_open(waiting, c, number, read, write);
        break;
    default: waiting->at_once |= read || write; /* the next read or write reports the failure */
    }
}

static void wait_for(struct net *net, const struct regtag_want *want)
{
    struct waiting waiting = {.count = 0, .until = want->until, .at_once = false};
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++)
        add_connection(&waiting, &net->connections[i], i, want);
    if (!waiting.at_once)
        poll(waiting.list, waiting.count, clock_until(waiting.until));
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++)
        step_connection(net, &net->connections[i]);
}

static void close_unwanted(struct net *net, const struct regtag_want *want)
{
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++)
        if (want->connection[i].close)
            close_connection(net, &net->connections[i]);
}

static void open_wanted(struct net *net, const struct regtag_want *want)
{
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++)
        if (want->connection[i].open)
            open_connection(net, &net->connections[i], want->connection[i].origin);
}

enum regtag_event net_step(struct net *net, struct regtag *operation)
{
    struct regtag_want want;
    for (;;) {
        enum regtag_event event = regtag_step(operation, clock_now(), &want);
        close_unwanted(net, &want);
        if (event != REGTAG_WAIT)
            return event;
        open_wanted(net, &want);
        wait_for(net, &want);
    }
}

void net_end(struct net *net)
{
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++)
        close_connection(net, &net->connections[i]);
    proxy_wipe(&net->asked);
}
