/* regtag: the command. */
#include <signal.h>
#include <string.h>

#include "cli/changes.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/undo.h"
#include "cli/watch.h"
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
    case VERB_ID_LS: return regtag_list(r, arguments[0], options.limit);
    case VERB_ID_DIGEST: return regtag_digest(r, arguments[0]);
    case VERB_ID_MANIFEST: return regtag_manifest(r, arguments[0]);
    default: return REGTAG_USAGE;
    }
}

/* The end of the operation: what is left to be told. */
static void finish(struct regtag *r, enum regtag_status status, const char *error)
{
    size_t size;
    const char *document = regtag_document(r, &size);
    if (options.verb->id == VERB_ID_DIGEST && status != REGTAG_USAGE)
        report_digest(&options, options.arguments[0], regtag_result(r), status, error);
    if (options.verb->id == VERB_ID_MANIFEST && status == REGTAG_OK)
        output_write((struct slice){document, size});
    if (status != REGTAG_OK)
        output_error(error);
}

/* Steps an operation that changes nothing to its end, telling as it goes. A list that nobody can read is not gone on with. */
static enum regtag_status run(struct regtag *r)
{
    const char *error = "";
    enum regtag_event event = begin(r) == REGTAG_OK ? REGTAG_WAIT : REGTAG_ERROR;
    while (event != REGTAG_DONE && event != REGTAG_ERROR) {
        event = session_step(r);
        if (event == REGTAG_LISTED)
            report_listed(&options, options.arguments[0], regtag_result(r)->name);
        if (event == REGTAG_LISTED && output_problem())
            break;
    }
    session_close();
    enum regtag_status status = regtag_error(r, &error);
    finish(r, status, error);
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

/* What goes wrong with the reference or the credentials is told before anything is sent. */
static enum regtag_status ask(uint64_t deadline)
{
    struct error e = {.status = 0};
    if (session_login(options.arguments[0], deadline, &e)) {
        struct regtag_config config = session_config(deadline);
        return run(session_operation(&config));
    }
    output_error(e.text);
    return (enum regtag_status)e.status;
}

static int run_verb(void)
{
    uint64_t deadline = clock_now() + options.timeout * 1000;
    int status;
    if (options.insecure)
        output_error("warning: --insecure: the registry's certificate is not verified");
    switch (options.verb->id) {
    case VERB_ID_TAG:
    case VERB_ID_DELETE: status = (int)changes_run(&options, deadline); break;
    case VERB_ID_UNDO: status = (int)undo_run(&options, deadline); break;
    case VERB_ID_WATCH: status = watch(&options); break;
    default: status = (int)ask(deadline);
    }
    session_end();
    return status;
}

int main(int argc, char **argv)
{
    struct error e = {.status = 0};
    bool has_output = output_claim();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is told like a disk that is full */
    process_no_core();

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
