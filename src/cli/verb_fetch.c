#include "cli/fetch.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session.h"

static int run(struct options *o, uint64_t deadline)
{
    struct fetch_job job = {.options = o,
                            .image = o->arguments[0],
                            .output = o->output,
                            .report = true,
                            .retries = (unsigned)o->retries};
    struct error e;
    error_clear(&e);
    if (!o->output)
        error_set(&e, REGTAG_E_USAGE, "-o is missing: -o FILE, -o DIR/, or -o - for standard output");
    else if (fetch_check(&job, &e) && session_login(job.image, deadline, &e))
        fetch_run(&job, deadline, &e);
    else if (e.status == REGTAG_E_CREDENTIALS)
        fetch_fail(&job, &e);
    if (e.status && !(fetch_to_output(&job) && output_problem())) /* else main says it */
        report_problem(&e);
    return e.status;
}

const struct cli_verb cli_verb_fetch = {
    .id = VERB_ID_FETCH,
    .name = "fetch",
    .arguments = "IMAGE -o FILE|DIR|-",
    .summary = "downloads the files that an image consists of",
    .details = "Each layer becomes a file: in DIR, a folder that exists or a name that ends with\n"
               "a slash, under its title, as \"oras push\" sets it; FILE and - (stdout) get a\n"
               "single one. Files are replaced once all of them are there and verified. Prints\n"
               "path, digest, size, and \"fetched\", \"unchanged\" or \"failed\".\n"
               "If it is interrupted, run it again: it continues where it stopped.\n",
    .example = "fetch registry.example/team/firmware:stable -o /var/firmware/",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
