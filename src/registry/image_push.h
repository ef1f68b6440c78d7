/* Brings all blobs of an image to the target, several at the same time. */
#ifndef REGTAG_REGISTRY_IMAGE_PUSH_H
#define REGTAG_REGISTRY_IMAGE_PUSH_H

#include "registry/blob_push.h"

#define PUSHES_MAX                                                                                      \
    (REGTAG_CONNECTIONS_MAX < 6 ? 1 : REGTAG_CONNECTIONS_MAX < 18 ? REGTAG_CONNECTIONS_MAX / 2 - 1 : 8)

struct image_push {
    const struct document *manifest;
    unsigned count;             /* of blobs at the same time, */
    unsigned first;             /* and which of them comes first in a step: each in turn */
    int layers, next;           /* the array of descriptors, and the next one in it, or NO_VALUE */
    bool config;                /* that is still to come, too; */
    struct slice config_digest; /* then it is known, or there is none */
    uint64_t moved, bytes;      /* of blobs that were not there, over all images */
    struct error problem;       /* of the first blob that failed, */
    bool of_source;             /* because of the source */
    struct blob_push blobs[PUSHES_MAX];
};

enum image_event { IMAGE_WAIT, IMAGE_DONE, IMAGE_FAILED /* see `problem` */ };

/* Sets up *p, in memory that need not be zeroed, for `count` blobs at the same time: at most PUSHES_MAX, each with a
 * hash of its own. */
void image_init(struct image_push *p, unsigned count);

/* Begins with the blobs of an image, whose manifest is borrowed. */
void image_begin(struct regtag *r, struct image_push *p, const struct document *manifest);

enum image_event image_step(struct regtag *r, struct image_push *p);

/* Whether all that is still to come are answers to commits. */
bool image_is_committing(const struct image_push *p);

#endif
