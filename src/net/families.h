/* Asks the C library for the addresses of a host. */
#ifndef REGTAG_NET_FAMILIES_H
#define REGTAG_NET_FAMILIES_H

#include "regtag_address.h"

/* Small enough for a pipe to take it in one write. */
struct found_addresses {
    int family; /* that was asked for */
    int result; /* getaddrinfo's; if several were asked for, a transient one counts */
    size_t count;
    struct regtag_address list[REGTAG_ADDRESSES_MAX];
};

/* Asks for both families at once first, and then for each by itself: some name servers have no answer, or a
 * wrong one, for the family that a host has no address of, and then musl's getaddrinfo fails for both, and
 * glibc's takes ten seconds or more. Takes two seconds at most once there is an address of either family. To
 * be called in a child process; leaves no processes behind. */
void families_find(const char *host, struct found_addresses *all);

#endif
