/* Numeric addresses to connect to. */
#ifndef REGTAG_NET_ADDRESS_H
#define REGTAG_NET_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/sizes.h"
#include "base/writer.h"

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
    socklen_t size;
};

struct addresses {
    unsigned count;
    struct address list[ADDRESSES_MAX];
};

/* Adds an address, given as text or by the C library. False if it is not valid, of another family than
 * IPv4 and IPv6, or there is no room. */
bool address_add(struct addresses *a, struct slice text, uint16_t port);
bool address_add_socket(struct addresses *a, const struct sockaddr *socket, socklen_t size,
                        uint16_t port);

/* Alternates IPv6 and IPv4 (RFC 8305, 4), starting with the family of the first address. */
void addresses_interleave(struct addresses *a);

/* Writes an address (RFC 5952) without its port, and a NUL. Does not use inet_ntop: musl's would link in
 * all of printf, 11 KB. */
#define ADDRESS_TEXT_MAX 48
void address_text(const struct address *a, char text[ADDRESS_TEXT_MAX]);

#endif
