#include "net/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "net/address.h"
#include "net/child.h"
#include "net/families.h"

/* ---- --resolve ------------------------------------------------------------------------------- */

static struct slice without_brackets(struct slice s)
{
    if (s.size >= 2 && s.data[0] == '[' && s.data[s.size - 1] == ']')
        return slice_from(slice_head(s, s.size - 1), 1);
    return s;
}

/* Takes HOST off the front; it may be an IPv6 address in brackets. */
static struct slice split_host(struct slice *rest)
{
    if (rest->size && rest->data[0] == '[') {
        size_t end = slice_find(*rest, ']');
        struct slice host = slice_head(*rest, end + 1);
        *rest = slice_from(*rest, end + 1);
        slice_split(rest, ':');
        return without_brackets(host);
    }
    return slice_split(rest, ':');
}

const char *override_parse(struct overrides *overrides, const char *text)
{
    struct slice rest = slice_of(text);
    struct override *o = &overrides->list[overrides->count];
    uint64_t port;

    if (overrides->count == OVERRIDES_MAX)
        return "there are more than 16 of it";
    memset(o, 0, sizeof *o);
    o->host = split_host(&rest);
    if (o->host.size == 0 || !slice_number(slice_split(&rest, ':'), 65535, &port) || port == 0)
        return "it takes HOST:PORT:ADDRESS";
    o->port = (uint16_t)port;
    do {
        if (o->count == REGTAG_ADDRESSES_MAX)
            return "it has more than 16 addresses";
        if (!address_parse(&o->list[o->count++], without_brackets(slice_split(&rest, ','))))
            return "what follows the port is not a numeric IPv4 or IPv6 address";
    } while (rest.data);
    overrides->count++;
    return NULL;
}

/* How many addresses --resolve has for the origin. */
static size_t find_override(const struct overrides *o, const struct regtag_origin *origin,
                            struct regtag_address *list, size_t room)
{
    for (unsigned i = 0; o && i < o->count; i++)
        if (o->list[i].port == origin->port &&
            slice_equal_nocase(o->list[i].host, slice_of(origin->host))) {
            size_t count = o->list[i].count < room ? o->list[i].count : room;
            memcpy(list, o->list[i].list, count * sizeof *list);
            return count;
        }
    return 0;
}

/* ---- The child ------------------------------------------------------------------------------- */

static void run_child(const struct regtag_origin *origin, int fd)
{
    struct found_addresses found;
    families_find(origin->host, &found);
    ssize_t n = write(fd, &found, sizeof found);
    _exit(n == (ssize_t)sizeof found ? 0 : 1);
}

static ptrdiff_t start_child(struct lookup *l, const struct regtag_origin *origin, struct error *e)
{
    int fds[2];
    if (pipe(fds) != 0) {
        error_set(e, REGTAG_E_OTHER, "no pipe for looking up its name: %s", strerror(errno));
        return REGTAG_IO_FAILED;
    }
    l->child = child_fork();
    if (l->child == 0)
        run_child(origin, fds[1]);
    int fork_error = errno;
    close(fds[1]);
    l->fd = fds[0];
    if (l->child > 0)
        return REGTAG_IO_AGAIN;
    l->child = 0;
    close(fds[0]);
    error_set(e, REGTAG_E_OTHER, "no process for looking up its name: %s", strerror(fork_error));
    return REGTAG_IO_FAILED;
}

#define RESOLV_CONF "/etc/resolv.conf"

static bool has_resolv_conf(void)
{
    return access(RESOLV_CONF, R_OK) == 0;
}

const char *lookup_timeout_text(void)
{
    return has_resolv_conf() ? "its name could not be looked up"
                             : RESOLV_CONF " cannot be read, and its name could not be looked up";
}

/* `result` is getaddrinfo's, or 0 if the child was killed. */
static ptrdiff_t on_failure(struct lookup *l, int result, struct error *e)
{
    l->unknown = result != 0 && result != EAI_AGAIN && result != EAI_SYSTEM && result != EAI_MEMORY;
    error_hint(e, REGTAG_HINT_ADDRESS);
    if (result == EAI_AGAIN)
        error_set(e, REGTAG_E_NO_CONNECTION, "no name server tells its address%s",
                  has_resolv_conf() ? "" : ", and " RESOLV_CONF " cannot be read");
    else
        error_set(e, REGTAG_E_NO_CONNECTION, "%s",
                  l->unknown ? "no host of this name is known" : lookup_timeout_text());
    return REGTAG_IO_FAILED;
}

/* ---- A lookup -------------------------------------------------------------------------------- */

static ptrdiff_t begin(struct lookup *l, const struct overrides *overrides,
                       const struct regtag_origin *origin, struct regtag_address *list, size_t room,
                       struct error *e)
{
    size_t count = find_override(overrides, origin, list, room);
    if (count)
        return (ptrdiff_t)count;
    if (regtag_address_parse(&list[0], origin->host))
        return 1;
    /* Needs no name server (RFC 6761, 6.3). */
    if (slice_equal_nocase(slice_of(origin->host), SLICE("localhost"))) {
        regtag_address_parse(&list[0], "127.0.0.1");
        regtag_address_parse(&list[1], "::1");
        return 2;
    }
    return start_child(l, origin, e);
}

static ptrdiff_t go_on(struct lookup *l, struct regtag_address *list, size_t room, struct error *e)
{
    struct found_addresses found;
    struct pollfd ready = {l->fd, POLLIN, 0};
    if (poll(&ready, 1, 0) <= 0)
        return REGTAG_IO_AGAIN;
    memset(&found, 0, sizeof found);
    ssize_t n = read(l->fd, &found, sizeof found);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return REGTAG_IO_AGAIN;
    lookup_end(l);
    if (n != (ssize_t)sizeof found || found.count == 0)
        return on_failure(l, found.result, e);
    size_t count = found.count < room ? found.count : room;
    memcpy(list, found.list, count * sizeof *list);
    return (ptrdiff_t)count;
}

ptrdiff_t lookup_step(struct lookup *l, const struct overrides *overrides,
                      const struct regtag_origin *origin, struct regtag_address *list, size_t room,
                      struct error *e)
{
    if (l->child)
        return go_on(l, list, room, e);
    l->unknown = false;
    return begin(l, overrides, origin, list, room, e);
}

void lookup_end(struct lookup *l)
{
    if (l->child > 0) {
        child_end(l->child);
        close(l->fd);
    }
    l->child = 0;
}
