/* Connections for regtag.h over the sockets of POSIX, for a program with a loop of its own:
 *
 *     uint64_t now = regtag_clock();
 *     event = regtag_step(operation, now, &want);
 *     regtag_sockets_apply(&sockets, now, &want, list);
 *     if (event == REGTAG_WAIT)
 *         poll(list, REGTAG_CONNECTIONS, regtag_clock_until(want.until));
 *
 * It never blocks, allocates nothing, and sets up nothing that belongs to the process: no signal, no
 * thread, no variable besides the caller's struct. One struct regtag_sockets serves one operation at a
 * time; two operations side by side have two. There are no proxies here. */
#ifndef REGTAG_SOCKETS_H
#define REGTAG_SOCKETS_H

#include <poll.h>
#include <sys/socket.h>

#include "regtag.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An address of a host; the port in it is filled in later. */
struct regtag_address {
    struct sockaddr_storage socket;
    socklen_t size; /* bytes of it */
};

/* How many addresses of a host are tried, one after the other, and how long each of them is waited for
 * while there is another one. */
#define REGTAG_ADDRESSES_MAX 4
#ifndef REGTAG_ADDRESS_PATIENCE
#define REGTAG_ADDRESS_PATIENCE 3000 /* milliseconds */
#endif

/* TLS over a connected socket; regtag_tls_mbedtls.h has one. All functions get the number of the connection.
 * Where they return REGTAG_AGAIN, *events says what poll has to wait for: POLLIN or POLLOUT, or 0 when
 * the same call is to be made again at once. */
struct regtag_tls {
    void *context;
    /* Begins a session with a peer that has to prove that it is `host`. 0, or REGTAG_FAILED. */
    int (*open)(void *context, unsigned connection, int fd, const char *host);
    /* 0 when the peer is trusted; REGTAG_AGAIN; or REGTAG_FAILED: it is not, whatever the reason. */
    int (*handshake)(void *context, unsigned connection, short *events);
    /* As those of struct regtag_transport. */
    ptrdiff_t (*read)(void *context, unsigned connection, void *bytes, size_t size, short *events);
    ptrdiff_t (*write)(void *context, unsigned connection, const void *bytes, size_t size,
                       short *events);
    enum regtag_status (*failure)(void *context, unsigned connection, const char **text, bool *lasting);
    /* Whether there are bytes to be read that the socket knows nothing of any more. */
    bool (*pending)(void *context, unsigned connection);
    /* Ends the session, if there is one; the socket stays open. */
    void (*close)(void *context, unsigned connection);
};

/* Private. */
struct regtag_socket {
    int state, fd;
    bool secure;
    short handshake, read, write; /* what poll has to wait for */
    struct regtag_origin origin;
    struct regtag_address list[REGTAG_ADDRESSES_MAX];
    size_t count, next;
    uint64_t next_at;          /* when the next address is tried */
    enum regtag_status status; /* what went wrong, and whether it would again */
    const char *text;
    bool lasting;
};

/* To begin, clear the whole struct and set what is the caller's; all of that may stay zero. */
struct regtag_sockets {
    /* Looks a name up: fills in list[0..room) and returns how many addresses there are, 0 when there are
     * none, or REGTAG_AGAIN when they are not known yet: the next regtag_sockets_apply asks again. NULL
     * where hosts are numeric addresses only, which are never asked for. regtag_blocking.h has one. */
    ptrdiff_t (*resolve)(void *context, const char *host, struct regtag_address *list, size_t room);
    void *resolve_context;
    struct regtag_tls tls; /* `open` is NULL where there is no TLS */

    /* Private. */
    uint64_t now;
    struct regtag_socket sockets[REGTAG_CONNECTIONS];
};

/* The transport for struct regtag_config; *s must stay where it is as long as that is used. */
struct regtag_transport regtag_sockets_transport(struct regtag_sockets *s);

/* Call it after each regtag_step, with the same `now`, whatever the event was. Closes and opens what is
 * wanted, and says what to wait for in *list, for poll(); an entry that waits for nothing has the fd -1,
 * which poll passes over. Lowers want->until where regtag_step must be called earlier. */
void regtag_sockets_apply(struct regtag_sockets *s, uint64_t now, struct regtag_want *want,
                          struct pollfd list[REGTAG_CONNECTIONS]);

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
