#include "registry/paging.h"

#include <string.h>

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

/* They identify a page: all pages are on the same server. */
struct slice paging_target(const struct paging *p)
{
    struct url u;
    url_parse(&u, slice_of(p->url));
    return u.target;
}

struct writer paging_url(struct regtag *r, struct paging *p)
{
    struct writer w = writer_to(p->url, URL_MAX);
    write_origin(&w, &r->source->remote.origin);
    write_text(&w, "/v2/");
    write_repository(&w, r->image);
    return w;
}

void paging_begin(struct paging *p, const struct writer *url)
{
    p->url[url->used] = '\0';
    p->empty = 0;
    p->pages = 0;
    p->next_mark = 1;
    p->first = p->mark = hash_of(paging_target(p));
}

void paging_begin_referrers(struct regtag *r, struct paging *p, const char *image, struct slice type)
{
    struct writer w = paging_url(r, p);
    write_format(&w, "/referrers/%s", image);
    if (type.size)
        write_text(&w, "?artifactType=");
    write_encoded(&w, type);
    paging_begin(p, &w);
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

/* Resolves the link target, which becomes the URL of the current page. */
static enum paging_event resolve_link(struct paging *p, struct slice target, struct error *e)
{
    char text[URL_MAX];
    struct writer w = writer_to(text, sizeof text);
    struct slice base = slice_of(p->url);
    struct url from, to;
    if (!url_resolve(base, target, &w))
        return page_failed(e, "the Link to the next page is not a URL: ", target);
    url_parse(&from, base);
    url_parse(&to, written(&w));
    if (!url_same_origin(&from, &to))
        return page_failed(e, "the Link to the next page leads to another server: ", written(&w));
    memcpy(p->url, text, w.used);
    p->url[w.used] = '\0';
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
    if (seen_before(p, hash_of(paging_target(p)), before))
        return entries ? cut(e, "the registry's pages form a loop") : PAGING_END;
    if (p->empty == EMPTY_PAGES_MAX)
        return cut(e, "the registry sends one empty page after another");
    return PAGING_NEXT;
}

void paging_tell(const struct regtag *r, const struct error *why)
{
    VERB_TELL(r, REGTAG_TRACE_WARNING, "%.*s: the list may be incomplete: %s", SLICE_ARG(r->image->name),
              why->text);
}
