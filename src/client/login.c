#include "client/login.h"

#include <string.h>

#include "base/debug.h"
#include "base/wipe.h"

static const struct slice FORM_TYPE = SLICE_INIT("application/x-www-form-urlencoded");

#define NOT_ITS_ANSWER "this is not the answer of a token server"

/* Meanings of a token server's error responses. */
static const struct meaning TOKEN_MEANINGS[] = {
    {404, 404, REGTAG_E_PROTOCOL, CODE_ANY, 0, "no token server at this address"},
    {429, 429, REGTAG_E_SLOW_DOWN, CODE_ANY, 0, "it asks to slow down; try again later"},
    {400, 403, REGTAG_E_DENIED, CODE_ANY, 0, "it rejects these credentials"},
    {500, 999, REGTAG_E_SERVER_FAILED, CODE_ANY, 0, "it failed; try again later"},
    {0, 999, REGTAG_E_PROTOCOL, CODE_ANY, 0, NOT_ITS_ANSWER},
};

void login_init(struct login *l)
{
    memset(l, 0, offsetof(struct login, form));
}

void login_wipe(struct login *l)
{
    wipe(l->form, l->form_size);
    l->form_size = 0;
}

void login_cancel(struct login *l)
{
    exchange_cancel(&l->exchange);
    ENTER("login", l->state, LOGIN_IDLE);
}

static enum login_event over(struct login *l, enum login_event event)
{
    login_cancel(l);
    return event;
}

/* ---- Requesting a token ---------------------------------------------------------------------- */

static void ask_for_token(struct login *l)
{
    struct remote *r = l->remote;
    struct writer form = writer_to(l->form, sizeof l->form);
    struct request q = {.method = METHOD_GET,
                        .origin = &l->server,
                        .to_token_server = true,
                        .content = true,
                        .resend = RESEND_FREELY,
                        .guarded = true,       /* or what it is for may be */
                        .alone = !r->reserved, /* the first connection may carry a blob for long */
                        .meanings = TOKEN_MEANINGS,
                        .attempts = l->attempts};
    struct slice target;

    login_wipe(l); /* the last one may have been longer */
    auth_token_server(&r->auth, &l->server, &target);
    auth_write_form(&r->auth, r->reference, r->actions, r->also, &form);
    l->form_size = form.used;
    l->too_long = form.overflow;
    q.target = written(&form);
    if (auth_by_post(&r->auth)) {
        q.method = METHOD_POST;
        q.target = target;
        q.body = (struct body){.size = form.used, .bytes = l->form};
        q.content_type = &FORM_TYPE;
    }
    l->asked = r->context->now;
    ENTER("login", l->state, LOGIN_TOKEN);
    auth_begin_token(&r->auth);
    exchange_begin(&l->exchange, r, &q);
}

/* `problem` may point into the context's error: copy it before clearing that. */
static enum login_event token_failed(struct login *l, int status, int hint, const char *problem)
{
    struct error *e = &l->remote->context->error;
    char text[ERROR_TEXT_MAX];
    struct writer w = writer_to(text, sizeof text - 1);
    struct url realm;
    url_parse(&realm, slice_of(l->remote->auth.realm));
    write_format(&w, "no token from %.*s: %s", SLICE_ARG(realm.authority), problem);
    text[w.used] = '\0';
    error_clear(e);
    error_set(e, status, "%s", text);
    e->hint = hint;
    return over(l, LOGIN_FAILED);
}

/* Many token servers support only GET. */
static bool falls_back_to_get(struct login *l)
{
    struct auth *a = &l->remote->auth;
    unsigned status = l->exchange.response->status;
    bool lacks_post = status == 404 || status == 405 || status == 415 || status == 501;
    if (!lacks_post || !auth_by_post(a))
        return false;
    a->by_get = true;
    ask_for_token(l);
    return true;
}

static enum login_event on_token_answer(struct login *l)
{
    struct auth *a = &l->remote->auth;
    struct error *e = &l->remote->context->error;
    const char *why = a->credentials->unavailable;
    if (l->exchange.response->status != 200) {
        exchange_explain(&l->exchange, e);
        a->refused = !a->logins && e->status == REGTAG_E_DENIED && l->exchange.response->status != 407;
        if (e->status == REGTAG_E_DENIED && l->exchange.response->status != 407 && why && *why)
            return token_failed(l, REGTAG_E_CREDENTIALS, 0, why);
        return token_failed(l, e->status, e->hint, e->text);
    }
    if (!token_answer_end(&a->answer))
        return token_failed(l, REGTAG_E_PROTOCOL, 0, a->answer.problem);
    auth_accept_token(a, l->asked);
    return over(l, LOGIN_DONE);
}

static enum login_event on_token_failure(struct login *l)
{
    const struct error *e = &l->remote->context->error;
    return token_failed(l, e->status, e->hint, e->text);
}

static enum login_event step_token(struct login *l)
{
    struct auth *a = &l->remote->auth;
    struct slice part;
    REQUIRE(l->state == LOGIN_TOKEN && *a->realm && l->form_size);
    if (l->too_long)
        return token_failed(l, REGTAG_E_CREDENTIALS, 0, "the identity token is too long to be sent");
    for (;;) {
        switch (exchange_step(&l->exchange, &part)) {
        case EXCHANGE_HEAD: auth_begin_token(a); break;
        case EXCHANGE_BODY:
            if (!token_answer_take(&a->answer, part))
                return token_failed(l, REGTAG_E_PROTOCOL, 0, a->answer.problem);
            break;
        case EXCHANGE_END:
            if (falls_back_to_get(l))
                break;
            return on_token_answer(l);
        case EXCHANGE_FAILED: return on_token_failure(l);
        default: return LOGIN_WAIT;
        }
    }
}

/* ---- Requesting a challenge ------------------------------------------------------------------ */

static void ping(struct login *l)
{
    struct request q = {.method = METHOD_GET,
                        .target = SLICE("/v2/"),
                        .guarded = true,
                        .alone = !l->remote->reserved,
                        .meanings = ANSWER_MEANINGS,
                        .attempts = l->attempts};
    l->remote->auth.pinged = true;
    ENTER("login", l->state, LOGIN_PING);
    exchange_begin(&l->exchange, l->remote, &q);
}

/* The original 401 stands. */
static enum login_event unchallenged(struct login *l)
{
    struct error *e = &l->remote->context->error;
    error_clear(e);
    auth_denied(&l->remote->auth, e, "not authenticated, and the registry does not say how");
    return over(l, LOGIN_FAILED);
}

/* Another server that the question was redirected to has no say in who gets the credentials. */
static enum login_event on_ping_answer(struct login *l)
{
    struct remote *r = l->remote;
    struct context *c = r->context;
    if (!exchange_is_home(&l->exchange))
        return unchallenged(l);
    error_clear(&c->error);
    switch (auth_challenged(&r->auth, &r->origin, l->exchange.response, false, &c->error)) {
    case AUTH_REPEAT: return over(l, LOGIN_DONE);
    case AUTH_TOKEN: ask_for_token(l); return step_token(l);
    default: return over(l, LOGIN_FAILED);
    }
}

static enum login_event step_ping(struct login *l)
{
    struct slice part;
    REQUIRE(l->state == LOGIN_PING && l->remote->auth.pinged);
    switch (exchange_step(&l->exchange, &part)) {
    case EXCHANGE_END: return on_ping_answer(l);
    case EXCHANGE_FAILED: return unchallenged(l);
    default: return LOGIN_WAIT;
    }
}

/* ---- Steps ----------------------------------------------------------------------------------- */

void login_begin(struct login *l, enum login_state state, struct remote *remote,
                 struct attempts *attempts)
{
    REQUIRE(l->state == LOGIN_IDLE && state != LOGIN_IDLE);
    l->remote = remote;
    l->attempts = attempts;
    if (state == LOGIN_PING)
        ping(l);
    else
        ask_for_token(l);
}

enum login_event login_step(struct login *l)
{
    REQUIRE(l->state != LOGIN_IDLE);
    return l->state == LOGIN_PING ? step_ping(l) : step_token(l);
}
