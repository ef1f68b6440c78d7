/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* Connections for regtag.h over the sockets of POSIX, for a program with a loop of its own:
 *
 *     uint64_t now = regtag_clock();
 *     event = regtag_step(operation, now, want, COUNT);
 *     uint64_t until = regtag_until(operation);
 *     size_t entries = regtag_sockets_apply(&sockets, now, want, list, ROOM, &until);
 *     if (event == REGTAG_WAIT)
 *         poll(list, entries, regtag_clock_until(until));
 *
 * It never blocks, allocates nothing, and sets up nothing that belongs to the process: no signal, no
 * thread, no variable besides the caller's structs. One struct regtag_sockets serves one operation at a
 * time; two operations side by side have two.
 *
 * Connecting takes up to four steps: looking up the name, TCP, a proxy's tunnel, TLS. The first, the third
 * and the fourth are the caller's: hooks, each of which may be left out. */
#ifndef REGTAG_SOCKETS_H
#define REGTAG_SOCKETS_H

#include <poll.h>

#include "regtag.h"
#include "regtag_address.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Hooks ----------------------------------------------------------------------------------- */

/* All of them get the number of the connection. Where one can fail, it fills in *f, whose text must stay
 * valid until the connection is opened again. */

/* Looks up names; regtag_blocking.h has one. It is asked for every host, numeric addresses included, which
 * regtag_address_parse takes. */
struct regtag_resolver {
    void *context;
    /* Fills in list[0..room) for origin->host and returns how many addresses there are; 0 is a failure.
     * REGTAG_IO_AGAIN: not known yet, call again when *fd is readable, or at the next step if it is left
     * at -1; f->text may say what to report if the time runs out. */
    ptrdiff_t (*resolve)(void *context, unsigned connection, const struct regtag_origin *origin,
                         struct regtag_address *list, size_t room, int *fd, struct regtag_failure *f);
    /* May be NULL. Gives up a lookup that is not over: one that has returned nothing but
     * REGTAG_IO_AGAIN. */
    void (*cancel)(void *context, unsigned connection);
    void *reserved[2];
};

/* HTTP proxies. If `choose` is set, only `authorization` may be NULL and, without TLS, `tunnel`. */
struct regtag_proxies {
    void *context;
    /* Returns the proxy to connect to for `origin`, valid until the connection is closed; NULL: none, or
     * a failure if f->status is set. */
    const struct regtag_origin *(*choose)(void *context, unsigned connection,
                                          const struct regtag_origin *origin, struct regtag_failure *f);
    /* As `proxy` in struct regtag_transport. */
    const char *(*authorization)(void *context, const struct regtag_origin *origin);
    /* For origins with TLS: sets up a tunnel over a socket that is connected to the proxy. 0: it is there;
     * REGTAG_IO_AGAIN: call again when poll reports *events, or at the time *until; REGTAG_IO_FAILED. */
    int (*tunnel)(void *context, unsigned connection, int fd, short *events, uint64_t *until,
                  struct regtag_failure *f);
    /* A connection for which `choose` returned a proxy is closed, whether or not it was ever up. */
    void (*end)(void *context, unsigned connection);
    void *reserved[2];
};

/* TLS over a connected socket; regtag_tls_mbedtls.h has one. Where it returns REGTAG_IO_AGAIN, *events says
 * what poll has to wait for: POLLIN or POLLOUT, or 0 to be called again at once. */
struct regtag_tls {
    void *context;
    /* Begins a session with a peer that has to prove that it is origin->host. 0, or REGTAG_IO_FAILED. The
     * origin stays valid until the session is closed. */
    int (*open)(void *context, unsigned connection, int fd, const struct regtag_origin *origin,
                struct regtag_failure *f);
    /* 0 when the peer is trusted; REGTAG_IO_AGAIN; or REGTAG_IO_FAILED: it is not, whatever the reason. */
    int (*handshake)(void *context, unsigned connection, short *events, struct regtag_failure *f);
    /* As those of struct regtag_transport. */
    ptrdiff_t (*read)(void *context, unsigned connection, void *bytes, size_t size, short *events,
                      struct regtag_failure *f);
    ptrdiff_t (*write)(void *context, unsigned connection, const void *bytes, size_t size, short *events,
                       struct regtag_failure *f);
    /* Whether there are bytes to be read that have already been taken from the socket. */
    bool (*pending)(void *context, unsigned connection);
    /* Ends the session, if there is one; the socket stays open. */
    void (*close)(void *context, unsigned connection);
    void *reserved[2];
};

/* The step of connecting that is done. */
enum regtag_progress {
    REGTAG_PROGRESS_CONNECTED, /* to the origin or the proxy; `address`, else NULL, says where */
    REGTAG_PROGRESS_TUNNEL,    /* the proxy has connected us to the origin */
    REGTAG_PROGRESS_TLS        /* the peer is trusted */
};

/* ---- Sockets --------------------------------------------------------------------------------- */

/* The text of a failure that the sockets describe themselves. */
#define REGTAG_SOCKET_TEXT_MAX 480

/* Private: a connection. */
struct regtag_socket {
    int state, fd;
    unsigned number;
    bool secure;      /* it has a TLS session */
    bool proxied;     /* it leads to a proxy */
    short wants;      /* what poll has to wait for, while connecting */
    short read_wants; /* the same once it is up */
    short write_wants;
    const struct regtag_origin *peer; /* the origin, or the proxy */
    size_t count, next;               /* addresses, and the one to try next */
    uint64_t until;                   /* the time of the next attempt, or of the tunnel's next step */
    size_t first_failed;              /* the address that failed first */
    int dial_error;                   /* its errno; 0: none */
    int read_error, write_error;
    struct regtag_failure failure, write_failure;
    int attempts[REGTAG_ADDRESSES_MAX]; /* sockets that are being connected, by address; -1: none */
    struct regtag_address list[REGTAG_ADDRESSES_MAX];
    struct regtag_origin origin;
    char text[REGTAG_SOCKET_TEXT_MAX];
    void *reserved[4];
};

/* To begin, clear the whole struct and set what is the caller's; the hooks may stay zero. */
struct regtag_sockets {
    /* Memory for the connections, cleared: as many as the operation is configured for. */
    struct regtag_socket *sockets;
    size_t count;

    struct regtag_resolver resolver; /* without: numeric addresses only */
    struct regtag_proxies proxies;   /* without: direct connections only */
    struct regtag_tls tls;           /* without: plain HTTP only */

    /* May be NULL. For logs. */
    void (*progress)(void *context, unsigned connection, enum regtag_progress step, const char *address);
    void *progress_context;

    uint64_t now; /* private */
    void *reserved[4];
};

/* The transport for struct regtag_config; *s must stay where it is as long as that is used. */
struct regtag_transport regtag_sockets_transport(struct regtag_sockets *s);

/* The most entries that poll needs for a number of connections: the addresses of a host are tried 250 ms apart,
 * or as soon as one has failed, and the first that answers is taken (RFC 8305). */
#define REGTAG_POLL_ENTRIES(connections) ((connections)*REGTAG_ADDRESSES_MAX)

/* Call it after each regtag_step, with the same `now`, whatever the event was; `want` has s->count
 * elements. Closes and opens what is wanted, and goes on with connections that are not up yet. Writes to
 * list[0..room) what poll has to wait for, and returns how many entries there are; a list that is too
 * short costs some needless wake-ups. Lowers *until where regtag_step must be called earlier. */
size_t regtag_sockets_apply(struct regtag_sockets *s, uint64_t now, const struct regtag_want *want,
                            struct pollfd *list, size_t room, uint64_t *until);

/* For a program without a loop of its own: steps and waits until the next event other than REGTAG_WAIT.
 * want[0..s->count) and list[0..room) are memory for it. */
enum regtag_event regtag_sockets_run(struct regtag_sockets *s, struct regtag *operation,
                                     struct regtag_want *want, struct pollfd *list, size_t room);

/* Closes all connections: at the end of an operation, or to give one up. */
void regtag_sockets_close(struct regtag_sockets *s);

/* Milliseconds of the clock that never runs backwards, as regtag_step wants them. */
uint64_t regtag_clock(void);

/* How long poll has to wait for that time to come, in milliseconds. */
int regtag_clock_until(uint64_t then);

#ifdef __cplusplus
}
#endif

#endif
