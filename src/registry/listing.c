/* Listing the tags of a repository, page by page. */
#include <string.h>

#include "http/link.h"
#include "registry/operation.h"

#define PAGE_SIZE 1000      /* asked for; ECR refuses more */
#define EMPTY_PAGES_MAX 16u /* in a row: such a list leads nowhere */

/* FNV-1a, of 64 bits. */
static uint64_t hash_of(struct slice s)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < s.size; i++)
        hash = (hash ^ (unsigned char)s.data[i]) * 1099511628211u;
    return hash;
}

static struct slice page_url(const struct listing *l)
{
    return slice_of(l->url[l->current]);
}

/* Path and query: what tells a page from the others of its server. */
static struct slice page_target(const struct listing *l)
{
    struct url u;
    url_parse(&u, page_url(l));
    return u.target;
}

/* A new page: its list is read from the beginning. */
static void begin_page(struct listing *l)
{
    memset(&l->tags, 0, sizeof l->tags);
    l->unread = SLICE("");
    l->on_page = 0;
}

void listing_begin(struct regtag *r, uint64_t limit)
{
    struct listing *l = &r->listing;
    struct writer w = writer_to(l->url[0], URL_MAX);
    write_origin(&w, &r->origin);
    write_text(&w, "/v2/");
    write_repository(&w, &r->reference);
    write_format(&w, "/tags/list?n=%llu",
                 (unsigned long long)(limit && limit < PAGE_SIZE ? limit : PAGE_SIZE));
    l->url[0][w.used] = '\0';
    l->current = 0;
    l->limit = limit;
    l->listed = 0;
    l->empty = 0;
    l->pages = 0;
    l->next_mark = 1;
    l->first = l->mark = hash_of(page_target(l));
    begin_page(l);
}

/* ---- On to the next page --------------------------------------------------------------------- */

/* Whether this page has been seen before: the first one, this very one, or that at the mark, which moves
 * on at every power of two (Brent), so that a circle of any length is found without remembering it. */
static bool seen_before(struct listing *l, uint64_t page, uint64_t current)
{
    if (page == l->first || page == l->mark || page == current)
        return true;
    if (++l->pages == l->next_mark) {
        l->mark = page;
        l->next_mark *= 2;
    }
    return false;
}

/* Looks for rel="next" in all Link fields. False when one of them is malformed. */
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

static enum regtag_event list_complete(struct regtag *r)
{
    return r->verb == VERB_LIST ? operation_done(r) : siblings_listed(r);
}

static enum regtag_event list_failed(struct regtag *r, const struct error *problem)
{
    return r->verb == VERB_LIST ? operation_failed(r, problem) : siblings_failed(r, problem);
}

static enum regtag_event page_failed(struct regtag *r, const char *problem, struct slice detail)
{
    struct error e = {.status = 0};
    error_set(&e, REGTAG_PROTOCOL, "%s%.*s", problem, SLICE_ARG(slice_head(detail, 400)));
    return list_failed(r, &e);
}

/* Ends a list whose pages go on and on: what there is has been shown. */
static enum regtag_event end_early(struct regtag *r, const char *why)
{
    if (r->verb != VERB_LIST) /* what is not told must not be deleted */
        return page_failed(r, why, SLICE(""));
    operation_tell(r, REGTAG_TRACE_WARNING, "%.*s: the list may not be complete: %s",
                   SLICE_ARG(r->reference.name), why);
    return operation_done(r);
}

static enum regtag_event next_page(struct regtag *r)
{
    struct listing *l = &r->listing;
    struct writer w = writer_to(l->url[!l->current], URL_MAX);
    struct slice target;
    struct url from, to;

    if (!find_next(&r->exchange.response, &target))
        return page_failed(r, "the Link to the next page is malformed", SLICE(""));
    if (!target.data)
        return list_complete(r);
    if (!url_resolve(page_url(l), target, &w))
        return page_failed(r, "the Link to the next page is not a URL: ", target);
    l->url[!l->current][w.used] = '\0';
    url_parse(&from, page_url(l));
    url_parse(&to, written(&w));
    if (!url_same_origin(&from, &to))
        return page_failed(r, "the Link to the next page leads to another server: ", written(&w));

    l->empty = l->on_page ? 0 : l->empty + 1;
    if (seen_before(l, hash_of(to.target), hash_of(from.target)))
        return l->on_page ? end_early(r, "the registry's pages lead in a circle") : list_complete(r);
    if (l->empty == EMPTY_PAGES_MAX)
        return end_early(r, "the registry sends one empty page after the other");
    l->current = !l->current;
    begin_page(l);
    return operation_go(r, PHASE_PAGE);
}

/* ---- A page ---------------------------------------------------------------------------------- */

static enum regtag_event page_complete(struct regtag *r)
{
    struct tag_list *tags = &r->listing.tags;
    return tag_list_end(tags)
               ? next_page(r)
               : page_failed(r, "the answer is not a tag list: ", slice_of(tags->problem));
}

/* Hands out the next tag of what has been read of the page. */
static enum regtag_event take_tags(struct regtag *r)
{
    struct listing *l = &r->listing;
    for (;;) {
        switch (tag_list_take(&l->tags, &l->unread)) {
        case TAG_LIST_TAG:
            l->on_page++;
            l->listed++;
            if (r->verb != VERB_LIST) {
                if (!siblings_keep(r, l->tags.name))
                    return page_failed(r, "there are too many tags for this memory", SLICE(""));
                break;
            }
            r->result.name = l->tags.name;
            return REGTAG_LISTED;
        case TAG_LIST_OTHER:
            l->on_page++;
            operation_tell(r, REGTAG_TRACE_WARNING, "%.*s: left out \"%s\", which is not a tag",
                           SLICE_ARG(r->reference.name), l->tags.name);
            break;
        case TAG_LIST_BROKEN:
            return page_failed(r, "the answer is not a tag list: ", slice_of(l->tags.problem));
        case TAG_LIST_MORE: return GO_ON;
        }
    }
}

static bool is_web_page(const struct http_response *response)
{
    struct slice type;
    return http_response_field(response, SLICE("content-type"), &type) &&
           slice_equal_nocase(slice_trim(slice_split(&type, ';')), SLICE("text/html"));
}

enum regtag_event phase_page(struct regtag *r)
{
    struct listing *l = &r->listing;
    struct slice part;
    if (l->limit && l->listed == l->limit)
        return operation_done(r);
    if (!r->begun) {
        begin_page(l); /* it may have come in part before */
        operation_request(r, "GET", page_target(l));
        operation_send(r, "GET", SLICE(""), r->deadline);
    }
    for (;;) {
        enum regtag_event event = take_tags(r);
        if (event != GO_ON || r->phase != PHASE_PAGE)
            return event;
        switch (operation_step(r, &part)) {
        case EXCHANGE_WAIT: return REGTAG_WAIT;
        case EXCHANGE_MOVED: return GO_ON;
        case EXCHANGE_HEAD:
            if (r->exchange.response.status != 200)
                return operation_go(r, PHASE_WORDS);
            if (is_web_page(&r->exchange.response))
                return page_failed(r, "the answer is a web page; is a registry at this address?",
                                   SLICE(""));
            break;
        case EXCHANGE_BODY: l->unread = part; break;
        case EXCHANGE_END: return page_complete(r);
        case EXCHANGE_FAILED: return list_failed(r, &r->exchange.error);
        }
    }
}
