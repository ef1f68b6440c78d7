/* regtag: the command. */
#include <signal.h>

#include "cli/hint.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "regtag_sockets.h"
#include "regtag.h"

#ifndef REGTAG_VERSION
#define REGTAG_VERSION "unknown"
#endif

static struct options options;

/* What could not be printed makes a failure of a success. */
static int check_output(int status)
{
    output_flush();
    if (!output_problem())
        return status;
    bool acted = options.verb && !options.help && !(options.verb->id & ASKING);
    output_message("cannot write to stdout: %s; %sthe output is incomplete", output_problem(),
                   acted ? "what was done stays done, but " : "");
    return status ? status : REGTAG_E_OTHER;
}

static int run_verb(uint64_t deadline)
{
    if (options.side[0].insecure || options.side[1].insecure)
        output_error("warning: --insecure: the registry's certificate is not verified");
    int status = options.verb->run(&options, deadline);
    session_end();
    return status;
}

int main(int argc, char **argv)
{
    struct error e;
    bool has_output = output_open_standard();
    error_clear(&e);
    signal(SIGPIPE, SIG_IGN);
    /* Makes write fail at the limit for files, as on a full disk. */
    signal(SIGXFSZ, SIG_IGN);
    signals_as_process_1();
    process_no_core();

    bool valid = options_parse(&options, argc, argv, &e);
    uint64_t deadline = regtag_clock() + options.timeout * 1000;
    output_deadline(deadline);
    if (!valid && options.expected_count && !options.from && options.count < options.verb->arguments_min)
        e.hint = REGTAG_HINT_EXPECTED; /* it may have taken the argument that is missing */
    if (!valid || (options.verb && !options.help && !session_init(&options, deadline, &e))) {
        output_error(hint_message(e.text, e.hint));
        return e.status;
    }
    if (!has_output) {
        output_error("stdout is closed; nothing was done (discard the output with >/dev/null)");
        return REGTAG_E_OTHER;
    }
    if (options.help)
        options_help(&options);
    else if (options.version)
        output_write(SLICE("regtag " REGTAG_VERSION "\n"));
    else
        return check_output(run_verb(deadline));
    return check_output(0);
}
