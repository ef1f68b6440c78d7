/* Looks for a signature among the manifests that the caller's store lists (struct regtag_store), as signatures.h does in a
 * registry. */
#ifndef REGTAG_REGISTRY_STORE_SIGNATURES_H
#define REGTAG_REGISTRY_STORE_SIGNATURES_H

#include "registry/signatures.h"

/* Whether the image, or the index that has led to it ("": none), is signed with one of the keys; else *e says why not. */
bool store_is_signed(struct regtag *r, const char *image, const char *index, struct error *e);

#endif
