#include "client/client.h"

#include <string.h>

#include "base/debug.h"

#define READS_A_STEP 64u

void client_init(struct client *c, const struct regtag_config *config, const struct regtag_side *side,
                 struct connection *connections, unsigned first, unsigned count)
{
    memset(&c->context, 0, offsetof(struct context, error));
    error_clear(&c->context.error);
    c->context.config = config;
    c->logging_in = NULL;
    remote_init(&c->remote, &c->context, side, connections, first, count);
    login_init(&c->login);
}

void client_end(struct client *c)
{
    login_cancel(&c->login);
    c->logging_in = NULL;
    login_wipe(&c->login);
    remote_end(&c->remote);
}

void client_rest(struct client *c)
{
    for (unsigned i = 0; i < c->remote.in_use; i++)
        if (connection_is_wanted(&c->remote.home[i]))
            connection_close(&c->remote.home[i]);
}

void client_again(struct client *c)
{
    login_cancel(&c->login);
    c->logging_in = NULL;
    error_clear(&c->context.error);
    c->context.permanent = c->context.unreachable = false;
    remote_unclaim(&c->remote, NULL);
    c->remote.redirected = NULL;
    c->remote.reserved = c->remote.occupied = false;
    c->remote.auth.pinged = false;
    c->remote.pause = 0;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

void client_begin_step(struct client *c, uint64_t now, uint64_t deadline)
{
    c->context.now = now;
    c->context.deadline = deadline;
    c->context.wake = deadline;
    c->context.queued = false;
    c->context.reads_left = READS_A_STEP;
    for (unsigned i = 0; i < c->remote.in_use; i++)
        connection_begin_step(&c->remote.home[i]);
}

void client_end_step(struct client *c, struct regtag_want *want, size_t count)
{
    for (unsigned i = 0; i < c->remote.in_use; i++)
        connection_want(&c->remote.home[i], want, count);
}

/* ---- Exchanges ------------------------------------------------------------------------------- */

void client_begin(struct client *c, struct exchange *x, const struct request *request)
{
    client_cancel(c, x);
    exchange_begin(x, &c->remote, request);
}

/* Others may have waited for it. */
static void end_login(struct client *c)
{
    c->logging_in = NULL;
    c->context.wake = c->context.now;
}

void client_cancel(struct client *c, struct exchange *x)
{
    if (c->logging_in == x) {
        login_cancel(&c->login);
        end_login(c);
    }
    exchange_cancel(x);
}

/* Whether to renew an expired token before sending the request. Not before a write: its guard may just
 * have been checked, and a renewal would widen the race window. */
static bool needs_renewal(const struct exchange *x)
{
    const struct remote *r = x->remote;
    bool unsent = x->state == EXCHANGE_PENDING || !x->transfer.connection;
    return unsent && exchange_due(x) <= r->context->now && !x->logins &&
           (x->request.method == METHOD_GET || x->request.method == METHOD_HEAD) &&
           auth_has_expired(&r->auth, r->context->now);
}

static void log_in(struct client *c, struct exchange *x, enum login_state state)
{
    x->logins++;
    c->logging_in = x;
    remote_unclaim(x->remote, NULL); /* what others wait for has to wait for the login */
    login_begin(&c->login, state, x->remote, x->request.attempts);
}

/* Whether the 401 came from the registry itself, not from the target of a redirect. */
static bool is_challenged(const struct exchange *x)
{
    return x->response->status == 401 && exchange_is_home(x);
}

static enum exchange_event refused(struct exchange *x)
{
    exchange_cancel(x);
    x->transfer.sent = x->transfer.answered = false; /* a refused request had no effect */
    return EXCHANGE_FAILED;
}

/* Whether a 401 counts for good: with a token that was made for this request, unless it had to wait until the token had
 * expired, or others had used it up. That happens once. */
static bool is_final(const struct exchange *x)
{
    const struct remote *r = x->remote;
    return x->logins > 1 || (x->logins == 1 && !auth_is_worn(&r->auth, r->context->now));
}

/* Responds to a challenge; false if that is not possible, with the error set. */
static bool on_challenge(struct client *c, struct exchange *x)
{
    struct remote *r = x->remote;
    struct error *e = &c->context.error;
    error_clear(e);
    switch (auth_challenged(&r->auth, &r->origin, x->response, is_final(x), e)) {
    case AUTH_REPEAT:
        x->logins++;
        exchange_restart(x);
        return true;
    case AUTH_TOKEN: log_in(c, x, LOGIN_TOKEN); return true;
    case AUTH_PING: log_in(c, x, LOGIN_PING); return true;
    default: return false;
    }
}

/* A login for all: those that were sent before it are simply sent again. */
static bool was_sent_before_login(const struct exchange *x)
{
    return x->login != x->remote->auth.logins;
}

/* Responds to a 401; false if that is not possible, with the error set. */
static bool on_refusal(struct client *c, struct exchange *x)
{
    if (!c->logging_in && !was_sent_before_login(x))
        return on_challenge(c, x);
    exchange_restart(x);
    return true;
}

/* While another exchange logs in, only those that were sent before are stepped. Returns whether this one
 * has to wait; then it holds nothing that the login may need. */
static bool waits_for_login(const struct client *c, struct exchange *x)
{
    if (!c->logging_in || c->logging_in == x || x->transfer.connection)
        return false;
    exchange_yield(x);
    return true;
}

/* The login of this exchange. EXCHANGE_END: it is over. */
static enum exchange_event step_login(struct client *c, struct exchange *x)
{
    enum login_event login = login_step(&c->login);
    if (login == LOGIN_WAIT)
        return EXCHANGE_WAIT;
    end_login(c);
    if (login == LOGIN_FAILED)
        return refused(x);
    exchange_restart(x);
    return EXCHANGE_END;
}

/* A password that the registry has refused is not sent again, for any request. */
static bool is_in_vain(struct client *c, struct exchange *x)
{
    struct auth *a = &x->remote->auth;
    if (!a->refused || x->state != EXCHANGE_PENDING)
        return false;
    error_clear(&c->context.error);
    auth_refuse(a, &c->context.error);
    return true;
}

enum exchange_event client_step(struct client *c, struct exchange *x, struct slice *part)
{
    for (;;) {
        if (waits_for_login(c, x))
            return EXCHANGE_WAIT;
        if (is_in_vain(c, x))
            return refused(x);
        if (!c->logging_in && needs_renewal(x)) {
            remote_tell(x->remote, REGTAG_TRACE_NOTE, "the token has expired");
            log_in(c, x, LOGIN_TOKEN);
        }
        enum exchange_event event = c->logging_in == x ? step_login(c, x) : EXCHANGE_END;
        if (event != EXCHANGE_END)
            return event;
        event = exchange_step(x, part);
        if (event != EXCHANGE_END || !is_challenged(x))
            return event;
        if (!on_refusal(c, x))
            return refused(x);
    }
}
