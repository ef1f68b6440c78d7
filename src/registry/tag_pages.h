/* The tags of a repository, page by page: GET of tags/list, then of what Link: rel="next" names, for as long as there
 * are more (OCI distribution specification, "Listing Tags"). */
#ifndef REGTAG_REGISTRY_TAG_PAGES_H
#define REGTAG_REGISTRY_TAG_PAGES_H

#include "registry/tag_list.h"
#include "registry/verb.h"

enum pages_event {
    PAGES_WAIT,
    PAGES_TAG,   /* p->tags.name is the next tag */
    PAGES_END,   /* there are no more */
    PAGES_CUT,   /* there may be more, but the pages lead nowhere: *problem says why */
    PAGES_FAILED /* *problem says why */
};

enum pages_state { PAGES_START, PAGES_READ, PAGES_OVER };

/* Pages are told apart by a hash of what they were asked for with. */
struct tag_pages {
    enum pages_state state;
    struct exchange exchange;
    struct attempts *attempts;
    uint64_t first, mark;      /* hashes of the first page and of one that is compared with */
    uint64_t pages, next_mark; /* pages so far; at which of them the mark moves on */
    unsigned empty;            /* pages without a tag, in a row */
    uint64_t on_page;          /* tags on this page */
    unsigned current;          /* which of the two URLs is that of this page */
    struct slice unread;       /* of the page */
    struct tag_list tags;
    char url[2][URL_MAX + 1];
};

/* How much of the struct has to be cleared once. */
#define TAG_PAGES_CLEARED offsetof(struct tag_pages, url)

/* Begins with the first page, of `size` tags at most, 0 for as many as may be. */
void pages_begin(struct regtag *r, struct tag_pages *p, uint64_t size, struct attempts *attempts);

enum pages_event pages_step(struct regtag *r, struct tag_pages *p, struct error *problem);

#endif
