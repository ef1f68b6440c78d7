/* regtag_tag: points one or more tags at an image. Their moves (move.h) go on side by side, and are reported in
 * the order of the names. */
#include <string.h>

#include "base/names.h"
#include "registry/manifest_fetch.h"
#include "registry/move.h"

enum tag_state {
    TAG_START,
    TAG_FETCH, /* the manifest; meanwhile the first tags are resolved */
    TAG_MOVES,
    TAG_OVER
};

struct tag_verb {
    enum tag_state state;
    size_t next;           /* index of the next name to begin with */
    unsigned first, count; /* of the moves: a ring */
    bool of_image;         /* abort_error is about the image, or all of it, not about a tag */
    struct move *guarded;  /* the one that has a connection for itself, or NULL */
    struct names names;
    struct attempts attempts; /* of the fetch */
    struct manifest_fetch fetch;
    struct error abort_error; /* fails all names that were not touched yet */
    struct move moves[TAGS_AT_ONCE];
};

/* Bytes at the start of the struct that must be zeroed. */
#define CLEARED offsetof(struct tag_verb, abort_error)

VERB_FITS(tag_verb);

static struct tag_verb *tag_of(struct regtag *r)
{
    return (struct tag_verb *)(void *)r->verb_memory.bytes;
}

static struct move *move_at(struct tag_verb *v, unsigned index)
{
    return &v->moves[(v->first + index) % TAGS_AT_ONCE];
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void add_move(struct regtag *r, struct tag_verb *v, const char *name)
{
    struct move *m = move_at(v, v->count++);
    move_begin(r, m, name, guard_exists(r, name));
    if (v->abort_error.status)
        move_fail(r, m, &v->abort_error, v->of_image);
}

/* Before the manifest is there, there is no memory for an index of the names. */
static bool is_under_way(struct tag_verb *v, const char *name)
{
    for (unsigned i = 0; i < v->count; i++)
        if (strcmp(move_at(v, i)->name, name) == 0)
            return true;
    return false;
}

static void add_first_moves(struct regtag *r, struct tag_verb *v)
{
    for (; v->count < TAGS_AT_ONCE && v->next < v->names.count; v->next++)
        if (!is_under_way(v, v->names.list[v->next]))
            add_move(r, v, v->names.list[v->next]);
}

static void add_moves(struct regtag *r, struct tag_verb *v)
{
    for (; v->count < TAGS_AT_ONCE && v->next < v->names.count; v->next++)
        if (names_is_first(&v->names, v->next))
            add_move(r, v, v->names.list[v->next]);
}

/* The indexes of names and guards go in the unused rest of the manifest buffer. */
static void index_names(struct regtag *r, struct tag_verb *v)
{
    size_t half = (r->manifest_max - r->manifest_size) / 2;
    char *behind = r->manifest + r->manifest_size;
    names_begin(&v->names, v->names.list, v->names.count, '\0', behind, half);
    guards_index(r, behind + half, half);
    for (size_t i = 0; i < v->next; i++)
        names_is_first(&v->names, i);
}

/* ---- The manifest ---------------------------------------------------------------------------- */

/* The first tags are resolved at the same time, which saves a round trip. */
static void begin(struct regtag *r, struct tag_verb *v)
{
    struct fetch_options options = {
        .platform = slice_of(r->config.platform), .to_tag = true, .attempts = &v->attempts};
    if (v->names.count > CONNECTION_QUEUE)
        remote_widen(&r->client.remote, v->names.count);
    add_first_moves(r, v);
    ENTER("tag", v->state, TAG_FETCH);
    fetch_begin(r, &v->fetch, &options);
}

static void step_fetch(struct regtag *r, struct tag_verb *v)
{
    enum fetch_event event = fetch_step(r, &v->fetch, &v->abort_error);
    if (event == FETCH_WAIT)
        return;
    v->of_image = event == FETCH_FAILED;
    index_names(r, v);
    ENTER("tag", v->state, TAG_MOVES);
}

/* ---- Moves ----------------------------------------------------------------------------------- */

/* A guarded move has a connection for itself from its lookup to its PUT, so that nothing delays the PUT. */
static bool may_go_on(struct regtag *r, struct tag_verb *v, struct move *m)
{
    if (!m->guarded || v->guarded == m)
        return true;
    if (v->guarded || !*r->digest)
        return false;
    v->guarded = m;
    r->client.remote.reserved = true;
    remote_unclaim(&r->client.remote, NULL); /* others wait for other connections now */
    return true;
}

static void leave(struct regtag *r, struct tag_verb *v, const struct move *m)
{
    if (v->guarded != m)
        return;
    v->guarded = NULL;
    r->client.remote.reserved = false;
    r->client.context.wake = r->client.context.now; /* others may have waited for it */
}

/* If the registry is unreachable or time is up, the names that were not touched yet fail, too. */
static void on_settled(struct regtag *r, struct tag_verb *v, const struct move *m)
{
    leave(r, v, m);
    if (m->result.status != REGTAG_OK)
        verb_cannot_go_on(r, &v->abort_error);
}

static bool is_untouched(const struct move *m)
{
    return m->state < MOVE_UPLOAD && !m->change.requested;
}

/* Requests go out with that for the manifest, and wait with it: but not behind that for an index, which may
 * end it all. */
static bool may_look(const struct regtag *r, const struct tag_verb *v, const struct move *m)
{
    bool index = slice_of(r->config.platform).size && v->fetch.state != FETCH_CHILD;
    return v->state != TAG_FETCH || exchange_is_in_flight(&m->resolve.exchange) ||
           r->client.logging_in == &m->resolve.exchange ||        /* all wait for that, */
           r->client.remote.redirected == &m->resolve.exchange || /* or may have to */
           (!index && exchange_is_in_flight(&v->fetch.exchange));
}

static void look(struct regtag *r, struct tag_verb *v, struct move *m)
{
    if (v->abort_error.status && is_untouched(m)) {
        move_fail(r, m, &v->abort_error, v->of_image);
        leave(r, v, m);
    } else if (!may_look(r, v, m))
        remote_unclaim(&r->client.remote, &m->resolve.exchange.transfer);
    else if (may_go_on(r, v, m))
        move_look(r, m);
}

static enum regtag_event step_move(struct regtag *r, struct tag_verb *v, struct move *m)
{
    enum regtag_event event = move_step(r, m);
    if (event == REGTAG_SETTLED)
        on_settled(r, v, m);
    return event;
}

static enum regtag_event step_moves(struct regtag *r, struct tag_verb *v)
{
    for (unsigned i = 0; i < v->count; i++)
        if (move_at(v, i)->state != MOVE_OVER)
            look(r, v, move_at(v, i));
    for (unsigned i = 0; i < v->count; i++)
        if (move_at(v, i)->state != MOVE_OVER && step_move(r, v, move_at(v, i)) == REGTAG_UPLOAD)
            return REGTAG_UPLOAD;
    return REGTAG_WAIT;
}

static enum regtag_event report(struct regtag *r, struct tag_verb *v)
{
    move_show(r, move_at(v, 0));
    v->first = (v->first + 1) % TAGS_AT_ONCE;
    v->count--;
    return REGTAG_SETTLED;
}

static enum regtag_event over_without_names(struct regtag *r, const struct tag_verb *v)
{
    return v->abort_error.status ? verb_failed(r, &v->abort_error) : verb_done(r);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static enum regtag_event step(struct regtag *r)
{
    struct tag_verb *v = tag_of(r);
    if (v->state == TAG_START)
        begin(r, v);
    if (v->count && move_at(v, 0)->state == MOVE_OVER)
        return report(r, v);
    if (v->state == TAG_FETCH)
        step_fetch(r, v);
    if (v->state == TAG_MOVES)
        add_moves(r, v);
    if (step_moves(r, v) == REGTAG_UPLOAD)
        return REGTAG_UPLOAD;
    if (v->count)
        return move_at(v, 0)->state == MOVE_OVER ? GO_ON : REGTAG_WAIT;
    if (v->state == TAG_FETCH)
        return REGTAG_WAIT;
    ENTER("tag", v->state, TAG_OVER);
    return v->names.count ? verb_done(r) : over_without_names(r, v);
}

static void decline(struct regtag *r, const struct error *reason)
{
    struct tag_verb *v = tag_of(r);
    v->abort_error = *reason;
    v->of_image = true;
}

static const struct verb TAG = {.actions = "pull,push", .step = step, .decline = decline};

static bool are_tags(struct regtag *r, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_of(names[i]);
        if (tag_valid(name))
            continue;
        bool reference = slice_find(name, '/') < name.size || slice_find(name, ':') < name.size;
        VERB_USAGE(r,
                   "\"%.*s\" is not a tag: %sa tag is 1 to 128 letters, digits, '_', '.' and '-', not "
                   "starting with '.' or '-'",
                   SLICE_ARG(slice_head(name, 400)), reference ? "leave out the repository; " : "");
        return false;
    }
    return true;
}

enum regtag_status regtag_tag(struct regtag *r, const char *image, const char *const *names,
                              size_t count)
{
    struct tag_verb *v = tag_of(r);
    if (verb_begin_image(r, &TAG, CLEARED, image) != REGTAG_OK ||
        !fetch_check_platform(r, slice_of(r->config.platform)) || !are_tags(r, names, count))
        return REGTAG_E_USAGE;
    v->names.list = names;
    v->names.count = count;
    error_clear(&v->abort_error);
    return guards_check(r, names, count);
}
