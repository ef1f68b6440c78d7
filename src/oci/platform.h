/* The child of an index that is for a platform (OCI image specification, "Image Index": platform). */
#ifndef REGTAG_OCI_PLATFORM_H
#define REGTAG_OCI_PLATFORM_H

#include "oci/manifest.h"

/* Whether the text is "OS/ARCH" or "OS/ARCH/VARIANT". */
bool platform_valid(struct slice text);

/* Finds the child for `platform`, "OS/ARCH" or "OS/ARCH/VARIANT", of a manifest that has been checked, and
 * writes its digest and a NUL. Without a VARIANT any will do, as long as only one child has the rest. False,
 * and e set, when it is no index or has no such child (REGTAG_NOT_FOUND, with what there is), or several, or
 * one whose digest is no SHA-256 (REGTAG_REFUSED). */
bool platform_child(struct slice manifest, const struct media_type *type,
                    const struct document_memory *memory, struct slice platform,
                    char digest[DIGEST_SHA256_SIZE + 1], struct error *e);

#endif
