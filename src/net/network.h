/* The network as the command sees it: embed's sockets, with name lookups, proxies and TLS hooked in. */
#ifndef REGTAG_NET_NETWORK_H
#define REGTAG_NET_NETWORK_H

#include "net/lookup.h"
#include "net/proxy.h"
#include "net/tls.h"
#include "net/tunnel.h"
#include "regtag_sockets.h"

/* What the hooks keep for a connection. */
struct network_connection {
    struct lookup lookup;
    bool tunnelling;
    struct tunnel tunnel;
    struct error error; /* of the hooks */
    /* Last, since they are large and seldom touched. */
    struct proxy proxy;
    char tunnel_memory[TUNNEL_MEMORY];
};

struct network {
    const struct overrides *overrides;    /* the caller's; may be NULL */
    const struct tls_settings *tls;       /* the caller's: 2, as for tls_hooks */
    const struct proxy_settings *proxies; /* the caller's */
    void (*trace)(void *context, enum regtag_trace kind, const char *text, size_t size); /* or NULL */
    void *trace_context;

    struct regtag_sockets sockets;
    struct regtag_want want[REGTAG_CONNECTIONS_MAX];
    struct pollfd list[REGTAG_POLL_ENTRIES(REGTAG_CONNECTIONS_MAX)];
    struct regtag_socket memory[REGTAG_CONNECTIONS_MAX];
    struct proxy asked; /* the result of the last question for an authorization */
    struct network_connection connections[REGTAG_CONNECTIONS_MAX];
};

/* To begin, clear the whole struct and set the caller's members. Returns the transport, which *n must
 * outlive. */
struct regtag_transport network_begin(struct network *n, unsigned connections);

/* Steps the operation to the next event other than REGTAG_WAIT. */
enum regtag_event network_step(struct network *n, struct regtag *operation);

/* Closes all connections. */
void network_end(struct network *n);

#endif
