/* Downloads the manifest of the reference to r->manifest and checks it, setting r->digest and
 * r->media_type. With a platform, the manifest must be an index, and its child for that platform is
 * fetched. If the operation requires a signature, r->digest is not set before one was verified. */
#ifndef REGTAG_REGISTRY_MANIFEST_FETCH_H
#define REGTAG_REGISTRY_MANIFEST_FETCH_H

#include "registry/signatures.h"

enum fetch_state { FETCH_START, FETCH_MANIFEST, FETCH_CHILD, FETCH_SIGNATURE, FETCH_OVER };

struct fetch_options {
    struct slice platform; /* empty: the image itself */
    bool child_digest;     /* stop at the child's digest, without fetching its manifest */
    bool to_tag;           /* refuse schema 1, which cannot be retagged */
    bool vouched;          /* needs no signature of its own */
    const char *known;     /* NULL, "", or the digest that the caller already has */
    struct attempts *attempts;
};

struct manifest_fetch {
    enum fetch_state state;
    struct fetch_options options;
    struct exchange exchange;
    char child[DIGEST_SHA256_SIZE + 1]; /* digest of the child for the platform, */
    char index[DIGEST_SHA256_SIZE + 1]; /* and of the index; or both "" */
    struct signatures *signatures;
};

enum fetch_event {
    FETCH_WAIT,
    FETCH_DONE,      /* r->digest is set, and r->manifest unless child_digest was asked for */
    FETCH_UNCHANGED, /* 304: r->digest is `known`, or another one that the answer names */
    FETCH_FAILED     /* *problem says why */
};

/* Whether the text is a valid platform, or empty; else fails the operation with REGTAG_E_USAGE. */
bool fetch_check_platform(struct regtag *r, struct slice platform);

void fetch_begin(struct regtag *r, struct manifest_fetch *f, const struct fetch_options *options);

/* Set r->digest, or *e, without a manifest: to what the registry states, which must be what the user pinned,
 * and after a 304 (see answer_still). */
void fetch_take_stated(struct regtag *r, struct slice stated, struct error *e);
void fetch_take_unchanged(struct regtag *r, const struct http_response *response, const char *known,
                          struct error *e);

/* Set *e: the manifest is too large, or one that cannot get another tag. */
void fetch_set_too_large(const struct regtag *r, struct error *e);
void fetch_set_schema1(struct error *e);

enum fetch_event fetch_step(struct regtag *r, struct manifest_fetch *f, struct error *problem);

#endif
