/* Where manifests and blobs come from: a registry, or the caller's store (store.h). The verb chooses, so that a program
 * links only what it needs. */
#ifndef REGTAG_REGISTRY_PROVIDER_H
#define REGTAG_REGISTRY_PROVIDER_H

#include "registry/blob_fetch.h"
#include "registry/manifest_fetch.h"

struct provider {
    /* As manifest_fetch.h has them. */
    void (*begin_manifest)(struct regtag *r, struct manifest_fetch *f,
                           const struct fetch_options *options);
    enum fetch_event (*step_manifest)(struct regtag *r, struct manifest_fetch *f, struct error *problem);

    /* As blob_fetch.h has them. */
    void (*begin_blob)(struct regtag *r, struct blob_fetch *b, struct slice digest, uint64_t size,
                       const struct regtag_hash *hash);
    enum blob_event (*step_blob)(struct regtag *r, struct blob_fetch *b, struct slice *part,
                                 uint64_t *at, struct error *problem);

    /* NULL if that shows only when it is asked for: whether there is such a blob; else *e says so. */
    bool (*has_blob)(struct regtag *r, struct slice digest, struct error *e);
    /* NULL if it cannot: hands out a blob's bytes again, from an offset that it has passed. */
    void (*rewind_blob)(struct blob_fetch *b, uint64_t at);
};

#endif
