#include "cli/query.h"
#include "cli/report.h"

static enum regtag_status begin(struct regtag *r, const struct options *o)
{
    return regtag_referrers(r, o->arguments[0], o->artifact_type);
}

static bool on_listed(const struct options *o, const struct regtag_result *result)
{
    report_referrer(o, result);
    return true;
}

static int run(struct options *o, uint64_t deadline)
{
    static const struct query REFERRERS = {begin, on_listed, NULL};
    return query_run(&REFERRERS, o, deadline);
}

const struct cli_verb cli_verb_referrers = {
    .id = VERB_ID_REFERRERS,
    .name = "referrers",
    .arguments = "IMAGE",
    .summary = "lists what refers to an image: signatures, SBOMs",
    .details = "Prints digest, artifact type and size of each, separated by tabs; \"-\" if it has\n"
               "no type.\n",
    .example = "referrers registry.example/team/app:stable",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
