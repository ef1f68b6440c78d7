/* regtag: the command. */
#define _GNU_SOURCE /* prlimit */

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/credentials.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/proxy_env.h"
#include "cli/report.h"
#include "cli/tls_options.h"
#include "net/clock.h"
#include "net/hash_mbedtls.h"
#include "net/transport.h"
#include "regtag.h"

#ifndef REGTAG_VERSION
#define REGTAG_VERSION "unknown"
#endif

/* All the memory that there is. Pages that nothing is written to cost nothing. */
static union {
    char bytes[REGTAG_SIZE(REGTAG_MANIFEST_MAX, REGTAG_TOKENS_MAX)];
    uint64_t number;
    void *pointer;
} memory;

static struct options options;
static struct net net;
static mbedtls_sha256_context hash_context;
static struct report_trace trace;
static struct tls_settings tls;
static struct proxy_settings proxies;
static struct credentials credentials;

/* What is left of the time when the credentials are known is the operation's. */
static struct regtag *make_operation(uint64_t deadline)
{
    struct regtag_config config;
    memset(&config, 0, sizeof config);
    config.size = sizeof config;
    config.hash = hash_mbedtls(&hash_context);
    config.transport = net_transport(&net);
    config.trace = report_trace;
    config.trace_context = &trace;
    config.trace_wire = options.verbose;
    uint64_t now = clock_now();
    config.timeout = now < deadline ? deadline - now : 0;
    config.scheme = options.scheme;
    config.allowed_realms = options.allow_realm.list;
    config.allowed_realms_count = options.allow_realm.count;
    config.credentials.user = credentials.user;
    config.credentials.password = credentials.password;
    config.credentials.identity_token = credentials.identity_token;
    config.credentials.bearer_token = credentials.registry_token;

    trace.options = &options;
    trace.start = clock_now();
    net.overrides = &options.overrides;
    net.tls = &tls;
    net.proxies = &proxies;
    tls.trace = report_trace;
    tls.trace_context = &trace;
    net.trace = report_trace;
    net.trace_context = &trace;
    return regtag_init(memory.bytes, sizeof memory, &config);
}

static enum regtag_status begin(struct regtag *r)
{
    const char *const *arguments = (const char *const *)options.arguments;
    switch (options.verb->id) {
    case VERB_ID_TAG: return regtag_tag(r, arguments[0], arguments + 1, (size_t)options.count - 1);
    case VERB_ID_LS: return regtag_list(r, arguments[0], options.limit);
    case VERB_ID_DIGEST: return regtag_digest(r, arguments[0]);
    case VERB_ID_MANIFEST: return regtag_manifest(r, arguments[0]);
    }
    return REGTAG_USAGE;
}

/* The end of the operation: what is left to be told. Names that were settled have told their errors. */
static void finish(struct regtag *r, enum regtag_status status, const char *error, bool settled)
{
    size_t size;
    const char *document = regtag_document(r, &size);
    if (options.verb->id == VERB_ID_DIGEST && status != REGTAG_USAGE)
        report_digest(&options, options.arguments[0], regtag_result(r), status, error);
    if (options.verb->id == VERB_ID_MANIFEST && status == REGTAG_OK)
        output_write((struct slice){document, size});
    if (status != REGTAG_OK && !settled)
        output_error(error);
}

/* Steps the operation to its end, telling as it goes. A list that nobody can read is not gone on with. */
static enum regtag_status run(struct regtag *r)
{
    const char *error = "";
    bool settled = false;
    enum regtag_event event = begin(r) == REGTAG_OK ? REGTAG_WAIT : REGTAG_ERROR;
    while (event != REGTAG_DONE && event != REGTAG_ERROR) {
        event = net_step(&net, r);
        settled = settled || event == REGTAG_SETTLED;
        if (event == REGTAG_SETTLED)
            report_settled(&options, options.arguments[0], regtag_result(r));
        else if (event == REGTAG_LISTED)
            report_listed(&options, options.arguments[0], regtag_result(r)->name);
        if (event == REGTAG_LISTED && output_problem())
            break;
    }
    net_end(&net);
    enum regtag_status status = regtag_error(r, &error);
    finish(r, status, error, settled);
    return status;
}

/* Standard output was a part of the job. */
static int check_output(int status)
{
    char text[160];
    struct writer w = writer_to(text, sizeof text - 1);
    output_flush();
    if (!output_problem())
        return status;
    write_format(&w, "stdout cannot be written: %s; what was done is done, but not all of it was told",
                 strerror(output_problem()));
    text[w.used] = '\0';
    output_error(text);
    return status ? status : REGTAG_OTHER;
}

/* No core has a secret in it: a crash must not leave one on a disk. musl's setrlimit would bring in what it
 * takes to stop threads. */
static void no_core(void)
{
    const struct rlimit none = {0, 0};
    prlimit(0, RLIMIT_CORE, &none, NULL);
}

/* What goes wrong with the reference or the credentials is told before anything is sent. */
static int run_verb(void)
{
    struct error e = {.status = 0};
    struct reference reference;
    uint64_t deadline = clock_now() + options.timeout * 1000;

    proxies = proxy_settings(&options);
    if (reference_parse(&reference, slice_of(options.arguments[0]), &e) &&
        credentials_find(&credentials, &options, &reference, deadline, &e) == REGTAG_OK) {
        if (options.insecure)
            output_error("warning: --insecure: the registry's certificate is not verified");
        int status = (int)run(make_operation(deadline));
        credentials_wipe(&credentials);
        return status;
    }
    credentials_wipe(&credentials);
    output_error(e.text);
    return e.status;
}

int main(int argc, char **argv)
{
    struct error e = {.status = 0};
    bool has_output = output_claim();
    signal(SIGPIPE, SIG_IGN);
    no_core();

    if (!options_parse(&options, argc, argv, &e) || !tls_options(&tls, &options, &e)) {
        output_error(e.text);
        return e.status;
    }
    if (!has_output) {
        output_error("stdout is closed; nothing was done (>/dev/null discards the answer)");
        return REGTAG_OTHER;
    }
    if (options.help)
        options_help(options.verb);
    else if (options.version)
        output_write(SLICE("regtag " REGTAG_VERSION "\n"));
    else
        return check_output(run_verb());
    return check_output(0);
}
