/* Numeric addresses: where a connection may lead. */
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

/* Adds an address in text, or one of the C library's. False when it is none, of another family, or there is
 * no more room. */
bool address_add(struct addresses *a, struct slice text, uint16_t port);
bool address_add_socket(struct addresses *a, const struct sockaddr *socket, socklen_t size,
                        uint16_t port);

/* IPv6 and IPv4 in turn (RFC 8305, 4), beginning with the first one's. */
void addresses_interleave(struct addresses *a);

/* Writes an address as everybody does (RFC 5952), without its port, and a NUL to text. Not by inet_ntop:
 * musl's brings all of printf, 11 KB, for this. */
#define ADDRESS_TEXT_MAX 48
void address_text(const struct address *a, char text[ADDRESS_TEXT_MAX]);

#endif
