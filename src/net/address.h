/* Numeric addresses in text that is not NUL-terminated. */
#ifndef REGTAG_NET_ADDRESS_H
#define REGTAG_NET_ADDRESS_H

#include "base/slice.h"
#include "regtag_address.h"

/* False if the text is not an IPv4 or IPv6 address. */
bool address_parse(struct regtag_address *a, struct slice text);

#endif
