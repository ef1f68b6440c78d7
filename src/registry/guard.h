/* Guards: where a tag must point for it to be touched. */
#ifndef REGTAG_REGISTRY_GUARD_H
#define REGTAG_REGISTRY_GUARD_H

#include "registry/resolve.h"

/* Validates the configuration's guards for an operation on these tags, and fails the operation with
 * REGTAG_E_USAGE if one is invalid. Indexes them in the manifest buffer, which is still empty. */
enum regtag_status guards_check(struct regtag *r, const char *const *names, size_t count);

/* Rebuilds the index in other memory, before the manifest buffer is needed for something else. */
void guards_index(struct regtag *r, void *memory, size_t size);

/* Whether a guard applies to this tag. */
bool guard_exists(struct regtag *r, const char *tag);

/* For struct request: the precondition that makes the registry check the guard of a resolved tag, too; "" if
 * it has none, or the registry has given no ETag. */
const char *guard_condition(struct regtag *r, const struct resolve *z);

/* Whether the guard of a resolved tag holds, true if it has none; else *e says why not. */
bool guard_holds(struct regtag *r, const struct resolve *z, struct error *e);

#endif
