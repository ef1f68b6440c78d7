/* Guards: where a tag must point for it to be touched. */
#ifndef REGTAG_REGISTRY_GUARD_H
#define REGTAG_REGISTRY_GUARD_H

#include "registry/resolve.h"

/* Whether the configuration's guards make sense for an operation on these tags; else the operation is one of wrong
 * usage. They are indexed in the memory of the manifest. */
enum regtag_status guards_check(struct regtag *r, const char *const *names, size_t count);

/* Indexes them anew, in other memory, when a manifest needs that one. */
void guards_index(struct regtag *r, void *memory, size_t size);

/* Whether there is one for this tag. */
bool guard_exists(struct regtag *r, const char *tag);

/* Whether that of a tag that was resolved holds; else *e says why it does not. */
bool guard_holds(struct regtag *r, const struct resolve *z, struct error *e);

#endif
