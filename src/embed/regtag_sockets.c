#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "regtag_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MAX 600000 /* milliseconds; who waits longer asks again */

enum { CLOSED, NAMING, CONNECTING, HANDSHAKE, OPEN, FAILED };

static unsigned number_of(const struct regtag_sockets *s, const struct regtag_socket *c)
{
    return (unsigned)(c - s->sockets);
}

/* ---- Endings --------------------------------------------------------------------------------- */

static void close_socket(struct regtag_sockets *s, struct regtag_socket *c)
{
    if (c->secure)
        s->tls.close(s->tls.context, number_of(s, c));
    if (c->state == CONNECTING || c->state == HANDSHAKE || c->state == OPEN)
        close(c->fd);
    c->secure = false;
    c->state = CLOSED;
}

/* The first problem is what is told. */
static void note(struct regtag_socket *c, enum regtag_status status, const char *text)
{
    if (c->status != REGTAG_OK)
        return;
    c->status = status;
    c->text = text;
}

static void fail(struct regtag_sockets *s, struct regtag_socket *c, enum regtag_status status,
                 const char *text)
{
    note(c, status, text);
    close_socket(s, c);
    c->state = FAILED;
}

static void tls_failed(struct regtag_sockets *s, struct regtag_socket *c)
{
    const char *text;
    enum regtag_status status = s->tls.failure(s->tls.context, number_of(s, c), &text, &c->lasting);
    fail(s, c, status, text);
}

static const char *unreachable(int problem)
{
    switch (problem) {
    case ECONNREFUSED: return "it does not listen: the connection was refused";
    case ENETUNREACH:
    case EHOSTUNREACH: return "there is no way to it";
    case ETIMEDOUT: return "it does not answer";
    case EMFILE:
    case ENFILE: return "too many files are open";
    default: return "it could not be reached";
    }
}

/* ---- Getting it up --------------------------------------------------------------------------- */

/* A host that is an address itself. */
static size_t numeric(const char *host, struct regtag_address *a)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memset(&v4, 0, sizeof v4);
    memset(&v6, 0, sizeof v6);
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        memcpy(&a->socket, &v4, sizeof v4);
        a->size = sizeof v4;
        return 1;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        memcpy(&a->socket, &v6, sizeof v6);
        a->size = sizeof v6;
        return 1;
    }
    return 0;
}

static void set_port(struct regtag_address *a, uint16_t port)
{
    if (a->socket.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&a->socket)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)&a->socket)->sin_port = htons(port);
}

static void handshake(struct regtag_sockets *s, struct regtag_socket *c)
{
    int result = s->tls.handshake(s->tls.context, number_of(s, c), &c->handshake);
    if (result == 0)
        c->state = OPEN;
    else if (result != REGTAG_AGAIN)
        tls_failed(s, c);
}

static void connected(struct regtag_sockets *s, struct regtag_socket *c)
{
    c->status = REGTAG_OK; /* what was wrong with other addresses does not matter any more */
    c->state = c->origin.tls ? HANDSHAKE : OPEN;
    if (!c->origin.tls)
        return;
    c->secure = true;
    if (s->tls.open(s->tls.context, number_of(s, c), c->fd, c->origin.host) == 0)
        handshake(s, c);
    else
        tls_failed(s, c);
}

/* A socket that never blocks, is not inherited, and does not hold back small writes: without that a TLS
 * handshake takes 40 ms more. */
static int make_socket(int family)
{
    int one = 1;
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Goes on to the next address that can be tried at all. */
static void next_address(struct regtag_sockets *s, struct regtag_socket *c)
{
    close_socket(s, c);
    while (c->next < c->count) {
        struct regtag_address *a = &c->list[c->next++];
        set_port(a, c->origin.port);
        c->next_at = s->now + REGTAG_ADDRESS_PATIENCE;
        c->fd = make_socket(a->socket.ss_family);
        c->state = c->fd < 0 ? CLOSED : CONNECTING;
        if (c->fd >= 0 && connect(c->fd, (const struct sockaddr *)&a->socket, a->size) == 0) {
            connected(s, c);
            return;
        }
        if (c->fd >= 0 && (errno == EINPROGRESS || errno == EINTR))
            return;
        note(c, REGTAG_NO_CONNECTION, unreachable(errno));
        close_socket(s, c);
    }
    fail(s, c, REGTAG_NO_CONNECTION, unreachable(0));
}

static void step_connecting(struct regtag_sockets *s, struct regtag_socket *c)
{
    struct pollfd ready = {c->fd, POLLOUT, 0};
    int problem = 0;
    socklen_t size = sizeof problem;
    if (poll(&ready, 1, 0) <= 0) {
        if (c->next >= c->count || s->now < c->next_at)
            return;
        problem = ETIMEDOUT;
    } else if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0) {
        problem = errno;
    }
    if (problem == 0) {
        connected(s, c);
        return;
    }
    note(c, REGTAG_NO_CONNECTION, unreachable(problem));
    next_address(s, c);
}

static void step_naming(struct regtag_sockets *s, struct regtag_socket *c)
{
    const char *host = c->origin.host;
    ptrdiff_t count = (ptrdiff_t)numeric(host, c->list);
    if (count == 0 && s->resolve)
        count = s->resolve(s->resolve_context, host, c->list, REGTAG_ADDRESSES_MAX);
    if (count == REGTAG_AGAIN)
        return;
    c->count = count > 0 ? (size_t)count : 0;
    if (c->count == 0)
        fail(s, c, REGTAG_NO_CONNECTION, "its name has no address");
    else
        next_address(s, c);
}

/* Goes on with a connection that is not up yet. */
static void go_on(struct regtag_sockets *s, struct regtag_socket *c)
{
    if (c->state == NAMING)
        step_naming(s, c);
    else if (c->state == CONNECTING)
        step_connecting(s, c);
    else if (c->state == HANDSHAKE)
        handshake(s, c);
}

static void open_socket(struct regtag_sockets *s, struct regtag_socket *c,
                        const struct regtag_origin *origin)
{
    close_socket(s, c);
    c->status = REGTAG_OK;
    c->origin = *origin;
    c->count = c->next = 0;
    c->read = POLLIN;
    c->write = POLLOUT;
    c->state = NAMING;
    c->lasting = origin->tls && !s->tls.open;
    if (c->lasting)
        fail(s, c, REGTAG_UNTRUSTED, "it has to be spoken to in TLS, which is not built in");
}

/* ---- The transport --------------------------------------------------------------------------- */

/* Whether the connection can be used; else *result is what to answer. */
static bool is_up(struct regtag_sockets *s, struct regtag_socket *c, ptrdiff_t *result)
{
    if (c->state == CONNECTING || c->state == HANDSHAKE)
        go_on(s, c);
    *result = c->state == FAILED || c->state == CLOSED ? REGTAG_FAILED : REGTAG_AGAIN;
    return c->state == OPEN;
}

/* What it means when a socket moved no byte. It is not closed: a server that refuses an upload says why and
 * hangs up, so that writing fails while there is an answer to be read. */
static ptrdiff_t nothing_moved(struct regtag_socket *c)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return REGTAG_AGAIN;
    note(c, REGTAG_NO_CONNECTION, "the connection was lost");
    return REGTAG_FAILED;
}

/* The same with TLS, which knows more. */
static ptrdiff_t moved(struct regtag_sockets *s, struct regtag_socket *c, ptrdiff_t n)
{
    if (n == REGTAG_FAILED)
        c->status = s->tls.failure(s->tls.context, number_of(s, c), &c->text, &c->lasting);
    return n;
}

static ptrdiff_t read_socket(void *context, unsigned connection, void *bytes, size_t size)
{
    struct regtag_sockets *s = context;
    struct regtag_socket *c = &s->sockets[connection];
    ptrdiff_t n;
    if (!is_up(s, c, &n))
        return n;
    if (c->secure)
        return moved(s, c, s->tls.read(s->tls.context, connection, bytes, size, &c->read));
    n = recv(c->fd, bytes, size, 0);
    if (n == 0)
        return REGTAG_CLOSED;
    return n > 0 ? n : nothing_moved(c);
}

static ptrdiff_t write_socket(void *context, unsigned connection, const void *bytes, size_t size)
{
    struct regtag_sockets *s = context;
    struct regtag_socket *c = &s->sockets[connection];
    ptrdiff_t n;
    if (!is_up(s, c, &n))
        return n;
    if (c->secure)
        return moved(s, c, s->tls.write(s->tls.context, connection, bytes, size, &c->write));
    n = send(c->fd, bytes, size, MSG_NOSIGNAL);
    return n > 0 ? n : nothing_moved(c);
}

static enum regtag_status failure(void *context, unsigned connection, const char **text, bool *lasting)
{
    const struct regtag_sockets *s = context;
    const struct regtag_socket *c = &s->sockets[connection];
    *text = c->text;
    *lasting = c->lasting;
    if (c->status != REGTAG_OK)
        return c->status;
    *text = c->state == NAMING      ? "its name could not be looked up"
            : c->state == HANDSHAKE ? "connected, but TLS did not come to an end"
                                    : "it could not be reached";
    return c->state == HANDSHAKE ? REGTAG_TIMEOUT : REGTAG_NO_CONNECTION;
}

struct regtag_transport regtag_sockets_transport(struct regtag_sockets *s)
{
    struct regtag_transport transport;
    memset(&transport, 0, sizeof transport);
    transport.context = s;
    transport.read = read_socket;
    transport.write = write_socket;
    transport.failure = failure;
    return transport;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void at_most(struct regtag_want *want, uint64_t until)
{
    want->until = until < want->until ? until : want->until;
}

/* What a connection that is up waits for; in TLS, reading may wait for writing and the other way round. */
static short events_of(const struct regtag_sockets *s, unsigned i, struct regtag_want *want)
{
    const struct regtag_socket *c = &s->sockets[i];
    bool read = want->connection[i].read, write = want->connection[i].write;
    if ((read && !c->read) || (write && !c->write) ||
        (read && c->secure && s->tls.pending(s->tls.context, i)))
        at_most(want, s->now);
    return (short)((read ? c->read : 0) | (write ? c->write : 0));
}

static struct pollfd waits_for(const struct regtag_sockets *s, unsigned i, struct regtag_want *want)
{
    const struct regtag_socket *c = &s->sockets[i];
    struct pollfd entry = {c->fd, 0, 0};
    switch (c->state) {
    case CONNECTING:
        entry.events = POLLOUT;
        if (c->next < c->count)
            at_most(want, c->next_at);
        break;
    case HANDSHAKE:
        entry.events = c->handshake;
        if (!entry.events)
            at_most(want, s->now);
        break;
    case OPEN: entry.events = events_of(s, i, want); break;
    case NAMING: break;
    default: /* the operation does not know yet that it failed */
        if (want->connection[i].read || want->connection[i].write)
            at_most(want, s->now);
    }
    if (!entry.events)
        entry.fd = -1;
    return entry;
}

void regtag_sockets_apply(struct regtag_sockets *s, uint64_t now, struct regtag_want *want,
                          struct pollfd list[REGTAG_CONNECTIONS])
{
    s->now = now;
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++)
        if (want->connection[i].close)
            close_socket(s, &s->sockets[i]);
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++) {
        if (want->connection[i].open)
            open_socket(s, &s->sockets[i], want->connection[i].origin);
        go_on(s, &s->sockets[i]);
        list[i] = waits_for(s, i, want);
    }
}

void regtag_sockets_close(struct regtag_sockets *s)
{
    for (unsigned i = 0; i < REGTAG_CONNECTIONS; i++)
        close_socket(s, &s->sockets[i]);
}

/* ---- The clock ------------------------------------------------------------------------------- */

uint64_t regtag_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int regtag_clock_until(uint64_t then)
{
    uint64_t now = regtag_clock();
    if (then <= now)
        return 0;
    return then - now > POLL_MAX ? POLL_MAX : (int)(then - now);
}
