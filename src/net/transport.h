/* The library's transport over sockets, and the loop that turns its steps into waiting. */
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
    bool tls;                                         /* there is a TLS session on it */
    enum tls_progress wants, read_wants, write_wants; /* what the socket must be ready for */
    struct dial dial;
    struct tunnel tunnel;
    bool lasting;             /* it would come again */
    struct error error;       /* the first problem: what failure() tells */
    struct error write_error; /* of writing; what is read afterwards may tell more */
    struct proxy proxy;       /* last, since it is large and seldom touched */
};

struct net {
    const struct overrides *overrides;    /* the caller's; may be NULL */
    const struct tls_settings *tls;       /* the caller's */
    const struct proxy_settings *proxies; /* the caller's */
    void (*trace)(void *context, enum regtag_trace kind, const char *text, size_t size); /* or NULL */
    void *trace_context;
    struct net_connection connections[REGTAG_CONNECTIONS];
    struct proxy asked;                /* the answer to the library's question */
    char tunnel_memory[TUNNEL_MEMORY]; /* one tunnel is made at a time */
};

/* To begin, clear the whole struct and set what is the caller's. *net must outlive its transport. */
struct regtag_transport net_transport(struct net *net);

/* Steps the operation until it has something to tell: any event but REGTAG_WAIT. */
enum regtag_event net_step(struct net *net, struct regtag *operation);

/* Closes all connections. */
void net_end(struct net *net);

#endif
