/* regtag_referrers: what refers to an image. The registry lists it page by page or, where it cannot, there is an index at the
 * tag sha256-HEX, which clients keep (OCI distribution specification, "Listing Referrers"). */
#include <string.h>

#include "oci/titles.h"
#include "registry/manifest_fetch.h"
#include "registry/paging.h"

#define TYPE_MAX 255

enum referrers_state {
    REFERRERS_START,
    REFERRERS_IMAGE, /* its digest */
    REFERRERS_PAGE,  /* of the registry's list */
    REFERRERS_INDEX, /* at the tag */
    REFERRERS_LIST,  /* an entry after the other */
    REFERRERS_OVER
};

struct referrers_verb {
    enum referrers_state state;
    bool by_tag;       /* the list is the index at the tag */
    struct slice type; /* wanted; empty: all */
    struct attempts attempts;
    uint64_t entries; /* on this page */
    int entry;        /* reported last, or NO_VALUE */
    struct document document;
    struct manifest_fetch fetch;
    struct download page;
    char image[DIGEST_SHA256_SIZE + 1], tag[DIGEST_SHA256_SIZE + 1];
    char digest[DIGEST_MAX + 1], artifact_type[TYPE_MAX + 1];
    struct paging paging;
};

/* Bytes at the start of the struct that must be zeroed. */
#define CLEARED offsetof(struct referrers_verb, paging)

VERB_FITS(referrers_verb);

static struct referrers_verb *referrers_of(struct regtag *r)
{
    return (struct referrers_verb *)(void *)r->verb_memory.bytes;
}

static enum regtag_event over(struct regtag *r, struct referrers_verb *v, const struct error *problem)
{
    ENTER("referrers", v->state, REFERRERS_OVER);
    return problem ? verb_failed(r, problem) : verb_done(r);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* To the memory for a manifest. */
static void ask(struct regtag *r, struct referrers_verb *v, const struct request *q)
{
    download_begin(r, &v->page, q, r->manifest, r->manifest_max);
}

static void ask_for_page(struct regtag *r, struct referrers_verb *v)
{
    struct request q = {
        .method = METHOD_GET, .target = paging_target(&v->paging), .meanings = LIST_MEANINGS};
    ask(r, v, &q);
    ENTER("referrers", v->state, REFERRERS_PAGE);
}

static enum regtag_event begin_pages(struct regtag *r, struct referrers_verb *v)
{
    paging_begin_referrers(r, &v->paging, v->image, v->type);
    ask_for_page(r, v);
    return GO_ON;
}

static enum regtag_event ask_for_index(struct regtag *r, struct referrers_verb *v)
{
    struct request q = {.method = METHOD_GET,
                        .place = PLACE_MANIFESTS,
                        .accepts_manifests = true,
                        .meanings = LIST_MEANINGS};
    memcpy(v->tag, v->image, sizeof v->tag);
    v->tag[sizeof "sha256" - 1] = '-';
    q.target = slice_of(v->tag);
    ask(r, v, &q);
    ENTER("referrers", v->state, REFERRERS_INDEX);
    return GO_ON;
}

/* ---- The image ------------------------------------------------------------------------------- */

static enum regtag_event step_image(struct regtag *r, struct referrers_verb *v)
{
    struct error *problem = verb_problem(r);
    enum fetch_event event = fetch_step(r, &v->fetch, problem);
    if (event == FETCH_WAIT)
        return REGTAG_WAIT;
    if (event == FETCH_FAILED)
        return over(r, v, problem);
    memcpy(v->image, r->digest, sizeof v->image);
    return begin_pages(r, v);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static bool index_list(struct regtag *r, struct referrers_verb *v, struct error *problem)
{
    bool alike = false;
    struct slice text = downloaded(&v->page);
    if (!document_index_scanned(&v->document, text, &v->page.scan, &r->memory, "the list of referrers",
                                problem))
        return false;
    int list = document_member(&v->document, 0, SLICE("manifests"), &alike);
    if (!document_is_array(&v->document, list))
        error_set(problem, REGTAG_E_REFUSED, "the list of referrers is not an index");
    v->entry = document_first(&v->document, list);
    v->entries = 0;
    return problem->status == 0;
}

/* At the tag there may be the image itself: GitLab takes such a tag for a digest. */
static enum regtag_event begin_list(struct regtag *r, struct referrers_verb *v)
{
    struct error *problem = verb_problem(r);
    char digest[DIGEST_SHA256_SIZE + 1];
    if (!download_digest(r, &v->page, "list of referrers", digest, problem))
        return over(r, v, problem);
    if (v->by_tag && strcmp(digest, v->image) == 0)
        return over(r, v, NULL);
    if (!index_list(r, v, problem))
        return over(r, v, problem);
    ENTER("referrers", v->state, REFERRERS_LIST);
    return GO_ON;
}

/* Once there was a page, the registry has such a list. */
static enum regtag_event on_page(struct regtag *r, struct referrers_verb *v)
{
    if (v->page.status == 200)
        return begin_list(r, v);
    if (v->paging.pages == 0 && referrers_are_unsupported(v->page.status))
        return ask_for_index(r, v);
    exchange_explain(&v->page.exchange, verb_problem(r));
    return over(r, v, &r->problem);
}

static enum regtag_event on_index(struct regtag *r, struct referrers_verb *v)
{
    v->by_tag = true;
    if (v->page.status == 404 || v->page.status == 410)
        return over(r, v, NULL);
    if (v->page.status == 200)
        return begin_list(r, v);
    exchange_explain(&v->page.exchange, verb_problem(r));
    return over(r, v, &r->problem);
}

static enum regtag_event step_page(struct regtag *r, struct referrers_verb *v)
{
    switch (download_step(r, &v->page, verb_problem(r))) {
    case DOWNLOAD_WAIT: return REGTAG_WAIT;
    case DOWNLOAD_FAILED: return over(r, v, &r->problem);
    default: return v->state == REFERRERS_PAGE ? on_page(r, v) : on_index(r, v);
    }
}

/* ---- Entries --------------------------------------------------------------------------------- */

/* A string, unescaped; or "" if it does not fit, has a NUL in it, or is none. */
static void copy(const struct document *d, int object, const char *name, char *text, size_t size)
{
    bool alike = false;
    struct writer w = writer_to(text, size - 1);
    bool good = document_write(d, document_member(d, object, slice_of(name), &alike), &w) &&
                !memchr(text, '\0', w.used);
    text[good ? w.used : 0] = '\0';
}

static bool take_entry(struct regtag *r, struct referrers_verb *v, int entry)
{
    const struct document *d = &v->document;
    copy(d, entry, "digest", v->digest, sizeof v->digest);
    copy(d, entry, "artifactType", v->artifact_type, sizeof v->artifact_type);
    verb_begin_result(r, v->artifact_type, v->digest);
    r->result.size = descriptor_size(d, entry);
    if (digest_well_formed(slice_of(v->digest)))
        return v->type.size == 0 || slice_equal(v->type, slice_of(v->artifact_type));
    VERB_TELL(r, REGTAG_TRACE_WARNING, "%.*s: skipped a referrer without a valid digest",
              SLICE_ARG(r->reference.name));
    return false;
}

static enum regtag_event next_page(struct regtag *r, struct referrers_verb *v)
{
    struct error *problem = verb_problem(r);
    if (v->by_tag)
        return over(r, v, NULL);
    switch (paging_next(&v->paging, v->page.exchange.response, v->entries, problem)) {
    case PAGING_NEXT: ask_for_page(r, v); return GO_ON;
    case PAGING_END: return over(r, v, NULL);
    case PAGING_CUT: paging_tell(r, problem); return over(r, v, NULL);
    default: return over(r, v, problem);
    }
}

static enum regtag_event step_list(struct regtag *r, struct referrers_verb *v)
{
    while (v->entry != NO_VALUE) {
        int entry = v->entry;
        v->entry = document_next(&v->document, entry);
        v->entries++;
        if (take_entry(r, v, entry))
            return REGTAG_LISTED;
    }
    return next_page(r, v);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static enum regtag_event step(struct regtag *r)
{
    struct referrers_verb *v = referrers_of(r);
    switch (v->state) {
    case REFERRERS_START: return begin_pages(r, v);
    case REFERRERS_IMAGE: return step_image(r, v);
    case REFERRERS_LIST: return step_list(r, v);
    default: return step_page(r, v);
    }
}

static const struct verb REFERRERS = {.actions = "pull", .step = step};

enum regtag_status regtag_referrers(struct regtag *r, const char *image, const char *artifact_type)
{
    struct referrers_verb *v = referrers_of(r);
    struct fetch_options options = {.platform = slice_of(r->config.platform),
                                    .child_digest = true,
                                    .vouched = true,
                                    .attempts = &v->attempts};
    if (verb_begin_image(r, &REFERRERS, CLEARED, image) != REGTAG_OK ||
        !fetch_check_platform(r, options.platform))
        return REGTAG_E_USAGE;
    v->type = slice_of(artifact_type);
    if (v->type.size > TYPE_MAX)
        return VERB_USAGE(r, "an artifact type has at most %u characters", TYPE_MAX);
    if (r->reference.digest.size && options.platform.size == 0) {
        memcpy(v->image, r->reference.digest.data, r->reference.digest.size);
        return REGTAG_OK;
    }
    ENTER("referrers", v->state, REFERRERS_IMAGE);
    fetch_begin(r, &v->fetch, &options);
    return REGTAG_OK;
}
