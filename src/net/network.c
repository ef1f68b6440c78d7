#include "net/network.h"

#include <string.h>

static struct network_connection *connection_of(void *context, unsigned connection)
{
    struct network *n = context;
    return &n->connections[connection];
}

/* The text stays in *e. */
static void describe(const struct error *e, struct regtag_failure *f)
{
    f->status = (enum regtag_status)e->status;
    f->text = e->text;
    f->hint = (enum regtag_hint)e->hint;
}

/* ---- Names ----------------------------------------------------------------------------------- */

static ptrdiff_t resolve(void *context, unsigned connection, const struct regtag_origin *origin,
                         struct regtag_address *list, size_t room, int *fd, struct regtag_failure *f)
{
    const struct network *n = context;
    struct network_connection *c = connection_of(context, connection);
    error_clear(&c->error);
    ptrdiff_t count = lookup_step(&c->lookup, n->overrides, origin, list, room, &c->error);
    *fd = c->lookup.fd;
    if (count == REGTAG_IO_AGAIN)
        f->text = lookup_timeout_text();
    if (count != REGTAG_IO_FAILED)
        return count;
    describe(&c->error, f);
    f->lasting = c->lookup.unknown;
    return count;
}

static void cancel_lookup(void *context, unsigned connection)
{
    lookup_end(&connection_of(context, connection)->lookup);
}

/* ---- Proxies --------------------------------------------------------------------------------- */

static const struct regtag_origin *choose_proxy(void *context, unsigned connection,
                                                const struct regtag_origin *origin,
                                                struct regtag_failure *f)
{
    const struct network *n = context;
    struct network_connection *c = connection_of(context, connection);
    error_clear(&c->error);
    if (!proxy_choose(&c->proxy, n->proxies, origin, &c->error))
        describe(&c->error, f);
    if (!c->proxy.used)
        return NULL;
    if (origin->tls) {
        tunnel_begin(&c->tunnel, &c->proxy, origin, c->tunnel_memory);
        c->tunnelling = true;
    }
    return &c->proxy.origin;
}

static const char *authorization(void *context, const struct regtag_origin *origin)
{
    struct network *n = context;
    struct error ignored; /* opening the connection will meet it again */
    error_clear(&ignored);
    bool chosen = proxy_choose(&n->asked, n->proxies, origin, &ignored);
    return chosen && n->asked.used ? n->asked.authorization : NULL;
}

static int step_tunnel(void *context, unsigned connection, int fd, short *events, uint64_t *until,
                       struct regtag_failure *f)
{
    struct network_connection *c = connection_of(context, connection);
    switch (tunnel_step(&c->tunnel, fd, &c->error)) {
    case TUNNEL_READ: *events = POLLIN; break;
    case TUNNEL_WRITE: *events = POLLOUT; break;
    case TUNNEL_DONE: return 0;
    case TUNNEL_FAILED:
        describe(&c->error, f);
        f->lasting = c->tunnel.response.status >= 400 && c->tunnel.response.status < 500;
        return REGTAG_IO_FAILED;
    }
    *until = tunnel_until(&c->tunnel);
    return REGTAG_IO_AGAIN;
}

static void end_proxy(void *context, unsigned connection)
{
    struct network_connection *c = connection_of(context, connection);
    if (c->tunnelling)
        tunnel_end(&c->tunnel);
    c->tunnelling = false;
    proxy_wipe(&c->proxy);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void on_progress(void *context, unsigned connection, enum regtag_progress step,
                        const char *address)
{
    static const char *const TEXTS[] = {"connected to ", "the proxy's tunnel is open", "TLS is up"};
    const struct network *n = context;
    char text[160];
    struct writer w = writer_to(text, sizeof text);
    (void)connection;
    write_format(&w, "%s%s", TEXTS[step], address ? address : "");
    n->trace(n->trace_context, REGTAG_TRACE_NOTE, text, w.used);
}

struct regtag_transport network_begin(struct network *n, unsigned connections)
{
    struct regtag_sockets *s = &n->sockets;
    s->sockets = n->memory;
    s->count = connections;
    s->resolver.context = s->proxies.context = s->progress_context = n;
    s->resolver.resolve = resolve;
    s->resolver.cancel = cancel_lookup;
    s->proxies.choose = choose_proxy;
    s->proxies.authorization = authorization;
    s->proxies.tunnel = step_tunnel;
    s->proxies.end = end_proxy;
    s->progress = n->trace ? on_progress : NULL;
    s->tls = tls_hooks(n->tls, connections);
    return regtag_sockets_transport(s);
}

enum regtag_event network_step(struct network *n, struct regtag *operation)
{
    return regtag_sockets_run(&n->sockets, operation, n->want, n->list,
                              sizeof n->list / sizeof n->list[0]);
}

void network_end(struct network *n)
{
    regtag_sockets_close(&n->sockets);
    proxy_wipe(&n->asked);
}
