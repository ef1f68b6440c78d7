/* Points one tag at the manifest: where it points before, the PUT, and what came of it. Moves go on side by
 * side; the verb steps each of them. */
#ifndef REGTAG_REGISTRY_MOVE_H
#define REGTAG_REGISTRY_MOVE_H

#include "registry/change.h"

enum move_state {
    MOVE_START,
    MOVE_RESOLVE,     /* where does the tag point before? */
    MOVE_RESOLVED,    /* known; the manifest may still be on its way */
    MOVE_ANNOUNCED,   /* REGTAG_UPLOAD was returned */
    MOVE_UPLOAD,      /* PUT of the manifest */
    MOVE_HELD,        /* answered; whether the answer counts shows when its pipeline has ended */
    MOVE_UNCONFIRMED, /* outcome of the PUT unclear: where does the tag point? */
    MOVE_CONFIRM,     /* confirm: read the tag back */
    MOVE_OVER
};

/* Why it is unclear whether an upload has set the tag. */
enum reason {
    REASON_NO_ANSWER, /* sent in full, but not answered */
    REASON_NO_DIGEST, /* accepted, but the response states no digest */
    REASON_ERROR      /* an error response, but the tag may be set regardless */
};

/* What the registry answered to an upload. */
enum verdict {
    VERDICT_CONFIRMED,
    VERDICT_OTHER,     /* it states another digest */
    VERDICT_NO_DIGEST, /* it states none */
    VERDICT_CONDITION, /* it refuses the precondition */
    VERDICT_REFUSED
};

struct move {
    enum move_state state;
    enum verdict verdict;
    bool guarded;       /* its requests are never in flight together with others */
    bool announced;     /* REGTAG_UPLOAD was returned for it */
    bool unanswered;    /* an upload got no answer, and the tag was not resolved since */
    enum reason reason; /* why it is unconfirmed */
    const char *name;
    struct regtag_result result;
    struct resolve resolve;
    struct change change; /* `cause` is the failure in the end */
};

/* The name is borrowed. */
void move_begin(struct regtag *r, struct move *m, const char *name, bool guarded);

/* Does what is to be done before the manifest is needed: finds out where the tag points. Moves look before any
 * of them is stepped, so that those answered together are announced in the order of their names. */
void move_look(struct regtag *r, struct move *m);

/* REGTAG_WAIT; REGTAG_UPLOAD, with r->result, before the tag is touched; or REGTAG_SETTLED. */
enum regtag_event move_step(struct regtag *r, struct move *m);

/* Settles a move that has not touched the tag as failed, because of the tag or of the image. */
void move_fail(struct regtag *r, struct move *m, const struct error *problem, bool of_image);

/* Makes the outcome of a settled move the operation's current result. */
void move_show(struct regtag *r, const struct move *m);

#endif
