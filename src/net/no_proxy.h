/* The list of hosts that are reached without a proxy: no_proxy, and --no-proxy. */
#ifndef REGTAG_NET_NO_PROXY_H
#define REGTAG_NET_NO_PROXY_H

#include "base/slice.h"
#include "regtag.h"

/* Whether the list names the origin. Commas and white space stand between its entries, each of which is
 *
 *     *                   every host
 *     example.com         the host and all under it; ".example.com" and "*.example.com": only those under it
 *     192.0.2.1, fd00::1  this address, however it is written
 *     192.0.2.0/24        the addresses of a block, IPv6 too
 *
 * with :PORT behind it (except for a block) where only one port is meant; an IPv6 address then stands in
 * brackets. Case does not matter. Names are not looked up: blocks are for hosts that are named by their
 * address. An entry that is none of these names nothing: other programs read the same list. */
bool no_proxy_names(struct slice list, const struct regtag_origin *origin);

#endif
