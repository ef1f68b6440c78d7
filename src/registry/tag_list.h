/* The answer to /v2/NAME/tags/list, read while it arrives: {"name": …, "tags": ["…", …]}. Needs the
 * same memory for three tags as for a million. */
#ifndef REGTAG_REGISTRY_TAG_LIST_H
#define REGTAG_REGISTRY_TAG_LIST_H

#include "oci/json.h"
#include "oci/reference.h"

enum tag_list_event {
    TAG_LIST_MORE,  /* the input is used up */
    TAG_LIST_TAG,   /* `name` is the next tag */
    TAG_LIST_OTHER, /* an entry that is no tag; `name` is the beginning of it, if it is a string */
    TAG_LIST_BROKEN /* not such an answer: `problem` says why. Stays so */
};

/* To begin a page, clear the whole struct. */
struct tag_list {
    char name[TAG_MAX + 1]; /* with a NUL */
    const char *problem;

    struct json json;
    size_t size;    /* of the string at hand, which may be longer than `name` */
    bool tags_next; /* the value at hand is that of "tags" */
    bool in_tags;   /* inside of its array */
    bool had_tags;
};

/* Goes on to the next event. Takes what it has used off *in. */
enum tag_list_event tag_list_take(struct tag_list *t, struct slice *in);

/* Whether the answer was whole, now that it has ended; else `problem` says what is missing. */
bool tag_list_end(struct tag_list *t);

#endif
