/* regtag_load: uploads an image from the caller's store, and points a tag at it. */
#include "registry/store.h"
#include "registry/tree_push.h"

struct load_verb {
    struct tree_push tree;
};

VERB_FITS(load_verb);

static const struct verb LOAD = {.actions = "pull,push", .step = tree_step, .decline = tree_decline};

static const struct provider STORE = {.begin_manifest = store_begin_manifest,
                                      .step_manifest = store_step_manifest,
                                      .begin_blob = store_begin_blob,
                                      .step_blob = store_step_blob,
                                      .has_blob = store_has_blob,
                                      .rewind_blob = store_rewind_blob};

#define RECORD 4096u /* of TLS: the most bytes that go into one */

/* The rest of the verb's memory is for what is read. */
static void divide_memory(struct regtag *r, const struct load_verb *v)
{
    size_t size = (VERB_MEMORY - sizeof *v) / v->tree.push.count / RECORD * RECORD;
    r->buffers = r->verb_memory.bytes + sizeof *v;
    r->buffer_size = size < INPUT_MAX ? size : INPUT_MAX;
}

enum regtag_status regtag_load(struct regtag *r, const char *digest, const char *target)
{
    const struct load_verb *v = (struct load_verb *)(void *)r->verb_memory.bytes;
    struct slice name = slice_of(digest);
    if (verb_begin_image(r, &LOAD, TREE_CLEARED, target) != REGTAG_OK ||
        !fetch_check_platform(r, slice_of(r->config.platform)))
        return REGTAG_E_USAGE;
    if (r->reference.digest.size)
        return VERB_USAGE(r, "%s: the target has a digest; it gets that of the image", target);
    if (!digest_valid(name) || !digest_is_sha256(name))
        return VERB_USAGE(r, "\"%s\" is not a sha256 digest", digest);
    if (!r->config.store.read)
        return VERB_USAGE(r, "there is no store to load from");
    r->reference.digest = name;
    enum regtag_status status =
        tree_begin(r, &STORE, r->reference.tag, (unsigned)r->config.connections - 1);
    divide_memory(r, v);
    return status;
}
