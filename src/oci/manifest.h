/* Manifests: which documents an image's tag may point at, and whether one of them is valid and can be
 * read in one way only. */
#ifndef REGTAG_OCI_MANIFEST_H
#define REGTAG_OCI_MANIFEST_H

#include "oci/digest.h"
#include "oci/document.h"

enum manifest_kind {
    MANIFEST_IMAGE,    /* OCI image manifest, Docker schema 2 */
    MANIFEST_INDEX,    /* OCI image index, Docker manifest list */
    MANIFEST_ARTIFACT, /* the OCI artifact manifest of 1.1's release candidates, still served by some */
    MANIFEST_SCHEMA1   /* Docker before 1.10; can be looked at, never given a tag */
};

struct media_type {
    struct slice name;
    enum manifest_kind kind;
    bool stated; /* the document must say its media type itself */
    bool named;  /* only manifests of this kind have it */
};

/* The value of the Accept header: every media type below, in the order of preference. */
extern const char MANIFEST_ACCEPT[];

/* The media type that a Content-Type names, parameters and case aside; NULL when it is no manifest's. */
const struct media_type *media_type_find(struct slice content_type);

/* Writes the digest of a manifest that came as `type`, as the registry states it, and a NUL: the
 * SHA-256 of its bytes, or of the payload of a signed schema 1 manifest, for which alone `memory` is
 * used. False, and e set, when a schema 1 manifest is not valid (REGTAG_REFUSED) or the hash failed
 * (REGTAG_OTHER). */
bool manifest_digest(struct slice bytes, const struct media_type *type,
                     const struct document_memory *memory, const struct regtag_hash *hash,
                     char digest[DIGEST_SHA256_SIZE + 1], struct error *e);

/* Whether a manifest that came as `type` is valid and unambiguous; else e is set with REGTAG_REFUSED. */
bool manifest_check(struct slice bytes, const struct media_type *type,
                    const struct document_memory *memory, struct error *e);

#endif
