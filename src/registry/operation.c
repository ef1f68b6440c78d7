#include "registry/operation.h"

#include <string.h>

#include "oci/platform.h"

#define DRAIN_MAX (64u * 1024) /* bytes of an unwanted body that are read to keep the connection */

/* ---- Memory ---------------------------------------------------------------------------------- */

/* An operation's block holds the struct, the index of the manifest, and the manifest. */
union alignment {
    struct regtag operation;
    uint64_t number;
    void *pointer;
};

/* Does not compile where REGTAG_SIZE would promise too little. */
typedef char state_fits[sizeof(union alignment) <= REGTAG_STATE_MAX ? 1 : -1];
typedef char index_fits[DOCUMENT_MEMORY_SIZE(2) <= 2 * 24 ? 1 : -1];

static size_t manifest_max(const struct regtag_config *config)
{
    return config->manifest_max ? config->manifest_max : REGTAG_MANIFEST_MAX;
}

static unsigned tokens_max(const struct regtag_config *config)
{
    size_t max = config->tokens_max ? config->tokens_max : REGTAG_TOKENS_MAX;
    return max > INT32_MAX / 64 ? INT32_MAX / 64 : (unsigned)max;
}

size_t regtag_size(const struct regtag_config *config)
{
    if (config->size != sizeof *config || manifest_max(config) > INT32_MAX)
        return 0;
    return sizeof(union alignment) + DOCUMENT_MEMORY_SIZE(tokens_max(config)) + manifest_max(config);
}

/* Clears what must be clear; the large buffers keep their pages untouched. */
struct regtag *regtag_init(void *memory, size_t size, const struct regtag_config *config)
{
    struct alignment_probe {
        char c;
        union alignment u;
    };
    size_t alignment = offsetof(struct alignment_probe, u), needed = regtag_size(config);
    if (!memory || needed == 0 || size < needed || (uintptr_t)memory % alignment != 0)
        return NULL;

    struct regtag *r = memory;
    char *behind = (char *)memory + sizeof(union alignment);
    memset(r, 0, offsetof(struct regtag, words));
    r->config = *config;
    r->memory.tokens_max = tokens_max(config);
    r->memory.keys = (struct document_key *)(void *)behind;
    behind += r->memory.tokens_max / 2 * sizeof(struct document_key);
    r->memory.tokens = (jsmntok_t *)(void *)behind;
    r->manifest = behind + r->memory.tokens_max * sizeof(jsmntok_t);
    r->manifest_max = manifest_max(config);
    r->result = (struct regtag_result){"", r->digest, "", REGTAG_PENDING, REGTAG_OK, "", false};
    exchange_init(&r->exchange, &r->config);
    auth_init(&r->auth, &r->config.credentials);
    return r;
}

/* ---- Errors and notes ------------------------------------------------------------------------ */

/* Servers, and proxies, may repeat what they were told. */
static void mask_secrets(struct regtag *r, char *text, size_t size)
{
    const struct regtag_transport *t = &r->config.transport;
    const char *proxy = t->proxy ? t->proxy(t->context, &r->origin) : NULL;
    struct slice login = slice_of(proxy);
    auth_mask(&r->auth, &r->config.credentials, text, size);
    if (slice_starts(login, SLICE("Basic ")))
        auth_mask_encoded(slice_from(login, 6), text, size);
}

void operation_tell(struct regtag *r, enum regtag_trace kind, const char *format, ...)
{
    char text[512];
    struct writer w = writer_to(text, sizeof text);
    va_list arguments;
    if (!r->config.trace)
        return;
    va_start(arguments, format);
    write_arguments(&w, format, arguments);
    va_end(arguments);
    mask_secrets(r, text, w.used);
    r->config.trace(r->config.trace_context, kind, text, w.used);
}

void operation_describe(struct regtag *r, const char *tag, const struct error *problem,
                        struct error *whole)
{
    const struct reference *f = &r->reference;
    struct slice reference = tag ? slice_of(tag) : f->digest.size ? f->digest : reference_tag(f);
    const char *separator = !tag && f->digest.size ? "@" : ":";
    if (r->verb == VERB_LIST && !tag) {
        reference = SLICE("");
        separator = "";
    }
    error_clear(whole);
    error_set(whole, problem->status, "%.*s%s%.*s: %s", SLICE_ARG(f->name), separator,
              SLICE_ARG(reference), problem->text);
    mask_secrets(r, whole->text, strlen(whole->text));
}

/* Where a redirection has led, it is not the registry that speaks. */
void operation_explain(struct regtag *r, enum request_kind kind, struct error *e)
{
    const struct exchange *x = &r->exchange;
    const struct regtag_origin *o = &x->connection->origin;
    char text[300] = "";
    struct writer w = writer_to(text, sizeof text - 1);
    struct error meaning = {.status = 0};

    answer_error(kind, &x->response, &r->words, &meaning);
    if (r->redirects && x->connection != x->connections) {
        write_authority(&w, o->tls, slice_of(o->host), o->port);
        write_text(&w, ": ");
    }
    text[w.used] = '\0';
    error_set(e, meaning.status, "%s%s", text, meaning.text);
}

enum regtag_event operation_go(struct regtag *r, enum phase phase)
{
    r->tries = 0;
    return operation_turn(r, phase);
}

enum regtag_event operation_turn(struct regtag *r, enum phase phase)
{
    r->phase = phase;
    r->begun = false;
    r->redirects = 0;
    r->auth.fresh = false;
    return GO_ON;
}

enum regtag_event operation_repeat(struct regtag *r)
{
    r->phase = r->back;
    r->begun = false;
    return GO_ON;
}

enum regtag_event operation_refuse(struct regtag *r, const struct error *problem)
{
    r->phase = r->back;
    r->begun = true;
    r->refusal = *problem;
    return GO_ON;
}

enum regtag_event operation_done(struct regtag *r)
{
    return operation_go(r, PHASE_OVER);
}

enum regtag_event operation_failed(struct regtag *r, const struct error *problem)
{
    struct error whole;
    operation_describe(r, NULL, problem, &whole);
    error_set(&r->error, whole.status, "%s", whole.text);
    return operation_done(r);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* What every request has; nothing secret goes anywhere but home. */
static void write_common_fields(struct regtag *r, bool home)
{
    struct writer *w = &r->exchange.request;
    if (home)
        auth_write(&r->auth, &r->config.credentials, w);
    write_field(w, "User-Agent", SLICE("regtag/" REGTAG_VERSION));
    write_field(w, "Accept-Encoding", SLICE("identity"));
}

void operation_request(struct regtag *r, const char *method, struct slice target)
{
    struct exchange *x = &r->exchange;
    struct url location;
    struct regtag_origin origin = r->origin;
    bool home = true;

    if (r->redirects) {
        url_parse(&location, slice_of(r->location));
        url_origin(&location, &origin);
        target = location.target;
        home = origin_equal(&origin, &r->origin);
    }
    exchange_begin(x, home ? 0 : 1, &origin, method, target);
    write_common_fields(r, home);
}

static void write_manifest_target(struct regtag *r, struct writer *w, struct slice reference)
{
    write_text(w, "/v2/");
    write_repository(w, &r->reference);
    write_format(w, "/manifests/%.*s", SLICE_ARG(reference));
}

void operation_manifest_request(struct regtag *r, const char *method, struct slice reference)
{
    char target[URL_MAX];
    struct writer w = writer_to(target, sizeof target);
    write_manifest_target(r, &w, reference);
    operation_request(r, method, written(&w));
    r->exchange.request.overflow |= w.overflow;
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        write_field(&r->exchange.request, "Accept", slice_of(MANIFEST_ACCEPT));
}

void operation_follow_request(struct regtag *r, struct slice reference)
{
    char target[REPOSITORY_MAX + DIGEST_MAX + 32];
    struct writer w = writer_to(target, sizeof target);
    write_manifest_target(r, &w, reference);
    exchange_follow_begin(&r->exchange, "HEAD", written(&w));
    write_common_fields(r, true);
    write_field(&r->exchange.request, "Accept", slice_of(MANIFEST_ACCEPT));
    exchange_follow_send(&r->exchange);
}

void operation_sent(struct regtag *r, uint64_t until)
{
    r->words.size = 0;
    r->drained = 0;
    r->until = until;
    r->begun = true;
    r->followed = false;
    r->moved = r->now;
    r->traffic = r->exchange.traffic;
}

void operation_send(struct regtag *r, const char *method, struct slice body, uint64_t until)
{
    exchange_send(&r->exchange, method, body);
    operation_sent(r, until);
}

/* Shows the header of an answer, without what it may repeat of our secrets. */
static void tell_answer(struct regtag *r)
{
    struct slice name, value, section = http_response_fields(&r->exchange.response);
    operation_tell(r, REGTAG_TRACE_ANSWER, "%.*s",
                   SLICE_ARG(http_response_status_line(&r->exchange.response)));
    while (http_field_next(&section, &name, &value))
        operation_tell(r, REGTAG_TRACE_ANSWER, "%.*s: %.*s", SLICE_ARG(name), SLICE_ARG(value));
}

/* exchange_step, with an eye on the time. */
static enum exchange_event step_in_time(struct regtag *r, struct slice *body)
{
    struct exchange *x = &r->exchange;
    if (r->now >= r->until) {
        exchange_time_out(x, r->config.timeout);
        return EXCHANGE_FAILED;
    }
    enum exchange_event event = exchange_step(x, body);
    if (r->traffic != x->traffic) {
        r->traffic = x->traffic;
        r->moved = r->now;
    } else if (event == EXCHANGE_WAIT && r->config.stall && r->now - r->moved >= r->config.stall) {
        exchange_stall(x, r->config.stall);
        return EXCHANGE_FAILED;
    }
    return event;
}

/* The header of an answer may send the operation somewhere else before it is looked at. */
static enum exchange_event answered(struct regtag *r)
{
    enum phase phase = r->phase;
    if (r->config.trace_wire)
        tell_answer(r);
    retry_note_pace(r);
    r->phase = detour_for(r);
    if (r->phase != PHASE_IDLE) {
        r->back = phase;
        return EXCHANGE_MOVED;
    }
    r->phase = phase;
    if (!retry_handles(r) || !status_passes(r->exchange.response.status) ||
        r->tries == r->config.retries)
        return EXCHANGE_HEAD;
    r->retried = phase;
    r->phase = PHASE_RETRY;
    return EXCHANGE_MOVED;
}

enum exchange_event operation_step(struct regtag *r, struct slice *body)
{
    struct exchange *x = &r->exchange;
    if (r->refusal.status) {
        x->error = r->refusal;
        x->answered = false;
        x->sent_all = false; /* a request that was refused has done nothing */
        error_clear(&r->refusal);
        return EXCHANGE_FAILED;
    }
    enum exchange_event event = step_in_time(r, body);
    if (event == EXCHANGE_HEAD)
        return answered(r);
    bool pausing = event == EXCHANGE_FAILED && retry_handles(r) && failure_passes(r) &&
                   operation_pause(r, &x->error, 0, r->phase);
    return pausing ? EXCHANGE_MOVED : event;
}

void operation_drain(struct regtag *r, struct slice body)
{
    r->drained += body.size;
    answer_words_add(&r->words, body);
}

enum exchange_event operation_answer(struct regtag *r)
{
    struct slice body;
    for (;;) {
        switch (operation_step(r, &body)) {
        case EXCHANGE_BODY:
            operation_drain(r, body);
            if (r->drained > DRAIN_MAX) {
                exchange_abandon(&r->exchange);
                return EXCHANGE_END;
            }
            break;
        case EXCHANGE_HEAD: break;
        case EXCHANGE_WAIT: return EXCHANGE_WAIT;
        case EXCHANGE_MOVED: return EXCHANGE_MOVED;
        case EXCHANGE_FAILED:
            /* Status and header have said it all; the words were extra. */
            return r->exchange.answered ? EXCHANGE_END : EXCHANGE_FAILED;
        case EXCHANGE_END: return EXCHANGE_END;
        }
    }
}

/* ---- What is to be done ---------------------------------------------------------------------- */

/* By Docker's rules localhost:5000 is the tag 5000 of an image of Docker Hub's. Nobody means that. */
static bool looks_like_host(const struct reference *f)
{
    uint64_t port;
    bool host = slice_find(f->name, '.') < f->name.size || slice_equal(f->name, SLICE("localhost"));
    return host && slice_find(f->name, '/') == f->name.size && slice_number(f->tag, 65535, &port);
}

static enum regtag_status set_out(struct regtag *r, enum verb verb, const char *text)
{
    struct reference *f = &r->reference;
    r->verb = verb;
    if (!reference_parse(f, slice_of(text), &r->error))
        return REGTAG_USAGE;
    if (looks_like_host(f))
        return (enum regtag_status)error_set(
            &r->error, REGTAG_USAGE, "\"%s\" is a host and a port; the repository is missing behind it",
            text);

    bool plain = r->config.scheme == REGTAG_SCHEME_PLAIN ||
                 (r->config.scheme == REGTAG_SCHEME_DEFAULT && host_is_loopback(f->host));
    r->origin.tls = !plain;
    r->origin.port = (uint16_t)(f->port ? f->port : plain ? 80 : 443);
    memcpy(r->origin.host, f->host.data, f->host.size);
    r->auth.actions = verb == VERB_TAG ? "pull,push" : verb == VERB_DELETE ? "pull,push,delete" : "pull";
    return REGTAG_OK;
}

/* An image, as against a repository: its digest can be pinned, if it is one that can be computed. */
static enum regtag_status set_out_image(struct regtag *r, enum verb verb, const char *image)
{
    if (set_out(r, verb, image) != REGTAG_OK)
        return REGTAG_USAGE;
    if (r->reference.digest.size && !digest_is_sha256(r->reference.digest))
        return (enum regtag_status)error_set(
            &r->error, REGTAG_USAGE, "%s: only sha256 digests can be checked, not sha512", image);
    r->platform = slice_of(r->config.platform);
    if (r->platform.size && !platform_valid(r->platform))
        return (enum regtag_status)error_set(
            &r->error, REGTAG_USAGE,
            "\"%.*s\" is not a platform: OS/ARCH or OS/ARCH/VARIANT, such as linux/arm/v7",
            SLICE_ARG(slice_head(r->platform, 200)));
    r->phase = verb == VERB_DIGEST && r->platform.size == 0 ? PHASE_ASK : PHASE_FETCH;
    return REGTAG_OK;
}

enum regtag_status regtag_tag(struct regtag *r, const char *image, const char *const *names,
                              size_t count)
{
    if (set_out_image(r, VERB_TAG, image) != REGTAG_OK)
        return REGTAG_USAGE;
    for (size_t i = 0; i < count; i++) {
        if (tag_valid(slice_of(names[i])))
            continue;
        r->phase = PHASE_IDLE;
        return (enum regtag_status)error_set(
            &r->error, REGTAG_USAGE,
            "\"%.*s\" is not a tag: 1 to 128 of letters, digits, '_', '.' and '-', not starting with "
            "'.' or '-', without the repository",
            SLICE_ARG(slice_head(slice_of(names[i]), 400)));
    }
    r->names = names;
    r->count = count;
    if (guards_check(r))
        return REGTAG_OK;
    r->phase = PHASE_IDLE;
    return REGTAG_USAGE;
}

enum regtag_status regtag_delete(struct regtag *r, const char *image)
{
    if (set_out(r, VERB_DELETE, image) != REGTAG_OK || !guards_check(r))
        return REGTAG_USAGE;
    if (r->reference.digest.size)
        return (enum regtag_status)error_set(
            &r->error, REGTAG_USAGE,
            "%s: a tag is deleted, not a digest; --expect DIGEST says where it must point", image);
    if (r->reference.tag.size == 0)
        return (enum regtag_status)error_set(
            &r->error, REGTAG_USAGE, "%s: the tag to delete is missing; it is not guessed", image);
    r->phase = PHASE_CONDEMN;
    return REGTAG_OK;
}

enum regtag_status regtag_list(struct regtag *r, const char *repository, uint64_t limit)
{
    if (set_out(r, VERB_LIST, repository) != REGTAG_OK)
        return REGTAG_USAGE;
    if (r->reference.tag.size || r->reference.digest.size)
        return (enum regtag_status)error_set(
            &r->error, REGTAG_USAGE, "%s: a repository is listed, without tag and digest", repository);
    listing_begin(r, limit);
    r->phase = PHASE_PAGE;
    return REGTAG_OK;
}

enum regtag_status regtag_digest(struct regtag *r, const char *image)
{
    return set_out_image(r, VERB_DIGEST, image);
}

enum regtag_status regtag_manifest(struct regtag *r, const char *image)
{
    return set_out_image(r, VERB_MANIFEST, image);
}

void regtag_again(struct regtag *r, const char *known)
{
    struct slice digest = slice_of(known);
    if (!digest_is_sha256(digest) || !digest_valid(digest))
        digest = SLICE("");
    if (digest.size)
        memcpy(r->known, digest.data, digest.size);
    r->known[digest.size] = '\0';
    r->digest[0] = '\0';
    r->started = false;
    r->auth.pinged = false;
    r->pause = 0;
    error_clear(&r->error);
    error_clear(&r->refusal);
    if (r->verb == VERB_DIGEST)
        operation_go(r, r->platform.size || r->look.by_get ? PHASE_FETCH : PHASE_ASK);
}

/* ---- Stepping -------------------------------------------------------------------------------- */

void regtag_end(struct regtag *r)
{
    exchange_end(&r->exchange);
    auth_wipe(&r->auth);
}

static enum regtag_event run_phase(struct regtag *r)
{
    switch (r->phase) {
    case PHASE_ASK: return phase_ask(r);
    case PHASE_FETCH: return phase_fetch(r);
    case PHASE_NEXT: return phase_next(r);
    case PHASE_ANNOUNCED: return phase_announced(r);
    case PHASE_UPLOAD: return phase_upload(r);
    case PHASE_LOOK: return phase_look(r);
    case PHASE_WEIGH: return phase_weigh(r);
    case PHASE_SEEN: return phase_seen(r);
    case PHASE_GATHERED: return phase_gathered(r);
    case PHASE_ANNOUNCING: return phase_announcing(r);
    case PHASE_TOGETHER: return phase_together(r);
    case PHASE_DOUBTED: return phase_doubted(r);
    case PHASE_CONFIRMED: return phase_confirmed(r);
    case PHASE_CONDEMN: return phase_condemn(r);
    case PHASE_CONDEMNED: return phase_condemned(r);
    case PHASE_DELETE: return phase_delete(r);
    case PHASE_DELETED: return phase_deleted(r);
    case PHASE_SIBLING: return phase_sibling(r);
    case PHASE_SIBLING_SEEN: return phase_sibling_seen(r);
    case PHASE_DRAIN: return phase_drain(r);
    case PHASE_RETRY: return phase_retry(r);
    case PHASE_PAUSE: return phase_pause(r);
    case PHASE_PAGE: return phase_page(r);
    case PHASE_WORDS: return phase_words(r);
    case PHASE_CHALLENGE: return phase_challenge(r);
    case PHASE_PING: return phase_ping(r);
    case PHASE_TOKEN: return phase_token(r);
    case PHASE_REDIRECT: return phase_redirect(r);
    case PHASE_IDLE: error_set(&r->error, REGTAG_USAGE, "nothing was asked for"); break;
    case PHASE_OVER: break;
    }
    if (r->exchange.busy) /* what is left of its answer must not be taken for the next one's */
        exchange_abandon(&r->exchange);
    if (!r->config.keep)
        regtag_end(r);
    return r->error.status ? REGTAG_ERROR : REGTAG_DONE;
}

enum regtag_event regtag_step(struct regtag *r, uint64_t now, struct regtag_want *want)
{
    enum regtag_event event = GO_ON;
    r->now = now;
    if (!r->started)
        r->deadline = r->config.timeout < UINT64_MAX - now ? now + r->config.timeout : UINT64_MAX;
    r->started = true;
    exchange_begin_step(&r->exchange);
    while (event == GO_ON)
        event = run_phase(r);

    memset(want, 0, sizeof *want);
    want->until = r->until;
    if (r->exchange.busy && r->config.stall && r->config.stall < r->until - r->moved)
        want->until = r->moved + r->config.stall;
    exchange_want(&r->exchange, want);
    return event;
}

const struct regtag_result *regtag_result(const struct regtag *r)
{
    return &r->result;
}

const char *regtag_document(const struct regtag *r, size_t *size)
{
    *size = r->manifest_size;
    return r->manifest;
}

enum regtag_status regtag_error(const struct regtag *r, const char **text)
{
    if (text)
        *text = r->error.text;
    return (enum regtag_status)r->error.status;
}
