/* What all operations have in common: memory, stepping, results. */
#include <string.h>

#include "registry/verb.h"

/* ---- Versions -------------------------------------------------------------------------------- */

unsigned regtag_version(void)
{
    return REGTAG_VERSION_NUMBER;
}

/* Where the configuration of 0.2, the oldest that is understood, ends. Members that are appended later
 * must not change it. */
#define CONFIG_SIZE_MIN                                                                                 \
    (offsetof(struct regtag_config, connections) + sizeof((struct regtag_config *)0)->connections)

/* ---- Memory ---------------------------------------------------------------------------------- */

/* An operation's block holds the struct, the connections, the index of the manifest, and the
 * manifest. */
union alignment {
    struct regtag operation;
    uint64_t number;
    void *pointer;
};

/* If the block begins on a page, so do the connections: what a small operation touches of them, and of what
 * follows them, then lies on the fewest pages. */
#define PAGE 4096u
#define STATE_SIZE ((sizeof(union alignment) + PAGE - 1) / PAGE * PAGE)

/* Fail to compile if REGTAG_SIZE is too small; it leaves some room for what later versions need. */
#define ROOM 1024u
typedef char state_fits[STATE_SIZE + ROOM <= REGTAG_STATE_MAX ? 1 : -1];
typedef char connection_fits[sizeof(struct connection) + ROOM <= REGTAG_CONNECTION_SIZE_MAX ? 1 : -1];
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

static size_t connections(const struct regtag_config *config)
{
    return config->connections ? config->connections : REGTAG_CONNECTIONS_MIN;
}

static bool is_usable(const struct regtag_config *config)
{
    return config->size >= CONFIG_SIZE_MIN && config->size <= sizeof *config &&
           manifest_max(config) <= INT32_MAX && connections(config) >= REGTAG_CONNECTIONS_MIN &&
           connections(config) <= REGTAG_CONNECTIONS_MAX;
}

size_t regtag_size(const struct regtag_config *config)
{
    if (!is_usable(config))
        return 0;
    return STATE_SIZE + connections(config) * sizeof(struct connection) +
           DOCUMENT_MEMORY_SIZE(tokens_max(config)) + manifest_max(config);
}

/* All but the client. Zero only what must be zero: leave the pages of the large buffers untouched. */
static void set_up(struct regtag *r, const struct regtag_config *config)
{
    struct connection *first = (struct connection *)(void *)((char *)r + STATE_SIZE);
    memset(r, 0, offsetof(struct regtag, result_error));
    error_clear(&r->result_error);
    error_clear(&r->error);
    error_clear(&r->problem);
    error_clear(&r->unknown);
    memcpy(&r->config, config, config->size);
    r->config.connections = connections(config);
    r->memory.tokens_max = tokens_max(config);
    r->memory.keys = (struct document_key *)(void *)(first + r->config.connections);
    r->memory.tokens = (jsmntok_t *)(void *)(r->memory.keys + r->memory.tokens_max / 2);
    r->manifest = (char *)(r->memory.tokens + r->memory.tokens_max);
    r->manifest_max = manifest_max(config);
    verb_begin_result(r, "", r->digest);
    r->connections = first;
    r->side = (struct regtag_side){.scheme = config->scheme,
                                   .credentials = r->config.credentials,
                                   .allowed_realms = r->config.allowed_realms,
                                   .allowed_realms_count = r->config.allowed_realms_count};
    r->image = &r->reference;
    r->source = &r->client;
}

struct regtag *regtag_init(void *memory, size_t size, const struct regtag_config *config)
{
    struct alignment_probe {
        char c;
        union alignment u;
    };
    struct regtag *r = memory;
    size_t alignment = offsetof(struct alignment_probe, u), needed = regtag_size(config);
    if (!memory || needed == 0 || size < needed || (uintptr_t)memory % alignment != 0)
        return NULL;
    set_up(r, config);
    client_init(&r->client, &r->config, &r->side, r->connections, 0, (unsigned)r->config.connections);
    return r;
}

/* ---- Stepping -------------------------------------------------------------------------------- */

void regtag_end(struct regtag *r)
{
    client_end(&r->client);
    if (verb_has_two(r))
        client_end(r->source);
}

static void rest(struct regtag *r)
{
    client_rest(&r->client);
    if (verb_has_two(r))
        client_rest(r->source);
}

bool regtag_next(struct regtag *r, const struct regtag_config *config)
{
    size_t size = regtag_size(config);
    struct client *source = r->source;
    if (size == 0 || size != regtag_size(&r->config) || connections(config) != r->config.connections)
        return false;
    rest(r);
    client_again(&r->client);
    if (verb_has_two(r))
        client_again(source);
    set_up(r, config);
    r->source = source;
    return true;
}

static enum regtag_event end(struct regtag *r)
{
    if (r->config.keep)
        rest(r);
    else
        regtag_end(r);
    return r->error.status ? REGTAG_ERROR : REGTAG_DONE;
}

static void set_deadline(struct regtag *r, uint64_t now)
{
    uint64_t latest = r->config.deadline ? r->config.deadline : UINT64_MAX;
    r->deadline = r->config.timeout < UINT64_MAX - now ? now + r->config.timeout : UINT64_MAX;
    if (latest < r->deadline)
        r->deadline = latest;
    r->started = true;
}

static void check_step(struct regtag *r, size_t count)
{
    if (!r->verb)
        VERB_USAGE(r, "no operation was chosen");
    if (count < r->config.connections)
        VERB_USAGE(r, "regtag_step needs a want of %zu elements", r->config.connections);
}

#define STUCK 500u /* milliseconds */

/* Whether time was up a while ago, and it still waits, but for nothing that could happen. No verb does; but if one did,
 * it would wait for ever. */
static bool is_stuck(const struct regtag *r, uint64_t now, const struct regtag_want *want, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (want[i].open || want[i].close || want[i].read) /* it writes only where it reads, too */
            return false;
    return now >= r->deadline && now - r->deadline >= STUCK;
}

enum regtag_event regtag_step(struct regtag *r, uint64_t now, struct regtag_want *want, size_t count)
{
    enum regtag_event event = GO_ON;
    if (!r->started)
        set_deadline(r, now);
    if (!r->over)
        check_step(r, count);
    client_begin_step(&r->client, now, r->deadline);
    if (verb_has_two(r))
        client_begin_step(r->source, now, r->deadline);
    while (event == GO_ON)
        event = r->over ? end(r) : r->verb->step(r);
    for (size_t i = 0; i < count; i++)
        want[i] = (struct regtag_want){.close = false};
    client_end_step(&r->client, want, count);
    if (verb_has_two(r))
        client_end_step(r->source, want, count);
    if (event == REGTAG_WAIT && is_stuck(r, now, want, count))
        r->over = verb_cannot_go_on(r, &r->error);
    return event;
}

void regtag_decline(struct regtag *r, const char *reason)
{
    if (!r->over && r->verb && r->verb->decline) {
        error_set(verb_problem(r), REGTAG_E_OTHER, "%s", reason);
        r->verb->decline(r, &r->problem);
    }
}

uint64_t regtag_until(const struct regtag *r)
{
    uint64_t wake = r->client.context.wake, other = r->source->context.wake;
    return other < wake ? other : wake;
}

/* ---- Results --------------------------------------------------------------------------------- */

const struct regtag_result *regtag_result(const struct regtag *r)
{
    return &r->result;
}

const char *regtag_document(const struct regtag *r, size_t *size)
{
    *size = r->manifest_size;
    return r->manifest;
}

const char *regtag_media_type(const struct regtag *r)
{
    return r->media_type ? r->media_type->name.data : "";
}

uint64_t regtag_pause(const struct regtag *r)
{
    return r->client.remote.pause;
}

enum regtag_status regtag_error(const struct regtag *r, const char **text)
{
    if (text)
        *text = r->error.text;
    return (enum regtag_status)r->error.status;
}

enum regtag_hint regtag_hint(const struct regtag *r)
{
    return (enum regtag_hint)r->error.hint;
}
