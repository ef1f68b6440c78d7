#include "registry/paging.h"

#include "http/link.h"

#define EMPTY_PAGES_MAX 16u /* consecutive, before giving up */

/* 64-bit FNV-1a. */
static uint64_t hash_of(struct slice s)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < s.size; i++)
        hash = (hash ^ (unsigned char)s.data[i]) * 1099511628211u;
    return hash;
}

static struct slice page_url(const struct paging *p)
{
    return slice_of(p->url[p->current]);
}

/* They identify a page: all pages are on the same server. */
struct slice paging_target(const struct paging *p)
{
    struct url u;
    url_parse(&u, page_url(p));
    return u.target;
}

struct writer paging_url(struct paging *p)
{
    return writer_to(p->url[0], URL_MAX);
}

void paging_begin(struct paging *p, const struct writer *url)
{
    p->url[0][url->used] = '\0';
    p->current = 0;
    p->empty = 0;
    p->pages = 0;
    p->next_mark = 1;
    p->first = p->mark = hash_of(paging_target(p));
}

/* ---- The next page --------------------------------------------------------------------------- */

/* Loop detection in constant memory (Brent): compare with the first page, the current one, and a mark
 * that moves up at every power of two, so that a cycle of any length is found. */
static bool seen_before(struct paging *p, uint64_t page, uint64_t current)
{
    if (page == p->first || page == p->mark || page == current)
        return true;
    if (++p->pages == p->next_mark) {
        p->mark = page;
        p->next_mark *= 2;
    }
    return false;
}

/* Looks for rel="next" in all Link fields. Returns false if one of them is malformed. */
static bool find_next(const struct http_response *response, struct slice *target)
{
    struct slice section = http_response_fields(response), name, value, found;
    *target = (struct slice){NULL, 0};
    while (http_field_next(&section, &name, &value)) {
        if (!slice_equal_nocase(name, SLICE("link")))
            continue;
        if (!link_next(value, &found))
            return false;
        if (!target->data)
            *target = found;
    }
    return true;
}

static enum paging_event page_failed(struct error *e, const char *problem, struct slice detail)
{
    error_set(e, REGTAG_E_PROTOCOL, "%s%.*s", problem, SLICE_ARG(slice_head(detail, 400)));
    return PAGING_FAILED;
}

static enum paging_event cut(struct error *e, const char *problem)
{
    error_set(e, REGTAG_E_PROTOCOL, "%s", problem);
    return PAGING_CUT;
}

/* Resolves the link target and stores it as the URL of the next page. */
static enum paging_event resolve_link(struct paging *p, struct slice target, struct error *e)
{
    struct writer w = writer_to(p->url[!p->current], URL_MAX);
    struct url from, to;
    if (!url_resolve(page_url(p), target, &w))
        return page_failed(e, "the Link to the next page is not a URL: ", target);
    p->url[!p->current][w.used] = '\0';
    url_parse(&from, page_url(p));
    url_parse(&to, written(&w));
    if (!url_same_origin(&from, &to))
        return page_failed(e, "the Link to the next page leads to another server: ", written(&w));
    return PAGING_NEXT;
}

enum paging_event paging_next(struct paging *p, const struct http_response *response, uint64_t entries,
                              struct error *e)
{
    uint64_t before = hash_of(paging_target(p));
    struct slice target;
    if (!find_next(response, &target))
        return page_failed(e, "the Link to the next page is malformed", SLICE(""));
    if (!target.data)
        return PAGING_END;
    enum paging_event event = resolve_link(p, target, e);
    if (event != PAGING_NEXT)
        return event;
    p->empty = entries ? 0 : p->empty + 1;
    p->current = !p->current;
    if (seen_before(p, hash_of(paging_target(p)), before))
        return entries ? cut(e, "the registry's pages form a loop") : PAGING_END;
    if (p->empty == EMPTY_PAGES_MAX)
        return cut(e, "the registry sends one empty page after another");
    return PAGING_NEXT;
}
