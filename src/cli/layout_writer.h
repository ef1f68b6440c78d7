/* The documents of an OCI image layout that name its images (OCI image specification, "Image Layout"). */
#ifndef REGTAG_CLI_LAYOUT_WRITER_H
#define REGTAG_CLI_LAYOUT_WRITER_H

#include "base/writer.h"
#include "cli/layout_names.h"
#include "oci/reference.h"

#define LAYOUT_MARK_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"

/* index.json is the start, the images with a comma between each two, and the end. */
#define LAYOUT_INDEX_START                                                                              \
    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":["
#define LAYOUT_INDEX_END "]}"
#define LAYOUT_ENTRY_MAX 2048 /* bytes of an image in it, at the most */

struct layout_entry {
    struct reference reference;
    bool full_name; /* instead of the tag, since another image has the same one */
    const char *media_type, *digest;
    uint64_t size;
};

/* Writes an image. Two annotations name it, unless its reference has no tag, for then there is only the second one:
 * org.opencontainers.image.ref.name is the tag, by which skopeo and oras select it; io.containerd.image.name is the
 * whole reference, the name that containerd gives it. */
void write_layout_entry(struct writer *w, const struct layout_entry *entry);

#endif
