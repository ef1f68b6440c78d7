/* Lists the tags of a repository page by page: GET tags/list, then follow Link: rel="next" until there
 * is none (OCI distribution specification, "Listing Tags"). */
#ifndef REGTAG_REGISTRY_TAG_PAGES_H
#define REGTAG_REGISTRY_TAG_PAGES_H

#include "registry/paging.h"
#include "registry/tag_list.h"

enum pages_event {
    PAGES_WAIT,
    PAGES_TAG,   /* p->tags.name is the next tag */
    PAGES_END,   /* there are no more */
    PAGES_CUT,   /* there may be more tags, but paging makes no progress; *problem says why */
    PAGES_FAILED /* *problem says why */
};

enum pages_state { PAGES_START, PAGES_READ, PAGES_OVER };

struct tag_pages {
    enum pages_state state;
    struct attempts *attempts;
    uint64_t on_page;    /* tags on this page */
    unsigned skipped;    /* entries that are no tags, up to the last one that was told */
    struct slice unread; /* part of the page not parsed yet */
    struct tag_list tags;
    struct exchange exchange;
    struct paging paging;
};

/* Bytes at the start of the struct that must be zeroed before first use. */
#define TAG_PAGES_CLEARED offsetof(struct tag_pages, paging)

/* Begins with the first page. `size` is the maximum number of tags on a page, 0 for the default. */
void pages_begin(struct regtag *r, struct tag_pages *p, uint64_t size, struct attempts *attempts);

enum pages_event pages_step(struct regtag *r, struct tag_pages *p, struct error *problem);

#endif
