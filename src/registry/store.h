/* Reads manifests and blobs from the caller's store (struct regtag_store), as manifest_fetch.h and blob_fetch.h do from a
 * registry. */
#ifndef REGTAG_REGISTRY_STORE_H
#define REGTAG_REGISTRY_STORE_H

#include "registry/provider.h"

/* An index must have all its children in the store. */
void store_begin_manifest(struct regtag *r, struct manifest_fetch *f,
                          const struct fetch_options *options);
enum fetch_event store_step_manifest(struct regtag *r, struct manifest_fetch *f, struct error *problem);

void store_begin_blob(struct regtag *r, struct blob_fetch *b, struct slice digest, uint64_t size,
                      const struct regtag_hash *hash);
enum blob_event store_step_blob(struct regtag *r, struct blob_fetch *b, struct slice *part, uint64_t *at,
                                struct error *problem);
bool store_has_blob(struct regtag *r, struct slice digest, struct error *e);
void store_rewind_blob(struct blob_fetch *b, uint64_t at);

/* Reads up to *size bytes, and sets it to their number. False, and e set, if it cannot: with REGTAG_E_REFUSED if there is no
 * such thing. */
bool store_read_at(struct regtag *r, const char *digest, uint64_t at, void *bytes, size_t *size,
                   struct error *e);

#endif
