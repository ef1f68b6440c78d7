/* Reads a document's schemaVersion as it arrives: 2 tells a manifest from schema 1, and from what is no manifest
 * at all. */
#ifndef REGTAG_OCI_SCHEMA_VERSION_H
#define REGTAG_OCI_SCHEMA_VERSION_H

#include "oci/json.h"

/* To begin a document, clear the whole struct. */
struct schema_version {
    struct json json;
    size_t matched; /* bytes of the current key that match; more than there are if it is another one */
    bool is_2;
};

void schema_version_take(struct schema_version *v, struct slice part);

/* At the end of the document: whether it is JSON, and its schemaVersion 2. */
bool schema_version_is_2(struct schema_version *v);

#endif
