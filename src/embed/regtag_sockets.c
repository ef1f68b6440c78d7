/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "regtag_sockets.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "regtag_connect.h"

#define POLL_MAX 600000 /* milliseconds; callers wait again if it was not long enough */
#define SOON 50         /* milliseconds between looks at something that poll cannot wait for */

/* ---- The transport --------------------------------------------------------------------------- */

/* Whether the connection can be used; else *result is what to return. */
static bool is_up(const struct regtag_socket *c, ptrdiff_t *result)
{
    *result =
        c->state == SOCKET_FAILED || c->state == SOCKET_CLOSED ? REGTAG_IO_FAILED : REGTAG_IO_AGAIN;
    return c->state == SOCKET_OPEN;
}

/* The result of a failed system call. The connection stays open after a failed write: a server that
 * refuses an upload answers, then closes, and that answer can still be read. */
static ptrdiff_t io_error(int *error)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return REGTAG_IO_AGAIN;
    *error = errno;
    return REGTAG_IO_FAILED;
}

static ptrdiff_t read_socket(void *context, unsigned connection, void *bytes, size_t size)
{
    struct regtag_sockets *s = context;
    struct regtag_socket *c = &s->sockets[connection];
    ptrdiff_t n;
    if (!is_up(c, &n))
        return n;
    if (c->secure)
        return s->tls.read(s->tls.context, connection, bytes, size, &c->read_wants, &c->failure);
    n = recv(c->fd, bytes, size, 0);
    if (n == 0)
        return REGTAG_IO_CLOSED;
    return n > 0 ? n : io_error(&c->read_error);
}

static ptrdiff_t write_socket(void *context, unsigned connection, const void *bytes, size_t size)
{
    struct regtag_sockets *s = context;
    struct regtag_socket *c = &s->sockets[connection];
    ptrdiff_t n;
    if (!is_up(c, &n))
        return n;
    if (c->secure)
        return s->tls.write(s->tls.context, connection, bytes, size, &c->write_wants, &c->write_failure);
    n = send(c->fd, bytes, size, MSG_NOSIGNAL);
    if (n == 0)
        errno = EIO; /* it says nothing about its failure */
    return n > 0 ? n : io_error(&c->write_error);
}

static void failure(void *context, unsigned connection, struct regtag_failure *f)
{
    const struct regtag_sockets *s = context;
    regtag_socket_describe(&s->sockets[connection], f);
}

static const char *proxy_authorization(void *context, const struct regtag_origin *origin)
{
    const struct regtag_sockets *s = context;
    return s->proxies.authorization(s->proxies.context, origin);
}

struct regtag_transport regtag_sockets_transport(struct regtag_sockets *s)
{
    struct regtag_transport transport;
    memset(&transport, 0, sizeof transport);
    transport.context = s;
    transport.read = read_socket;
    transport.write = write_socket;
    transport.failure = failure;
    transport.proxy = s->proxies.authorization ? proxy_authorization : NULL;
    return transport;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

struct waiting {
    struct pollfd *list;
    size_t used, room;
    uint64_t now, until;
};

static void wait_until(struct waiting *w, uint64_t until)
{
    w->until = until < w->until ? until : w->until;
}

/* Without events: to be called again at once. Without a descriptor, or room for it: soon. */
static void wait_for(struct waiting *w, int fd, short events)
{
    if (events == 0)
        wait_until(w, w->now);
    else if (fd < 0 || w->used == w->room)
        wait_until(w, w->now + SOON);
    else
        w->list[w->used++] = (struct pollfd){fd, events, 0};
}

static void wait_for_attempts(struct waiting *w, const struct regtag_socket *c)
{
    for (size_t i = 0; i < c->next; i++)
        if (c->attempts[i] >= 0)
            wait_for(w, c->attempts[i], POLLOUT);
    if (c->next < c->count)
        wait_until(w, c->until);
}

/* In TLS, reading may have to wait for writing and the other way round. */
static void wait_for_transfer(struct waiting *w, const struct regtag_sockets *s,
                              const struct regtag_socket *c, const struct regtag_want *want)
{
    short read = want->read ? c->read_wants : 0, write = want->write ? c->write_wants : 0;
    if (!want->read && !want->write)
        return;
    if ((want->read && !read) || (want->write && !write) ||
        (want->read && c->secure && s->tls.pending(s->tls.context, c->number)))
        wait_until(w, w->now);
    wait_for(w, c->fd, (short)(read | write));
}

static void wait_for_socket(struct waiting *w, const struct regtag_sockets *s,
                            const struct regtag_socket *c, const struct regtag_want *want)
{
    switch (c->state) {
    case SOCKET_NAMING: wait_for(w, c->fd, POLLIN); break;
    case SOCKET_DIALING: wait_for_attempts(w, c); break;
    case SOCKET_TUNNEL:
        wait_until(w, c->until);
        wait_for(w, c->fd, c->wants);
        break;
    case SOCKET_HANDSHAKE: wait_for(w, c->fd, c->wants); break;
    case SOCKET_OPEN: wait_for_transfer(w, s, c, want); break;
    default: /* the next read or write reports the failure */
        if (want->read || want->write)
            wait_until(w, w->now);
    }
}

size_t regtag_sockets_apply(struct regtag_sockets *s, uint64_t now, const struct regtag_want *want,
                            struct pollfd *list, size_t room, uint64_t *until)
{
    struct waiting waiting = {list, 0, room, now, *until};
    s->now = now;
    for (size_t i = 0; i < s->count; i++)
        if (want[i].close)
            regtag_socket_close(s, &s->sockets[i]);
    for (size_t i = 0; i < s->count; i++) {
        if (want[i].open)
            regtag_socket_open(s, &s->sockets[i], want[i].origin);
        else
            regtag_socket_go_on(s, &s->sockets[i]);
        wait_for_socket(&waiting, s, &s->sockets[i], &want[i]);
    }
    *until = waiting.until;
    return waiting.used;
}

enum regtag_event regtag_sockets_run(struct regtag_sockets *s, struct regtag *operation,
                                     struct regtag_want *want, struct pollfd *list, size_t room)
{
    for (;;) {
        uint64_t now = regtag_clock();
        enum regtag_event event = regtag_step(operation, now, want, s->count);
        uint64_t until = event == REGTAG_WAIT ? regtag_until(operation) : now;
        size_t entries = regtag_sockets_apply(s, now, want, list, room, &until);
        if (event != REGTAG_WAIT)
            return event;
        poll(list, (nfds_t)entries, regtag_clock_until(until));
        s->now = regtag_clock();
        for (size_t i = 0; i < s->count; i++)
            regtag_socket_go_on(s, &s->sockets[i]);
    }
}

void regtag_sockets_close(struct regtag_sockets *s)
{
    for (size_t i = 0; i < s->count; i++)
        regtag_socket_close(s, &s->sockets[i]);
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
