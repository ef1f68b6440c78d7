/* Downloads the manifest that the reference asks for, to r->manifest, and checks it: r->digest and r->media_type are set
 * then. Where a platform is given, the manifest is an index, and its child for that platform is meant. */
#ifndef REGTAG_REGISTRY_MANIFEST_FETCH_H
#define REGTAG_REGISTRY_MANIFEST_FETCH_H

#include "registry/verb.h"

enum fetch_state { FETCH_START, FETCH_MANIFEST, FETCH_CHILD, FETCH_OVER };

struct fetch_options {
    struct slice platform;     /* empty: the image itself */
    bool child_digest;         /* only the digest of the child is wanted, not its manifest */
    bool to_tag;               /* schema 1, which cannot be given a tag, is refused */
    const char *known;         /* NULL, "", or the digest that the caller has */
    struct exchange *follower; /* NULL, or what follows the request for the image itself */
    struct attempts *attempts;
};

struct manifest_fetch {
    enum fetch_state state;
    struct fetch_options options;
    struct exchange exchange;
    char child[DIGEST_SHA256_SIZE + 1]; /* of an index, for the platform */
};

enum fetch_event {
    FETCH_WAIT,
    FETCH_DONE,      /* r->digest and, unless only a digest was wanted, r->manifest are it */
    FETCH_UNCHANGED, /* the registry says that the caller has it already */
    FETCH_FAILED     /* *problem says why */
};

/* Whether the text is a platform; else the operation is one of wrong usage. */
bool fetch_check_platform(struct regtag *r, struct slice platform);

void fetch_begin(struct regtag *r, struct manifest_fetch *f, const struct fetch_options *options);

enum fetch_event fetch_step(struct regtag *r, struct manifest_fetch *f, struct error *problem);

#endif
