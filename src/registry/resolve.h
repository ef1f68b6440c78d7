/* Where does a tag point? By HEAD, which costs the registry next to nothing, or by GET where HEAD does not say. */
#ifndef REGTAG_REGISTRY_RESOLVE_H
#define REGTAG_REGISTRY_RESOLVE_H

#include "registry/verb.h"

enum sight {
    SIGHT_UNKNOWN, /* nobody says where it points, or whether it is there; r->unknown says why not */
    SIGHT_ABSENT,  /* it is not there */
    SIGHT_DIGEST   /* it points at `digest` */
};

enum resolve_state { RESOLVE_START, RESOLVE_HEAD, RESOLVE_GET, RESOLVE_OVER };

struct resolve {
    enum resolve_state state;
    struct exchange exchange;
    const char *tag;
    bool certain;
    unsigned head;     /* 0, or the status of the HEAD that a GET is to check */
    uint64_t received; /* bytes of the manifest */

    enum sight sight;
    char digest[DIGEST_SHA256_SIZE + 1];
};

struct resolve_options {
    bool
        certain; /* absence decides something, so that a GET has to confirm it: some registries answer the HEAD
                      of a tag that is there with 404 */
    bool optional; /* it is well to know, but not worth much time */
    struct attempts *attempts;
    uint64_t not_before;
};

/* Begins; the tag must stay. Nothing is sent before it is stepped, or follows another request as z->exchange. */
void resolve_begin(struct regtag *r, struct resolve *z, const char *tag,
                   const struct resolve_options *options);

/* Goes on. False as long as there is no result. */
bool resolve_step(struct regtag *r, struct resolve *z);

/* Whether it has shown the tag at this digest. */
bool resolve_found(const struct resolve *z, const char *digest);

/* Whether a GET may fare better than the HEAD that was answered with this status, and whether that says that HEAD is of no
 * use here, whatever it is for. */
bool head_is_refused(unsigned status);
bool head_is_unsupported(unsigned status);

/* What it has shown, in words; r->unknown holds them. */
const char *resolve_describe(struct regtag *r, const struct resolve *z);

#endif
