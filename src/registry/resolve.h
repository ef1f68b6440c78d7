/* Resolves a tag to a digest: by HEAD, which is cheap for the registry, or by GET if HEAD does not
 * say. */
#ifndef REGTAG_REGISTRY_RESOLVE_H
#define REGTAG_REGISTRY_RESOLVE_H

#include "registry/verb.h"

enum sight {
    SIGHT_UNKNOWN, /* could not be determined; r->unknown says why */
    SIGHT_ABSENT,  /* the tag does not exist */
    SIGHT_DIGEST   /* the tag points at `digest` */
};

enum resolve_state { RESOLVE_START, RESOLVE_HEAD, RESOLVE_GET, RESOLVE_HELD, RESOLVE_OVER };

struct resolve {
    enum resolve_state state;
    const char *tag;
    bool certain, guarded;
    bool waited;          /* for the rest of its batch */
    struct error *reason; /* see struct resolve_options */
    unsigned head;        /* 0, or the status of the HEAD that the GET double-checks */
    uint64_t received;    /* bytes of the manifest so far */

    enum sight sight;
    char digest[DIGEST_SHA256_SIZE + 1];
    struct exchange exchange;
};

struct resolve_options {
    /* A decision depends on absence: confirm it by GET, since some registries answer HEAD with 404 for
     * tags that exist. */
    bool certain;
    bool optional;           /* nice to have: don't spend much time on it */
    bool pipelined, guarded; /* as in struct request; guarded: keeps the ETag in r->guards, too */
    /* Why the tag could not be resolved, kept here while that has to wait for the rest of the batch. NULL: it is
     * looked up again then, alone. */
    struct error *reason;
    struct attempts *attempts;
    uint64_t not_before;
};

/* `tag` is not copied and must stay valid. Nothing is sent until the first step. */
void resolve_begin(struct regtag *r, struct resolve *z, const char *tag,
                   const struct resolve_options *options);

/* Returns false until there is a result. */
bool resolve_step(struct regtag *r, struct resolve *z);

/* Whether there is an answer that counts once all others sent together with it have come, too. */
bool resolve_is_held(const struct resolve *z);

/* Whether the tag was found to point at this digest. */
bool resolve_found(const struct resolve *z, const char *digest);

/* Whether the answer to a HEAD makes it worth repeating as a GET, and whether its status means that the
 * registry does not support HEAD at all. */
bool head_is_refused(const struct exchange *head);
bool head_is_unsupported(unsigned status);

/* Whether it says nothing: a URL that a redirect leads to may be signed for GET only, and what is there says so in its own
 * way. With a 401 it asks for credentials, which it does not get. */
bool head_is_refused_elsewhere(const struct exchange *head);

/* The result in words, kept in r->unknown. */
const char *resolve_describe(struct regtag *r, const struct resolve *z);

#endif
