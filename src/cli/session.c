#include "cli/session.h"

#include <string.h>

#include "cli/credentials.h"
#include "cli/proxy_env.h"
#include "cli/report.h"
#include "cli/tls_options.h"
#include "net/file.h"
#include "net/network.h"
#include "net/random.h"
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
static mbedtls_sha256_context hash_context;
static struct report_trace trace;
static struct tls_settings tls;
static struct proxy_settings proxies;
static struct credentials credentials;

bool session_init(const struct options *o, uint64_t deadline, struct error *e)
{
    options = o;
    trace.options = o;
    trace.start = regtag_clock();
    proxies = proxy_settings(o);
    network.overrides = &o->overrides;
    network.tls = &tls;
    network.proxies = &proxies;
    network.trace = report_trace;
    network.trace_context = &trace;
    transport = network_begin(&network, (unsigned)options->jobs + 1);
    if (!proxy_check(&network.asked, &proxies, e) || !tls_options(&tls, o, deadline, e))
        return false;
    tls.trace = report_trace;
    tls.trace_context = &trace;
    return true;
}

bool session_login(const char *image, uint64_t deadline, struct error *e)
{
    struct reference reference;
    credentials_wipe(&credentials);
    return reference_parse(&reference, slice_of(image), e) &&
           credentials_find(&credentials, options, &reference, deadline, e) == REGTAG_OK;
}

/* Must not read the credentials twice for one registry: a password on standard input is gone by then. */
bool session_login_next(const char *image, uint64_t deadline, struct error *e)
{
    static char last[REPOSITORY_MAX + 300]; /* the repository that the credentials are for; or "" */
    struct writer w = writer_to(last, sizeof last - 1);
    struct reference r;
    if (!reference_parse(&r, slice_of(image), e))
        return false;
    if (*last && (credentials_for_any(options) || slice_equal(slice_of(last), r.name)))
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
    if (!credentials_for_any(options) || !reference_parse(&a, slice_of(image), e) ||
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
    tls_stamp(&tls, &last);
    return last != before;
}

struct regtag_config session_config(uint64_t deadline)
{
    static const char *const ABSENT[] = {"absent"};
    struct regtag_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.hash = regtag_sha256(&hash_context);
    config.transport = transport;
    config.connections = (size_t)options->jobs + 1;
    config.random.bytes = random_bytes;
    config.trace = report_trace;
    config.trace_context = &trace;
    config.trace_wire = options->verbose;
    config.timeout = options->timeout * 1000;
    config.deadline = deadline;
    config.stall = options->stall * 1000;
    config.retries = (unsigned)options->retries;
    config.scheme = options->scheme;
    config.allowed_realms = options->allow_realm.list;
    config.allowed_realms_count = options->allow_realm.count;
    config.credentials.user = credentials.user;
    config.credentials.password = credentials.password;
    config.credentials.identity_token = credentials.identity_token;
    config.credentials.bearer_token = credentials.registry_token;
    config.credentials.unavailable = credentials.unavailable;
    config.platform = options->platform;
    config.expected = options->no_clobber ? ABSENT : options->expected;
    config.expected_count = options->no_clobber ? 1 : options->expected_count;
    config.confirm = options->confirm;
    config.certain_absence = options->journal != NULL; /* undo deletes what was absent before */
    config.dry_run = options->dry_run;
    config.siblings = options->siblings;
    return config;
}

struct regtag *session_operation(const struct regtag_config *config)
{
    if (operation)
        regtag_end(operation);
    operation = regtag_init(memory + -(uintptr_t)memory % PAGE, MEMORY_SIZE, config);
    return operation;
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
    credentials_wipe(&credentials);
    file_wipe();
}
