#include "cli/output.h"
#include "cli/query.h"

static enum regtag_status begin(struct regtag *r, const struct options *o)
{
    return regtag_manifest(r, o->arguments[0]);
}

static void on_end(const struct options *o, struct regtag *r, enum regtag_status status,
                   const char *error)
{
    size_t size;
    const char *manifest = regtag_document(r, &size);
    (void)o;
    (void)error;
    if (status == REGTAG_OK)
        output_write((struct slice){manifest, size});
}

static int run(struct options *o, uint64_t deadline)
{
    static const struct query MANIFEST = {begin, NULL, on_end};
    return query_run(&MANIFEST, o, deadline);
}

const struct cli_verb cli_verb_manifest = {
    .id = VERB_ID_MANIFEST,
    .name = "manifest",
    .arguments = "IMAGE",
    .summary = "prints the manifest, byte for byte",
    .details = "Prints nothing unless the manifest is valid and has the right digest.\n",
    .example = "manifest registry.example/team/app:stable",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
