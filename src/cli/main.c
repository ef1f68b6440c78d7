/* regtag: the command. */
#define _GNU_SOURCE /* prlimit */

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session.h"
#include "net/clock.h"
#include "regtag.h"

#ifndef REGTAG_VERSION
#define REGTAG_VERSION "unknown"
#endif

static struct options options;

static enum regtag_status begin(struct regtag *r)
{
    const char *const *arguments = (const char *const *)options.arguments;
    switch (options.verb->id) {
    case VERB_ID_TAG: return regtag_tag(r, arguments[0], arguments + 1, (size_t)options.count - 1);
    case VERB_ID_LS: return regtag_list(r, arguments[0], options.limit);
    case VERB_ID_DIGEST: return regtag_digest(r, arguments[0]);
    case VERB_ID_MANIFEST: return regtag_manifest(r, arguments[0]);
    default: return REGTAG_USAGE;
    }
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
        event = session_step(r);
        settled = settled || event == REGTAG_SETTLED;
        if (event == REGTAG_SETTLED)
            report_settled(&options, options.arguments[0], regtag_result(r));
        else if (event == REGTAG_LISTED)
            report_listed(&options, options.arguments[0], regtag_result(r)->name);
        if (event == REGTAG_LISTED && output_problem())
            break;
    }
    session_close();
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
    uint64_t deadline = clock_now() + options.timeout * 1000;
    int status;

    if (options.insecure)
        output_error("warning: --insecure: the registry's certificate is not verified");
    if (session_login(options.arguments[0], deadline, &e)) {
        struct regtag_config config = session_config(deadline);
        status = (int)run(session_operation(&config));
    } else {
        output_error(e.text);
        status = e.status;
    }
    session_end();
    return status;
}

int main(int argc, char **argv)
{
    struct error e = {.status = 0};
    bool has_output = output_claim();
    signal(SIGPIPE, SIG_IGN);
    no_core();

    if (!options_parse(&options, argc, argv, &e) || (options.verb && !session_init(&options, &e))) {
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
