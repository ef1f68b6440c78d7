/* What lies between a request and its answer: challenges, token servers, redirections. The phase whose
 * request it was goes on afterwards, by sending it again. */
#include <string.h>

#include "registry/operation.h"

#define REDIRECTS_MAX 5

/* ---- Whether to take one --------------------------------------------------------------------- */

/* Whether the answer at hand is the registry's own. */
static bool at_home(const struct regtag *r)
{
    return r->exchange.connection == &r->exchange.connections[0];
}

static bool is_redirection(const struct regtag *r)
{
    unsigned status = r->exchange.response.status;
    bool keeps_method = status == 307 || status == 308;
    bool is_get = status == 301 || status == 302 || status == 303;
    return keeps_method || (is_get && r->phase != PHASE_UPLOAD && r->phase != PHASE_DELETE);
}

enum phase detour_for(const struct regtag *r)
{
    bool detour = r->phase == PHASE_CHALLENGE || r->phase == PHASE_PING || r->phase == PHASE_TOKEN ||
                  r->phase == PHASE_REDIRECT || r->phase == PHASE_WORDS || r->phase == PHASE_RETRY ||
                  r->phase == PHASE_DRAIN;
    if (detour)
        return PHASE_IDLE;
    if (r->exchange.response.status == 401 && at_home(r))
        return PHASE_CHALLENGE;
    return is_redirection(r) ? PHASE_REDIRECT : PHASE_IDLE;
}

/* ---- Challenges ------------------------------------------------------------------------------ */

static enum regtag_event turn(struct regtag *r, enum phase phase)
{
    r->phase = phase;
    r->begun = false;
    return GO_ON;
}

static enum regtag_event challenged(struct regtag *r)
{
    struct error problem = {.status = 0};
    switch (auth_challenged(&r->auth, &r->config, &r->origin, &r->exchange.response, &problem)) {
    case AUTH_REPEAT: return operation_repeat(r);
    case AUTH_TOKEN: return turn(r, PHASE_TOKEN);
    case AUTH_PING: return turn(r, PHASE_PING);
    default: return operation_refuse(r, &problem);
    }
}

/* A HEAD that followed gets its 401, too, before the connection is free for other things. */
enum regtag_event phase_challenge(struct regtag *r)
{
    if (operation_answer(r) == EXCHANGE_WAIT)
        return REGTAG_WAIT;
    enum regtag_event event = challenged(r);
    if (!r->exchange.follows || r->refusal.status)
        return event;
    r->drained_for = r->phase;
    exchange_take_follower(&r->exchange);
    operation_sent(r, r->deadline);
    r->phase = PHASE_DRAIN;
    return GO_ON;
}

enum regtag_event phase_drain(struct regtag *r)
{
    if (operation_answer(r) == EXCHANGE_WAIT)
        return REGTAG_WAIT;
    return turn(r, r->drained_for);
}

bool operation_renew_token(struct regtag *r)
{
    const struct auth *a = &r->auth;
    if (a->scheme != AUTH_BEARER || a->fresh || r->now < a->expires || r->exchange.follows)
        return false;
    operation_tell(r, REGTAG_TRACE_NOTE, "the token has expired");
    r->back = r->phase;
    turn(r, PHASE_TOKEN);
    return true;
}

enum regtag_event phase_ping(struct regtag *r)
{
    struct error problem = {.status = 0};
    if (!r->begun) {
        r->auth.pinged = true;
        r->redirects = 0;
        operation_request(r, "GET", SLICE("/v2/"));
        operation_send(r, "GET", SLICE(""), r->deadline);
    }
    switch (operation_answer(r)) {
    case EXCHANGE_WAIT: return REGTAG_WAIT;
    case EXCHANGE_FAILED: /* it was worth a try; the 401 stands */
        error_set(&problem, REGTAG_DENIED,
                  "not authenticated, and the registry does not say how (HTTP 401)");
        return operation_refuse(r, &problem);
    default: return challenged(r);
    }
}

/* ---- The token server ------------------------------------------------------------------------ */

static void ask_for_token(struct regtag *r)
{
    struct exchange *x = &r->exchange;
    const struct regtag_credentials *credentials = &r->config.credentials;
    bool post = auth_by_post(&r->auth, credentials);
    const char *method = post ? "POST" : "GET";
    struct regtag_origin origin;
    struct slice target;

    auth_token_server(&r->auth, &origin, &target);
    struct writer form = auth_form(&r->auth, credentials, &r->reference, target);
    exchange_begin(x, origin_equal(&origin, &r->origin) ? 0 : 1, &origin, method,
                   post ? target : written(&form));
    auth_write_to_token_server(&r->auth, credentials, &x->request);
    write_field(&x->request, "User-Agent", SLICE("regtag/" REGTAG_VERSION));
    if (post) {
        write_field(&x->request, "Content-Type", SLICE("application/x-www-form-urlencoded"));
        write_format(&x->request, "Content-Length: %zu\r\n", form.used);
    }
    x->request.overflow = x->request.overflow || form.overflow;
    memset(&r->auth.answer, 0, offsetof(struct token_answer, token));
    r->asked_for_token = r->now;
    operation_send(r, method, post ? written(&form) : SLICE(""), r->deadline);
}

static enum regtag_event token_failed(struct regtag *r, int status, const char *text)
{
    struct error problem = {.status = 0};
    struct url realm;
    url_parse(&realm, slice_of(r->auth.realm));
    error_set(&problem, status, "no token from %.*s: %s", SLICE_ARG(realm.authority), text);
    return operation_refuse(r, &problem);
}

/* An answer other than 200. */
static enum regtag_event token_refused(struct regtag *r)
{
    unsigned status = r->exchange.response.status;
    struct error problem = {.status = 0};
    if ((status == 404 || status == 405) && auth_by_post(&r->auth, &r->config.credentials)) {
        r->auth.by_get = true;
        r->begun = false;
        return GO_ON;
    }
    operation_explain(r, REQUEST_TOKEN, &problem);
    return token_failed(r, problem.status, problem.text);
}

static enum regtag_event token_complete(struct regtag *r)
{
    if (r->exchange.response.status != 200)
        return token_refused(r);
    if (!token_answer_end(&r->auth.answer))
        return token_failed(r, REGTAG_PROTOCOL, r->auth.answer.problem);
    auth_accept_token(&r->auth, r->asked_for_token);
    return operation_repeat(r);
}

enum regtag_event phase_token(struct regtag *r)
{
    struct slice part;
    if (!r->begun)
        ask_for_token(r);
    for (;;) {
        switch (operation_step(r, &part)) {
        case EXCHANGE_WAIT: return REGTAG_WAIT;
        case EXCHANGE_BODY:
            if (r->exchange.response.status != 200)
                operation_drain(r, part);
            else if (!token_answer_take(&r->auth.answer, part))
                return token_failed(r, REGTAG_PROTOCOL, r->auth.answer.problem);
            break;
        case EXCHANGE_END: return token_complete(r);
        case EXCHANGE_MOVED: return GO_ON;
        case EXCHANGE_FAILED: return token_failed(r, r->exchange.error.status, r->exchange.error.text);
        default: break;
        }
    }
}

/* ---- Redirections ---------------------------------------------------------------------------- */

static const char *follow(struct regtag *r, struct slice base, struct slice reference)
{
    char text[URL_MAX];
    struct writer w = writer_to(text, sizeof text);
    struct url from, to;
    if (!url_resolve(base, reference, &w))
        return "the registry redirects without saying where to";
    url_parse(&from, base);
    url_parse(&to, written(&w));
    if (from.tls && !to.tls)
        return "the registry redirects from TLS to plain HTTP";
    if (r->redirects++ == REDIRECTS_MAX)
        return "the registry redirects more often than 5 times";
    memcpy(r->location, text, w.used);
    r->location[w.used] = '\0';
    return NULL;
}

static enum regtag_event redirected(struct regtag *r)
{
    char base[URL_MAX + 300];
    struct writer w = writer_to(base, sizeof base);
    struct error problem = {.status = 0};
    struct slice location, line = written(&r->exchange.request);

    /* The address that was asked: the second word of the request line. */
    line = slice_split(&line, '\r');
    slice_split(&line, ' ');
    write_origin(&w, &r->exchange.connection->origin);
    write_slice(&w, slice_split(&line, ' '));
    bool single = http_response_field(&r->exchange.response, SLICE("location"), &location);
    const char *text = follow(r, written(&w), single && location.size ? location : SLICE("//"));
    if (!text)
        return operation_repeat(r);
    error_set(&problem, REGTAG_PROTOCOL, "%s (HTTP %u)", text, r->exchange.response.status);
    return operation_refuse(r, &problem);
}

enum regtag_event phase_redirect(struct regtag *r)
{
    return operation_answer(r) == EXCHANGE_WAIT ? REGTAG_WAIT : redirected(r);
}
