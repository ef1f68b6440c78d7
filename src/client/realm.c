#include "client/realm.h"

#include "oci/reference.h"

/* ---- Private addresses ----------------------------------------------------------------------- */

/* Four decimal numbers; no leading zeros, because some resolvers read those as octal. */
static bool read_dotted_quad(struct slice host, uint64_t numbers[4])
{
    unsigned parts = 0;
    for (struct slice rest = host; rest.data; parts++) {
        struct slice part = slice_split(&rest, '.');
        if (!slice_number(part, 255, &numbers[parts % 4]) || (part.size > 1 && part.data[0] == '0'))
            return false;
    }
    return parts == 4;
}

/* A dotted-quad IPv4 address that is not globally routable (RFC 6890). */
static bool is_private_ipv4(const uint64_t n[4])
{
    return n[0] == 0 || n[0] == 10 || n[0] == 127 || (n[0] == 100 && n[1] / 64 == 1) ||
           (n[0] == 169 && n[1] == 254) || (n[0] == 172 && n[1] / 16 == 1) ||
           (n[0] == 192 && n[1] == 168);
}

static bool is_ipv6(struct slice host)
{
    return slice_find(host, ':') < host.size;
}

/* An IPv6 address outside 2000::/3, the global unicast range. */
static bool is_private_ipv6(struct slice host)
{
    return (host.data[0] != '2' && host.data[0] != '3') || slice_find(host, ':') != 4;
}

/* A name that leads to this machine or network: localhost and what is under it (RFC 6761, 6.3), what /etc/hosts usually
 * has beside it, such as localhost.localdomain and ip6-loopback, and any other name without a dot: no public one is. Or
 * one whose top-level domain starts with a digit, as none does: an IPv4 address in one of the other notations that
 * inet_aton accepts, 127.1, 0x7f.1, 2130706433. */
static bool is_local_name(struct slice host)
{
    struct slice label = {NULL, 0}, rest = host;
    while (rest.data)
        label = slice_split(&rest, '.');
    return label.size == host.size || label.size == 0 || is_digit(label.data[0]) ||
           slice_equal_nocase(label, SLICE("localhost")) ||
           slice_equal_nocase(slice_head(label, 11), SLICE("localdomain"));
}

static bool is_private(struct slice host)
{
    uint64_t numbers[4];
    if (host.data[host.size - 1] == '.') /* a trailing dot names the same host */
        host.size--;
    if (is_ipv6(host))
        return is_private_ipv6(host);
    return read_dotted_quad(host, numbers) ? is_private_ipv4(numbers) : is_local_name(host);
}

/* Whether the user allowed the realm explicitly, as HOST or HOST:PORT. */
static bool is_allowed(const struct regtag_side *side, const struct url *realm)
{
    for (size_t i = 0; i < side->allowed_realms_count; i++) {
        char text[300];
        struct writer w = writer_to(text, sizeof text);
        struct slice allowed = slice_of(side->allowed_realms[i]);
        write_authority(&w, true, realm->host, 443); /* an IPv6 address in brackets */
        struct slice host = written(&w);
        write_format(&w, ":%u", realm->port);
        if (slice_equal_nocase(allowed, host) || slice_equal_nocase(allowed, realm->host) ||
            slice_equal_nocase(allowed, written(&w)))
            return true;
    }
    return false;
}

/* Why not to trust the token server with credentials, or NULL. */
static const char *realm_problem(const struct regtag_origin *registry, const struct url *realm)
{
    struct slice host = slice_of(registry->host);
    bool same_host = slice_equal_nocase(host, realm->host);
    bool both_here = host_is_loopback(host) && host_is_loopback(realm->host);
    if (!realm->tls && registry->tls)
        return "uses plain HTTP, but the registry uses TLS";
    if (!realm->tls && !same_host && !both_here)
        return "is another host, and uses plain HTTP";
    if (is_private(realm->host) && !same_host && !is_private(host))
        return "has a private address, but the registry does not";
    return NULL;
}

bool realm_check(struct slice text, const struct regtag_side *side, const struct regtag_origin *registry,
                 struct error *e)
{
    struct url realm;
    url_parse(&realm, text);
    const char *problem = is_allowed(side, &realm) ? NULL : realm_problem(registry, &realm);
    if (problem)
        error_set(error_hint(e, REGTAG_HINT_REALM), REGTAG_E_DENIED,
                  "refused to use the token server %.*s: it %s", SLICE_ARG(slice_head(text, 300)),
                  problem);
    return problem == NULL;
}
