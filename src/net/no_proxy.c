#include "net/no_proxy.h"

#include <string.h>

#include "net/address.h"

/* ---- Addresses ------------------------------------------------------------------------------- */

/* IPv4 has 32 bits, IPv6 128; an IPv4 address that is written as IPv6 (::ffff:192.0.2.1) is IPv4. */
struct number {
    unsigned bits;
    unsigned char bytes[16];
};

static void unmap(struct number *n)
{
    static const unsigned char PREFIX[12] = {[10] = 0xff, [11] = 0xff};
    if (n->bits != 128 || memcmp(n->bytes, PREFIX, sizeof PREFIX) != 0)
        return;
    memmove(n->bytes, n->bytes + sizeof PREFIX, 4);
    n->bits = 32;
}

/* False if the text is not an address. */
static bool read_number(struct number *n, struct slice text)
{
    struct regtag_address a;
    if (!address_parse(&a, text))
        return false;
    if (a.socket.any.sa_family == AF_INET) {
        n->bits = 32;
        memcpy(n->bytes, &a.socket.v4.sin_addr, 4);
    } else {
        n->bits = 128;
        memcpy(n->bytes, &a.socket.v6.sin6_addr, 16);
    }
    return true;
}

/* Whether two addresses have the same first `bits` bits. */
static bool same_bits(const struct number *a, const struct number *b, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;
    if (a->bits != b->bits || memcmp(a->bytes, b->bytes, bytes) != 0)
        return false;
    return rest == 0 || (a->bytes[bytes] ^ b->bytes[bytes]) >> (8 - rest) == 0;
}

static bool block_has(struct slice block, const struct number *host)
{
    struct number first;
    uint64_t bits;
    struct slice size = block;
    struct slice address = slice_split(&size, '/');
    if (!read_number(&first, address) || !slice_number(size, first.bits, &bits))
        return false;
    if (bits >= 96)
        unmap(&first);
    if (bits > first.bits)
        bits -= 96;
    return same_bits(&first, host, (unsigned)bits);
}

static bool same_address(struct slice text, const struct number *host)
{
    struct number n;
    if (!read_number(&n, text))
        return false;
    unmap(&n);
    return same_bits(&n, host, host->bits);
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* A dot at the end of a name makes no difference. */
static struct slice without_last_dot(struct slice name)
{
    return name.size && name.data[name.size - 1] == '.' ? slice_head(name, name.size - 1) : name;
}

static bool is_under(struct slice host, struct slice domain)
{
    if (domain.size == 0 || host.size <= domain.size + 1)
        return false;
    struct slice end = slice_from(host, host.size - domain.size);
    return end.data[-1] == '.' && slice_equal_nocase(end, domain);
}

static bool same_name(struct slice pattern, struct slice host)
{
    pattern = without_last_dot(pattern);
    host = without_last_dot(host);
    if (slice_starts(pattern, SLICE("*.")))
        pattern = slice_from(pattern, 1);
    if (slice_starts(pattern, SLICE(".")))
        return is_under(host, slice_from(pattern, 1));
    return slice_equal_nocase(pattern, host) || is_under(host, pattern);
}

/* ---- The list -------------------------------------------------------------------------------- */

static bool is_separator(char c)
{
    return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice next_entry(struct slice *list)
{
    size_t size = 0;
    while (list->size && is_separator(list->data[0]))
        *list = slice_from(*list, 1);
    while (size < list->size && !is_separator(list->data[size]))
        size++;
    struct slice entry = slice_head(*list, size);
    *list = slice_from(*list, size);
    return entry;
}

/* Strips an entry of its port, and of the brackets of an IPv6 address. False if the entry is not for
 * this port, or malformed. */
static bool take_port(struct slice *entry, unsigned origin_port)
{
    struct slice rest = *entry;
    uint64_t port;
    if (rest.size && rest.data[0] == '[') {
        rest = slice_from(rest, 1);
        *entry = slice_split(&rest, ']');
        if (rest.data && rest.size == 0)
            return true;
        if (rest.size == 0 || rest.data[0] != ':')
            return false;
        rest = slice_from(rest, 1);
    } else {
        struct slice host = slice_split(&rest, ':');
        if (!rest.data || slice_find(rest, ':') < rest.size)
            return true; /* no port, or a bare IPv6 address */
        *entry = host;
    }
    return slice_number(rest, 65535, &port) && port == origin_port;
}

static bool entry_names(struct slice entry, const struct regtag_origin *origin,
                        const struct number *number)
{
    if (number->bits && block_has(entry, number))
        return true;
    if (!take_port(&entry, origin->port))
        return false;
    if (slice_equal(entry, SLICE("*")))
        return true;
    return number->bits ? same_address(entry, number) : same_name(entry, slice_of(origin->host));
}

bool no_proxy_names(struct slice list, const struct regtag_origin *origin)
{
    struct number number;
    if (read_number(&number, slice_of(origin->host)))
        unmap(&number);
    else
        number.bits = 0;
    for (;;) {
        struct slice entry = next_entry(&list);
        if (entry.size == 0)
            return false;
        if (entry_names(entry, origin, &number))
            return true;
    }
}
