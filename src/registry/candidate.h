/* What may be a signature of an image, wherever it comes from. */
#ifndef REGTAG_REGISTRY_CANDIDATE_H
#define REGTAG_REGISTRY_CANDIDATE_H

#include "oci/signature.h"
#include "registry/verb.h"

#define SIGNATURES_LOOKED_MAX 32u

/* A check with the configuration's keys; the image is not set. */
struct signature_check candidate_check(const struct regtag *r);

/* Goes on with signatures of this image, which is borrowed: as many as of the one before. */
void candidate_turn_to(struct signature_check *c, const char *image);

/* Where no signature is good: whether there was not enough memory to verify one, which says nothing about the image. */
bool candidate_unable(const struct signature_check *c, struct error *e);

/* Indexes a manifest, whose bytes `scan` has taken, if it is valid and unambiguous. */
bool candidate_read(struct regtag *r, struct slice bytes, struct document_scan *scan,
                    const struct media_type **type, struct document *d);

/* Whether the artifact type of a descriptor does not rule out a bundle: in an index at a tag, it may be of no use. */
bool candidate_may_be_bundle(const struct document *d, int descriptor);

#endif
