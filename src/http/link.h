/* The Link header (RFC 8288): where the next page of a list is. */
#ifndef REGTAG_HTTP_LINK_H
#define REGTAG_HTTP_LINK_H

#include "base/slice.h"

/* Looks for the first link with the relation "next" in the value of a Link header. False when the
 * value is malformed. *target is the reference between '<' and '>', data NULL when there is none. */
bool link_next(struct slice value, struct slice *target);

#endif
