#include "registry/tag_pages.h"

#include <string.h>

#include "http/link.h"

#define PAGE_SIZE 1000u     /* tags a page; ECR refuses more */
#define EMPTY_PAGES_MAX 16u /* consecutive, before giving up */
#define MORE ((enum pages_event)(-1))

/* 64-bit FNV-1a. */
static uint64_t hash_of(struct slice s)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < s.size; i++)
        hash = (hash ^ (unsigned char)s.data[i]) * 1099511628211u;
    return hash;
}

static struct slice page_url(const struct tag_pages *p)
{
    return slice_of(p->url[p->current]);
}

/* Path and query, which identify a page: all pages are on the same server. */
static struct slice page_target(const struct tag_pages *p)
{
    struct url u;
    url_parse(&u, page_url(p));
    return u.target;
}

/* ---- The request ----------------------------------------------------------------------------- */

static void ask_for_page(struct regtag *r, struct tag_pages *p)
{
    struct request q = {.method = METHOD_GET,
                        .target = page_target(p),
                        .content = true,
                        .meanings = LIST_MEANINGS,
                        .attempts = p->attempts};
    client_begin(&r->client, &p->exchange, &q);
}

void pages_begin(struct regtag *r, struct tag_pages *p, uint64_t size, struct attempts *attempts)
{
    struct writer w = writer_to(p->url[0], URL_MAX);
    write_origin(&w, &r->client.remote.origin);
    write_text(&w, "/v2/");
    write_repository(&w, &r->reference);
    write_format(&w, "/tags/list?n=%llu",
                 (unsigned long long)(size && size < PAGE_SIZE ? size : PAGE_SIZE));
    p->url[0][w.used] = '\0';
    p->attempts = attempts;
    p->current = 0;
    p->empty = 0;
    p->pages = 0;
    p->next_mark = 1;
    p->first = p->mark = hash_of(page_target(p));
    p->state = PAGES_START;
    ENTER("tag_pages", p->state, PAGES_READ);
    ask_for_page(r, p);
}

/* ---- The next page --------------------------------------------------------------------------- */

/* Loop detection in constant memory (Brent): compare with the first page, the current one, and a mark
 * that moves up at every power of two, so that a cycle of any length is found. */
static bool seen_before(struct tag_pages *p, uint64_t page, uint64_t current)
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

static enum pages_event page_failed(struct error *e, const char *problem, struct slice detail)
{
    error_set(e, REGTAG_E_PROTOCOL, "%s%.*s", problem, SLICE_ARG(slice_head(detail, 400)));
    return PAGES_FAILED;
}

static enum pages_event cut(struct error *e, const char *problem)
{
    error_set(e, REGTAG_E_PROTOCOL, "%s", problem);
    return PAGES_CUT;
}

/* Resolves the link target and stores it as the URL of the next page. */
static enum pages_event resolve_link(struct tag_pages *p, struct slice target, struct error *e)
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
    return MORE;
}

static enum pages_event next_page(struct regtag *r, struct tag_pages *p, struct error *e)
{
    uint64_t before = hash_of(page_target(p));
    struct slice target;
    if (!find_next(p->exchange.response, &target))
        return page_failed(e, "the Link to the next page is malformed", SLICE(""));
    if (!target.data)
        return PAGES_END;
    enum pages_event event = resolve_link(p, target, e);
    if (event != MORE)
        return event;
    p->empty = p->on_page ? 0 : p->empty + 1;
    p->current = !p->current;
    if (seen_before(p, hash_of(page_target(p)), before))
        return p->on_page ? cut(e, "the registry's pages form a loop") : PAGES_END;
    if (p->empty == EMPTY_PAGES_MAX)
        return cut(e, "the registry sends one empty page after another");
    p->attempts->failed = 0;
    ask_for_page(r, p);
    return MORE;
}

/* ---- A page ---------------------------------------------------------------------------------- */

static bool is_web_page(const struct http_response *response)
{
    struct slice type;
    return http_response_field(response, SLICE("content-type"), &type) &&
           slice_equal_nocase(slice_trim(slice_split(&type, ';')), SLICE("text/html"));
}

/* Parses the next tag from what has been received. Once a tag was reported, the page must not be
 * retried, or it would be reported twice. */
static enum pages_event take_tag(struct regtag *r, struct tag_pages *p, struct error *e)
{
    for (;;) {
        switch (tag_list_take(&p->tags, &p->unread)) {
        case TAG_LIST_TAG:
            p->on_page++;
            p->exchange.request.resend = RESEND_NEVER;
            return PAGES_TAG;
        case TAG_LIST_OTHER:
            p->on_page++;
            VERB_TELL(r, REGTAG_TRACE_WARNING, "%.*s: skipped \"%s\", which is not a tag",
                      SLICE_ARG(r->reference.name), p->tags.name);
            break;
        case TAG_LIST_BROKEN:
            return page_failed(e, "the answer is not a tag list: ", slice_of(p->tags.problem));
        case TAG_LIST_MORE: return MORE;
        }
    }
}

static enum pages_event on_content(struct tag_pages *p, struct error *e)
{
    memset(&p->tags, 0, sizeof p->tags);
    p->unread = SLICE("");
    p->on_page = 0;
    if (is_web_page(p->exchange.response))
        return page_failed(e, "the answer is a web page; is there a registry at this address?",
                           SLICE(""));
    return MORE;
}

static enum pages_event on_end(struct regtag *r, struct tag_pages *p, struct error *e)
{
    if (p->exchange.response->status != 200) {
        exchange_explain(&p->exchange, e);
        return PAGES_FAILED;
    }
    if (!tag_list_end(&p->tags))
        return page_failed(e, "the answer is not a tag list: ", slice_of(p->tags.problem));
    return next_page(r, p, e);
}

static enum pages_event step(struct regtag *r, struct tag_pages *p, struct error *e)
{
    struct slice part;
    if (p->unread.size) {
        enum pages_event event = take_tag(r, p, e);
        if (event != MORE)
            return event;
    }
    switch (client_step(&r->client, &p->exchange, &part)) {
    case EXCHANGE_HEAD: return on_content(p, e);
    case EXCHANGE_BODY: p->unread = part; return MORE;
    case EXCHANGE_END: return on_end(r, p, e);
    case EXCHANGE_FAILED: *e = r->client.context.error; return PAGES_FAILED;
    default: return PAGES_WAIT;
    }
}

enum pages_event pages_step(struct regtag *r, struct tag_pages *p, struct error *problem)
{
    enum pages_event event = MORE;
    REQUIRE(p->state == PAGES_READ && p->attempts && p->empty < EMPTY_PAGES_MAX);
    while (event == MORE)
        event = step(r, p, problem);
    if (event == PAGES_WAIT || event == PAGES_TAG)
        return event;
    client_cancel(&r->client, &p->exchange);
    ENTER("tag_pages", p->state, PAGES_OVER);
    return event;
}
