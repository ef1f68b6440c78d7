/* Chooses the proxy for an origin, if any, and its credentials. We speak plain HTTP to proxies: origins
 * with TLS are reached through a tunnel (net/tunnel.h), of which the proxy sees only the origin's name;
 * others by requesting the absolute URL. */
#ifndef REGTAG_NET_PROXY_H
#define REGTAG_NET_PROXY_H

#include "base/error.h"
#include "base/sizes.h"
#include "http/url.h"
#include "regtag.h"

/* "Basic ", Base64, NUL. */
#define PROXY_AUTHORIZATION_MAX (6 + (PROXY_SECRET_MAX + 2) / 3 * 4 + 1)

/* The strings are the caller's, and must stay valid; NULL: unset. An empty string from the environment
 * is unset as well; an empty option means no proxy, or no exceptions. */
struct proxy_settings {
    const char *proxy;        /* --proxy: instead of all from the environment */
    const char *no_proxy;     /* --no-proxy: instead of env_no_proxy */
    const char *env_https;    /* for origins with TLS */
    const char *env_http;     /* for those without */
    const char *env_all;      /* where the one for the scheme is unset */
    const char *env_no_proxy; /* applies to --proxy as well */
};

/* To begin, clear the whole struct. */
struct proxy {
    bool used;                                   /* false: connect directly; nothing else is set */
    bool secret;                                 /* `authorization` has, or had, a secret in it */
    struct regtag_origin origin;                 /* of the proxy itself */
    char authorization[PROXY_AUTHORIZATION_MAX]; /* the value of Proxy-Authorization; "": none */
};

/* Loopback, and what no_proxy includes, is reached directly. False, and e set with REGTAG_E_USAGE, if the
 * proxy's URL is not [http://][USER[:PASSWORD]@]HOST[:PORT][/], or if --proxy contains a user, since
 * everybody can read a command line. The message shows nothing of the URL. The default port is 80, as in
 * Go and wget. */
bool proxy_choose(struct proxy *p, const struct proxy_settings *settings,
                  const struct regtag_origin *origin, struct error *e);

/* Whether --proxy can be used, wherever it may be. False, and e set as above, if not. *p is only memory. */
bool proxy_check(struct proxy *p, const struct proxy_settings *settings, struct error *e);

/* Wipes the secret, if there was one, and leaves no proxy. */
void proxy_wipe(struct proxy *p);

/* Whether text from the proxy contains our password, in plain text or as it was sent. The first 8 bytes
 * of it suffice, since the text may have been cut. */
bool proxy_secret_in(const struct proxy *p, struct slice text);

#endif
