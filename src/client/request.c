#include "client/request.h"

#include "base/debug.h"
#include "client/accept.h"
#include "http/request.h"
#include "oci/digest.h"

/* ---- Policy ---------------------------------------------------------------------------------- */

bool request_changes_nothing(const struct request *q)
{
    return q->method == METHOD_GET || q->method == METHOD_HEAD;
}

enum resend request_resend(const struct request *q)
{
    if (q->resend != RESEND_BY_METHOD)
        return q->resend;
    return request_changes_nothing(q) ? RESEND_FREELY
           : q->method >= METHOD_POST ? RESEND_NEVER
                                      : RESEND_AFTER_LOOKUP;
}

bool request_follows(const struct request *q, unsigned status)
{
    if (q->to_token_server || q->method >= METHOD_POST)
        return false;
    if (status == 307 || status == 308)
        return true;
    return request_changes_nothing(q) && status >= 301 && status <= 303;
}

uint64_t request_deadline(const struct request *q, const struct context *c)
{
    uint64_t left = c->now < c->deadline ? c->deadline - c->now : 0;
    if (q->optional)
        return c->deadline - (left - left / 4);
    return c->deadline - (request_resend(q) == RESEND_AFTER_LOOKUP ? left / 4 : 0);
}

bool request_has_range(const struct request *q)
{
    return q->from && *q->from;
}

bool request_is_conditional(const struct request *q)
{
    return q->match && *q->match;
}

/* ---- Where it goes --------------------------------------------------------------------------- */

/* bytes of a target composed of path and reference */
#define TARGET_MAX (2 * REPOSITORY_MAX + DIGEST_MAX + 128)

void request_write_target(const struct request *q, const struct remote *r, struct writer *w)
{
    static const char *const PLACES[] = {"", "/manifests/", "/blobs/"};
    if (q->place != PLACE_ANY) {
        write_text(w, "/v2/");
        write_repository(w, r->reference);
        write_text(w, PLACES[q->place]);
    }
    write_slice(w, q->target);
}

/* Where the request goes: to the remote's own origin, even if a redirect or a realm leads there; else
 * `memory` may hold the origin. */
const struct regtag_origin *request_origin(const struct request *q, const struct remote *r,
                                           bool redirected, struct regtag_origin *memory)
{
    const struct regtag_origin *origin = q->origin;
    struct url u;
    if (redirected) {
        url_parse(&u, slice_of(r->location));
        url_origin(&u, memory);
        origin = memory;
    }
    return !origin || remote_is_home(r, origin) ? &r->origin : origin;
}

/* The request line and Host; in absolute-form if a proxy forwards the request (RFC 9112, 3.2.2). */
static void write_line(const struct request *q, const struct remote *r,
                       const struct regtag_origin *origin, struct slice target, struct writer *w)
{
    static const char *const METHODS[] = {"GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"};
    const struct regtag_transport *t = &r->context->config->transport;
    const char *proxy = t->proxy && !origin->tls ? t->proxy(t->context, origin) : NULL;
    char memory[sizeof origin->host + 8];
    struct writer authority = writer_to(memory, sizeof memory);

    write_authority(&authority, origin->tls, slice_of(origin->host), origin->port);
    write_request(w, METHODS[q->method], proxy ? written(&authority) : SLICE(""), target,
                  written(&authority));
    if (proxy && *proxy)
        write_field(w, "Proxy-Authorization", slice_of(proxy));
}

/* Never send the registry's credentials to another origin. */
static void write_login(const struct request *q, const struct remote *r,
                        const struct regtag_origin *origin, struct writer *w)
{
    if (q->to_token_server)
        auth_write_to_token_server(&r->auth, w);
    else if (remote_is_home(r, origin))
        auth_write(&r->auth, w);
    write_field(w, "User-Agent", SLICE("regtag/" REGTAG_VERSION));
    if (!q->to_token_server)
        write_field(w, "Accept-Encoding", SLICE("identity"));
}

static void write_fields(const struct request *q, const struct remote *r, struct writer *w)
{
    if (q->accepts_manifests)
        accept_write(w, q->accept_lines || r->accept_lines);
    if (q->known && *q->known)
        write_format(w, "If-None-Match: \"%s\"\r\n", q->known);
    if (request_is_conditional(q))
        write_field(w, *q->match == '*' ? "If-None-Match" : "If-Match", slice_of(q->match));
    if (request_has_range(q) && q->method == METHOD_PATCH)
        write_format(w, "Content-Range: %llu-%llu\r\n", (unsigned long long)*q->from,
                     (unsigned long long)(*q->from + q->body.size - 1));
    else if (request_has_range(q))
        write_format(w, "Range: bytes=%llu-\r\n", (unsigned long long)*q->from);
    if (q->content_type)
        write_field(w, "Content-Type", *q->content_type);
    if (q->body.size || q->method == METHOD_PUT || q->method >= METHOD_POST)
        write_format(w, "Content-Length: %llu\r\n", (unsigned long long)q->body.size);
}

void request_write(const struct request *q, const struct remote *r, bool redirected, struct writer *w)
{
    struct regtag_origin memory;
    const struct regtag_origin *origin = request_origin(q, r, redirected, &memory);
    char text[TARGET_MAX];
    struct writer made = writer_to(text, sizeof text);
    struct slice target = q->target;
    struct url location;

    if (redirected) {
        url_parse(&location, slice_of(r->location));
        target = location.target;
    } else if (q->place != PLACE_ANY) {
        request_write_target(q, r, &made);
        target = written(&made);
    }
    write_line(q, r, origin, target, w);
    write_login(q, r, origin, w);
    write_fields(q, r, w);
    REQUIRE(!made.overflow);
}
