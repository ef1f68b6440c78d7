#include "registry/verb.h"

#include <string.h>

/* ---- Beginning ------------------------------------------------------------------------------- */

enum regtag_status verb_is_unusable(struct regtag *r)
{
    r->over = true;
    return REGTAG_E_USAGE;
}

bool verb_has_two(const struct regtag *r)
{
    return r->source != &r->client;
}

/* By Docker's rules, localhost:5000 is tag 5000 of an image on Docker Hub, which nobody means. */
static bool is_only_host(const struct reference *f)
{
    bool host = slice_find(f->name, '.') < f->name.size || slice_equal(f->name, SLICE("localhost"));
    return host && slice_find(f->name, '/') == f->name.size;
}

void verb_connect(struct client *c, const struct reference *f, const char *actions)
{
    struct regtag_origin o = {.registry = true};
    enum regtag_scheme scheme = c->remote.auth.side->scheme;
    bool plain =
        scheme == REGTAG_SCHEME_PLAIN || (scheme == REGTAG_SCHEME_DEFAULT && host_is_loopback(f->host));
    o.tls = !plain;
    o.target = c->remote.auth.side == &c->context.config->target;
    o.port = (uint16_t)(f->port ? f->port : plain ? 80 : 443);
    memcpy(o.host, f->host.data, f->host.size);
    remote_turn_to(&c->remote, &o, f, actions);
}

bool verb_read_reference(struct regtag *r, struct reference *f, const char *text)
{
    if (!reference_parse(f, slice_of(text), &r->error))
        verb_is_unusable(r);
    else if (is_only_host(f))
        VERB_USAGE(r, "\"%s\" is only a host: the repository is missing", text);
    return !r->over;
}

enum regtag_status verb_begin(struct regtag *r, const struct verb *verb, size_t size, const char *text)
{
    REQUIRE(size <= VERB_MEMORY);
    r->verb = verb;
    if (r->config.keys && !r->gate)
        return VERB_USAGE(r, "there are keys, but regtag_require_signature was not called");
    if (verb_has_two(r) != verb->of_two)
        return VERB_USAGE(r, "a copy can follow only a copy, and nothing else can follow one");
    memset(r->verb_memory.bytes, 0, size);
    if (!verb_read_reference(r, &r->reference, text))
        return REGTAG_E_USAGE;
    verb_connect(&r->client, &r->reference, verb->actions);
    return REGTAG_OK;
}

enum regtag_status verb_begin_image(struct regtag *r, const struct verb *verb, size_t size,
                                    const char *image)
{
    if (verb_begin(r, verb, size, image) != REGTAG_OK)
        return REGTAG_E_USAGE;
    if (r->reference.digest.size && !digest_is_sha256(r->reference.digest))
        return VERB_USAGE(r, "%s: only sha256 digests can be checked, not sha512", image);
    return REGTAG_OK;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

enum regtag_event verb_done(struct regtag *r)
{
    r->over = true;
    return GO_ON;
}

enum regtag_event verb_failed(struct regtag *r, const struct error *problem)
{
    if (r->error.status == REGTAG_OK)
        verb_describe(r, NULL, problem, &r->error);
    return verb_done(r);
}

/* What would help if the request failed, or was refused, because it went to Docker Hub by mistake. */
static int hint_of(const struct reference *f, const struct error *problem)
{
    bool has_host = f->repository.data != f->name.data;
    bool may_be_lost =
        problem->status >= REGTAG_E_NOT_FOUND && problem->status <= REGTAG_E_NO_CONNECTION;
    bool replaceable = problem->hint <= REGTAG_HINT_STALL || (problem->hint >= REGTAG_HINT_ADDRESS &&
                                                              problem->hint <= REGTAG_HINT_CREDENTIALS);
    return !has_host && !f->library && may_be_lost && replaceable ? REGTAG_HINT_HOST : problem->hint;
}

/* Leaves out the host of a message if the reference names it; `port` introduces a port that it does not name. */
static const char *without_host(const struct reference *f, const char *text, const char **port)
{
    size_t size = slice_find(f->name, '/');
    *port = "";
    if (strncmp(text, f->name.data, size) != 0 || text[size] != ':')
        return text;
    if (text[size + 1] == ' ')
        return text + size + 2;
    *port = "port ";
    return text + size + 1;
}

void verb_describe(struct regtag *r, const char *tag, const struct error *problem, struct error *whole)
{
    const struct reference *f = tag ? &r->reference : r->image;
    struct slice reference = tag ? slice_of(tag) : f->digest.size ? f->digest : reference_tag(f);
    const char *separator = !tag && f->digest.size ? "@" : ":", *port;
    const char *text = without_host(f, problem->text, &port);
    if (r->verb->of_repository && !tag) {
        reference = SLICE("");
        separator = "";
    }
    error_clear(whole);
    error_set(whole, problem->status, "%.*s%s%.*s: %s%s", SLICE_ARG(f->name), separator,
              SLICE_ARG(reference), port, text);
    whole->hint = hint_of(f, problem);
    remote_mask(&r->client.remote, whole->text, strlen(whole->text));
    remote_mask(&r->source->remote, whole->text, strlen(whole->text));
}

void verb_begin_result(struct regtag *r, const char *tag, const char *digest)
{
    r->result = (struct regtag_result){.name = tag, .digest = digest, .previous = "", .error = ""};
}

enum regtag_event verb_settle(struct regtag *r, enum regtag_outcome outcome, const char *tag,
                              const struct error *problem)
{
    r->result.outcome = outcome;
    if (problem) {
        verb_describe(r, tag, problem, &r->result_error);
        r->result.status = (enum regtag_status)problem->status;
        r->result.error = r->result_error.text;
        r->result.hint = (enum regtag_hint)r->result_error.hint;
        if (r->error.status == REGTAG_OK)
            r->error = r->result_error;
    }
    return REGTAG_SETTLED;
}

struct error *verb_problem(struct regtag *r)
{
    error_clear(&r->problem);
    return &r->problem;
}

struct error *verb_other_digest(struct regtag *r, struct slice confirmed)
{
    struct error *problem = verb_problem(r);
    error_set(problem, REGTAG_E_NOT_CONFIRMED, "uploaded as %s, but the registry confirms %.*s",
              r->digest, SLICE_ARG(confirmed));
    return problem;
}

bool verb_wants(const struct regtag *r, const char *tag)
{
    return !r->config.wants || r->config.wants(r->config.wants_context, tag);
}

/* ---- While running --------------------------------------------------------------------------- */

struct slice verb_wanted(const struct regtag *r)
{
    return r->image->digest.size ? r->image->digest : reference_tag(r->image);
}

bool verb_cannot_go_on(const struct regtag *r, struct error *e)
{
    const struct context *c = &r->client.context;
    bool late = c->now >= c->deadline;
    if (c->error.status && (c->unreachable || late))
        *e = c->error;
    else if (late)
        error_set(error_hint(e, REGTAG_HINT_TIMEOUT), REGTAG_E_TIMEOUT, "no time was left");
    return e->status != 0;
}
