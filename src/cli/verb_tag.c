#include "cli/report.h"
#include "cli/session.h"
#include "cli/tag_from.h"
#include "cli/tag_runner.h"

/* One operation sets all names. */
static struct regtag *begin(const struct options *o, uint64_t deadline)
{
    struct regtag_config config = session_config(deadline);
    struct regtag *r = session_operation(&config);
    const char *const *arguments = (const char *const *)o->arguments;
    regtag_tag(r, arguments[0], arguments + 1, (size_t)o->count - 1);
    return r;
}

static int run(struct options *o, uint64_t deadline)
{
    struct error e;
    struct journal journal;
    struct tag_runner t = {.options = o};
    error_clear(&e);
    if (o->from)
        return tag_from(o, deadline);
    if (!session_operation_ok(begin(o, deadline), &e)) {
        report_problem(&e);
        return e.status;
    }
    tag_runner_open_journal(&t, &journal);
    tag_runner_next(&t, o->arguments[0], (const char *const *)o->arguments + 1, (size_t)o->count - 1);
    if (tag_runner_login(&t, deadline))
        tag_runner_run(&t, begin(o, deadline));
    journal_close(&journal);
    tag_runner_note_dry_run(&t);
    return (int)t.status;
}

const struct cli_verb cli_verb_tag = {
    .id = VERB_ID_TAG,
    .name = "tag",
    .arguments = "IMAGE NAME...",
    .summary = "adds the tags NAME to IMAGE, or moves them there",
    .details = "Downloads the manifest of IMAGE, checks it, and uploads the same bytes under\n"
               "each NAME, in the same repository. With --from, reads lines IMAGE NAME... from\n"
               "a file instead or, with -, from standard input.\n",
    .example = "tag registry.example/team/app:1.4 stable 2026-11",
    .arguments_min = 2,
    .arguments_max = ARGUMENTS_MAX,
    .run = run,
};
