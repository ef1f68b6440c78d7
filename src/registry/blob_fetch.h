/* Downloads a blob and verifies it: its size, if that is known, and its digest. Continues where it was after a
 * connection has broken. */
#ifndef REGTAG_REGISTRY_BLOB_FETCH_H
#define REGTAG_REGISTRY_BLOB_FETCH_H

#include "registry/verb.h"

enum blob_state { BLOB_START, BLOB_HELD, BLOB_GET, BLOB_OVER };

struct blob_fetch {
    enum blob_state state;
    bool whole; /* ask for all of it: the server cannot cope with ranges */
    const struct regtag_hash *hash;
    uint64_t size;    /* UINT64_MAX: unknown */
    uint64_t had;     /* bytes from the caller, */
    uint64_t at;      /* and with them all that have been hashed */
    uint64_t skip;    /* bytes of the answer that have been hashed already */
    uint64_t begun;   /* `at` when the last request was made, */
    uint64_t counted; /* and when attempts were counted anew */
    bool hash_failed;
    bool declined; /* by blob_decline */
    char digest[DIGEST_SHA256_SIZE + 1];
    struct attempts attempts;
    struct exchange exchange;
};

enum blob_event {
    BLOB_WAIT,
    BLOB_BYTES, /* *part belongs at offset *at */
    BLOB_DONE,  /* all bytes were handed out, and verified */
    BLOB_FAILED /* *problem says why */
};

/* `digest` must be a SHA-256; the hash is for this blob alone until it is over. */
void blob_begin(struct regtag *r, struct blob_fetch *b, struct slice digest, uint64_t size,
                const struct regtag_hash *hash);

/* Before the first step: the next bytes of the blob, from its beginning, are there already. */
void blob_have(struct blob_fetch *b, struct slice bytes);

/* If what was there turns out to be wrong, begins with offset 0 again, once. */
enum blob_event blob_step(struct regtag *r, struct blob_fetch *b, struct slice *part, uint64_t *at,
                          struct error *problem);

/* Gives it up. */
void blob_cancel(struct regtag *r, struct blob_fetch *b);

/* For a verb that hands the bytes to its caller, with regtag_bytes. REGTAG_SETTLED: it is over, and **problem says why it
 * failed, or *problem is NULL. */
enum regtag_event blob_hand_out(struct regtag *r, struct blob_fetch *b, const struct error **problem);

/* The caller cannot keep the bytes: it fails for the reason in r->problem. */
void blob_decline(struct regtag *r, struct blob_fetch *b);

/* The parts that also serve for bytes from elsewhere (store.h): all but the request, the next bytes, and whether the
 * whole has the right digest. */
void blob_init(struct blob_fetch *b, struct slice digest, uint64_t size, const struct regtag_hash *hash);
void blob_add_to_hash(struct blob_fetch *b, struct slice bytes);
bool blob_verify(struct blob_fetch *b, struct error *problem);

/* Set *e: it has `size` bytes, or more than it should have. */
void blob_set_wrong_size(const struct blob_fetch *b, uint64_t size, struct error *e);
void blob_set_too_large(const struct blob_fetch *b, struct error *e);

#endif
