/* Looks up many tags together, as many as the connections take; the results come in the order of the tags. */
#ifndef REGTAG_REGISTRY_LOOKUPS_H
#define REGTAG_REGISTRY_LOOKUPS_H

#include "registry/resolve.h"

struct lookup {
    bool over;
    char name[TAG_MAX + 1];
    struct attempts attempts;
    struct resolve resolve;
    struct error error; /* why it could not be looked up, if its status is set */
};

/* Zero `first` and `count` to begin. */
struct lookups {
    unsigned first, count; /* a ring */
    struct error abort;    /* nothing can be looked up any more */
    struct lookup ring[TAGS_AT_ONCE];
};

void lookups_begin(struct lookups *l);

/* Adds a tag, whose name is copied; there must be room. */
bool lookups_have_room(const struct lookups *l);
void lookups_add(struct regtag *r, struct lookups *l, const char *name);

/* Those that were sent behind an answer which waits for them are sent again: see `occupied` of struct remote. */
void lookups_go_aside(struct regtag *r, struct lookups *l);

void lookups_step(struct regtag *r, struct lookups *l);

/* The result of the first tag, or NULL if there is none yet. lookups_drop ends its turn; it stays valid until
 * another tag is added. */
const struct lookup *lookups_first(const struct lookups *l);
void lookups_drop(struct lookups *l);

void lookups_cancel(struct regtag *r, struct lookups *l);

#endif
