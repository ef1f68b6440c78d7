/* Brings a manifest with all that it refers to into the target's repository, from r->provider, and points a tag at it
 * there. */
#ifndef REGTAG_REGISTRY_TREE_PUSH_H
#define REGTAG_REGISTRY_TREE_PUSH_H

#include "registry/image_push.h"
#include "registry/manifest_fetch.h"
#include "registry/move.h"

#define TREE_DEPTH_MAX 4u

enum tree_state {
    TREE_START,
    TREE_FETCH, /* a manifest from the source; meanwhile, the first time, the target's tag is resolved */
    TREE_CHILDREN, /* of an index: which is next? */
    TREE_PRESENT,  /* is the child in the target? */
    TREE_BLOBS,    /* of an image */
    TREE_UPLOAD,   /* PUT of a manifest by its digest */
    TREE_MOVE,     /* of the tag */
    TREE_OVER
};

/* A manifest, in the memory for manifests behind those that lead to it. */
struct level {
    bool dropped;  /* it did not fit beside a child: to be fetched again */
    unsigned next; /* its next child */
    size_t offset, size;
    const struct media_type *type;
    char digest[DIGEST_SHA256_SIZE + 1];
};

/* It stands at the beginning of the verb's struct. */
struct tree_push {
    enum tree_state state;
    bool by_digest;           /* there is no tag in the target */
    bool looking;             /* `move` has begun */
    bool refers;              /* to another manifest: what is uploaded without a tag */
    unsigned depth;           /* of the current manifest, in `levels` */
    struct document document; /* the current manifest */
    struct attempts attempts;
    struct manifest_fetch fetch;
    struct resolve look;
    struct exchange exchange;
    struct level levels[TREE_DEPTH_MAX + 1];
    char tag[TAG_MAX + 1];
    char *memory; /* for manifests */
    size_t memory_size;
    struct move move;
    struct image_push push;
};

/* Bytes at the start of the struct that must be zeroed. */
#define TREE_CLEARED offsetof(struct tree_push, move)

/* Prepares it: the manifest is that of r->image, `tag` is the target's, or empty, and `blobs` move at the same time if
 * there are hashes for them. Returns REGTAG_OK, or REGTAG_E_USAGE if a guard is invalid. */
enum regtag_status tree_begin(struct regtag *r, const struct provider *provider, struct slice tag,
                              unsigned blobs);

/* For struct verb. */
enum regtag_event tree_step(struct regtag *r);
void tree_decline(struct regtag *r, const struct error *reason);

#endif
