/* regtag_delete: deletes a tag and nothing else. If the registry can only delete a manifest along with
 * all its tags, that is done only if the configuration allows it, and after reporting those tags. They are
 * looked up again right before each DELETE of the manifest: it isn't sent if there are others by then. */
#include <string.h>

#include "registry/change.h"
#include "registry/lookups.h"
#include "registry/tag_pages.h"

enum delete_state {
    DELETE_START,
    DELETE_RESOLVE,   /* where does the tag point? */
    DELETE_ANNOUNCED, /* REGTAG_UPLOAD was returned */
    DELETE_REQUEST,   /* DELETE of the tag, or of the manifest */
    DELETE_VERIFY,    /* is it gone? */
    DELETE_LIST,      /* list all tags of the repository */
    DELETE_SIBLINGS,  /* which of them point at the same manifest? The first time, report each */
    DELETE_OVER
};

struct delete_verb {
    enum delete_state state;
    bool by_digest; /* delete the manifest, and all its tags with it */
    bool reported;  /* so were the siblings: what is found later is compared with them */
    bool checked;   /* there are no others, as of now */
    bool in_list;   /* the tag itself is in the list */
    size_t listed;  /* tags of the repository */
    /* Offsets in r->manifest, which holds the names of the siblings, then those of all tags. */
    size_t siblings_end;
    size_t next;     /* of the tags, to be looked up */
    size_t expected; /* of the siblings, probably: the lists are in the same order */
    char tag[TAG_MAX + 1];
    struct resolve resolve;
    struct change change;
    struct attempts listing;
    struct tag_pages pages;
    struct lookups lookups;
};

VERB_FITS(delete_verb);

static struct delete_verb *delete_of(struct regtag *r)
{
    return (struct delete_verb *)(void *)r->verb_memory.bytes;
}

static enum regtag_event settle(struct regtag *r, struct delete_verb *v, enum regtag_outcome outcome,
                                const struct error *problem)
{
    ENTER("delete", v->state, DELETE_OVER);
    return verb_settle(r, outcome, v->tag, problem);
}

/* ---- Before ---------------------------------------------------------------------------------- */

static void resolve_tag(struct regtag *r, struct delete_verb *v, const char *tag, uint64_t not_before)
{
    struct resolve_options options = {.certain = true,
                                      .guarded = guard_exists(r, tag),
                                      .attempts = &v->change.attempts,
                                      .not_before = not_before};
    resolve_begin(r, &v->resolve, tag, &options);
}

/* Resolve the tag again, and start over from there. */
static enum regtag_event resolve_again(struct regtag *r, struct delete_verb *v, uint64_t not_before)
{
    ENTER("delete", v->state, DELETE_RESOLVE);
    resolve_tag(r, v, v->tag, not_before);
    return GO_ON;
}

/* The same after a backoff. False if there are no retries left. */
static bool resolve_later(struct regtag *r, struct delete_verb *v, const struct error *problem,
                          uint64_t least)
{
    uint64_t resume;
    if (!exchange_retry_later(&v->change.exchange, problem, least, &resume))
        return false;
    resolve_again(r, v, resume);
    return true;
}

static enum regtag_event begin(struct regtag *r, struct delete_verb *v)
{
    verb_begin_result(r, v->tag, "");
    return resolve_again(r, v, 0);
}

/* A manifest by its digest is always the same, so that a precondition says nothing. */
static enum regtag_event request(struct regtag *r, struct delete_verb *v)
{
    bool plain = v->by_digest || v->change.refused;
    struct request q = {.method = METHOD_DELETE,
                        .place = PLACE_MANIFESTS,
                        .target = slice_of(v->by_digest ? v->change.previous : v->tag),
                        .match = plain ? "" : guard_condition(r, &v->resolve),
                        .meanings = v->by_digest ? DELETE_DIGEST_MEANINGS : DELETE_TAG_MEANINGS,
                        .attempts = &v->change.attempts,
                        .fresh = v->change.fresh};
    ENTER("delete", v->state, DELETE_REQUEST);
    v->checked = false;
    v->change.refused = v->change.refused && !v->by_digest;
    client_begin(&r->client, &v->change.exchange, &q);
    v->change.requested = true;
    return GO_ON;
}

/* Whether the tag was moved after its siblings were listed: the new manifest's siblings are unknown. */
static bool was_moved(const struct delete_verb *v, struct error *e)
{
    const struct resolve *z = &v->resolve;
    if (!v->by_digest || z->sight != SIGHT_DIGEST || resolve_found(z, v->change.previous))
        return false;
    error_set(e, REGTAG_E_GUARD, "refused: it was moved to %s meanwhile", z->digest);
    return true;
}

/* Collect all tag names of the repository in the manifest buffer, which this verb does not need. */
static enum regtag_event list_tags(struct regtag *r, struct delete_verb *v)
{
    v->listing.failed = 0;
    v->next = r->manifest_size = v->siblings_end;
    v->listed = v->expected = 0;
    v->in_list = false;
    ENTER("delete", v->state, DELETE_LIST);
    pages_begin(r, &v->pages, 0, &v->listing);
    return GO_ON;
}

/* From here on the tag can only be ours to have deleted if the manifest is. */
static enum regtag_event list_siblings(struct regtag *r, struct delete_verb *v)
{
    v->by_digest = v->change.refused = true;
    v->change.lost = false;
    v->change.attempts.failed = 0;
    error_clear(&v->change.cause);
    return list_tags(r, v);
}

static enum regtag_event settle_uncertain(struct regtag *r, struct delete_verb *v)
{
    struct error *problem = verb_problem(r);
    const char *seen = resolve_describe(r, &v->resolve);
    error_set(error_hint(problem, change_hint(r, &v->change)), REGTAG_E_UNCERTAIN,
              "uncertain whether the tag was deleted: %s; a second look: %s", v->change.cause.text,
              seen);
    return settle(r, v, REGTAG_TAG_UNCERTAIN, problem);
}

/* The manifest must not be deleted (again): an earlier request may still be carried out. */
static enum regtag_event keep_manifest(struct regtag *r, struct delete_verb *v,
                                       const struct error *problem)
{
    r->result.name = v->tag;
    return v->change.cause.status ? settle_uncertain(r, v) : settle(r, v, REGTAG_TAG_FAILED, problem);
}

/* Don't delete a manifest unless all its tags are known. */
static enum regtag_event siblings_unknown(struct regtag *r, struct delete_verb *v,
                                          const struct error *problem)
{
    struct error whole;
    error_clear(&whole);
    error_set(error_hint(&whole, problem->hint), problem->status,
              "nothing was deleted: cannot tell which other tags would be deleted as well: %s",
              problem->text);
    return keep_manifest(r, v, &whole);
}

/* A list that leaves out this tag may leave out others, too. */
static enum regtag_event not_in_list(struct regtag *r, struct delete_verb *v)
{
    struct error *problem = verb_problem(r);
    error_set(problem, REGTAG_E_PROTOCOL, "the list of tags leaves out this one");
    return siblings_unknown(r, v, problem);
}

static enum regtag_event on_resolved(struct regtag *r, struct delete_verb *v)
{
    struct error *problem = verb_problem(r);
    bool absent = v->resolve.sight == SIGHT_ABSENT;
    /* An earlier DELETE worked although its response did not say so. */
    if (absent && change_may_be_ours(&v->change))
        return settle(r, v, REGTAG_TAG_DELETED, NULL);
    if (was_moved(v, problem))
        return settle(r, v, REGTAG_TAG_FAILED, problem);
    if (!v->change.requested || v->resolve.sight != SIGHT_UNKNOWN)
        change_note_previous(r, &v->change, &v->resolve);
    if (!guard_holds(r, &v->resolve, problem))
        return settle(r, v, REGTAG_TAG_FAILED, problem);
    if (absent) {
        error_set(problem, REGTAG_E_NOT_FOUND, "no such tag");
        return settle(r, v, REGTAG_TAG_FAILED, problem);
    }
    if (r->config.dry_run)
        return r->config.siblings && *v->change.previous ? list_siblings(r, v)
                                                         : settle(r, v, REGTAG_TAG_DELETED, NULL);
    if (v->by_digest && v->resolve.sight == SIGHT_UNKNOWN)
        return siblings_unknown(r, v, &r->unknown);
    if (v->by_digest && !v->in_list)
        return not_in_list(r, v);
    if (v->by_digest && !v->checked)
        return list_tags(r, v);
    if (v->change.requested)
        return request(r, v);
    v->change.attempts.failed = 0;
    ENTER("delete", v->state, DELETE_ANNOUNCED);
    return REGTAG_UPLOAD;
}

static enum regtag_event step_resolve(struct regtag *r, struct delete_verb *v)
{
    REQUIRE(v->resolve.tag == v->tag && r->result.outcome == REGTAG_TAG_PENDING);
    return resolve_step(r, &v->resolve) ? on_resolved(r, v) : REGTAG_WAIT;
}

static enum regtag_event on_announced(struct regtag *r, struct delete_verb *v)
{
    const struct error *declined = &v->change.cause;
    REQUIRE(!v->change.requested && !r->config.dry_run && r->result.outcome == REGTAG_TAG_PENDING);
    return declined->status ? settle(r, v, REGTAG_TAG_FAILED, declined) : request(r, v);
}

/* ---- Siblings: the tags that point at the same manifest -------------------------------------- */

/* Whether the problem is that the registry cannot delete a tag alone, and its siblings may go with it. */
static bool may_list_siblings(const struct regtag *r, const struct delete_verb *v,
                              const struct error *problem)
{
    REQUIRE(problem->hint != REGTAG_HINT_SIBLINGS || !v->by_digest);
    return problem->hint == REGTAG_HINT_SIBLINGS && r->config.siblings && *v->change.previous;
}

/* Whether it was reported as a sibling. */
static bool was_reported(const struct regtag *r, struct delete_verb *v, const char *name)
{
    size_t at = v->expected;
    for (size_t left = v->siblings_end; left;) {
        const char *sibling = r->manifest + at;
        size_t size = strlen(sibling) + 1;
        at = at + size < v->siblings_end ? at + size : 0;
        left -= size;
        if (strcmp(sibling, name) == 0) {
            v->expected = at;
            return true;
        }
    }
    return false;
}

static bool keep_name(struct regtag *r, const char *name)
{
    size_t size = strlen(name) + 1;
    if (size > r->manifest_max - r->manifest_size)
        return false;
    memcpy(r->manifest + r->manifest_size, name, size);
    r->manifest_size += size;
    delete_of(r)->listed++;
    return true;
}

/* Everything listed is looked up, except the tag itself. */
static enum regtag_event look_at_siblings(struct regtag *r, struct delete_verb *v)
{
    lookups_begin(&v->lookups);
    if (v->listed > CONNECTION_QUEUE)
        remote_widen(&r->client.remote, v->listed);
    ENTER("delete", v->state, DELETE_SIBLINGS);
    return GO_ON;
}

static enum regtag_event step_list(struct regtag *r, struct delete_verb *v)
{
    struct error *problem = verb_problem(r);
    REQUIRE(v->by_digest && *v->change.previous && r->config.siblings);
    switch (pages_step(r, &v->pages, problem)) {
    case PAGES_WAIT: return REGTAG_WAIT;
    case PAGES_TAG:
        v->in_list = v->in_list || strcmp(v->pages.tags.name, v->tag) == 0;
        if (keep_name(r, v->pages.tags.name))
            return GO_ON;
        client_cancel(&r->client, &v->pages.exchange);
        error_set(problem, REGTAG_E_PROTOCOL, "more tags than fit in the memory");
        return siblings_unknown(r, v, problem);
    /* When it is read again, the tag may be gone: that is looked up last. */
    case PAGES_END: return v->in_list || v->reported ? look_at_siblings(r, v) : not_in_list(r, v);
    default: return siblings_unknown(r, v, problem);
    }
}

static void add_lookups(struct regtag *r, struct delete_verb *v)
{
    while (lookups_have_room(&v->lookups) && v->next < r->manifest_size) {
        const char *name = r->manifest + v->next;
        v->next += strlen(name) + 1;
        if (strcmp(name, v->tag) != 0)
            lookups_add(r, &v->lookups, name);
    }
}

/* Its name goes where those were that have been looked up. */
static enum regtag_event report_sibling(struct regtag *r, struct delete_verb *v, const char *name)
{
    size_t size = strlen(name) + 1;
    memcpy(r->manifest + v->siblings_end, name, size);
    v->siblings_end += size;
    return REGTAG_LISTED;
}

static enum regtag_event on_sibling(struct regtag *r, struct delete_verb *v, const struct lookup *k)
{
    struct error *problem = verb_problem(r);
    lookups_drop(&v->lookups);
    r->result.name = k->name;
    if (k->error.status) {
        lookups_cancel(r, &v->lookups);
        return siblings_unknown(r, v, &k->error);
    }
    if (!resolve_found(&k->resolve, v->change.previous))
        return GO_ON;
    if (!v->reported)
        return report_sibling(r, v, k->name);
    if (was_reported(r, v, k->name))
        return GO_ON;
    lookups_cancel(r, &v->lookups);
    error_set(problem, REGTAG_E_GUARD, "nothing was deleted: by now, the tag %s would go as well",
              k->name);
    return keep_manifest(r, v, problem);
}

/* The first look may have taken its time: look again, and at the tag itself last. */
static enum regtag_event on_siblings(struct regtag *r, struct delete_verb *v)
{
    r->result.name = v->tag;
    if (r->config.dry_run)
        return settle(r, v, REGTAG_TAG_DELETED, NULL);
    if (!v->reported) {
        v->reported = true;
        return list_tags(r, v);
    }
    v->checked = true;
    return resolve_again(r, v, 0);
}

static enum regtag_event step_siblings(struct regtag *r, struct delete_verb *v)
{
    REQUIRE(v->by_digest && *v->change.previous && v->siblings_end <= v->next &&
            v->next <= r->manifest_size);
    const struct lookup *first = lookups_first(&v->lookups);
    if (first)
        return on_sibling(r, v, first);
    add_lookups(r, v);
    lookups_step(r, &v->lookups);
    if (v->lookups.count)
        return lookups_first(&v->lookups) ? GO_ON : REGTAG_WAIT;
    return on_siblings(r, v);
}

/* ---- DELETE ---------------------------------------------------------------------------------- */

static enum regtag_event verify(struct regtag *r, struct delete_verb *v, const struct error *cause,
                                bool transient)
{
    change_leave_open(&v->change, cause, transient);
    ENTER("delete", v->state, DELETE_VERIFY);
    resolve_tag(r, v, v->tag, 0);
    return GO_ON;
}

static enum regtag_event on_answer(struct regtag *r, struct delete_verb *v)
{
    unsigned status = v->change.exchange.response->status;
    bool transient = status_is_transient(status);
    struct error *problem = verb_problem(r);
    if (status < 300) {
        error_set(problem, REGTAG_E_UNCERTAIN, "the registry accepted the request (HTTP %u)", status);
        return verify(r, v, problem, false);
    }
    if (change_is_refused(&v->change, status))
        return resolve_again(r, v, 0);
    exchange_explain(&v->change.exchange, problem);
    if (may_list_siblings(r, v, problem))
        return list_siblings(r, v);
    if (problem->status == REGTAG_E_SERVER_FAILED || problem->status == REGTAG_E_NOT_FOUND)
        return verify(r, v, problem, transient);
    return transient && resolve_later(r, v, problem, exchange_retry_after(&v->change.exchange))
               ? GO_ON
               : settle(r, v, REGTAG_TAG_FAILED, problem);
}

static enum regtag_event on_failure(struct regtag *r, struct delete_verb *v)
{
    const struct error *problem = &r->client.context.error;
    bool transient = exchange_is_transient(&v->change.exchange);
    if (exchange_may_have_acted(&v->change.exchange))
        return verify(r, v, problem, transient);
    return transient && resolve_later(r, v, problem, 0) ? GO_ON
                                                        : settle(r, v, REGTAG_TAG_FAILED, problem);
}

static enum regtag_event step_request(struct regtag *r, struct delete_verb *v)
{
    struct slice part;
    REQUIRE(v->change.requested && (!v->by_digest || *v->change.previous));
    switch (client_step(&r->client, &v->change.exchange, &part)) {
    case EXCHANGE_END: return on_answer(r, v);
    case EXCHANGE_FAILED: return on_failure(r, v);
    default: return REGTAG_WAIT;
    }
}

/* ---- After ----------------------------------------------------------------------------------- */

/* 404 to the DELETE of a tag that was seen: it may be gone since, or the registry deletes manifests only. */
static enum regtag_event on_missing(struct regtag *r, struct delete_verb *v)
{
    const struct error *cause = &v->change.cause;
    struct error *problem = verb_problem(r);
    if (v->resolve.sight == SIGHT_UNKNOWN)
        return settle_uncertain(r, v);
    if (v->resolve.sight == SIGHT_ABSENT && v->change.lost)
        return settle(r, v, REGTAG_TAG_DELETED, NULL);
    change_note_previous(r, &v->change, &v->resolve);
    if (!guard_holds(r, &v->resolve, problem))
        return settle(r, v, REGTAG_TAG_FAILED, problem);
    if (v->resolve.sight == SIGHT_ABSENT)
        return settle(r, v, REGTAG_TAG_FAILED, cause);
    error_set(error_hint(problem, v->by_digest ? 0 : REGTAG_HINT_SIBLINGS), REGTAG_E_IMMUTABLE,
              "the tag exists, but cannot be deleted: %s", cause->text);
    return may_list_siblings(r, v, problem) ? list_siblings(r, v)
                                            : settle(r, v, REGTAG_TAG_FAILED, problem);
}

static enum regtag_event step_verify(struct regtag *r, struct delete_verb *v)
{
    const struct error *cause = &v->change.cause;
    uint64_t resume;
    REQUIRE(v->change.requested && cause->status && v->resolve.tag == v->tag);
    if (!resolve_step(r, &v->resolve))
        return REGTAG_WAIT;
    if (cause->status == REGTAG_E_NOT_FOUND)
        return on_missing(r, v);
    if (v->resolve.sight == SIGHT_ABSENT)
        return settle(r, v, REGTAG_TAG_DELETED, NULL);
    switch (change_next(r, &v->change, &v->resolve, verb_problem(r), &resume)) {
    case CHANGE_NOW: return on_resolved(r, v);
    case CHANGE_LATER: return resolve_again(r, v, resume);
    default: break;
    }
    return cause->status == REGTAG_E_SERVER_FAILED ? settle(r, v, REGTAG_TAG_FAILED, cause)
                                                   : settle_uncertain(r, v);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static enum regtag_event step(struct regtag *r)
{
    struct delete_verb *v = delete_of(r);
    switch (v->state) {
    case DELETE_START: return begin(r, v);
    case DELETE_RESOLVE: return step_resolve(r, v);
    case DELETE_ANNOUNCED: return on_announced(r, v);
    case DELETE_REQUEST: return step_request(r, v);
    case DELETE_VERIFY: return step_verify(r, v);
    case DELETE_LIST: return step_list(r, v);
    case DELETE_SIBLINGS: return step_siblings(r, v);
    default: return verb_done(r);
    }
}

static void decline(struct regtag *r, const struct error *reason)
{
    delete_of(r)->change.cause = *reason;
}

static const struct verb DELETE = {.actions = "pull,push,delete", .step = step, .decline = decline};

enum regtag_status regtag_delete(struct regtag *r, const char *image)
{
    struct delete_verb *v = delete_of(r);
    const char *names[] = {v->tag};
    if (verb_begin(r, &DELETE, offsetof(struct delete_verb, pages) + TAG_PAGES_CLEARED, image) !=
        REGTAG_OK)
        return REGTAG_E_USAGE;
    if (r->reference.tag.size)
        memcpy(v->tag, r->reference.tag.data, r->reference.tag.size);
    if (guards_check(r, names, 1) != REGTAG_OK)
        return REGTAG_E_USAGE;
    guards_index(r, NULL, 0); /* the manifest buffer is for the siblings' names */
    if (r->reference.digest.size) {
        error_hint(&r->error, REGTAG_HINT_EXPECTED);
        return VERB_USAGE(r, "%s: name a tag to delete, not a digest", image);
    }
    if (r->reference.tag.size == 0)
        return VERB_USAGE(r, "%s: name the tag to delete; it is never guessed", image);
    return REGTAG_OK;
}
