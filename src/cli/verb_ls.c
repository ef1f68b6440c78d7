#include "cli/query.h"
#include "cli/report.h"

static enum regtag_status begin(struct regtag *r, const struct options *o)
{
    return (o->digests ? regtag_digests : regtag_list)(r, o->arguments[0], o->limit);
}

static bool on_listed(const struct options *o, const struct regtag_result *result)
{
    report_listed(o, o->arguments[0], result);
    return true;
}

static int run(struct options *o, uint64_t deadline)
{
    static const struct query LS = {begin, on_listed, NULL};
    return query_run(&LS, o, deadline);
}

const struct cli_verb cli_verb_ls = {
    .id = VERB_ID_LS,
    .name = "ls",
    .arguments = "REPOSITORY",
    .summary = "lists tags, one per line",
    .details = "Lists the tags of REPOSITORY in the registry's order. With --digests, each is\n"
               "followed by a tab and the digest that it points to, or \"-\".\n",
    .example = "ls --digests registry.example/team/app",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
