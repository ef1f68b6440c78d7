/* regtag_manifest: downloads the manifest, verified and byte for byte. */
#include "registry/manifest_fetch.h"

enum manifest_state { MANIFEST_START, MANIFEST_FETCH, MANIFEST_OVER };

struct manifest_verb {
    enum manifest_state state;
    struct attempts attempts;
    struct manifest_fetch fetch;
};

VERB_FITS(manifest_verb);

static struct manifest_verb *manifest_of(struct regtag *r)
{
    return (struct manifest_verb *)(void *)r->verb_memory.bytes;
}

static enum regtag_event step(struct regtag *r)
{
    struct manifest_verb *v = manifest_of(r);
    struct error *problem = verb_problem(r);
    REQUIRE(v->state == MANIFEST_FETCH && !v->fetch.options.child_digest);
    enum fetch_event event = fetch_step(r, &v->fetch, problem);
    if (event == FETCH_WAIT)
        return REGTAG_WAIT;
    ENTER("manifest", v->state, MANIFEST_OVER);
    return event == FETCH_DONE ? verb_done(r) : verb_failed(r, problem);
}

static const struct verb MANIFEST = {.actions = "pull", .step = step};

enum regtag_status regtag_manifest(struct regtag *r, const char *image)
{
    struct manifest_verb *v = manifest_of(r);
    struct fetch_options options = {.platform = slice_of(r->config.platform), .attempts = &v->attempts};
    if (verb_begin_image(r, &MANIFEST, sizeof *v, image) != REGTAG_OK ||
        !fetch_check_platform(r, options.platform))
        return REGTAG_E_USAGE;
    ENTER("manifest", v->state, MANIFEST_FETCH);
    fetch_begin(r, &v->fetch, &options);
    return REGTAG_OK;
}
