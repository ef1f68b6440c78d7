/* The list of hosts to connect to without a proxy: no_proxy, and --no-proxy. */
#ifndef REGTAG_NET_NO_PROXY_H
#define REGTAG_NET_NO_PROXY_H

#include "base/slice.h"
#include "regtag.h"

/* Whether the list includes the origin. Its entries are separated by commas and white space; each is
 *
 *     *                   every host
 *     example.com         the host and all under it; ".example.com" and "*.example.com": only those under it
 *     192.0.2.1, fd00::1  this address, however it is written
 *     192.0.2.0/24        the addresses of a block, IPv6 too
 *
 * An entry, except for a block, may end in :PORT, and is then for this port only; an IPv6 address needs
 * brackets then. Case does not matter. Names are not looked up, so blocks apply only to hosts given as
 * addresses. Other entries are ignored, since other programs read the same list. */
bool no_proxy_names(struct slice list, const struct regtag_origin *origin);

#endif
