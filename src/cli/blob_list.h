/* The manifests and blobs that an archive gets, each once. */
#ifndef REGTAG_CLI_BLOB_LIST_H
#define REGTAG_CLI_BLOB_LIST_H

#include "base/sizes.h"
#include "oci/digest.h"

struct listed_blob {
    uint64_t size; /* as its descriptor says */
    unsigned char sum[32];
    uint16_t image;      /* number of an image in whose repository it is */
    bool manifest, done; /* done: blob_list_manifest has returned it */
    unsigned char depth; /* of a manifest, below that of the image */
};

struct blob_list {
    unsigned count;
    unsigned next; /* there is no manifest before it that is not done */
    struct listed_blob list[SAVE_BLOBS_MAX];
};

/* Adds one, unless it is there. What turns out to be a manifest becomes one. False if there is no room. */
bool blob_list_add(struct blob_list *l, const struct listed_blob *blob);

/* The next manifest, or NULL: all that are there are done. */
struct listed_blob *blob_list_manifest(struct blob_list *l);

/* A valid SHA-256 as bytes. */
void sum_of_digest(const char *digest, unsigned char sum[32]);

#endif
