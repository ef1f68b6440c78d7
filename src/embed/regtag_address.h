/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* Numeric addresses to connect to. */
#ifndef REGTAG_ADDRESS_H
#define REGTAG_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An IPv4 or IPv6 address; the port in it is filled in later. */
struct regtag_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        uint64_t reserved[4];
    } socket;
    socklen_t size; /* bytes of it */
    uint32_t reserved;
};

/* How many addresses of a host are tried. */
#define REGTAG_ADDRESSES_MAX 16

/* Sets an address from text, or from one of the C library's. False if it is not an address, or of another
 * family. */
bool regtag_address_parse(struct regtag_address *a, const char *text);
bool regtag_address_set(struct regtag_address *a, const struct sockaddr *socket, socklen_t size);

void regtag_address_set_port(struct regtag_address *a, uint16_t port);

/* Alternates IPv6 and IPv4 (RFC 8305, 4), starting with the family of the first address. */
void regtag_addresses_interleave(struct regtag_address *list, size_t count);

/* Writes an address without its port (RFC 5952), and a NUL. It does the work of inet_ntop, which in musl
 * links in all of printf, 11 KB. */
#define REGTAG_ADDRESS_TEXT_MAX 48
void regtag_address_text(const struct regtag_address *a, char text[REGTAG_ADDRESS_TEXT_MAX]);

#ifdef __cplusplus
}
#endif

#endif
