/* Decides whether to trust the token server that a registry names with the credentials. */
#ifndef REGTAG_CLIENT_REALM_H
#define REGTAG_CLIENT_REALM_H

#include "base/error.h"
#include "http/url.h"
#include "regtag.h"

/* Whether to request the registry's token from the realm, an absolute URL. Refuses plain HTTP if the
 * registry uses TLS or is another host (other than loopback), and a private address on another host if
 * the registry has a public one, unless the side of the registry allows the realm. Sets e to REGTAG_E_DENIED if
 * not. */
bool realm_check(struct slice realm, const struct regtag_side *side,
                 const struct regtag_origin *registry, struct error *e);

#endif
