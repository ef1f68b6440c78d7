/* Selects the child of an index for a platform (OCI image specification, "Image Index": platform). */
#ifndef REGTAG_OCI_PLATFORM_H
#define REGTAG_OCI_PLATFORM_H

#include "oci/manifest.h"

/* Whether the text is "OS/ARCH" or "OS/ARCH/VARIANT". */
bool platform_valid(struct slice text);

/* Finds the child for `platform`, "OS/ARCH" or "OS/ARCH/VARIANT", in a manifest that manifest_check has
 * accepted, and writes its digest and a NUL. Aliases such as aarch64 are understood on both sides. A child
 * with the variant as written is the best match, then one with the architecture's default (arm64: v8, arm:
 * v7, amd64: v1) where the other has none; without VARIANT any other will do. False, and e set, if it is not
 * an index or has no such child (REGTAG_E_NOT_FOUND, with a list of those it has), has several that match
 * equally well (with a list of these), or one whose digest is not a SHA-256 (REGTAG_E_REFUSED). */
bool platform_child(struct slice manifest, const struct media_type *type,
                    const struct document_memory *memory, struct slice platform,
                    char digest[DIGEST_SHA256_SIZE + 1], struct error *e);

/* Adds a child of an index to a list for a message, as "OS/ARCH/VARIANT VERSION DIGEST". Does not cut it in two; if it
 * does not fit, the writer is poisoned. */
void platform_list(struct writer *w, const struct document *d, int child);

/* Sets e with REGTAG_E_USAGE: the manifest, which manifest_check has accepted, is an index, so that a platform has to be
 * chosen; with a list of those it has. */
void platform_is_missing(struct slice manifest, const struct document_memory *memory, struct error *e);

#endif
