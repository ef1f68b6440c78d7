/* regtag_list: the tags of a repository. */
#include "registry/tag_pages.h"

enum list_state { LIST_START, LIST_PAGES, LIST_OVER };

struct list_verb {
    enum list_state state;
    uint64_t limit, listed; /* tags wanted, 0 for all; tags reported */
    struct attempts attempts;
    struct tag_pages pages;
};

VERB_FITS(list_verb);

static struct list_verb *list_of(struct regtag *r)
{
    return (struct list_verb *)(void *)r->verb_memory.bytes;
}

static enum regtag_event on_tag(struct regtag *r, struct list_verb *v)
{
    v->listed++;
    r->result.name = v->pages.tags.name;
    return REGTAG_LISTED;
}

static enum regtag_event step(struct regtag *r)
{
    struct list_verb *v = list_of(r);
    struct error *problem = verb_problem(r);
    enum pages_event event = PAGES_END;
    REQUIRE(v->state == LIST_PAGES && (v->limit == 0 || v->listed <= v->limit));
    if (v->limit == 0 || v->listed < v->limit)
        event = pages_step(r, &v->pages, problem);
    if (event == PAGES_WAIT)
        return REGTAG_WAIT;
    if (event == PAGES_TAG)
        return verb_wants(r, v->pages.tags.name) ? on_tag(r, v) : GO_ON;
    ENTER("list", v->state, LIST_OVER);
    if (event == PAGES_FAILED)
        return verb_failed(r, problem);
    if (event == PAGES_CUT) /* not an error, since the tags so far are valid, but worth a warning */
        paging_tell(r, problem);
    return verb_done(r);
}

static const struct verb LIST = {.actions = "pull", .of_repository = true, .step = step};

enum regtag_status regtag_list(struct regtag *r, const char *repository, uint64_t limit)
{
    struct list_verb *v = list_of(r);
    if (verb_begin(r, &LIST, offsetof(struct list_verb, pages) + TAG_PAGES_CLEARED, repository) !=
        REGTAG_OK)
        return REGTAG_E_USAGE;
    if (r->reference.tag.size || r->reference.digest.size)
        return VERB_USAGE(r, "%s: leave out tag and digest to list the repository", repository);
    v->limit = limit;
    ENTER("list", v->state, LIST_PAGES);
    pages_begin(r, &v->pages, r->config.wants ? 0 : limit, &v->attempts);
    return REGTAG_OK;
}
