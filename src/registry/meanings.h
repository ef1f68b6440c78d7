/* What error responses mean, by request. */
#ifndef REGTAG_REGISTRY_MEANINGS_H
#define REGTAG_REGISTRY_MEANINGS_H

#include "client/answer.h"

extern const struct meaning MANIFEST_MEANINGS[]; /* GET or HEAD of a manifest */
extern const struct meaning BLOB_MEANINGS[];     /* GET of a blob */
extern const struct meaning PUSH_MEANINGS[];   /* requests about a blob in the target, and its upload */
extern const struct meaning LIST_MEANINGS[];   /* GET of a tag list */
extern const struct meaning UPLOAD_MEANINGS[]; /* PUT of a manifest */
extern const struct meaning DELETE_TAG_MEANINGS[];    /* DELETE of a tag */
extern const struct meaning DELETE_DIGEST_MEANINGS[]; /* DELETE of a manifest by its digest */

/* Whether the answer to a request for an image's referrers means that the registry cannot list them. It may say so in many
 * ways; but not by asking for credentials or a pause. */
bool referrers_are_unsupported(unsigned status);

#endif
