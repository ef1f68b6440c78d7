#include "cli/query.h"
#include "cli/report.h"

/* An operation that requires a signature downloads no manifest without one. */
static enum regtag_status begin(struct regtag *r, const struct options *o)
{
    return regtag_manifest(r, o->arguments[0]);
}

static void on_end(const struct options *o, struct regtag *r, enum regtag_status status,
                   const char *error)
{
    if (status != REGTAG_E_USAGE)
        report_verified(o, o->arguments[0], regtag_result(r), status, error);
}

static int run(struct options *o, uint64_t deadline)
{
    static const struct query VERIFY = {begin, NULL, on_end};
    return query_run(&VERIFY, o, deadline);
}

const struct cli_verb cli_verb_verify = {
    .id = VERB_ID_VERIFY,
    .name = "verify",
    .arguments = "IMAGE",
    .summary = "checks that the image is signed with a key",
    .details = "Looks for a signature made with \"cosign sign --key\", and verifies it with the\n"
               "public key in the file of --verify-key, or of REGTAG_VERIFY_KEY.\n"
               "Prints reference, digest, \"verified\", and the SHA-256 of the key.\n",
    .example = "verify registry.example/team/app:stable --verify-key /etc/cosign.pub",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
