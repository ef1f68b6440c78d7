/* getaddrinfo for a static program, as much of it as is used here: addresses of a host, without a service, and memory for one
 * answer. What finds them is musl's own, which musl's getaddrinfo calls as well. */
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#define ADDRESSES_MAX 48 /* musl's */

struct address {
    int family;
    unsigned scope;
    unsigned char bytes[16];
    int key; /* by which musl has sorted them */
};

/* The number of addresses, or one of EAI_*. */
int __lookup_name(struct address list[ADDRESSES_MAX], char canonical[256], const char *host, int family,
                  int flags);

union socket_address {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static struct addrinfo entries[ADDRESSES_MAX];
static union socket_address addresses[ADDRESSES_MAX];

static void set(struct addrinfo *entry, union socket_address *to, const struct address *from)
{
    entry->ai_family = from->family;
    entry->ai_addr = (struct sockaddr *)to;
    if (from->family == AF_INET) {
        entry->ai_addrlen = sizeof to->v4;
        to->v4.sin_family = AF_INET;
        memcpy(&to->v4.sin_addr, from->bytes, sizeof to->v4.sin_addr);
        return;
    }
    entry->ai_addrlen = sizeof to->v6;
    to->v6.sin6_family = AF_INET6;
    to->v6.sin6_scope_id = from->scope;
    memcpy(&to->v6.sin6_addr, from->bytes, sizeof to->v6.sin6_addr);
}

int getaddrinfo(const char *restrict host, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict all)
{
    struct address found[ADDRESSES_MAX];
    char canonical[256];
    (void)service;
    int count = __lookup_name(found, canonical, host, hints->ai_family, 0);
    if (count < 0)
        return count;
    memset(addresses, 0, sizeof addresses);
    for (int i = 0; i < count; i++) {
        set(&entries[i], &addresses[i], &found[i]);
        entries[i].ai_next = i + 1 < count ? &entries[i + 1] : NULL;
    }
    *all = entries;
    return 0;
}

void freeaddrinfo(struct addrinfo *all)
{
    (void)all;
}
