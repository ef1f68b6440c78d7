/* A tunnel through a proxy (CONNECT; RFC 9110, 9.3.6): the exchange with the proxy that turns a connection to
 * it into one to the origin. It is over with the last byte of the proxy's answer; nothing behind it is read. */
#ifndef REGTAG_NET_TUNNEL_H
#define REGTAG_NET_TUNNEL_H

#include "base/sizes.h"
#include "http/response.h"
#include "net/proxy.h"

#define TUNNEL_PATIENCE 1000 /* milliseconds that these words are waited for */

enum tunnel_progress {
    TUNNEL_READ,  /* call again when the socket can be read, has failed, or tunnel_until is over */
    TUNNEL_WRITE, /* call again when the socket can be written, or has failed */
    TUNNEL_DONE,  /* what is written now goes to the origin */
    TUNNEL_FAILED
};

struct tunnel {
    const struct proxy *proxy;
    char *memory; /* the caller's */
    struct writer request;
    size_t sent;
    struct http_response response;
    bool refused;   /* the answer's header is there; its first words are being read */
    uint64_t until; /* when they are waited for no longer */
    struct writer words;
    char words_memory[TUNNEL_WORDS_MAX];
};

/* Begins. The proxy and `memory` must stay until the tunnel is done, has failed, or tunnel_end is called;
 * the memory is free afterwards, and wiped of the secret. Call tunnel_step when the socket can be written. */
void tunnel_begin(struct tunnel *t, const struct proxy *p, const struct regtag_origin *origin,
                  char memory[TUNNEL_MEMORY]);

/* Goes on over a connected, non-blocking socket. With TUNNEL_FAILED, e says why: REGTAG_DENIED when the proxy
 * wants credentials, or others; REGTAG_NO_CONNECTION when it refuses for another reason or the connection was
 * lost; REGTAG_PROTOCOL when what it answered is not the answer of a proxy. Not to be called after that. */
enum tunnel_progress tunnel_step(struct tunnel *t, int fd, struct error *e);

/* When tunnel_step must be called at the latest; UINT64_MAX: only when the socket is ready. */
uint64_t tunnel_until(const struct tunnel *t);

/* Ends an exchange wherever it is; the socket stays. */
void tunnel_end(struct tunnel *t);

#endif
