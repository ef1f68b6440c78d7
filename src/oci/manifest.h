/* Manifests: the kinds that a tag may point at, their digests, and whether one is valid and
 * unambiguous. */
#ifndef REGTAG_OCI_MANIFEST_H
#define REGTAG_OCI_MANIFEST_H

#include "oci/digest.h"
#include "oci/document.h"

enum manifest_kind {
    MANIFEST_IMAGE,    /* OCI image manifest, Docker schema 2 */
    MANIFEST_INDEX,    /* OCI image index, Docker manifest list */
    MANIFEST_ARTIFACT, /* OCI artifact manifest, from release candidates of 1.1; still in use */
    MANIFEST_SCHEMA1,  /* Docker before 1.10; can be read, but not tagged */
    MANIFEST_UNSTATED  /* the media type may stand for any of these; see manifest_type */
};

struct media_type {
    struct slice name;
    enum manifest_kind kind;
    bool stated; /* the document must contain its media type */
};

/* For a media type that is not a manifest's. */
#define NO_MANIFEST "it is not a manifest of a known media type, but \"%.*s\""

/* The value of the Accept header: all media types, in order of preference. */
extern const char MANIFEST_ACCEPT[];

/* The media type of a Content-Type, without regard to parameters and case; NULL if it is not a
 * manifest's. */
const struct media_type *media_type_find(struct slice content_type);

/* The media type of a manifest that was served as `type`. If that is MANIFEST_UNSTATED, the document
 * decides, by its mediaType or, without one, by the members that only one kind has. NULL, and e set with
 * REGTAG_E_REFUSED, if it does not say. `scan` has taken the bytes, as document_index_scanned wants it. */
const struct media_type *manifest_type(struct slice bytes, struct document_scan *scan,
                                       const struct media_type *type,
                                       const struct document_memory *memory, struct error *e);

/* Neither of the next two takes MANIFEST_UNSTATED. */

/* Writes the digest of a manifest that was served as `type`, and a NUL: the SHA-256 of its bytes or, for
 * a signed schema 1 manifest, of its payload; only that needs `memory`. False, and e set, if a schema 1
 * manifest is not valid (REGTAG_E_REFUSED) or the hash failed (REGTAG_E_OTHER). */
bool manifest_digest(struct slice bytes, const struct media_type *type,
                     const struct document_memory *memory, const struct regtag_hash *hash,
                     char digest[DIGEST_SHA256_SIZE + 1], struct error *e);

/* Whether a manifest that was served as `type` is valid and unambiguous; else e is set with
 * REGTAG_E_REFUSED. `scan` is as for manifest_type. */
bool manifest_check(struct slice bytes, struct document_scan *scan, const struct media_type *type,
                    const struct document_memory *memory, struct error *e);

#endif
