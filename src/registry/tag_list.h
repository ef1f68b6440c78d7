/* Streaming parser for the response of /v2/NAME/tags/list: {"name": ..., "tags": ["...", ...]}. Memory
 * does not depend on the number of tags. */
#ifndef REGTAG_REGISTRY_TAG_LIST_H
#define REGTAG_REGISTRY_TAG_LIST_H

#include "oci/json.h"
#include "oci/reference.h"

enum tag_list_event {
    TAG_LIST_MORE,  /* all input was consumed */
    TAG_LIST_TAG,   /* `name` is the next tag */
    TAG_LIST_OTHER, /* an entry that is not a valid tag; `name` is its beginning, if it is a string */
    TAG_LIST_BROKEN /* not a tag list: `problem` says why; no more may be taken */
};

/* Zero the whole struct before each page. */
struct tag_list {
    char name[TAG_MAX + 1]; /* NUL-terminated */
    const char *problem;

    struct json json;
    size_t size;    /* of the current string, which may be longer than `name` */
    bool tags_next; /* the next value is that of "tags" */
    bool in_tags;   /* inside its array */
    bool had_tags;
};

/* Returns the next event, and removes the input it consumed from *in. */
enum tag_list_event tag_list_take(struct tag_list *t, struct slice *in);

/* At the end of the response: whether it was complete; else `problem` says what is missing. */
bool tag_list_end(struct tag_list *t);

#endif
