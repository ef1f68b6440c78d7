/* Looks for a signature of an image, by one of the configuration's keys: at the tag sha256-HEX.sig, and among its
 * referrers, which come from the registry's API or from the index at the tag sha256-HEX. All three are asked for
 * together; another page of the API's list only when none of what is there is good. With a platform, the image or its index may
 * be signed. Everything it needs is kept in memory after the manifest. */
#ifndef REGTAG_REGISTRY_SIGNATURES_H
#define REGTAG_REGISTRY_SIGNATURES_H

#include "registry/candidate.h"
#include "registry/download.h"
#include "registry/paging.h"

#define REFERRERS_LOOKED_MAX 32u
#define PAGES_LOOKED_MAX 32u

enum signatures_state {
    SIGNATURES_START,
    SIGNATURES_LOOK,     /* at the three places */
    SIGNATURES_NEXT,     /* which one is next? */
    SIGNATURES_PAYLOAD,  /* of a layer of the tag's manifest */
    SIGNATURES_REFERRER, /* a manifest */
    SIGNATURES_BUNDLE,   /* its layer */
    SIGNATURES_PAGE,     /* another one of the API's list */
    SIGNATURES_OVER
};

enum { SIGNATURES_AT_TAG, SIGNATURES_BY_API, SIGNATURES_BY_INDEX, SIGNATURES_PLACES };

/* Of a place: not answered yet, nothing there, a manifest or a list, a failure. */
enum look { LOOK_OPEN, LOOK_EMPTY, LOOK_FILLED, LOOK_FAILED };

struct signatures {
    enum signatures_state state;
    const struct media_type *type; /* of the manifest at the tag, or NULL */
    unsigned layers;               /* of it, that were looked at */
    unsigned referrers, looked;    /* in `referrer`, and how many of them were looked at */
    bool has_api;                  /* the registry lists referrers itself */
    bool more;                     /* `paging` is at a page that was not asked for yet */
    bool failed;                   /* before these places were asked for, there was a failure */
    enum signature_finding best;
    struct slice signature; /* of the current layer, in `decoded` */
    struct signature_check check;
    enum look answer[SIGNATURES_PLACES];
    /* The last two later for a referrer and its bundle, a payload, or a page. */
    struct download place[SIGNATURES_PLACES];
    char image[DIGEST_SHA256_SIZE + 1];
    char index[DIGEST_SHA256_SIZE + 1];  /* that has led to the image; or "" */
    char wanted[DIGEST_SHA256_SIZE + 1]; /* the digest of what is being downloaded */
    char tag[DIGEST_SHA256_SIZE + sizeof ".sig"];
    char referrer[REFERRERS_LOOKED_MAX][DIGEST_SHA256_SIZE + 1];
    char decoded[SIGNATURE_MAX];
    struct error failure; /* the first one; a good signature elsewhere makes up for it */
    struct paging paging;
};

enum signatures_event {
    SIGNATURES_WAIT,
    SIGNATURES_GOOD,  /* check.key says by which key */
    SIGNATURES_FAILED /* *problem says why; REGTAG_E_UNSIGNED if there is none */
};

/* What regtag_require_signature installs, so that nobody else links it. */
struct gate {
    /* The digests of the image and of its index, or "". NULL, and *e set, if there is no memory for it. */
    struct signatures *(*begin)(struct regtag *r, const char *image, const char *index, struct error *e);
    enum signatures_event (*step)(struct regtag *r, struct signatures *s, struct error *problem);
    /* The same for an image from the caller's store, at once. */
    bool (*check_store)(struct regtag *r, const char *image, const char *index, struct error *e);
};

/* Behind the manifest, as struct gate has it. */
struct signatures *signatures_begin(struct regtag *r, const char *image, const char *index,
                                    struct error *e);
enum signatures_event signatures_step(struct regtag *r, struct signatures *s, struct error *problem);

#endif
