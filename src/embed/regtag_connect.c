/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "regtag_connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPT_DELAY 250 /* milliseconds between attempts to connect */

/* ---- Texts ----------------------------------------------------------------------------------- */

void regtag_text_add(char *text, size_t room, const char *more)
{
    size_t used = strlen(text), size = strlen(more), left = room - 1 - used;
    size = size < left ? size : left;
    memcpy(text + used, more, size);
    text[used + size] = '\0';
}

void regtag_text_add_number(char *text, size_t room, unsigned number)
{
    char digit[2] = {(char)('0' + number % 10), '\0'};
    if (number >= 10)
        regtag_text_add_number(text, room, number / 10);
    regtag_text_add(text, room, digit);
}

void regtag_text_loss(char *text, size_t room, int error)
{
    text[0] = '\0';
    regtag_text_add(text, room, "the connection was lost: ");
    regtag_text_add(text, room, strerror(error));
}

static void add(struct regtag_socket *c, const char *more)
{
    regtag_text_add(c->text, sizeof c->text, more);
}

/* Begins a text about the peer, and names it if it is a proxy. */
static void begin_text(struct regtag_socket *c)
{
    bool ipv6 = strchr(c->peer->host, ':') != NULL;
    c->text[0] = '\0';
    if (!c->proxied)
        return;
    add(c, ipv6 ? "the proxy [" : "the proxy ");
    add(c, c->peer->host);
    add(c, ipv6 ? "]:" : ":");
    regtag_text_add_number(c->text, sizeof c->text, c->peer->port);
    add(c, ": ");
}

static void report(const struct regtag_sockets *s, const struct regtag_socket *c,
                   enum regtag_progress step, const char *address)
{
    if (s->progress)
        s->progress(s->progress_context, c->number, step, address);
}

/* ---- Closing --------------------------------------------------------------------------------- */

static void close_attempts(struct regtag_socket *c)
{
    for (size_t i = 0; i < c->next; i++) {
        if (c->attempts[i] >= 0)
            close(c->attempts[i]);
        c->attempts[i] = -1;
    }
}

void regtag_socket_close(struct regtag_sockets *s, struct regtag_socket *c)
{
    if (c->state == SOCKET_CLOSED && !c->proxied) /* its memory may never have been touched */
        return;
    if (c->state == SOCKET_NAMING && s->resolver.cancel)
        s->resolver.cancel(s->resolver.context, c->number);
    if (c->state == SOCKET_DIALING)
        close_attempts(c);
    if (c->proxied)
        s->proxies.end(s->proxies.context, c->number);
    if (c->secure)
        s->tls.close(s->tls.context, c->number);
    if (c->state == SOCKET_TUNNEL || c->state == SOCKET_HANDSHAKE || c->state == SOCKET_OPEN)
        close(c->fd);
    c->proxied = c->secure = false;
    c->state = SOCKET_CLOSED;
}

static void fail(struct regtag_sockets *s, struct regtag_socket *c)
{
    regtag_socket_close(s, c);
    c->state = SOCKET_FAILED;
}

/* ---- Connecting: TLS -------------------------------------------------------------------------- */

static void step_handshake(struct regtag_sockets *s, struct regtag_socket *c)
{
    int result = s->tls.handshake(s->tls.context, c->number, &c->wants, &c->failure);
    if (result == REGTAG_IO_AGAIN)
        return;
    if (result != 0) {
        fail(s, c);
        return;
    }
    c->state = SOCKET_OPEN;
    report(s, c, REGTAG_PROGRESS_TLS, NULL);
}

static void begin_handshake(struct regtag_sockets *s, struct regtag_socket *c)
{
    c->state = SOCKET_HANDSHAKE;
    c->secure = s->tls.open(s->tls.context, c->number, c->fd, &c->origin, &c->failure) == 0;
    if (c->secure)
        step_handshake(s, c);
    else
        fail(s, c);
}

/* ---- Connecting: a proxy's tunnel ------------------------------------------------------------- */

static void step_tunnel(struct regtag_sockets *s, struct regtag_socket *c)
{
    c->until = UINT64_MAX;
    int result =
        s->proxies.tunnel(s->proxies.context, c->number, c->fd, &c->wants, &c->until, &c->failure);
    if (result == REGTAG_IO_AGAIN)
        return;
    if (result != 0) {
        fail(s, c);
        return;
    }
    report(s, c, REGTAG_PROGRESS_TUNNEL, NULL);
    begin_handshake(s, c);
}

static void on_connected(struct regtag_sockets *s, struct regtag_socket *c)
{
    if (!c->origin.tls)
        c->state = SOCKET_OPEN;
    else if (c->proxied) {
        c->state = SOCKET_TUNNEL;
        step_tunnel(s, c);
    } else
        begin_handshake(s, c);
}

/* ---- Connecting: TCP -------------------------------------------------------------------------- */

static void on_attempt_failure(struct regtag_socket *c, size_t i, int error)
{
    if (!c->dial_error) {
        c->dial_error = error;
        c->first_failed = i;
    }
    if (c->attempts[i] >= 0)
        close(c->attempts[i]);
    c->attempts[i] = -1;
    c->until = 0; /* no reason to delay the next one */
}

/* Non-blocking and closed on exec. TCP_NODELAY saves 40 ms in a TLS handshake. */
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

/* True if the connection succeeds at once. */
static bool start_attempt(struct regtag_sockets *s, struct regtag_socket *c)
{
    size_t i = c->next++;
    struct regtag_address *a = &c->list[i];
    regtag_address_set_port(a, c->peer->port);
    c->until = s->now + ATTEMPT_DELAY;
    c->attempts[i] = make_socket(a->socket.any.sa_family);
    if (c->attempts[i] >= 0 && connect(c->attempts[i], &a->socket.any, a->size) == 0)
        return true;
    if (c->attempts[i] < 0 || (errno != EINPROGRESS && errno != EINTR))
        on_attempt_failure(c, i, errno);
    return false;
}

/* Whether a pending attempt has succeeded. */
static bool attempt_done(struct regtag_socket *c, size_t i)
{
    struct pollfd ready = {c->attempts[i], POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    if (poll(&ready, 1, 0) <= 0)
        return false;
    if (getsockopt(c->attempts[i], SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error)
        on_attempt_failure(c, i, error);
    return error == 0;
}

static void choose(struct regtag_sockets *s, struct regtag_socket *c, size_t i)
{
    char address[REGTAG_ADDRESS_TEXT_MAX];
    c->fd = c->attempts[i];
    c->attempts[i] = -1;
    close_attempts(c);
    if (s->progress) {
        regtag_address_text(&c->list[i], address);
        report(s, c, REGTAG_PROGRESS_CONNECTED, address);
    }
    on_connected(s, c);
}

static bool has_attempts(const struct regtag_socket *c)
{
    for (size_t i = 0; i < c->next; i++)
        if (c->attempts[i] >= 0)
            return true;
    return false;
}

/* The address is not named again where the host is one. */
static void fail_dialing(struct regtag_sockets *s, struct regtag_socket *c)
{
    char address[REGTAG_ADDRESS_TEXT_MAX];
    regtag_address_text(&c->list[c->first_failed], address);
    begin_text(c);
    add(c, "could not be reached");
    if (strcmp(address, c->peer->host) != 0) {
        add(c, " at ");
        add(c, address);
    }
    add(c, ": ");
    add(c, strerror(c->dial_error));
    if (c->dial_error == ECONNREFUSED && !c->proxied)
        add(c, "; is the registry running, and is the port right?");
    c->failure.status = REGTAG_E_NO_CONNECTION;
    c->failure.text = c->text;
    fail(s, c);
}

static void step_dialing(struct regtag_sockets *s, struct regtag_socket *c)
{
    for (size_t i = 0; i < c->next; i++)
        if (c->attempts[i] >= 0 && attempt_done(c, i)) {
            choose(s, c, i);
            return;
        }
    while (c->next < c->count && (!has_attempts(c) || s->now >= c->until))
        if (start_attempt(s, c)) {
            choose(s, c, c->next - 1);
            return;
        }
    if (!has_attempts(c))
        fail_dialing(s, c);
}

/* ---- Connecting: the name --------------------------------------------------------------------- */

static void on_addresses(struct regtag_sockets *s, struct regtag_socket *c, size_t count)
{
    c->count = count;
    c->state = SOCKET_DIALING;
    regtag_addresses_interleave(c->list, count);
    step_dialing(s, c);
}

/* The lookup is over: there is nothing to cancel. */
static void fail_naming(struct regtag_sockets *s, struct regtag_socket *c, const char *text)
{
    c->state = SOCKET_CLOSED;
    if (c->failure.status == REGTAG_OK) {
        c->failure.status = REGTAG_E_NO_CONNECTION;
        c->failure.text = text;
    }
    if (c->proxied) {
        begin_text(c);
        add(c, c->failure.text);
        c->failure.text = c->text;
    }
    fail(s, c);
}

static void step_naming(struct regtag_sockets *s, struct regtag_socket *c)
{
    c->fd = -1;
    c->failure.text = "its name could not be looked up";
    ptrdiff_t count = s->resolver.resolve(s->resolver.context, c->number, c->peer, c->list,
                                          REGTAG_ADDRESSES_MAX, &c->fd, &c->failure);
    if (count > 0)
        on_addresses(s, c, (size_t)count);
    else if (count != REGTAG_IO_AGAIN)
        fail_naming(s, c, "no address for its name");
}

static void look_up(struct regtag_sockets *s, struct regtag_socket *c)
{
    if (s->resolver.resolve) {
        c->state = SOCKET_NAMING;
        step_naming(s, c);
    } else if (regtag_address_parse(&c->list[0], c->peer->host))
        on_addresses(s, c, 1);
    else
        fail_naming(s, c, "not a numeric address");
}

/* ---- Connecting ------------------------------------------------------------------------------- */

void regtag_socket_go_on(struct regtag_sockets *s, struct regtag_socket *c)
{
    switch (c->state) {
    case SOCKET_NAMING: step_naming(s, c); break;
    case SOCKET_DIALING: step_dialing(s, c); break;
    case SOCKET_TUNNEL: step_tunnel(s, c); break;
    case SOCKET_HANDSHAKE: step_handshake(s, c); break;
    }
}

/* Chooses the peer. False, and c->failure set, if there is none. */
static bool choose_peer(struct regtag_sockets *s, struct regtag_socket *c)
{
    const struct regtag_origin *proxy = NULL;
    if (c->origin.tls && !s->tls.open) {
        c->failure.status = REGTAG_E_UNTRUSTED;
        c->failure.text = "this server needs TLS, but this program was built without it";
        c->failure.hint = REGTAG_HINT_SCHEME_PLAIN;
        return false;
    }
    if (s->proxies.choose)
        proxy = s->proxies.choose(s->proxies.context, c->number, &c->origin, &c->failure);
    c->proxied = proxy != NULL;
    c->peer = proxy ? proxy : &c->origin;
    return c->failure.status == REGTAG_OK;
}

void regtag_socket_open(struct regtag_sockets *s, struct regtag_socket *c,
                        const struct regtag_origin *origin)
{
    regtag_socket_close(s, c);
    memset(&c->failure, 0, sizeof c->failure);
    memset(&c->write_failure, 0, sizeof c->write_failure);
    c->dial_error = c->read_error = c->write_error = 0;
    c->number = (unsigned)(c - s->sockets);
    c->origin = *origin;
    c->count = c->next = 0;
    c->read_wants = POLLIN;
    c->write_wants = POLLOUT;
    if (choose_peer(s, c))
        look_up(s, c);
    else
        fail(s, c);
}

/* ---- What went wrong -------------------------------------------------------------------------- */

/* What a connection that is not up yet was waiting for. */
static void describe_waiting(const struct regtag_socket *c, struct regtag_failure *f)
{
    f->status = c->state == SOCKET_HANDSHAKE ? REGTAG_E_TIMEOUT : REGTAG_E_NO_CONNECTION;
    f->text = c->state == SOCKET_NAMING      ? c->failure.text
              : c->state == SOCKET_TUNNEL    ? "the proxy did not answer"
              : c->state == SOCKET_HANDSHAKE ? "connected, but the TLS handshake did not finish"
                                             : "it could not be reached";
}

/* A failed write is the reason only if reading has given no better one. */
void regtag_socket_describe(struct regtag_socket *c, struct regtag_failure *f)
{
    int error = c->read_error ? c->read_error : c->write_error;
    if (c->failure.status != REGTAG_OK)
        *f = c->failure;
    else if (c->write_failure.status != REGTAG_OK && !c->read_error)
        *f = c->write_failure;
    else if (error) {
        regtag_text_loss(c->text, sizeof c->text, error);
        f->status = REGTAG_E_NO_CONNECTION;
        f->text = c->text;
    } else
        describe_waiting(c, f);
}
