#include "cli/query.h"
#include "cli/report.h"

static enum regtag_status begin(struct regtag *r, const struct options *o)
{
    return regtag_digest(r, o->arguments[0]);
}

static void on_end(const struct options *o, struct regtag *r, enum regtag_status status,
                   const char *error)
{
    if (status != REGTAG_E_USAGE)
        report_digest(o, o->arguments[0], regtag_result(r), status, error);
}

static int run(struct options *o, uint64_t deadline)
{
    static const struct query DIGEST = {begin, NULL, on_end};
    return query_run(&DIGEST, o, deadline);
}

const struct cli_verb cli_verb_digest = {
    .id = VERB_ID_DIGEST,
    .name = "digest",
    .arguments = "IMAGE",
    .summary = "prints the digest that the tag points to",
    .details = "",
    .example = "digest registry.example/team/app:stable",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
