/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "regtag_address.h"

#include <arpa/inet.h>
#include <string.h>

bool regtag_address_set(struct regtag_address *a, const struct sockaddr *socket, socklen_t size)
{
    memset(a, 0, sizeof *a);
    if (size > sizeof a->socket || (socket->sa_family != AF_INET && socket->sa_family != AF_INET6))
        return false;
    memcpy(&a->socket, socket, size);
    a->size = size;
    return true;
}

bool regtag_address_parse(struct regtag_address *a, const char *text)
{
    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, text, &a->socket.v4.sin_addr) == 1) {
        a->socket.v4.sin_family = AF_INET;
        a->size = sizeof a->socket.v4;
    } else if (inet_pton(AF_INET6, text, &a->socket.v6.sin6_addr) == 1) {
        a->socket.v6.sin6_family = AF_INET6;
        a->size = sizeof a->socket.v6;
    }
    return a->size > 0;
}

void regtag_address_set_port(struct regtag_address *a, uint16_t port)
{
    if (a->socket.any.sa_family == AF_INET6)
        a->socket.v6.sin6_port = htons(port);
    else
        a->socket.v4.sin_port = htons(port);
}

void regtag_addresses_interleave(struct regtag_address *list, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        size_t next = i;
        while (next < count && list[next].socket.any.sa_family == list[i - 1].socket.any.sa_family)
            next++;
        if (next == count)
            return;
        struct regtag_address moved = list[next];
        memmove(&list[i + 1], &list[i], (next - i) * sizeof moved);
        list[i] = moved;
    }
}

/* ---- As text --------------------------------------------------------------------------------- */

#define GROUPS 8 /* of 16 bits */

static char *write_decimal(char *end, unsigned number)
{
    if (number >= 10)
        end = write_decimal(end, number / 10);
    *end = (char)('0' + number % 10);
    return end + 1;
}

static char *write_hex(char *end, unsigned number)
{
    static const char DIGITS[] = "0123456789abcdef";
    if (number >= 16)
        end = write_hex(end, number / 16);
    *end = DIGITS[number % 16];
    return end + 1;
}

static char *write_ipv4(char *end, const unsigned char *bytes)
{
    for (unsigned i = 0; i < 4; i++) {
        if (i)
            *end++ = '.';
        end = write_decimal(end, bytes[i]);
    }
    return end;
}

/* The first of the longest runs of zero groups; a single group is not shortened (RFC 5952, 4.2). */
static unsigned longest_zeros(const unsigned *groups, unsigned *at)
{
    unsigned best = 1;
    *at = GROUPS;
    for (unsigned i = 0; i < GROUPS; i++) {
        unsigned size = 0;
        while (i + size < GROUPS && groups[i + size] == 0)
            size++;
        if (size > best) {
            best = size;
            *at = i;
        }
    }
    return best;
}

static char *write_ipv6(char *end, const unsigned char *bytes)
{
    unsigned groups[GROUPS], zeros;
    for (unsigned i = 0; i < GROUPS; i++)
        groups[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
    unsigned size = longest_zeros(groups, &zeros);
    bool mapped = zeros == 0 && size == 5 && groups[5] == 0xffff;
    unsigned last = mapped ? 6 : GROUPS;
    for (unsigned i = 0; i < last; i++) {
        if (i == zeros) {
            *end++ = ':';
            *end++ = ':';
            i += size - 1;
        } else {
            end = write_hex(end, groups[i]);
            if (i + 1 < GROUPS && i + 1 != zeros)
                *end++ = ':';
        }
    }
    return mapped ? write_ipv4(end, bytes + 12) : end;
}

void regtag_address_text(const struct regtag_address *a, char text[REGTAG_ADDRESS_TEXT_MAX])
{
    char *end = a->socket.any.sa_family == AF_INET
                    ? write_ipv4(text, (const unsigned char *)&a->socket.v4.sin_addr)
                    : write_ipv6(text, (const unsigned char *)&a->socket.v6.sin6_addr);
    *end = '\0';
}
