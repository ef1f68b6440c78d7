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

/* Pages are identified by a hash of their request target. No byte needs to be zeroed. */
struct paging {
    uint64_t first, mark;      /* hashes of the first page and of the marked one, to detect loops */
    uint64_t pages, next_mark; /* pages so far; page at which the mark moves */
    unsigned empty;            /* consecutive pages without entries */
    char url[URL_MAX + 1];     /* of the current page */
};

/* Writes where the image's repository is, "https://HOST/v2/REPOSITORY", to the memory of *p. The caller appends
 * the rest of the first page's URL, and passes the writer to paging_begin. */
struct writer paging_url(struct regtag *r, struct paging *p);
void paging_begin(struct paging *p, const struct writer *url);

/* Begins with the first page of an image's referrers: of all, or those of an artifact type, if the registry filters. */
void paging_begin_referrers(struct regtag *r, struct paging *p, const char *image, struct slice type);

/* Path and query of the current page. */
struct slice paging_target(const struct paging *p);

/* Goes on to the page that follows the current one, whose header and number of entries are given. */
enum paging_event paging_next(struct paging *p, const struct http_response *response, uint64_t entries,
                              struct error *e);

/* Warns that the list may go on where paging was cut, or has failed. */
void paging_tell(const struct regtag *r, const struct error *why);

#endif
