/* Finds the next page of a list in the Link header (RFC 8288). */
#ifndef REGTAG_HTTP_LINK_H
#define REGTAG_HTTP_LINK_H

#include "base/slice.h"

/* Finds the first link with the relation "next". False if the value is malformed. *target is the
 * reference between '<' and '>'; data NULL if there is none. */
bool link_next(struct slice value, struct slice *target);

#endif
