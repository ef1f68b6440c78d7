/* A change of a tag: the PUT or DELETE that asks for it, and what is known of it when the registry does not say. */
#ifndef REGTAG_REGISTRY_CHANGE_H
#define REGTAG_REGISTRY_CHANGE_H

#include "registry/guard.h"

struct change {
    struct exchange exchange;
    struct attempts attempts;
    bool requested; /* the request has been sent before */
    bool fresh;     /* it goes on connections of its own: one ended instead of answering */
    char previous[DIGEST_SHA256_SIZE + 1]; /* where the tag pointed before, if it did */

    /* Why it is not known whether it was made. */
    bool
        at_once; /* its connection, which had been idle, ended instead of answering: it is simply sent again */
    bool transient; /* another attempt may go better, */
    uint64_t wait;  /* but not before so many milliseconds */
    struct error cause;
};

/* How much of it has to be cleared once. */
#define CHANGE_CLEARED offsetof(struct change, cause)

/* Keeps what a tag that was resolved shows as where it pointed before, in the result as well. */
void change_note_previous(struct regtag *r, struct change *c, const struct resolve *z);

/* The last request leaves it open whether the change was made; `cause` says more. */
void change_leave_open(struct change *c, const struct error *cause, bool transient);

enum change_next {
    CHANGE_OVER, /* it is not asked for again; *problem is set if that is because of a guard */
    CHANGE_NOW,  /* it can be asked for at once */
    CHANGE_LATER /* the tag is resolved again at the time *resume, before it is asked for again */
};

/* After it was left open, and the tag, resolved, is not where it should be. */
enum change_next change_next(struct regtag *r, struct change *c, const struct resolve *z,
                             struct error *problem, uint64_t *resume);

#endif
