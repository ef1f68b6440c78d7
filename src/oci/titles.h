/* The titles of layers, which name the files that an artifact was pushed from (OCI image specification,
 * "Annotations": org.opencontainers.image.title). A title comes from whoever pushed the artifact, so it may be
 * meant to overwrite something (CVE-2021-21272 of oras): it is used as a file's name only if it is one. */
#ifndef REGTAG_OCI_TITLES_H
#define REGTAG_OCI_TITLES_H

#include "oci/document.h"

/* The array of descriptors of an image's layers, or of an artifact's blobs; NO_VALUE if there is none. */
int layers_of(const struct document *d);

/* The digest of a descriptor, and its size in bytes; for documents that manifest_check has accepted. */
struct slice descriptor_digest(const struct document *d, int descriptor);
uint64_t descriptor_size(const struct document *d, int descriptor);

/* Whether there are "urls" to get it from instead, as foreign layers have them. */
bool descriptor_has_urls(const struct document *d, int descriptor);

/* The annotation `name` of a descriptor, or NO_VALUE. */
int layer_annotation(const struct document *d, int layer, struct slice name);

/* The title of a descriptor, or NO_VALUE. */
int layer_title(const struct document *d, int layer);

/* Whether all titles of the layers can be the names of files in one folder: relative paths without empty, "." and
 * ".." components, without control characters, and without components that begin with ".regtag-", as our own
 * temporary files do; at most REGTAG_TITLE_MAX bytes long; no two the same, and none the folder of another. Else e is
 * set with REGTAG_E_REFUSED. *d was indexed with `memory`, whose keys are overwritten. */
bool titles_check(const struct document *d, const struct document_memory *memory, struct error *e);

#endif
