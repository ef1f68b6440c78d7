/* Connects to a host over TCP without blocking: looks up its name, then tries its addresses, each 250 ms
 * after the one before or as soon as that has failed, and keeps the first connection that succeeds (RFC
 * 8305). */
#ifndef REGTAG_NET_DIAL_H
#define REGTAG_NET_DIAL_H

#include <poll.h>

#include "net/lookup.h"

#define DIAL_STAGGER 250 /* milliseconds between attempts */

enum dial_progress { DIAL_MORE, DIAL_DONE, DIAL_FAILED };

struct dial {
    struct lookup lookup;
    struct addresses addresses;
    bool looking_up;
    bool refused;     /* with DIAL_FAILED: the first attempt was refused, so nobody listens there */
    bool numeric;     /* the host is an address: messages need not name it again */
    unsigned next;    /* the address to try next */
    uint64_t next_at; /* when */
    int fds[ADDRESSES_MAX]; /* of pending attempts, by address; -1: none */
    int fd;                 /* with DIAL_DONE: the connected socket, which the caller owns */
    unsigned chosen;        /* with DIAL_DONE: its address */
    struct error error;     /* with DIAL_FAILED: that of the attempt that failed first */
};

/* Call dial_step after dial_begin, then whenever an entry of dial_poll is ready or dial_until has
 * passed. */
void dial_begin(struct dial *d, const struct regtag_origin *origin, const struct overrides *overrides);
enum dial_progress dial_step(struct dial *d);

/* What to wait for: writes at most ADDRESSES_MAX entries, and returns how many. */
nfds_t dial_poll(const struct dial *d, struct pollfd *list);

/* When the next attempt is due; UINT64_MAX: there is none. */
uint64_t dial_until(const struct dial *d);

/* Ends the look-up and the pending attempts; d->fd stays open. */
void dial_end(struct dial *d);

#endif
