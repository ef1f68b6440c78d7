#include "registry/candidate.h"

#include "oci/manifest.h"

struct signature_check candidate_check(const struct regtag *r)
{
    return (struct signature_check){.verify = r->config.verify,
                                    .context = r->config.verify_context,
                                    .keys = r->config.keys,
                                    .memory = &r->memory};
}

void candidate_turn_to(struct signature_check *c, const char *image)
{
    c->image = slice_of(image);
    c->left = SIGNATURES_LOOKED_MAX;
}

bool candidate_unable(const struct signature_check *c, struct error *e)
{
    if (c->unable)
        error_set(e, REGTAG_E_OTHER, "cannot verify its signature: there is not enough memory");
    return c->unable;
}

bool candidate_read(struct regtag *r, struct slice bytes, struct document_scan *scan,
                    const struct media_type **type, struct document *d)
{
    struct error e;
    error_clear(&e);
    *type = manifest_type(bytes, scan, media_type_find(SLICE("")), &r->memory, &e);
    if (!*type || !manifest_check(bytes, scan, *type, &r->memory, &e))
        return false;
    document_index_again(d, bytes, &r->memory);
    return true;
}

bool candidate_may_be_bundle(const struct document *d, int descriptor)
{
    bool alike = false;
    int type = document_member(d, descriptor, SLICE("artifactType"), &alike);
    return type == NO_VALUE || document_is_text(d, type, SLICE(SIGNATURE_BUNDLE)) ||
           document_is_text(d, type, SLICE("application/vnd.oci.empty.v1+json"));
}
