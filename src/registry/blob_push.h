/* Brings a blob to the target's repository (OCI distribution specification, "Pushing blobs"): not at all if it is there,
 * mounted if it is in another repository of the same registry, else streamed from the source. It is committed only after
 * its size and its digest were found to be right. */
#ifndef REGTAG_REGISTRY_BLOB_PUSH_H
#define REGTAG_REGISTRY_BLOB_PUSH_H

#include "registry/blob_fetch.h"
#include "registry/resolve.h"

enum push_state {
    PUSH_START,
    PUSH_HEAD,   /* is it there? */
    PUSH_MOUNT,  /* POST: mounts it, or begins an upload */
    PUSH_BEGIN,  /* POST: begins an upload */
    PUSH_STREAM, /* PATCH */
    PUSH_LOOK,   /* how far has an interrupted upload come? */
    PUSH_DROP,   /* DELETE of an upload that cannot go on */
    PUSH_COMMIT, /* PUT, without a body */
    PUSH_SEARCH, /* HEAD, since the answer to that leaves it open */
    PUSH_OVER
};

enum push_outcome { PUSH_PENDING, PUSH_THERE, PUSH_MOUNTED, PUSH_COPIED, PUSH_FAILED };

struct blob_push {
    enum push_state state;
    enum push_outcome outcome;
    bool done;         /* all bytes have come from the source, and are right */
    bool taken;        /* all of them are in the registry */
    bool of_source;    /* `problem` is one of the source's */
    bool given_up;     /* for good: `problem` says why */
    bool out_of_reach; /* bytes were asked for again: they may be here no more, or there already */
    uint64_t size;
    uint64_t at;      /* offset of `part` in the blob */
    uint64_t begins;  /* offset of the PATCH's body, */
    uint64_t sent;    /* and of what of it was asked for last */
    uint64_t counted; /* `at` when failures were counted anew */
    uint64_t resume;  /* when to send the next request; 0: at once */
    uint64_t *moved;  /* counts bytes that come from the source */
    const struct regtag_hash *hash;
    struct slice part;   /* of the source: its connection's buffer */
    struct slice digest; /* borrowed */
    struct attempts attempts;
    struct blob_fetch source;
    struct exchange exchange;
    struct regtag_origin origin; /* of the upload */
    struct error problem;        /* with PUSH_FAILED */
    char location[URL_MAX + 1];  /* of the upload: an absolute URL; or the target of a POST */
};

/* To begin with, in memory that need not be zeroed. */
void push_init(struct blob_push *p);

/* Borrows the digest, a SHA-256. The hash is for this blob alone until it is over. */
void push_begin(struct regtag *r, struct blob_push *p, struct slice digest, uint64_t size,
                const struct regtag_hash *hash, uint64_t *moved);

bool push_is_under_way(const struct blob_push *p);

/* Returns true when it is over: see p->outcome. */
bool push_step(struct regtag *r, struct blob_push *p);

/* Gives it up for this reason. It is stepped on, since an upload that has begun is ended first. */
void push_give_up(struct regtag *r, struct blob_push *p, const struct error *problem);

#endif
