/* Token servers: which of those that a registry names may be shown the credentials. */
#ifndef REGTAG_CLIENT_REALM_H
#define REGTAG_CLIENT_REALM_H

#include "base/error.h"
#include "http/url.h"
#include "regtag.h"

/* Whether the realm, an absolute URL, may be asked for a token for the registry: not in plain HTTP where the registry
 * speaks TLS or is another host, and not at a private address where the registry has none, unless the
 * configuration allows it. Else sets e with REGTAG_DENIED. */
bool realm_check(struct slice realm, const struct regtag_config *config,
                 const struct regtag_origin *registry, struct error *e);

#endif
