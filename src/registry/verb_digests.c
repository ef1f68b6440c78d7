/* regtag_digests: the tags of a repository, and the digest that each points at. Tags are looked up together,
 * as many as a connection takes, while their list is read. */
#include <string.h>

#include "registry/resolve.h"
#include "registry/tag_pages.h"

#define LOOKUPS_MAX 64u /* tags that are being looked up, or wait to be reported */

enum digests_state { DIGESTS_START, DIGESTS_PAGES, DIGESTS_REST, DIGESTS_OVER };

struct lookup {
    bool over;
    char name[TAG_MAX + 1];
    struct attempts attempts;
    struct resolve resolve;
    struct error error; /* why it could not be looked up */
};

struct digests_verb {
    enum digests_state state;
    uint64_t limit, listed;  /* tags wanted, 0 for all; tags read from the list */
    unsigned first, count;   /* of the lookups, a ring in the order of the list */
    size_t read, written;    /* names that wait in r->manifest, each with its NUL */
    enum pages_event ending; /* of the list */
    bool aborted;            /* nothing can be looked up any more: `abort_error` */
    struct attempts attempts;
    struct tag_pages pages;
    struct error pages_error, abort_error;
    struct lookup lookups[LOOKUPS_MAX];
};

VERB_FITS(digests_verb);

static struct digests_verb *digests_of(struct regtag *r)
{
    return (struct digests_verb *)(void *)r->verb_memory.bytes;
}

static struct lookup *lookup_at(struct digests_verb *v, unsigned index)
{
    return &v->lookups[(v->first + index) % LOOKUPS_MAX];
}

/* ---- The list -------------------------------------------------------------------------------- */

static bool has_room(const struct regtag *r, const struct digests_verb *v)
{
    return r->manifest_max - v->written > TAG_MAX;
}

static void end_list(struct digests_verb *v, enum pages_event ending)
{
    v->ending = ending;
    ENTER("digests", v->state, DIGESTS_REST);
}

static void keep_name(struct regtag *r, struct digests_verb *v)
{
    size_t size = strlen(v->pages.tags.name) + 1;
    memcpy(r->manifest + v->written, v->pages.tags.name, size);
    v->written += size;
    if (v->listed > CONNECTION_QUEUE)
        remote_widen(&r->client.remote);
    if (++v->listed == v->limit)
        end_list(v, PAGES_END);
}

/* Names are kept in the memory for a manifest: a page must be read whole before its connection can carry
 * other answers. */
static void read_list(struct regtag *r, struct digests_verb *v)
{
    enum pages_event event = PAGES_TAG;
    if (v->read == v->written)
        v->read = v->written = 0;
    while (v->state == DIGESTS_PAGES && event == PAGES_TAG && has_room(r, v)) {
        event = pages_step(r, &v->pages, &v->pages_error);
        if (event == PAGES_TAG)
            keep_name(r, v);
        else if (event != PAGES_WAIT)
            end_list(v, event);
    }
    if (v->state == DIGESTS_REST)
        client_cancel(&r->client, &v->pages.exchange);
}

/* ---- Lookups --------------------------------------------------------------------------------- */

static void fail_lookup(struct lookup *l, const struct error *problem)
{
    l->error = *problem;
    l->over = true;
}

/* If the memory is full in the middle of a page, its connection has to wait for the lookups. */
static void begin_lookup(struct regtag *r, struct digests_verb *v, struct lookup *l, const char *name)
{
    struct resolve_options options = {.certain = true,
                                      .pipelined = true,
                                      .aside = v->state == DIGESTS_PAGES && !has_room(r, v),
                                      .attempts = &l->attempts};
    memset(l, 0, offsetof(struct lookup, error));
    error_clear(&l->error);
    memcpy(l->name, name, strlen(name) + 1);
    if (v->aborted)
        fail_lookup(l, &v->abort_error);
    else
        resolve_begin(r, &l->resolve, l->name, &options);
}

static void begin_lookups(struct regtag *r, struct digests_verb *v)
{
    while (v->count < LOOKUPS_MAX && v->read < v->written) {
        const char *name = r->manifest + v->read;
        v->read += strlen(name) + 1;
        begin_lookup(r, v, lookup_at(v, v->count), name);
        v->count++;
    }
}

static void on_resolved(struct regtag *r, struct digests_verb *v, struct lookup *l)
{
    l->over = true;
    if (l->resolve.sight != SIGHT_UNKNOWN)
        return;
    fail_lookup(l, &r->unknown);
    if (!v->aborted && verb_cannot_go_on(r, &v->abort_error))
        v->aborted = true;
}

static void step_lookups(struct regtag *r, struct digests_verb *v)
{
    for (unsigned i = 0; i < v->count; i++) {
        struct lookup *l = lookup_at(v, i);
        if (l->over)
            continue;
        if (v->aborted) {
            client_cancel(&r->client, &l->resolve.exchange);
            fail_lookup(l, &v->abort_error);
        } else if (resolve_step(r, &l->resolve))
            on_resolved(r, v, l);
    }
}

/* ---- Reporting ------------------------------------------------------------------------------- */

static enum regtag_event report(struct regtag *r, struct digests_verb *v)
{
    const struct lookup *l = lookup_at(v, 0);
    v->first = (v->first + 1) % LOOKUPS_MAX;
    v->count--;
    verb_begin_result(r, l->name, l->resolve.sight == SIGHT_DIGEST ? l->resolve.digest : "");
    if (l->error.status)
        verb_settle(r, REGTAG_TAG_FAILED, l->name, &l->error);
    return REGTAG_LISTED;
}

/* As in regtag_list: the tags so far are valid. */
static enum regtag_event finish(struct regtag *r, struct digests_verb *v)
{
    bool failed = v->ending == PAGES_FAILED;
    ENTER("digests", v->state, DIGESTS_OVER);
    if (v->ending == PAGES_CUT || (failed && r->error.status))
        VERB_TELL(r, REGTAG_TRACE_WARNING, "%.*s: the list may not be complete: %s",
                  SLICE_ARG(r->reference.name), v->pages_error.text);
    return failed ? verb_failed(r, &v->pages_error) : verb_done(r);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static enum regtag_event step(struct regtag *r)
{
    struct digests_verb *v = digests_of(r);
    REQUIRE(v->state == DIGESTS_PAGES || v->state == DIGESTS_REST);
    if (v->count && lookup_at(v, 0)->over)
        return report(r, v);
    read_list(r, v);
    begin_lookups(r, v);
    step_lookups(r, v);
    if (v->count)
        return lookup_at(v, 0)->over ? GO_ON : REGTAG_WAIT;
    return v->state == DIGESTS_REST ? finish(r, v) : REGTAG_WAIT;
}

static const struct verb DIGESTS = {.actions = "pull", .of_repository = true, .step = step};

enum regtag_status regtag_digests(struct regtag *r, const char *repository, uint64_t limit)
{
    struct digests_verb *v = digests_of(r);
    if (verb_begin(r, &DIGESTS, offsetof(struct digests_verb, pages) + TAG_PAGES_CLEARED, repository) !=
        REGTAG_OK)
        return REGTAG_E_USAGE;
    if (r->reference.tag.size || r->reference.digest.size)
        return VERB_USAGE(r, "%s: a repository is listed, without tag and digest", repository);
    error_clear(&v->pages_error);
    error_clear(&v->abort_error);
    v->limit = limit;
    ENTER("digests", v->state, DIGESTS_PAGES);
    v->pages.pipelined = true;
    pages_begin(r, &v->pages, limit, &v->attempts);
    return REGTAG_OK;
}
