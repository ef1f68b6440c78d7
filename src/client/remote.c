#include "client/remote.h"

#include <string.h>

#include "client/mask.h"

/* What a redirect or an upload leads to elsewhere may be a signed URL, which is as good as a password. */
static void trace_request(const struct remote *r, const struct regtag_origin *origin, struct slice line)
{
    bool is_signed = !r->asks_for_token && !remote_is_home(r, origin);
    size_t shown = is_signed ? slice_find(line, '?') : line.size;
    remote_tell(r, REGTAG_TRACE_REQUEST, "%.*s%s", SLICE_ARG(slice_head(line, shown)),
                shown < line.size ? "?***" : "");
}

void remote_init(struct remote *r, struct context *context, const struct regtag_side *side,
                 struct connection *connections, unsigned first, unsigned count)
{
    memset(r, 0, offsetof(struct remote, auth));
    r->context = context;
    context->remote = r;
    context->trace_request = trace_request;
    auth_init(&r->auth, side);
    r->connections = count;
    r->in_use = REGTAG_CONNECTIONS_MIN;
    r->first = first;
    r->home = &connections[first];
    r->away = &connections[first + 1];
    connection_init(r->home, context, first);
    connection_init(r->away, context, first + 1);
}

static void drop_login(struct remote *r)
{
    auth_wipe(&r->auth);
    auth_init(&r->auth, r->auth.side);
}

void remote_turn_to(struct remote *r, const struct regtag_origin *origin,
                    const struct reference *reference, const char *actions)
{
    uint64_t scope = slice_hash(slice_hash(HASH_START, reference->repository), slice_of(actions));
    bool same = remote_is_home(r, origin);
    if (!same) {
        remote_end(r);
        memset(r, 0, offsetof(struct remote, context));
    }
    if (!same || scope != r->scope)
        drop_login(r);
    r->origin = *origin;
    r->reference = reference;
    r->actions = actions;
    r->scope = scope;
}

void remote_pull_also(struct remote *r, const struct reference *also)
{
    uint64_t scope = also ? slice_hash(HASH_START, also->repository) : 0;
    if (scope != r->also_scope)
        drop_login(r);
    r->also = also;
    r->also_scope = scope;
}

/* Those that are not needed are never touched. */
void remote_widen(struct remote *r, uint64_t requests)
{
    unsigned count = r->connections - 1; /* without `away` */
    if (r->in_use == r->connections)
        return;
    for (; r->in_use < r->connections; r->in_use++)
        connection_init(&r->home[r->in_use], r->context, r->first + r->in_use);
    for (unsigned i = 0; i < count && requests > count * CONNECTION_QUEUE; i++)
        r->home[i ? i + 1 : 0].first_batch = CONNECTION_QUEUE * (i + 1) / count;
}

static bool takes_another(const struct remote *r, const struct connection *c)
{
    return c->count ? connection_can_pipeline(c, &r->origin) : !c->claim;
}

/* First batches of different sizes are filled one after the other. */
static bool is_better(const struct remote *r, const struct connection *c, const struct connection *than)
{
    bool takes = takes_another(r, c), other = than && takes_another(r, than);
    if (!than || takes != other)
        return !than || takes;
    if (!c->claim != !than->claim)
        return !c->claim;
    return c->count < than->count &&
           (!takes || than->first_batch == CONNECTION_QUEUE || than->batch > 1);
}

struct connection *remote_least_busy(struct remote *r, const struct transfer *t)
{
    struct connection *best = NULL;
    for (unsigned i = r->reserved; i < r->in_use; i++) {
        struct connection *c = &r->home[i];
        if (c == r->away)
            continue;
        if (c->claim == t)
            return c;
        if (is_better(r, c, best))
            best = c;
    }
    return best;
}

void remote_end(struct remote *r)
{
    for (unsigned i = 0; i < r->in_use; i++)
        connection_end(&r->home[i]);
    auth_wipe(&r->auth);
}

bool remote_is_home(const struct remote *r, const struct regtag_origin *origin)
{
    return origin_equal(origin, &r->origin);
}

struct connection *remote_connection(struct remote *r, const struct regtag_origin *origin)
{
    return remote_is_home(r, origin) ? r->home : r->away;
}

void remote_unclaim(struct remote *r, const struct transfer *t)
{
    for (unsigned i = 0; i < r->in_use; i++) {
        struct connection *c = &r->home[i];
        if (!c->claim || (t && c->claim != t))
            continue;
        c->claim = NULL;
        r->context->wake = r->context->now; /* another one may wait for it */
    }
}

bool remote_pipelines(const struct remote *r)
{
    return !r->alone && !auth_expects_challenge(&r->auth);
}

static void mask_proxy_login(const struct remote *r, const struct regtag_origin *origin, char *text,
                             size_t size)
{
    const struct regtag_transport *t = &r->context->config->transport;
    struct slice login = slice_of(t->proxy ? t->proxy(t->context, origin) : NULL);
    if (slice_starts(login, SLICE("Basic ")))
        mask_encoded_login(slice_from(login, 6), text, size);
}

void remote_mask(const struct remote *r, char *text, size_t size)
{
    auth_mask(&r->auth, text, size);
    mask_proxy_login(r, &r->origin, text, size);
    mask_proxy_login(r, &r->away->origin, text, size);
}

void remote_tell(const struct remote *r, enum regtag_trace kind, const char *format, ...)
{
    const struct regtag_config *config = r->context->config;
    char text[512];
    struct writer w = writer_to(text, sizeof text);
    va_list arguments;
    if (!config->trace)
        return;
    va_start(arguments, format);
    write_arguments(&w, format, arguments);
    va_end(arguments);
    remote_mask(r, text, w.used);
    config->trace(config->trace_context, kind, text, w.used);
}
