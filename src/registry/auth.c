#include "registry/auth.h"

#include <string.h>

#include "base/base64.h"
#include "base/wipe.h"
#include "http/challenge.h"
#include "http/request.h"

static bool is_set(const char *text)
{
    return text && *text;
}

void auth_init(struct auth *a, const struct regtag_credentials *credentials)
{
    struct slice token = slice_of(credentials->bearer_token);
    memset(a, 0, offsetof(struct auth, answer));
    memset(&a->answer, 0, offsetof(struct token_answer, token));
    if (token.size == 0 || token.size > TOKEN_MAX)
        return;
    a->scheme = AUTH_BEARER;
    a->expires = UINT64_MAX;
    a->secret = true;
    memcpy(a->answer.token, token.data, token.size);
    a->answer.size = token.size;
}

void auth_wipe(struct auth *a)
{
    if (a->secret) {
        wipe(&a->answer, sizeof a->answer);
        wipe(a->form, sizeof a->form);
    }
    a->secret = false;
    a->scheme = AUTH_UNKNOWN;
}

/* ---- What is shown --------------------------------------------------------------------------- */

/* Writes "user:secret" as Basic (RFC 7617). */
static void write_basic(struct auth *a, const char *user, const char *secret, struct writer *w)
{
    struct writer pair = writer_to(a->form, sizeof a->form);
    a->secret = true;
    write_format(&pair, "%s:%s", user, secret ? secret : "");
    write_text(w, "Authorization: Basic ");
    write_base64(w, written(&pair));
    write_text(w, "\r\n");
    w->overflow = w->overflow || pair.overflow;
    wipe(a->form, pair.used);
}

void auth_write(struct auth *a, const struct regtag_credentials *credentials, struct writer *w)
{
    if (a->scheme == AUTH_BASIC)
        write_basic(a, credentials->user, credentials->password, w);
    else if (a->scheme == AUTH_BEARER) {
        write_text(w, "Authorization: Bearer ");
        write_slice(w, (struct slice){a->answer.token, a->answer.size});
        write_text(w, "\r\n");
    }
}

void auth_write_to_token_server(struct auth *a, const struct regtag_credentials *credentials,
                                struct writer *w)
{
    bool has_user = is_set(credentials->user);
    if (auth_by_post(a, credentials))
        return; /* all is in the body */
    if (is_set(credentials->identity_token))
        write_basic(a, has_user ? credentials->user : "<token>", credentials->identity_token, w);
    else if (has_user)
        write_basic(a, credentials->user, credentials->password, w);
}

/* ---- What a server repeats of it ------------------------------------------------------------- */

#define SECRET_KNOWN 8 /* bytes of a secret that are enough to know it: the text may have been cut */
#define SECRET_LOOKED                                                                                   \
    900 /* bytes of a login that are looked for in Base64; no text is longer than that */

/* Writes over each place where the text goes like the secret for so long. */
static void mask(struct slice secret, char *text, size_t size)
{
    size_t least = secret.size < SECRET_KNOWN ? secret.size : SECRET_KNOWN;
    for (size_t i = 0; least >= 3 && i + least <= size; i++) {
        size_t same = 0;
        while (same < secret.size && i + same < size && text[i + same] == secret.data[same])
            same++;
        if (same >= least)
            memset(text + i, '*', same);
    }
}

/* The login as Basic sends it. */
static void mask_basic(const char *user, const char *secret, char *text, size_t size)
{
    char login[SECRET_LOOKED], encoded[SECRET_LOOKED / 3 * 4];
    struct writer plain = writer_to(login, sizeof login), base64 = writer_to(encoded, sizeof encoded);
    write_format(&plain, "%s:%s", user, secret);
    write_base64(&base64, written(&plain));
    while (base64.used && encoded[base64.used - 1] == '=')
        base64.used--;
    mask(written(&base64), text, size);
    wipe(login, sizeof login);
    wipe(encoded, sizeof encoded);
}

void auth_mask(const struct auth *a, const struct regtag_credentials *credentials, char *text,
               size_t size)
{
    const char *user = is_set(credentials->user) ? credentials->user : "<token>";
    mask(slice_of(credentials->password), text, size);
    mask(slice_of(credentials->identity_token), text, size);
    mask(slice_of(credentials->bearer_token), text, size);
    mask((struct slice){a->answer.token, a->answer.size}, text, size);
    if (is_set(credentials->password))
        mask_basic(user, credentials->password, text, size);
    if (is_set(credentials->identity_token))
        mask_basic(user, credentials->identity_token, text, size);
}

void auth_mask_encoded(struct slice basic, char *text, size_t size)
{
    char login[SECRET_LOOKED];
    struct slice decoded, user;
    struct slice head = slice_head(basic, SECRET_LOOKED / 3 * 4);
    while (head.size && head.data[head.size - 1] == '=')
        head.size--;
    mask(head, text, size);
    if (base64_decode(head, login, sizeof login, &decoded)) {
        user = slice_split(&decoded, ':');
        mask(decoded.data ? decoded : user, text, size);
    }
    wipe(login, sizeof login);
}

/* ---- Realms: whom the credentials may be shown ----------------------------------------------- */

static bool starts_with_number(struct slice host, uint64_t least, uint64_t most, struct slice *rest)
{
    uint64_t number;
    *rest = host;
    return slice_number(slice_split(rest, '.'), 255, &number) && number >= least && number <= most;
}

/* Four decimal numbers without leading zeros, which some would read as octal. */
static bool is_dotted_quad(struct slice host)
{
    uint64_t number;
    int parts = 0;
    for (struct slice rest = host; rest.data; parts++) {
        struct slice part = slice_split(&rest, '.');
        if (!slice_number(part, 255, &number) || (part.size > 1 && part.data[0] == '0'))
            return false;
    }
    return parts == 4;
}

/* A dotted IPv4 address of a network that is not the internet (RFC 6890). */
static bool is_private_ipv4(struct slice host)
{
    struct slice rest, more;
    if (!is_dotted_quad(host))
        return false;
    return starts_with_number(host, 0, 0, &rest) || starts_with_number(host, 10, 10, &rest) ||
           starts_with_number(host, 127, 127, &rest) ||
           (starts_with_number(host, 100, 100, &rest) && starts_with_number(rest, 64, 127, &more)) ||
           (starts_with_number(host, 169, 169, &rest) && starts_with_number(rest, 254, 254, &more)) ||
           (starts_with_number(host, 172, 172, &rest) && starts_with_number(rest, 16, 31, &more)) ||
           (starts_with_number(host, 192, 192, &rest) && starts_with_number(rest, 168, 168, &more));
}

/* An IPv6 address that is not one of the internet's, 2000::/3. */
static bool is_private_ipv6(struct slice host)
{
    bool ipv6 = slice_find(host, ':') < host.size;
    return ipv6 &&
           !(host.size && (host.data[0] == '2' || host.data[0] == '3') && slice_find(host, ':') == 4);
}

/* A name ends in letters; what ends in a number is an IPv4 address, in one of the spellings that inet_aton
 * takes: 127.1, 0x7f.1, 2130706433. */
static bool is_odd_ipv4(struct slice host)
{
    struct slice label = {NULL, 0}, rest = host;
    while (rest.data)
        label = slice_split(&rest, '.');
    return label.size && is_digit(label.data[0]) && !is_dotted_quad(host);
}

static bool is_private(struct slice host)
{
    if (host.size && host.data[host.size - 1] == '.') /* the root of all names, which changes nothing */
        host.size--;
    return host_is_loopback(host) || is_private_ipv4(host) || is_private_ipv6(host) || is_odd_ipv4(host);
}

/* A realm that the user vouches for: HOST or HOST:PORT. */
static bool is_allowed(const struct regtag_config *config, const struct url *realm)
{
    for (size_t i = 0; i < config->allowed_realms_count; i++) {
        char text[300];
        struct writer w = writer_to(text, sizeof text);
        struct slice allowed = slice_of(config->allowed_realms[i]);
        write_format(&w, "%.*s:%u", SLICE_ARG(realm->host), realm->port);
        if (slice_equal_nocase(allowed, realm->host) || slice_equal_nocase(allowed, realm->authority) ||
            slice_equal_nocase(allowed, written(&w)))
            return true;
    }
    return false;
}

/* Why the token server is not to be trusted with credentials, or NULL. */
static const char *realm_problem(const struct regtag_origin *registry, const struct url *realm)
{
    struct slice host = slice_of(registry->host);
    bool same_host = slice_equal_nocase(host, realm->host);
    bool both_here = host_is_loopback(host) && host_is_loopback(realm->host);
    if (!realm->tls && registry->tls)
        return "is spoken to in plain HTTP, the registry in TLS";
    if (!realm->tls && !same_host && !both_here)
        return "is another host, spoken to in plain HTTP";
    if (is_private(realm->host) && !same_host && !is_private(host))
        return "has a private address, the registry has none";
    return NULL;
}

static bool check_realm(const struct auth *a, const struct regtag_config *config,
                        const struct regtag_origin *registry, struct error *e)
{
    struct url realm;
    url_parse(&realm, slice_of(a->realm));
    const char *problem = is_allowed(config, &realm) ? NULL : realm_problem(registry, &realm);
    if (problem)
        error_set(e, REGTAG_DENIED,
                  "the token server %.*s is not asked: it %s; --allow-realm %.*s if that is meant",
                  SLICE_ARG(slice_head(slice_of(a->realm), 300)), problem, SLICE_ARG(realm.authority));
    return problem == NULL;
}

/* ---- Challenges ------------------------------------------------------------------------------ */

struct offers {
    bool basic, bearer;
    struct slice realm, service; /* of the first Bearer challenge; as written, escapes included */
};

/* Collects what one WWW-Authenticate field offers: nothing if it cannot be understood to its end. */
static void collect_offers(struct offers *offers, struct slice value)
{
    struct offers o = *offers;
    bool inside = false, in_bearer = false;
    struct slice name, text;
    for (;;) {
        switch (challenge_next(&value, &inside, &name, &text)) {
        case CHALLENGE_SCHEME:
            in_bearer = slice_equal_nocase(name, SLICE("bearer")) && !o.bearer;
            o.bearer = o.bearer || in_bearer;
            o.basic = o.basic || slice_equal_nocase(name, SLICE("basic"));
            break;
        case CHALLENGE_PARAMETER:
            if (in_bearer && slice_equal_nocase(name, SLICE("realm")))
                o.realm = text;
            else if (in_bearer && slice_equal_nocase(name, SLICE("service")))
                o.service = text;
            break;
        case CHALLENGE_END: *offers = o; return;
        case CHALLENGE_BROKEN: return;
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

/* Keeps where the token server is and what it is to be asked for. */
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
        error_set(e, REGTAG_PROTOCOL, "the registry names a token server that is not a URL: \"%.*s\"",
                  SLICE_ARG(slice_head(o->realm, 300)));
        return false;
    }
    a->realm[realm.used] = '\0';
    a->service[service.used] = '\0';
    return true;
}

static enum auth_step denied(struct error *e, const char *text)
{
    error_set(e, REGTAG_DENIED, "%s (HTTP 401)", text);
    return AUTH_DENIED;
}

enum auth_step auth_challenged(struct auth *a, const struct regtag_config *config,
                               const struct regtag_origin *origin, const struct http_response *response,
                               struct error *e)
{
    struct offers o = all_offers(response);
    bool has_user = is_set(config->credentials.user);

    if (is_set(config->credentials.bearer_token))
        return denied(e, "the registry does not take the bearer token that was given");
    if (a->fresh)
        return denied(e, has_user || is_set(config->credentials.identity_token)
                             ? "the registry does not take these credentials, or they do not allow it"
                             : "the registry wants credentials, and none are known for it");
    if (!o.bearer && !o.basic && !a->pinged)
        return AUTH_PING;
    if (o.bearer) {
        if (!keep_challenge(a, &o, origin, e) || !check_realm(a, config, origin, e))
            return AUTH_DENIED;
        return AUTH_TOKEN;
    }
    if (!o.basic)
        return denied(e, "the registry wants a kind of authentication that regtag does not know");
    if (!has_user)
        return denied(e, "the registry wants a user and a password, and none are known for it");
    a->scheme = AUTH_BASIC;
    a->fresh = true;
    return AUTH_REPEAT;
}

bool auth_expects_challenge(const struct auth *a, const struct regtag_credentials *credentials)
{
    return a->scheme == AUTH_UNKNOWN &&
           (is_set(credentials->user) || is_set(credentials->identity_token));
}

/* ---- Asking for a token ---------------------------------------------------------------------- */

#define EXPIRES_DEFAULT 60u /* seconds, where the answer does not say (Docker's token specification) */

/* A token that is about to expire is as good as expired: the request with it takes its time, too. */
void auth_accept_token(struct auth *a, uint64_t asked)
{
    uint64_t good = (a->answer.expires_in ? a->answer.expires_in : EXPIRES_DEFAULT) * (uint64_t)1000;
    a->scheme = AUTH_BEARER;
    a->fresh = true;
    a->expires = asked + good - good / 10;
}

void auth_token_server(const struct auth *a, struct regtag_origin *origin, struct slice *target)
{
    struct url u;
    url_parse(&u, slice_of(a->realm));
    url_origin(&u, origin);
    *target = u.target.size ? u.target : SLICE("/");
}

bool auth_by_post(const struct auth *a, const struct regtag_credentials *credentials)
{
    return is_set(credentials->identity_token) && !a->by_get;
}

/* Percent-encoding (RFC 3986, 2.1), for a query and a form alike. */
static void write_encoded(struct writer *w, struct slice s)
{
    static const char HEX[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        char encoded[3] = {'%', HEX[c >> 4], HEX[c & 15]};
        if (is_alnum(s.data[i]) || (c && strchr("-._~", c)))
            write_char(w, s.data[i]);
        else
            write_slice(w, (struct slice){encoded, sizeof encoded});
    }
}

/* The scope is built here: what a challenge proposes may be a placeholder (GHCR). */
static void write_scope(struct writer *w, const struct reference *reference, const char *actions)
{
    char text[REPOSITORY_MAX + 32];
    struct writer scope = writer_to(text, sizeof text);
    write_text(&scope, "repository:");
    write_repository(&scope, reference);
    write_format(&scope, ":%s", actions);
    write_text(w, "scope=");
    write_encoded(w, written(&scope));
}

struct writer auth_form(struct auth *a, const struct regtag_credentials *credentials,
                        const struct reference *reference, struct slice realm_target)
{
    struct writer w = writer_to(a->form, sizeof a->form);
    bool post = auth_by_post(a, credentials);

    a->secret = true;
    if (post)
        write_text(&w, "grant_type=refresh_token&client_id=regtag&");
    else
        write_format(&w, "%.*s%s", SLICE_ARG(realm_target),
                     slice_find(realm_target, '?') < realm_target.size ? "&" : "?");
    if (*a->service) {
        write_text(&w, "service=");
        write_encoded(&w, slice_of(a->service));
        write_char(&w, '&');
    }
    write_scope(&w, reference, a->actions);
    if (post) {
        write_text(&w, "&refresh_token=");
        write_encoded(&w, slice_of(credentials->identity_token));
    }
    return w;
}
