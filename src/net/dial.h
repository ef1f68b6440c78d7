/* A TCP connection to a host, made without blocking: its name is looked up, then its addresses are tried
 * one after the other, each 250 ms after the one before or when that has failed, and the first that answers
 * is taken (RFC 8305). */
#ifndef REGTAG_NET_DIAL_H
#define REGTAG_NET_DIAL_H

#include <poll.h>

#include "net/resolve.h"

#define DIAL_STAGGER 250 /* milliseconds between attempts */

enum dial_progress { DIAL_MORE, DIAL_DONE, DIAL_FAILED };

struct dial {
    struct lookup lookup;
    struct addresses addresses;
    bool looking_up;
    bool refused;           /* with DIAL_FAILED: nobody listens there */
    bool numeric;           /* the host is an address itself: there is no other to tell of */
    unsigned next;          /* the address that is tried next */
    uint64_t next_at;       /* when */
    int fds[ADDRESSES_MAX]; /* of the attempts under way; -1 for none */
    int fd;                 /* with DIAL_DONE: the connected socket, the caller's from then on */
    unsigned chosen;        /* with DIAL_DONE: its address */
    struct error error;     /* with DIAL_FAILED; of the attempt that failed first */
};

/* Begins. Call dial_step at once, then whenever something of dial_poll is ready or dial_until is over. */
void dial_begin(struct dial *d, const struct regtag_origin *origin, const struct overrides *overrides);
enum dial_progress dial_step(struct dial *d);

/* What is waited for: writes at most ADDRESSES_MAX entries, returns how many. */
nfds_t dial_poll(const struct dial *d, struct pollfd *list);

/* When the next attempt is due; UINT64_MAX when none is. */
uint64_t dial_until(const struct dial *d);

/* Ends all that is under way, but not d->fd. */
void dial_end(struct dial *d);

#endif
