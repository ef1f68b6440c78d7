/* The library's transport over sockets, and the loop that runs regtag_step and poll. */
#ifndef REGTAG_NET_TRANSPORT_H
#define REGTAG_NET_TRANSPORT_H

#include "net/dial.h"
#include "net/proxy.h"
#include "net/tls.h"
#include "net/tunnel.h"

enum net_state { NET_CLOSED, NET_DIALING, NET_TUNNEL, NET_HANDSHAKE, NET_OPEN, NET_FAILED };

struct net_connection {
    enum net_state state;
    struct regtag_origin origin;
    int fd;
    bool tls;                                         /* it has a TLS session */
    enum tls_progress wants, read_wants, write_wants; /* what the socket must be ready for */
    struct dial dial;
    struct tunnel tunnel;
    bool lasting;             /* a retry would fail as well */
    struct error error;       /* the first one, which failure() reports */
    struct error write_error; /* reported only if reading gives no better reason */
    struct proxy proxy;       /* last, since it is large and seldom touched */
};

struct net {
    const struct overrides *overrides;    /* the caller's; may be NULL */
    const struct tls_settings *tls;       /* the caller's */
    const struct proxy_settings *proxies; /* the caller's */
    void (*trace)(void *context, enum regtag_trace kind, const char *text, size_t size); /* or NULL */
    void *trace_context;
    struct net_connection connections[REGTAG_CONNECTIONS];
    struct proxy asked;                /* the result of proxy_for() */
    char tunnel_memory[TUNNEL_MEMORY]; /* only one tunnel is set up at a time */
};

/* To begin, clear the whole struct and set the caller's members. *net must outlive its transport. */
struct regtag_transport net_transport(struct net *net);

/* Steps the operation to the next event other than REGTAG_WAIT. */
enum regtag_event net_step(struct net *net, struct regtag *operation);

/* Closes all connections. */
void net_end(struct net *net);

#endif
