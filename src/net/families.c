#include "net/families.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "net/child.h"
#include "regtag_sockets.h"

#define PATIENCE 1000 /* milliseconds with both families, and again with each by itself */

/* The processes that ask, since getaddrinfo cannot be interrupted. */
struct inquiry {
    const char *host;
    int fds[2]; /* of a pipe for their answers */
    unsigned count;
    pid_t processes[3];
};

static void call_getaddrinfo(const char *host, int family, struct found_addresses *found)
{
    struct addrinfo hints, *first = NULL;
    memset(&hints, 0, sizeof hints);
    memset(found, 0, sizeof *found);
    hints.ai_family = found->family = family;
    hints.ai_socktype = SOCK_STREAM;
    found->result = getaddrinfo(host, NULL, &hints, &first);
    if (found->result != 0)
        return;
    for (struct addrinfo *i = first; i && found->count < REGTAG_ADDRESSES_MAX; i = i->ai_next)
        found->count += regtag_address_set(&found->list[found->count], i->ai_addr, i->ai_addrlen);
    freeaddrinfo(first);
}

/* Where there can be no other process, this one asks. */
static void ask(struct inquiry *q, int family)
{
    struct found_addresses found;
    pid_t child = child_fork();
    if (child > 0) {
        q->processes[q->count++] = child;
        return;
    }
    call_getaddrinfo(q->host, family, &found);
    ssize_t n = write(q->fds[1], &found, sizeof found);
    if (child == 0)
        _exit(n == (ssize_t)sizeof found ? 0 : 1);
}

/* False if there is no answer in time, or will be none. */
static bool next_answer(const struct inquiry *q, int timeout, struct found_addresses *found)
{
    struct pollfd ready = {q->fds[0], POLLIN, 0};
    int n;
    do
        n = poll(&ready, 1, timeout);
    while (n < 0 && errno == EINTR);
    return n > 0 && read(q->fds[0], found, sizeof *found) == (ssize_t)sizeof *found;
}

static void add(struct found_addresses *all, const struct found_addresses *more)
{
    if (!all->result || more->result == EAI_AGAIN)
        all->result = more->result;
    for (size_t i = 0; i < more->count && all->count < REGTAG_ADDRESSES_MAX; i++)
        all->list[all->count++] = more->list[i];
}

static void ask_for_each(struct inquiry *q, struct found_addresses *all)
{
    uint64_t until = regtag_clock() + PATIENCE;
    struct found_addresses found;
    ask(q, AF_INET);
    ask(q, AF_INET6);
    close(q->fds[1]);
    while (next_answer(q, all->count ? regtag_clock_until(until) : -1, &found)) {
        if (found.family == AF_UNSPEC && found.count) {
            *all = found; /* both, in the order that the C library prefers */
            return;
        }
        add(all, &found);
    }
}

void families_find(const char *host, struct found_addresses *all)
{
    struct inquiry q = {.host = host};
    memset(all, 0, sizeof *all);
    if (pipe(q.fds) != 0) {
        call_getaddrinfo(host, AF_UNSPEC, all);
        return;
    }
    ask(&q, AF_UNSPEC);
    if (!next_answer(&q, PATIENCE, all) || all->count == 0)
        ask_for_each(&q, all);
    for (unsigned i = 0; i < q.count; i++)
        child_end(q.processes[i]);
}
