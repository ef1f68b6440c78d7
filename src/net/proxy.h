/* Which proxy leads to a host, if one does, and what it is told to let us through. Proxies are spoken to in
 * plain HTTP: an origin with TLS is reached through a tunnel (net/tunnel.h), so that the proxy sees only its
 * name; a plain one by asking the proxy for the whole URL. */
#ifndef REGTAG_NET_PROXY_H
#define REGTAG_NET_PROXY_H

#include "base/error.h"
#include "base/sizes.h"
#include "http/url.h"
#include "regtag.h"

/* "Basic ", Base64, NUL. */
#define PROXY_AUTHORIZATION_MAX (6 + (PROXY_SECRET_MAX + 2) / 3 * 4 + 1)

/* What the user says about proxies. The strings are the caller's and must stay; NULL is unset. Empty is
 * unset too in what comes from the environment; empty options are meant: no proxy, no exceptions. */
struct proxy_settings {
    const char *proxy;        /* --proxy: for all hosts, whatever the environment says */
    const char *no_proxy;     /* --no-proxy: instead of env_no_proxy */
    const char *env_https;    /* for origins with TLS */
    const char *env_http;     /* for those without */
    const char *env_all;      /* where the one for the scheme is unset */
    const char *env_no_proxy; /* applies to --proxy as well */
};

/* To begin, clear the whole struct. */
struct proxy {
    bool used;                   /* false: the origin is spoken to directly, and nothing else is set */
    bool secret;                 /* `authorization` has, or had, a secret in it */
    struct regtag_origin origin; /* where the proxy is: what is dialed */
    char authorization[PROXY_AUTHORIZATION_MAX]; /* of Proxy-Authorization; "" where there is none */
};

/* Decides how `origin` is reached: loopback and what no_proxy names directly. False, and e set with
 * REGTAG_USAGE, when there should be a proxy but its URL is malformed, or of another kind than
 * [http://][USER[:PASSWORD]@]HOST[:PORT][/], or when --proxy has a user in it: everybody can read a command
 * line. The message shows nothing of the URL. The port is 80 where none is written, as in Go and wget. */
bool proxy_choose(struct proxy *p, const struct proxy_settings *settings,
                  const struct regtag_origin *origin, struct error *e);

/* Forgets the proxy and its secret. Memory that never had a secret in it is not touched. */
void proxy_wipe(struct proxy *p);

/* Whether text that the proxy sent has its password in it, plain or as it was sent; the first 8 bytes are
 * enough, for the text may have been cut. */
bool proxy_secret_in(const struct proxy *p, struct slice text);

#endif
