#include "net/transport.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/tls.h"

/* ---- One connection ------------------------------------------------------------------------------------- */

static void close_connection(struct net_connection *c)
{
    if (c->state == NET_DIALING)
        dial_end(&c->dial);
    if (c->state == NET_OPEN)
        close(c->fd);
    c->state = NET_CLOSED;
}

/* There will be no connection. */
static void fail(struct net_connection *c, int status, const char *text)
{
    close_connection(c);
    c->state = NET_FAILED;
    error_set(&c->error, status, "%s", text);
}

static void tell_connected(const struct net *net, const struct dial *d)
{
    char address[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX + 32];
    struct writer w = writer_to(text, sizeof text);
    if (!net->trace)
        return;
    address_text(&d->addresses.list[d->chosen], address);
    write_format(&w, "connected to %s", address);
    net->trace(net->trace_context, REGTAG_TRACE_NOTE, text, w.used);
}

static void step_dial(const struct net *net, struct net_connection *c)
{
    switch (dial_step(&c->dial)) {
    case DIAL_MORE: break;
    case DIAL_DONE:
        c->fd = c->dial.fd;
        c->state = NET_OPEN;
        tell_connected(net, &c->dial);
        break;
    case DIAL_FAILED: fail(c, c->dial.error.status, c->dial.error.text); break;
    }
}

static void open_connection(const struct net *net, struct net_connection *c,
                            const struct regtag_origin *origin)
{
    close_connection(c);
    error_clear(&c->error);
    if (origin->tls && tls_missing()) {
        fail(c, REGTAG_UNTRUSTED, tls_missing());
        return;
    }
    c->state = NET_DIALING;
    dial_begin(&c->dial, origin, net->overrides);
    step_dial(net, c);
}

/* ---- The transport ---------------------------------------------------------------------------------------- */

/* What reading and writing answer when there is no open socket. */
static ptrdiff_t not_open(const struct net_connection *c)
{
    return c->state == NET_DIALING ? REGTAG_AGAIN : REGTAG_FAILED;
}

/* What a system call that failed means. The connection stays as it is: when it takes no more there may
 * still be an answer in it, for a server that refuses an upload says why, closes, and lets writes fail. */
static ptrdiff_t io_failed(struct net_connection *c)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return REGTAG_AGAIN;
    error_set(&c->error, REGTAG_NO_CONNECTION, "the connection was lost: %s", strerror(errno));
    return REGTAG_FAILED;
}

static ptrdiff_t read_socket(void *context, unsigned connection, void *bytes, size_t size)
{
    struct net *net = context;
    struct net_connection *c = &net->connections[connection];
    if (c->state != NET_OPEN)
        return not_open(c);
    ssize_t n = recv(c->fd, bytes, size, 0);
    if (n == 0)
        return REGTAG_CLOSED;
    return n > 0 ? n : io_failed(c);
}

static ptrdiff_t write_socket(void *context, unsigned connection, const void *bytes, size_t size)
{
    struct net *net = context;
    struct net_connection *c = &net->connections[connection];
    if (c->state != NET_OPEN)
        return not_open(c);
    ssize_t n = send(c->fd, bytes, size, MSG_NOSIGNAL);
    return n > 0 ? n : io_failed(c);
}

static enum regtag_status failure(void *context, unsigned connection, const char **text)
{
    const struct net *net = context;
    const struct error *e = &net->connections[connection].error;
    *text = e->text;
    return (enum regtag_status)e->status;
}

struct regtag_transport net_transport(struct net *net)
{
    return (struct regtag_transport){net, read_socket, write_socket, failure};
}

/* ---- Waiting -------------------------------------------------------------------------------------------- */

#define POLL_ENTRIES (REGTAG_CONNECTIONS * (ADDRESSES_MAX + 1))

static void close_unwanted(struct net *net, const struct regtag_want *want)
{
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++)
        if (want->connection[i].close)
            close_connection(&net->connections[i]);
}

static void open_wanted(struct net *net, const struct regtag_want *want)
{
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++)
        if (want->connection[i].open)
            open_connection(net, &net->connections[i], want->connection[i].origin);
}

/* Adds what an open connection waits for. Returns whether there is something to do without waiting. */
static bool add_connection(const struct net_connection *c, const struct regtag_want *want, unsigned i,
                           struct pollfd *list, nfds_t *count, uint64_t *until)
{
    int events = (want->connection[i].read ? POLLIN : 0) | (want->connection[i].write ? POLLOUT : 0);
    uint64_t next;
    switch (c->state) {
    case NET_DIALING:
        *count += dial_poll(&c->dial, list + *count);
        next = dial_until(&c->dial);
        *until = next < *until ? next : *until;
        return false;
    case NET_OPEN: list[(*count)++] = (struct pollfd){c->fd, (short)events, 0}; return false;
    default: return events != 0; /* the operation does not know yet that it failed */
    }
}

/* Waits until something that is wanted can be done. */
static void wait_for(struct net *net, const struct regtag_want *want)
{
    struct pollfd list[POLL_ENTRIES];
    nfds_t count = 0;
    uint64_t until = want->until;
    bool at_once = false;

    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++)
        at_once |= add_connection(&net->connections[i], want, i, list, &count, &until);
    if (!at_once)
        poll(list, count, clock_until(until));
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++)
        if (net->connections[i].state == NET_DIALING)
            step_dial(net, &net->connections[i]);
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
        close_connection(&net->connections[i]);
}
