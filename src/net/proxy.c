#include "net/proxy.h"

#include <string.h>

#include "base/base64.h"
#include "base/wipe.h"
#include "http/url.h"
#include "net/hide.h"
#include "net/no_proxy.h"
#include "oci/reference.h"

#define BASIC "Basic "

/* ---- USER:PASSWORD --------------------------------------------------------------------------- */

/* Writes s with each %XX decoded. False if a '%' is not followed by two hexadecimal digits. */
static bool write_decoded(struct writer *w, struct slice s)
{
    for (; s.size; s = slice_from(s, 1)) {
        char c = s.data[0];
        if (c == '%') {
            if (s.size < 3 || hex_digit(s.data[1]) < 0 || hex_digit(s.data[2]) < 0)
                return false;
            c = (char)(hex_digit(s.data[1]) << 4 | hex_digit(s.data[2]));
            s = slice_from(s, 2);
        }
        write_char(w, c);
    }
    return true;
}

static bool has_control_character(struct slice s)
{
    for (size_t i = 0; i < s.size; i++)
        if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
            return true;
    return false;
}

/* Writes USER:PASSWORD, decoded. Returns what is wrong with it, or NULL. */
static const char *decode_secret(struct writer *w, struct slice userinfo)
{
    struct slice user = slice_split(&userinfo, ':');
    if (!write_decoded(w, user))
        return "a '%' in the user is not followed by two hexadecimal digits; write '%' as %25";
    if (slice_find(written(w), ':') < w->used)
        return "the user contains a ':', which Basic authentication does not allow";
    write_char(w, ':');
    if (!write_decoded(w, userinfo))
        return "a '%' in the password is not followed by two hexadecimal digits; write '%' as %25";
    if (w->overflow)
        return "user and password are longer than 4096 bytes";
    return has_control_character(written(w)) ? "the user or password contains a control character"
                                             : NULL;
}

static const char *set_authorization(struct proxy *p, struct slice userinfo)
{
    char secret[PROXY_SECRET_MAX];
    struct writer decoded = writer_to(secret, sizeof secret);
    struct writer w = writer_to(p->authorization, sizeof p->authorization - 1);

    hide_memory();
    const char *problem = decode_secret(&decoded, userinfo);
    if (!problem) {
        write_text(&w, BASIC);
        write_base64(&w, written(&decoded));
        p->secret = true;
    }
    p->authorization[w.used] = '\0';
    wipe(secret, sizeof secret);
    return problem;
}

static struct slice credentials(const struct proxy *p)
{
    return slice_from(slice_of(p->authorization), sizeof BASIC - 1);
}

/* Whether text contains the first 8 bytes of a secret. */
static bool contains_secret(struct slice text, struct slice secret)
{
    return secret.size && slice_contains(text, slice_head(secret, 8));
}

bool proxy_secret_in(const struct proxy *p, struct slice text)
{
    char memory[PROXY_SECRET_MAX];
    struct slice sent = credentials(p), password = SLICE("");
    bool found = contains_secret(text, sent);
    if (base64_decode(sent, memory, sizeof memory, &password)) {
        struct slice user = slice_split(&password, ':');
        found |= contains_secret(
            text, password.size ? password : user); /* USER may be a token without a password */
    }
    wipe(memory, sizeof memory);
    return found;
}

/* ---- The proxy's URL ------------------------------------------------------------------------- */

/* Takes "SCHEME://", if present, off *url. Returns what is wrong with it, or NULL. */
static const char *take_scheme(struct slice *url)
{
    size_t size = 0;
    while (size < url->size && (is_alnum(url->data[size]) || strchr("+-.", url->data[size])))
        size++;
    struct slice scheme = slice_head(*url, size);
    if (!slice_starts(slice_from(*url, size), SLICE("://")))
        return NULL;
    *url = slice_from(*url, size + 3);
    if (slice_equal_nocase(scheme, SLICE("http")))
        return NULL;
    if (slice_equal_nocase(scheme, SLICE("https")))
        return "a proxy must be http://, not https:// (TLS goes through it unchanged)";
    if (slice_equal_nocase(slice_head(scheme, 5), SLICE("socks")))
        return "SOCKS is not supported; use http://";
    return "a proxy must be http://";
}

/* Takes what precedes the last '@' off *authority; data NULL if there is none. */
static struct slice take_userinfo(struct slice *authority)
{
    size_t end = authority->size;
    while (end > 0 && authority->data[end - 1] != '@')
        end--;
    if (end == 0)
        return (struct slice){NULL, 0};
    struct slice userinfo = slice_head(*authority, end - 1);
    *authority = slice_from(*authority, end);
    return userinfo;
}

static const char *set_host(struct proxy *p, struct slice host_port)
{
    char memory[HOST_PORT_MAX];
    struct writer w = writer_to(memory, sizeof memory);
    struct url url;

    write_text(&w, "http://");
    write_slice(&w, host_port);
    if (w.overflow || !url_parse(&url, written(&w)) || url.authority.size != host_port.size)
        return "must be http://[USER:PASSWORD@]HOST[:PORT]";
    memcpy(p->origin.host, url.host.data, url.host.size);
    p->origin.host[url.host.size] = '\0';
    p->origin.port = (uint16_t)url.port;
    p->origin.tls = false;
    return NULL;
}

/* Returns what is wrong with the URL, or NULL. */
static const char *parse_url(struct proxy *p, struct slice url, bool on_command_line)
{
    const char *problem = take_scheme(&url);
    struct slice path = url;
    struct slice authority = slice_split(&path, '/');
    struct slice userinfo = take_userinfo(&authority);

    if (problem)
        return problem;
    if (path.size)
        return "nothing may follow the '/'; in a user or password, write '/' as %2F";
    if (on_command_line && userinfo.size)
        return "everyone on this machine can read the command line; put user and password into "
               "https_proxy or http_proxy in the environment";
    problem = set_host(p, authority);
    return problem || userinfo.size == 0 ? problem : set_authorization(p, userinfo);
}

/* ---- Choosing -------------------------------------------------------------------------------- */

struct choice {
    const char *name; /* of the option or variable */
    const char *url;  /* NULL or "": no proxy */
};

static bool is_set(const char *text)
{
    return text && *text;
}

static struct choice choose(const struct proxy_settings *s, const struct regtag_origin *origin)
{
    if (s->proxy)
        return (struct choice){"--proxy", s->proxy};
    if (origin->tls && is_set(s->env_https))
        return (struct choice){"https_proxy", s->env_https};
    if (!origin->tls && is_set(s->env_http))
        return (struct choice){"http_proxy", s->env_http};
    return (struct choice){"all_proxy", s->env_all};
}

static bool is_exempt(const struct proxy_settings *s, const struct regtag_origin *origin)
{
    return host_is_loopback(slice_of(origin->host)) ||
           no_proxy_names(slice_of(s->no_proxy ? s->no_proxy : s->env_no_proxy), origin);
}

static bool use(struct proxy *p, struct choice choice, bool on_command_line, struct error *e)
{
    const char *problem = parse_url(p, slice_of(choice.url), on_command_line);
    p->used = !problem;
    if (problem)
        error_set(e, REGTAG_E_USAGE, "the proxy URL in %s: %s", choice.name, problem);
    return p->used;
}

bool proxy_choose(struct proxy *p, const struct proxy_settings *settings,
                  const struct regtag_origin *origin, struct error *e)
{
    struct choice choice = choose(settings, origin);
    proxy_wipe(p);
    return !is_set(choice.url) || is_exempt(settings, origin) ||
           use(p, choice, choice.url == settings->proxy, e);
}

bool proxy_check(struct proxy *p, const struct proxy_settings *settings, struct error *e)
{
    struct choice choice = {"--proxy", settings->proxy};
    bool valid = !is_set(choice.url) || use(p, choice, true, e);
    proxy_wipe(p);
    return valid;
}

void proxy_wipe(struct proxy *p)
{
    if (p->secret)
        wipe(p->authorization, sizeof p->authorization);
    p->secret = false;
    p->used = false;
}
