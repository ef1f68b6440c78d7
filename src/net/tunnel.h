/* Sets up a tunnel through a proxy (CONNECT; RFC 9110, 9.3.6), after which the connection leads to the
 * origin. Bytes that follow the proxy's answer are refused. */
#ifndef REGTAG_NET_TUNNEL_H
#define REGTAG_NET_TUNNEL_H

#include "base/sizes.h"
#include "http/response.h"
#include "net/proxy.h"

#define TUNNEL_REASON_TIMEOUT 1000 /* milliseconds to wait for the body of a refusal, which says why */

enum tunnel_progress {
    TUNNEL_READ,  /* call again when the socket is readable or has failed, or tunnel_until has passed */
    TUNNEL_WRITE, /* call again when the socket is writable or has failed */
    TUNNEL_DONE,  /* the connection now leads to the origin */
    TUNNEL_FAILED
};

struct tunnel {
    const struct proxy *proxy;
    char *memory; /* the caller's */
    struct writer request;
    size_t sent;
    struct http_response response;
    bool refused;   /* the answer is a refusal, and its body is being read */
    uint64_t until; /* this time */
    struct writer reason;
    char reason_memory[TUNNEL_REASON_MAX];
};

/* The proxy and `memory` must stay valid until the tunnel is done, has failed, or tunnel_end is called;
 * the secret is wiped from `memory` then. Call tunnel_step when the socket is writable. */
void tunnel_begin(struct tunnel *t, const struct proxy *p, const struct regtag_origin *origin,
                  char memory[TUNNEL_MEMORY]);

/* Continues over a connected, non-blocking socket. With TUNNEL_FAILED, e says why: REGTAG_E_DENIED: the
 * proxy wants credentials, or does not accept ours; REGTAG_E_NO_CONNECTION: it refuses for another reason,
 * or the connection was lost; REGTAG_E_PROTOCOL: its answer is not valid. Must not be called after
 * that. */
enum tunnel_progress tunnel_step(struct tunnel *t, int fd, struct error *e);

/* When to call tunnel_step at the latest; UINT64_MAX: only when the socket is ready. */
uint64_t tunnel_until(const struct tunnel *t);

/* May be called at any time; the socket stays open. */
void tunnel_end(struct tunnel *t);

#endif
