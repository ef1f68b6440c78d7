/* Downloads what is small, a list or another JSON document about an image, to memory of the caller's. One that is not JSON, or
 * has too many values for the operation's index, is cut short if it is long (answer_is_long): it ends with what has
 * come, which document_index_scanned refuses. */
#ifndef REGTAG_REGISTRY_DOWNLOAD_H
#define REGTAG_REGISTRY_DOWNLOAD_H

#include "registry/verb.h"

/* Zero the whole struct before its first use. */
struct download {
    char *bytes; /* the content of a 200 */
    size_t size, room;
    struct document_scan scan;           /* of these bytes */
    unsigned status;                     /* of the answer, once it is complete; else 0 */
    char stated[DIGEST_SHA256_SIZE + 1]; /* its digest, as the answer to all but a blob says; or "" */
    struct attempts attempts;
    struct exchange exchange;
};

enum download_event {
    DOWNLOAD_WAIT,
    DOWNLOAD_END,   /* answered: look at `status`. Comes again if it is stepped again */
    DOWNLOAD_FAILED /* *problem says why */
};

/* `q` says what to GET; memory and target are borrowed. */
void download_begin(struct regtag *r, struct download *d, const struct request *q, char *memory,
                    size_t room);

enum download_event download_step(struct regtag *r, struct download *d, struct error *problem);

struct slice downloaded(const struct download *d);

/* Computes the digest of its bytes. False, and *e is set, if the answer states another one, or the hash failed. The message
 * calls it `what`. Nobody else may be using the hash. */
bool download_digest(struct regtag *r, const struct download *d, const char *what,
                     char digest[DIGEST_SHA256_SIZE + 1], struct error *e);

#endif
