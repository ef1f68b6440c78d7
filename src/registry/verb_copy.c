/* regtag_copy: brings an image to another repository, and points a tag at it there. The source's client and that of the
 * target (`client` of struct regtag) have nothing in common; either may be ahead of the other. */
#include "registry/provider.h"
#include "registry/tree_push.h"

struct copy_verb {
    struct tree_push tree;
    struct reference image;
    struct client source;
};

/* Only what is zeroed is used where there are too few connections. */
typedef char copy_verb_fits[sizeof(struct copy_verb) <= VERB_MEMORY ||
                                    REGTAG_CONNECTIONS_MAX < 2 * REGTAG_CONNECTIONS_MIN
                                ? 1
                                : -1];
typedef char cleared_fits[TREE_CLEARED <= VERB_MEMORY ? 1 : -1];

static const struct verb COPY = {
    .actions = "pull,push", .of_two = true, .step = tree_step, .decline = tree_decline};

static const struct provider REGISTRY = {.begin_manifest = fetch_begin,
                                         .step_manifest = fetch_step,
                                         .begin_blob = blob_begin,
                                         .step_blob = blob_step};

/* Half of the connections for each side. After a copy with `keep` they are shared out already; after anything else, some may
 * be open. */
static enum regtag_status begin_sides(struct regtag *r, struct copy_verb *v, unsigned half)
{
    if (half < REGTAG_CONNECTIONS_MIN)
        return VERB_USAGE(r, "a copy needs %u connections", 2u * REGTAG_CONNECTIONS_MIN);
    if (verb_has_two(r) || r->client.remote.origin.registry)
        return REGTAG_OK;
    client_init(&r->client, &r->config, &r->config.target, r->connections, 0, half);
    client_init(&v->source, &r->config, &r->side, r->connections, half, half);
    r->source = &v->source;
    return REGTAG_OK;
}

static void connect_source(struct regtag *r, struct copy_verb *v)
{
    struct remote *target = &r->client.remote;
    verb_connect(&v->source, &v->image, "pull");
    bool mounts = remote_is_home(target, &v->source.remote.origin) &&
                  !slice_equal(r->reference.repository, v->image.repository);
    remote_pull_also(target, mounts ? &v->image : NULL);
    r->image = &v->image;
}

enum regtag_status regtag_copy(struct regtag *r, const char *image, const char *target)
{
    struct copy_verb *v = (struct copy_verb *)(void *)r->verb_memory.bytes;
    unsigned half = (unsigned)r->config.connections / 2;
    if (begin_sides(r, v, half) != REGTAG_OK ||
        verb_begin_image(r, &COPY, TREE_CLEARED, target) != REGTAG_OK ||
        !verb_read_reference(r, &v->image, image) ||
        !fetch_check_platform(r, slice_of(r->config.platform)))
        return REGTAG_E_USAGE;
    if (r->reference.digest.size)
        return VERB_USAGE(r, "%s: the target has a digest; it gets that of the image", target);
    if (v->image.digest.size && !digest_is_sha256(v->image.digest))
        return VERB_USAGE(r, "%s: only sha256 digests can be checked, not sha512", image);
    connect_source(r, v);
    return tree_begin(r, &REGISTRY, r->reference.tag.size ? r->reference.tag : reference_tag(&v->image),
                      half - 1);
}
