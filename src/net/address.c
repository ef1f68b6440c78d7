#include "net/address.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- Adding ---------------------------------------------------------------------------------- */

bool address_add_socket(struct addresses *a, const struct sockaddr *socket, socklen_t size,
                        uint16_t port)
{
    struct address *slot = &a->list[a->count];
    if (a->count == ADDRESSES_MAX || size > sizeof slot->socket)
        return false;
    memset(slot, 0, sizeof *slot);
    memcpy(&slot->socket, socket, size);
    slot->size = size;
    if (slot->socket.any.sa_family == AF_INET)
        slot->socket.v4.sin_port = htons(port);
    else if (slot->socket.any.sa_family == AF_INET6)
        slot->socket.v6.sin6_port = htons(port);
    else
        return false;
    a->count++;
    return true;
}

bool address_add(struct addresses *a, struct slice text, uint16_t port)
{
    char copy[INET6_ADDRSTRLEN + 1];
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (text.size == 0 || text.size >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    memset(&v4, 0, sizeof v4);
    memset(&v6, 0, sizeof v6);
    v4.sin_family = AF_INET;
    v6.sin6_family = AF_INET6;
    if (inet_pton(AF_INET, copy, &v4.sin_addr) == 1)
        return address_add_socket(a, (const struct sockaddr *)&v4, sizeof v4, port);
    if (inet_pton(AF_INET6, copy, &v6.sin6_addr) == 1)
        return address_add_socket(a, (const struct sockaddr *)&v6, sizeof v6, port);
    return false;
}

void addresses_interleave(struct addresses *a)
{
    for (unsigned i = 1; i < a->count; i++) {
        unsigned next = i;
        while (next < a->count &&
               a->list[next].socket.any.sa_family == a->list[i - 1].socket.any.sa_family)
            next++;
        if (next == a->count)
            return;
        struct address moved = a->list[next];
        memmove(&a->list[i + 1], &a->list[i], (next - i) * sizeof moved);
        a->list[i] = moved;
    }
}

/* ---- As text --------------------------------------------------------------------------------- */

#define GROUPS 8 /* of 16 bits */

static void write_ipv4(struct writer *w, const unsigned char *bytes)
{
    for (unsigned i = 0; i < 4; i++) {
        if (i)
            write_char(w, '.');
        write_number(w, bytes[i]);
    }
}

static void write_group(struct writer *w, unsigned number)
{
    static const char HEX[] = "0123456789abcdef";
    bool begun = false;
    for (unsigned shift = 16; shift > 0;) {
        shift -= 4;
        begun = begun || number >> shift || shift == 0;
        if (begun)
            write_char(w, HEX[number >> shift & 15]);
    }
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

static void write_ipv6(struct writer *w, const unsigned char *bytes)
{
    unsigned groups[GROUPS], zeros;
    for (unsigned i = 0; i < GROUPS; i++)
        groups[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
    unsigned size = longest_zeros(groups, &zeros);
    bool mapped = zeros == 0 && size == 5 && groups[5] == 0xffff;
    unsigned end = mapped ? 6 : GROUPS;
    for (unsigned i = 0; i < end; i++) {
        if (i == zeros) {
            write_text(w, "::");
            i += size - 1;
        } else {
            write_group(w, groups[i]);
            if (i + 1 < GROUPS && i + 1 != zeros)
                write_char(w, ':');
        }
    }
    if (mapped)
        write_ipv4(w, bytes + 12);
}

void address_text(const struct address *a, char text[ADDRESS_TEXT_MAX])
{
    struct writer w = writer_to(text, ADDRESS_TEXT_MAX - 1);
    if (a->socket.any.sa_family == AF_INET)
        write_ipv4(&w, (const unsigned char *)&a->socket.v4.sin_addr);
    else
        write_ipv6(&w, (const unsigned char *)&a->socket.v6.sin6_addr);
    text[w.used] = '\0';
}
