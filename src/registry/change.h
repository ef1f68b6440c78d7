/* A change to a tag: the PUT or DELETE, and how to tell what it did when its response leaves that
 * open. */
#ifndef REGTAG_REGISTRY_CHANGE_H
#define REGTAG_REGISTRY_CHANGE_H

#include "registry/guard.h"

struct change {
    struct exchange exchange;
    struct attempts attempts;
    bool requested; /* the request has been started at least once */
    bool lost;      /* one got no answer, or a server's failure, and may yet be carried out */
    bool refused;   /* one was, for its precondition: from then on it is sent without */
    bool fresh;     /* use a new connection, alone: another one was lost under the request */
    char previous[DIGEST_SHA256_SIZE + 1]; /* where the tag pointed before; "" if unset */

    /* Why the outcome is uncertain. */

    /* An idle connection was closed before it answered, or a pipeline has broken: resend without backoff. */
    bool at_once;
    bool transient; /* worth a retry, */
    uint64_t wait;  /* but no sooner than in this many milliseconds */
    struct error cause;
};

/* Bytes at the start of the struct that must be zeroed before first use; error texts need not be. */
#define CHANGE_CLEARED offsetof(struct change, cause)

/* Records where a resolved tag points as its previous digest, here and in the result. */
void change_note_previous(struct regtag *r, struct change *c, const struct resolve *z);

/* The last request may or may not have changed the tag; `cause` says why that is open. */
void change_leave_open(struct change *c, const struct error *cause, bool transient);

/* What would help where the outcome stays uncertain: against the cause, or against what kept the tag from
 * being resolved afterwards. */
int change_hint(const struct regtag *r, const struct change *c);

/* Whether the answer means that the precondition does not hold, or that the registry knows none. Then the
 * request has changed nothing; the tag is to be resolved again. */
bool change_is_refused(struct change *c, unsigned status);

/* Whether an earlier request may have done what the tag shows. */
bool change_may_be_ours(const struct change *c);

enum change_next {
    CHANGE_OVER, /* do not retry; *problem is set if a guard forbids it */
    CHANGE_NOW,  /* resend at once */
    CHANGE_LATER /* at time *resume, resolve the tag again and then retry */
};

/* Decides about a retry after change_leave_open, once the tag was resolved and is not as wanted. */
enum change_next change_next(struct regtag *r, struct change *c, const struct resolve *z,
                             struct error *problem, uint64_t *resume);

#endif
