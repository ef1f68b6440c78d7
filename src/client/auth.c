#include "client/auth.h"

#include <string.h>

#include "base/base64.h"
#include "base/wipe.h"
#include "client/mask.h"
#include "client/realm.h"
#include "http/challenge.h"

static bool is_set(const char *text)
{
    return text && *text;
}

static void take_bearer_token(struct auth *a)
{
    struct slice token = slice_of(a->credentials->bearer_token);
    if (token.size == 0 || token.size > TOKEN_MAX)
        return;
    a->scheme = AUTH_BEARER;
    a->expires = UINT64_MAX;
    a->secret = true;
    memcpy(a->answer.token, token.data, token.size);
    a->answer.size = token.size;
}

void auth_init(struct auth *a, const struct regtag_side *side)
{
    memset(a, 0, offsetof(struct auth, answer));
    memset(&a->answer, 0, offsetof(struct token_answer, token));
    a->side = side;
    a->credentials = &side->credentials;
    take_bearer_token(a);
}

void auth_again(struct auth *a)
{
    a->refused = false;
    take_bearer_token(a);
}

void auth_wipe(struct auth *a)
{
    if (a->secret)
        wipe(&a->answer, sizeof a->answer);
    a->secret = false;
    a->scheme = AUTH_UNKNOWN;
}

/* ---- Authorization --------------------------------------------------------------------------- */

/* Basic credentials (RFC 7617). */
static void write_basic(const char *user, const char *secret, struct writer *w)
{
    struct base64 b = {.size = 0};
    write_text(w, "Authorization: Basic ");
    base64_add(&b, slice_of(user), w);
    base64_add(&b, SLICE(":"), w);
    base64_add(&b, slice_of(secret), w);
    base64_end(&b, w);
    write_text(w, "\r\n");
    wipe(&b, sizeof b);
}

void auth_write(const struct auth *a, struct writer *w)
{
    if (a->scheme == AUTH_BASIC)
        write_basic(a->credentials->user, a->credentials->password, w);
    else if (a->scheme == AUTH_BEARER) {
        write_text(w, "Authorization: Bearer ");
        write_slice(w, (struct slice){a->answer.token, a->answer.size});
        write_text(w, "\r\n");
    }
}

void auth_write_to_token_server(const struct auth *a, struct writer *w)
{
    const struct regtag_credentials *c = a->credentials;
    if (auth_by_post(a))
        return; /* the body carries the credentials */
    if (is_set(c->identity_token))
        write_basic(is_set(c->user) ? c->user : "<token>", c->identity_token, w);
    else if (is_set(c->user))
        write_basic(c->user, c->password, w);
}

void auth_mask(const struct auth *a, char *text, size_t size)
{
    mask_credentials(a->credentials, text, size);
    mask((struct slice){a->answer.token, a->answer.size}, text, size);
}

/* ---- Challenges ------------------------------------------------------------------------------ */

struct offers {
    bool basic, bearer;
    struct slice realm, service; /* of the first Bearer challenge; still escaped */
};

/* Adds a challenge to the offers. A Bearer challenge without a realm leads nowhere. */
static void add_offer(struct offers *o, const struct offers *one)
{
    o->basic = o->basic || one->basic;
    if (o->realm.size || !one->bearer)
        return;
    o->bearer = true;
    o->realm = one->realm;
    o->service = one->service;
}

/* Collects the offers of one WWW-Authenticate field; malformed challenges are ignored. */
static void collect_offers(struct offers *offers, struct slice value)
{
    static const struct offers NONE;
    struct offers one = NONE; /* the current challenge */
    bool inside = false;
    struct slice name, text;
    for (;;) {
        switch (challenge_next(&value, &inside, &name, &text)) {
        case CHALLENGE_SCHEME:
            add_offer(offers, &one);
            one = NONE;
            one.bearer = slice_equal_nocase(name, SLICE("bearer"));
            one.basic = slice_equal_nocase(name, SLICE("basic"));
            break;
        case CHALLENGE_PARAMETER:
            if (slice_equal_nocase(name, SLICE("realm")))
                one.realm = text;
            else if (slice_equal_nocase(name, SLICE("service")))
                one.service = text;
            break;
        case CHALLENGE_BROKEN: one = NONE; break;
        default: add_offer(offers, &one); return;
        }
    }
}

static struct offers all_offers(const struct http_response *response)
{
    struct offers o = {.basic = false};
    struct slice section = http_response_fields(response), name, value;
    while (http_field_next(&section, &name, &value))
        if (slice_equal_nocase(name, SLICE("www-authenticate")))
            collect_offers(&o, value);
    return o;
}

/* Stores the token server's URL, resolved against the registry's, and the service to request. */
static bool keep_challenge(struct auth *a, const struct offers *o, const struct regtag_origin *origin,
                           struct error *e)
{
    char base[300], reference[URL_MAX];
    struct writer b = writer_to(base, sizeof base), r = writer_to(reference, sizeof reference);
    struct writer realm = writer_to(a->realm, URL_MAX), service = writer_to(a->service, SERVICE_MAX);

    write_origin(&b, origin);
    write_text(&b, "/v2/");
    write_unquoted(&r, o->realm);
    write_unquoted(&service, o->service);
    if (r.used == 0 || r.overflow || service.overflow ||
        !url_resolve(written(&b), written(&r), &realm)) {
        error_set(e, REGTAG_E_PROTOCOL, "the registry names a token server that is not a URL: \"%.*s\"",
                  SLICE_ARG(slice_head(o->realm, 300)));
        return false;
    }
    a->realm[realm.used] = '\0';
    a->service[service.used] = '\0';
    return true;
}

void auth_denied(const struct auth *a, struct error *e, const char *text)
{
    const char *why = a->credentials->unavailable;
    if (is_set(why))
        error_set(e, REGTAG_E_CREDENTIALS, "credentials are required (HTTP 401): %s", why);
    error_set(e, REGTAG_E_DENIED, "%s (HTTP 401)", text);
}

static enum auth_step denied(const struct auth *a, struct error *e, const char *text)
{
    auth_denied(a, e, text);
    return AUTH_DENIED;
}

static enum auth_step none_found(const struct auth *a, struct error *e)
{
    return denied(a, error_hint(e, REGTAG_HINT_CREDENTIALS),
                  "the registry requires a user and password, and none were found for it");
}

static enum auth_step not_taken(struct auth *a, struct error *e)
{
    const struct regtag_credentials *c = a->credentials;
    a->refused = auth_is_unproven(a);
    if (is_set(c->user) || is_set(c->identity_token))
        return denied(a, e, "the registry rejects these credentials, or they do not allow this");
    return none_found(a, e);
}

void auth_refuse(struct auth *a, struct error *e)
{
    not_taken(a, e);
    a->refused = true;
}

enum auth_step auth_challenged(struct auth *a, const struct regtag_origin *origin,
                               const struct http_response *response, bool repeated, struct error *e)
{
    const struct regtag_credentials *c = a->credentials;
    struct offers o = all_offers(response);

    if (is_set(c->bearer_token))
        return denied(a, e, "the registry rejects the given bearer token");
    if (repeated || (a->scheme == AUTH_BASIC && o.basic))
        return not_taken(a, e);
    if (!o.bearer && !o.basic && !a->pinged)
        return AUTH_PING;
    if (o.bearer && (o.realm.size || !o.basic)) {
        if (!keep_challenge(a, &o, origin, e) || !realm_check(slice_of(a->realm), a->side, origin, e))
            return AUTH_DENIED;
        return AUTH_TOKEN;
    }
    if (!o.basic)
        return denied(a, e, "the registry requires a kind of authentication that is not supported");
    if (!is_set(c->user))
        return none_found(a, e);
    a->scheme = AUTH_BASIC;
    a->proven = false;
    a->logins++;
    return AUTH_REPEAT;
}

bool auth_expects_challenge(const struct auth *a)
{
    return a->scheme == AUTH_UNKNOWN && !a->proven &&
           (is_set(a->credentials->user) || is_set(a->credentials->identity_token));
}

/* ---- Token requests -------------------------------------------------------------------------- */

#define EXPIRES_DEFAULT 60u /* seconds, if expires_in is missing (Docker's token specification) */

/* The token arrives in parts: drop the old one, so that no partial token is ever sent. */
void auth_begin_token(struct auth *a)
{
    a->scheme = AUTH_UNKNOWN;
    a->secret = true;
    memset(&a->answer, 0, offsetof(struct token_answer, token));
}

/* Stop using the token after 90% of its lifetime: the request that carries it takes time, too. */
void auth_accept_token(struct auth *a, uint64_t asked)
{
    uint64_t good = (a->answer.expires_in ? a->answer.expires_in : EXPIRES_DEFAULT) * (uint64_t)1000;
    a->scheme = AUTH_BEARER;
    a->expires = asked + good - good / 10;
    a->pinged = a->taken = false;
    a->logins++;
}

void auth_note_taken(struct auth *a)
{
    a->proven = a->taken = true;
}

void auth_token_server(const struct auth *a, struct regtag_origin *origin, struct slice *target)
{
    struct url u;
    url_parse(&u, slice_of(a->realm));
    url_origin(&u, origin);
    *target = u.target.size ? u.target : SLICE("/");
}

bool auth_by_post(const struct auth *a)
{
    return is_set(a->credentials->identity_token) && !a->by_get;
}

bool auth_is_unproven(const struct auth *a)
{
    return a->scheme == AUTH_BASIC && !a->proven;
}

bool auth_has_expired(const struct auth *a, uint64_t now)
{
    return a->scheme == AUTH_BEARER && now >= a->expires;
}

bool auth_is_worn(const struct auth *a, uint64_t now)
{
    return a->scheme == AUTH_BEARER && (a->taken || now >= a->expires);
}

/* Build the scope ourselves: the one in the challenge may be a placeholder (GHCR). */
static void write_scope(struct writer *w, const struct reference *reference, const char *actions)
{
    char text[REPOSITORY_MAX + 32];
    struct writer scope = writer_to(text, sizeof text);
    write_text(&scope, "repository:");
    write_repository(&scope, reference);
    write_format(&scope, ":%s", actions);
    write_encoded(w, written(&scope));
}

/* As parameters of a query, or as a list in a form (RFC 6749, 3.3). */
static void write_scopes(struct writer *w, const struct reference *reference, const char *actions,
                         const struct reference *also, bool form)
{
    write_text(w, "scope=");
    write_scope(w, reference, actions);
    if (!also)
        return;
    write_text(w, form ? "+" : "&scope=");
    write_scope(w, also, "pull");
}

/* The realm's target, ready for more parameters; it may already have a query. */
static void write_realm_target(const struct auth *a, struct writer *w)
{
    struct regtag_origin ignored;
    struct slice target;
    auth_token_server(a, &ignored, &target);
    write_slice(w, target);
    write_text(w, slice_find(target, '?') < target.size ? "&" : "?");
}

void auth_write_form(const struct auth *a, const struct reference *reference, const char *actions,
                     const struct reference *also, struct writer *w)
{
    bool post = auth_by_post(a);
    if (post)
        write_text(w, "grant_type=refresh_token&client_id=regtag&");
    else
        write_realm_target(a, w);
    if (*a->service) {
        write_text(w, "service=");
        write_encoded(w, slice_of(a->service));
        write_char(w, '&');
    }
    write_scopes(w, reference, actions, also, post);
    if (post) {
        write_text(w, "&refresh_token=");
        write_encoded(w, slice_of(a->credentials->identity_token));
    }
}
