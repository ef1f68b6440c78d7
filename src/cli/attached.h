/* What is attached to the images that save and copy get, with --referrers: what refers to them, and what is at the tags
 * that cosign makes of their digests. */
#ifndef REGTAG_CLI_ATTACHED_H
#define REGTAG_CLI_ATTACHED_H

#include "base/error.h"
#include "cli/options.h"
#include "oci/digest.h"

struct attached {
    char *const *references;
    int count;
};

/* Whether it is a tag that cosign has made of a digest, for what is attached to that image. */
bool attached_is_tag(const char *tag);

/* The digest of an image, with `platform` (or NULL) that of the one for it. False, and e set, if it cannot be found out. */
bool attached_digest(const char *image, const char *platform, uint64_t deadline,
                     char digest[DIGEST_MAX + 1], struct error *e);

/* For copy: what is attached to the image of this digest, in the repository of `image`. If there is the tag with the list
 * that clients keep where a registry has none, it comes first. *attached is valid until the next call. */
bool attached_list(const char *image, const char *digest, uint64_t deadline, struct attached *attached,
                   struct error *e);

/* For save: adds it to the arguments, each by its reference, after the images. By the deadline, of regtag_clock(). False, and
 * e set, if it cannot be found out, or is too much. */
bool attached_add(struct options *o, uint64_t deadline, struct error *e);

#endif
