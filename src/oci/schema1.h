/* Schema 1, the manifest of Docker before 1.10. A signed one contains its signatures; its digest is that
 * of the payload, the document before they were inserted. */
#ifndef REGTAG_OCI_SCHEMA1_H
#define REGTAG_OCI_SCHEMA1_H

#include "oci/document.h"

#define SCHEMA1_TAIL_MAX 64 /* bytes of a payload after the signatures, usually "\n}" */

/* The payload of a signed schema 1 manifest, in two parts: the beginning of the document, and the tail,
 * which is written to `tail`. False if no signature says where they end. */
bool schema1_payload(const struct document *d, struct slice parts[2], char tail[SCHEMA1_TAIL_MAX]);

#endif
