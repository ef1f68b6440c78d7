#include "registry/tag_pages.h"

#include <string.h>

#define PAGE_SIZE 1000u /* tags a page; ECR refuses more */
#define SKIPPED_TOLD_MAX 10u
#define MORE ((enum pages_event)(-1))

/* ---- The request ----------------------------------------------------------------------------- */

static void ask_for_page(struct regtag *r, struct tag_pages *p)
{
    struct request q = {.method = METHOD_GET,
                        .target = paging_target(&p->paging),
                        .content = true,
                        .meanings = LIST_MEANINGS,
                        .attempts = p->attempts};
    client_begin(&r->client, &p->exchange, &q);
}

void pages_begin(struct regtag *r, struct tag_pages *p, uint64_t size, struct attempts *attempts)
{
    struct writer w = paging_url(r, &p->paging);
    write_format(&w, "/tags/list?n=%llu",
                 (unsigned long long)(size && size < PAGE_SIZE ? size : PAGE_SIZE));
    paging_begin(&p->paging, &w);
    p->attempts = attempts;
    p->state = PAGES_START;
    ENTER("tag_pages", p->state, PAGES_READ);
    ask_for_page(r, p);
}

static enum pages_event page_failed(struct error *e, const char *problem, struct slice detail)
{
    error_set(e, REGTAG_E_PROTOCOL, "%s%.*s", problem, SLICE_ARG(slice_head(detail, 400)));
    return PAGES_FAILED;
}

static enum pages_event next_page(struct regtag *r, struct tag_pages *p, struct error *e)
{
    switch (paging_next(&p->paging, p->exchange.response, p->on_page, e)) {
    case PAGING_NEXT: break;
    case PAGING_END: return PAGES_END;
    case PAGING_CUT: return PAGES_CUT;
    default: return PAGES_FAILED;
    }
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

/* There may be a million of them. */
static void tell_skipped(const struct regtag *r, struct tag_pages *p)
{
    if (p->skipped > SKIPPED_TOLD_MAX)
        return;
    if (p->skipped++ < SKIPPED_TOLD_MAX)
        VERB_TELL(r, REGTAG_TRACE_WARNING, "%.*s: skipped \"%s\", which is not a tag",
                  SLICE_ARG(r->reference.name), p->tags.name);
    else
        VERB_TELL(r, REGTAG_TRACE_WARNING, "%.*s: skipped more that is not a tag",
                  SLICE_ARG(r->reference.name));
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
            tell_skipped(r, p);
            break;
        case TAG_LIST_BROKEN:
            return page_failed(e, "the answer is not a tag list: ", slice_of(p->tags.problem));
        default: return MORE;
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
    REQUIRE(p->state == PAGES_READ && p->attempts);
    while (event == MORE)
        event = step(r, p, problem);
    if (event == PAGES_WAIT || event == PAGES_TAG)
        return event;
    client_cancel(&r->client, &p->exchange);
    ENTER("tag_pages", p->state, PAGES_OVER);
    return event;
}
