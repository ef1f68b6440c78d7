/* Following Link: rel="next" from page to page (RFC 8288; OCI distribution specification, "Listing Tags" and "Listing
 * Referrers"): on one server, and not for ever. */
#ifndef REGTAG_REGISTRY_PAGING_H
#define REGTAG_REGISTRY_PAGING_H

#include "registry/verb.h"

enum paging_event {
    PAGING_NEXT,  /* there is another page */
    PAGING_END,   /* there are no more */
    PAGING_CUT,   /* there may be more, but paging makes no progress; *problem says why */
    PAGING_FAILED /* *problem says why */
};

/* Pages are identified by a hash of their request target. */
struct paging {
    uint64_t first, mark;      /* hashes of the first page and of the marked one, to detect loops */
    uint64_t pages, next_mark; /* pages so far; page at which the mark moves */
    unsigned empty;            /* consecutive pages without entries */
    unsigned current;          /* index of this page's URL in `url` */
    char url[2][URL_MAX + 1];
};

/* Begins with the URL of the first page, which a writer has written to the memory of paging_url. */
struct writer paging_url(struct paging *p);
void paging_begin(struct paging *p, const struct writer *url);

/* Path and query of the current page. */
struct slice paging_target(const struct paging *p);

/* Goes on to the page that follows the current one, whose header and number of entries are given. */
enum paging_event paging_next(struct paging *p, const struct http_response *response, uint64_t entries,
                              struct error *e);

#endif
