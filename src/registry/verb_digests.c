/* regtag_digests: the tags of a repository, and the digest that each points at. Tags are looked up together,
 * as many as a connection takes, while their list is read. */
#include <string.h>

#include "registry/lookups.h"
#include "registry/tag_pages.h"

enum digests_state { DIGESTS_START, DIGESTS_PAGES, DIGESTS_REST, DIGESTS_OVER };

struct digests_verb {
    enum digests_state state;
    uint64_t limit, listed;  /* tags wanted, 0 for all; tags read from the list */
    size_t read, written;    /* names that wait in r->manifest, each with its NUL */
    enum pages_event ending; /* of the list */
    struct attempts attempts;
    struct tag_pages pages;
    struct error pages_error;
    struct lookups lookups;
};

VERB_FITS(digests_verb);

static struct digests_verb *digests_of(struct regtag *r)
{
    return (struct digests_verb *)(void *)r->verb_memory.bytes;
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
        remote_widen(&r->client.remote, v->limit ? v->limit : UINT64_MAX);
    if (++v->listed == v->limit)
        end_list(v, PAGES_END);
}

static bool is_late(const struct regtag *r)
{
    return r->client.context.now >= r->client.context.deadline;
}

/* Time is up: a million names would take a while to fail, one by one. Those in flight fail by themselves, as does the
 * page. */
static void drop_names(struct digests_verb *v)
{
    v->read = v->written;
    if (v->ending == PAGES_FAILED)
        return;
    error_clear(&v->pages_error);
    error_set(error_hint(&v->pages_error, REGTAG_HINT_TIMEOUT), REGTAG_E_TIMEOUT, "no time was left");
    v->ending = PAGES_FAILED;
}

/* Names are kept in the memory for a manifest: a page must be read whole before its connection can carry
 * other answers. */
static void read_list(struct regtag *r, struct digests_verb *v)
{
    enum pages_event event = PAGES_TAG;
    if (is_late(r) && v->read < v->written)
        drop_names(v);
    if (v->read == v->written)
        v->read = v->written = 0;
    while (v->state == DIGESTS_PAGES && event == PAGES_TAG && has_room(r, v)) {
        event = pages_step(r, &v->pages, &v->pages_error);
        if (event == PAGES_TAG && verb_wants(r, v->pages.tags.name))
            keep_name(r, v);
        else if (event != PAGES_TAG && event != PAGES_WAIT)
            end_list(v, event);
    }
    if (v->state == DIGESTS_REST)
        client_cancel(&r->client, &v->pages.exchange);
}

/* ---- Lookups --------------------------------------------------------------------------------- */

static void add_lookups(struct regtag *r, struct digests_verb *v)
{
    while (lookups_have_room(&v->lookups) && v->read < v->written) {
        const char *name = r->manifest + v->read;
        v->read += strlen(name) + 1;
        lookups_add(r, &v->lookups, name);
    }
}

/* If the memory is full in the middle of a page, its connection has to wait for the lookups. */
static void look_aside(struct regtag *r, struct digests_verb *v)
{
    struct remote *remote = &r->client.remote;
    bool waits = v->state == DIGESTS_PAGES && !has_room(r, v);
    remote->occupied = waits && v->pages.exchange.transfer.connection == remote->home;
    if (remote->occupied)
        lookups_go_aside(r, &v->lookups);
}

/* ---- Reporting ------------------------------------------------------------------------------- */

static enum regtag_event report(struct regtag *r, struct digests_verb *v, const struct lookup *k)
{
    lookups_drop(&v->lookups);
    verb_begin_result(r, k->name, k->resolve.sight == SIGHT_DIGEST ? k->resolve.digest : "");
    if (k->error.status)
        verb_settle(r, REGTAG_TAG_FAILED, k->name, &k->error);
    return REGTAG_LISTED;
}

/* As in regtag_list: the tags so far are valid. */
static enum regtag_event finish(struct regtag *r, struct digests_verb *v)
{
    bool failed = v->ending == PAGES_FAILED;
    ENTER("digests", v->state, DIGESTS_OVER);
    if (v->ending == PAGES_CUT || (failed && r->error.status))
        paging_tell(r, &v->pages_error);
    return failed ? verb_failed(r, &v->pages_error) : verb_done(r);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static enum regtag_event step(struct regtag *r)
{
    struct digests_verb *v = digests_of(r);
    REQUIRE(v->state == DIGESTS_PAGES || v->state == DIGESTS_REST);
    const struct lookup *first = lookups_first(&v->lookups);
    if (first)
        return report(r, v, first);
    r->client.remote.occupied = false;
    read_list(r, v);
    look_aside(r, v);
    add_lookups(r, v);
    lookups_step(r, &v->lookups);
    if (v->lookups.count)
        return lookups_first(&v->lookups) ? GO_ON : REGTAG_WAIT;
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
        return VERB_USAGE(r, "%s: leave out tag and digest to list the repository", repository);
    error_clear(&v->pages_error);
    lookups_begin(&v->lookups);
    v->limit = limit;
    ENTER("digests", v->state, DIGESTS_PAGES);
    pages_begin(r, &v->pages, r->config.wants ? 0 : limit, &v->attempts);
    return REGTAG_OK;
}
