#include "cli/session.h"

#include <string.h>

#include "cli/credentials.h"
#include "cli/glob.h"
#include "cli/proxy_env.h"
#include "cli/report.h"
#include "cli/tls_options.h"
#include "cli/verify_options.h"
#include "net/file.h"
#include "net/network.h"
#include "net/random.h"
#include "net/verify.h"
#include "regtag_sha256.h"
#include "regtag_sockets.h"

/* The operation's memory. Pages that are never written to cost nothing, and there are fewest of the others
 * if it begins with a page. */
#define PAGE 4096u
#define MEMORY_SIZE REGTAG_SIZE(REGTAG_MANIFEST_MAX, REGTAG_TOKENS_MAX, REGTAG_CONNECTIONS_MAX)
static char memory[MEMORY_SIZE + PAGE - 1];

static const struct options *options;
static struct regtag *operation;
static struct network network;
static struct regtag_transport transport;
static struct regtag_sha256_context hash_context;
static struct report_trace trace;
#define SIDES (HAS_VERB(VERB_ID_COPY) ? 2u : 1u)

static struct tls_settings tls[2]; /* of both sides */
static struct proxy_settings proxies;
static struct credentials credentials[SIDES];
static bool same_login; /* both sides have the first one */

static unsigned connections(void)
{
    unsigned count = (unsigned)options->jobs + 1;
    return HAS_VERB(VERB_ID_COPY) && options->verb->id & VERB_ID_COPY ? 2 * count : count;
}

static bool init_tls(uint64_t deadline, struct error *e)
{
    for (unsigned i = 0; i < SIDES; i++) {
        tls[i].trace = report_trace;
        tls[i].trace_context = &trace;
        if (!tls_options(&tls[i], options, &options->side[i], deadline, e))
            return false;
    }
    return true;
}

bool session_init(const struct options *o, uint64_t deadline, struct error *e)
{
    options = o;
    trace.options = o;
    trace.start = regtag_clock();
    proxies = proxy_settings(o);
    network.overrides = &o->overrides;
    network.tls = tls;
    network.proxies = &proxies;
    network.trace = report_trace;
    network.trace_context = &trace;
    transport = network_begin(&network, connections());
    return proxy_check(&network.asked, &proxies, e) && verify_options(o, deadline, e) &&
           init_tls(deadline, e);
}

static bool find_login(unsigned side, const struct reference *r, uint64_t deadline, struct error *e)
{
    return credentials_find(&credentials[side], options, &options->side[side], r, deadline, e) ==
           REGTAG_OK;
}

bool session_login(const char *image, uint64_t deadline, struct error *e)
{
    struct reference reference;
    credentials_wipe(&credentials[0]);
    return reference_parse(&reference, slice_of(image), e) && find_login(0, &reference, deadline, e);
}

/* Whether nothing that is for one registry would be sent to both. */
static bool check_sides(struct slice source, struct slice target, struct error *e)
{
    const struct side_options *from = &options->side[0], *to = &options->side[1];
    const char *name = options->sideless;
    if (name)
        error_set(e, REGTAG_E_USAGE, "--%s is for one registry, %.*s or %.*s: use --from-%s or --to-%s",
                  name, SLICE_ARG(source), SLICE_ARG(target), name, name);
    else if (!from->user && !to->user && credentials_for_any(from) && credentials_for_any(to))
        error_set(e, REGTAG_E_USAGE,
                  "REGTAG_USER and REGTAG_TOKEN are for one registry, %.*s or %.*s: use --from-user or "
                  "--from-anonymous for the source, or --to-... for the target",
                  SLICE_ARG(source), SLICE_ARG(target));
    return e->status == 0;
}

bool session_login_copy(const char *image, const char *target, uint64_t deadline, struct error *e)
{
    const struct side_options *side = options->side;
    struct reference from, to;
    if (!reference_parse(&from, slice_of(image), e) || !reference_parse(&to, slice_of(target), e))
        return false;
    bool same = slice_equal(from.registry, to.registry);
    same_login = same && side[0].user && side[0].user == side[1].user; /* standard input has it once */
    return (same || check_sides(from.registry, to.registry, e)) && find_login(0, &from, deadline, e) &&
           (same_login || find_login(1, &to, deadline, e));
}

/* Must not read the credentials twice for one registry: a password on standard input is gone by then. */
bool session_login_next(const char *image, uint64_t deadline, struct error *e)
{
    static char last[REPOSITORY_MAX + 300]; /* the repository that the credentials are for; or "" */
    struct writer w = writer_to(last, sizeof last - 1);
    struct reference r;
    if (!reference_parse(&r, slice_of(image), e))
        return false;
    if (*last && (credentials_for_any(&options->side[0]) || slice_equal(slice_of(last), r.name)))
        return true;
    *last = '\0';
    if (!session_login(image, deadline, e))
        return false;
    write_slice(&w, r.name);
    last[w.used] = '\0';
    return true;
}

bool session_same_login(const char *image, const char *other, struct error *e)
{
    struct reference a, b;
    if (!credentials_for_any(&options->side[0]) || !reference_parse(&a, slice_of(image), e) ||
        !reference_parse(&b, slice_of(other), e) || slice_equal(a.registry, b.registry))
        return e->status == 0;
    error_set(e, REGTAG_E_USAGE,
              "--user, REGTAG_USER and REGTAG_TOKEN are for one registry, not for both %.*s and %.*s",
              SLICE_ARG(a.registry), SLICE_ARG(b.registry));
    return false;
}

bool session_files_changed(void)
{
    static uint64_t last;
    uint64_t before = last;
    last = 0;
    credentials_stamp(options, &last);
    tls_stamp(tls, &last);
    return last != before;
}

static struct regtag_credentials login(const struct credentials *c)
{
    return (struct regtag_credentials){.user = c->user,
                                       .password = c->password,
                                       .identity_token = c->identity_token,
                                       .bearer_token = c->registry_token,
                                       .unavailable = c->unavailable};
}

static bool wants(void *context, const char *tag)
{
    (void)context;
    return glob_wants(options, tag);
}

struct regtag_config session_config(uint64_t deadline)
{
    static const char *const ABSENT[] = {"absent"};
    struct regtag_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.hash = regtag_sha256(&hash_context);
    config.transport = transport;
    config.connections = connections();
    config.random.bytes = random_bytes;
    config.trace = report_trace;
    config.trace_context = &trace;
    config.trace_wire = options->verbose;
    config.timeout = options->timeout * 1000;
    config.deadline = deadline;
    config.stall = options->stall * 1000;
    config.retries = (unsigned)options->retries;
    config.scheme = options->side[0].scheme;
    config.allowed_realms = options->side[0].allow_realm.list;
    config.allowed_realms_count = options->side[0].allow_realm.count;
    config.credentials = login(&credentials[0]);
    config.target.scheme = options->side[1].scheme;
    config.target.allowed_realms = options->side[1].allow_realm.list;
    config.target.allowed_realms_count = options->side[1].allow_realm.count;
    config.target.credentials = login(&credentials[same_login ? 0 : SIDES - 1]);
    config.platform = options->platform;
    config.expected = options->no_clobber ? ABSENT : options->expected;
    config.expected_count = options->no_clobber ? 1 : options->expected_count;
    config.confirm = options->confirm;
    config.certain_absence = options->journal != NULL; /* undo deletes what was absent before */
    config.dry_run = options->dry_run;
    config.siblings = options->siblings;
    if (HAS_VERB(VERB_ID_LS | VERB_ID_COPY) && options->include.count + options->exclude.count)
        config.wants = wants;
    if (HAS_VERB(VERB_ID_VERIFY))
        verify_config(&config);
    return config;
}

void *session_scratch(void)
{
    if (operation)
        regtag_end(operation);
    operation = NULL;
    return memory + -(uintptr_t)memory % PAGE;
}

static struct regtag *require_signature(const struct regtag_config *config)
{
    if (HAS_VERB(VERB_ID_VERIFY) && config->keys)
        regtag_require_signature(operation);
    return operation;
}

struct regtag *session_operation(const struct regtag_config *config)
{
    operation = regtag_init(session_scratch(), MEMORY_SIZE, config);
    return require_signature(config);
}

struct regtag *session_next(const struct regtag_config *config)
{
    if (regtag_next(operation, config))
        return require_signature(config);
    session_close();
    return session_operation(config);
}

bool session_operation_ok(const struct regtag *r, struct error *e)
{
    const char *text;
    enum regtag_status status = regtag_error(r, &text);
    if (status != REGTAG_OK)
        error_set(error_hint(e, (int)regtag_hint(r)), (int)status, "%s", text);
    return status == REGTAG_OK;
}

enum regtag_event session_step(struct regtag *r)
{
    return network_step(&network, r);
}

void session_note(const char *text)
{
    report_trace(&trace, REGTAG_TRACE_NOTE, text, strlen(text));
}

void session_close(void)
{
    network_end(&network);
}

void session_end(void)
{
    session_close();
    if (operation)
        regtag_end(operation);
    credentials_wipe(&credentials[0]);
    credentials_wipe(&credentials[SIDES - 1]);
    file_wipe();
}
