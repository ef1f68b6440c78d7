#include "registry/lookups.h"

#include <string.h>

static struct lookup *at(struct lookups *l, unsigned index)
{
    return &l->ring[(l->first + index) % TAGS_AT_ONCE];
}

static void fail(struct lookup *k, const struct error *problem)
{
    k->error = *problem;
    k->over = true;
}

void lookups_begin(struct lookups *l)
{
    l->first = l->count = 0;
    error_clear(&l->abort);
}

bool lookups_have_room(const struct lookups *l)
{
    return l->count < TAGS_AT_ONCE;
}

void lookups_add(struct regtag *r, struct lookups *l, const char *name)
{
    struct lookup *k = at(l, l->count++);
    struct resolve_options options = {
        .certain = true, .pipelined = true, .reason = &k->error, .attempts = &k->attempts};
    memset(k, 0, offsetof(struct lookup, error));
    error_clear(&k->error);
    memcpy(k->name, name, strlen(name) + 1);
    if (l->abort.status)
        fail(k, &l->abort);
    else
        resolve_begin(r, &k->resolve, k->name, &options);
}

void lookups_go_aside(struct regtag *r, struct lookups *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        struct exchange *x = &at(l, i)->resolve.exchange;
        if (x->transfer.connection == r->client.remote.home)
            exchange_restart(x);
    }
}

static void step_one(struct regtag *r, struct lookups *l, struct lookup *k)
{
    if (l->abort.status) {
        client_cancel(&r->client, &k->resolve.exchange);
        fail(k, &l->abort);
    } else if (resolve_step(r, &k->resolve)) {
        k->over = true;
        if (k->resolve.sight == SIGHT_UNKNOWN) /* `error` says why */
            verb_cannot_go_on(r, &l->abort);
        else
            error_clear(&k->error);
    }
}

void lookups_step(struct regtag *r, struct lookups *l)
{
    for (unsigned i = 0; i < l->count; i++)
        if (!at(l, i)->over)
            step_one(r, l, at(l, i));
}

const struct lookup *lookups_first(const struct lookups *l)
{
    const struct lookup *k = &l->ring[l->first];
    return l->count && k->over ? k : NULL;
}

void lookups_drop(struct lookups *l)
{
    l->first = (l->first + 1) % TAGS_AT_ONCE;
    l->count--;
}

void lookups_cancel(struct regtag *r, struct lookups *l)
{
    for (unsigned i = 0; i < l->count; i++)
        client_cancel(&r->client, &at(l, i)->resolve.exchange);
    l->count = 0;
}
