/* Several tags by one request: PUT of the manifest by its digest, with ?tag=a&tag=b. A registry that knows
 * this (OCI distribution specification, "Pushing Manifests") answers with OCI-Tag for those that it has set;
 * one that does not has stored the manifest, and set none. */
#include <string.h>

#include "registry/operation.h"

/* ---- Whether it is worth it ------------------------------------------------------------------ */

/* What is built on Docker's distribution says so in every answer, and does not know this. Guarded tags are
 * looked at as late as may be, so they go one by one. */
void together_init(struct regtag *r)
{
    struct together *t = &r->together;
    struct slice version;
    bool distribution =
        http_response_field(&r->exchange.response, SLICE("docker-distribution-api-version"), &version) &&
        version.size;
    t->limit =
        distribution || r->redirects || r->config.expected_count || r->config.dry_run ? 0 : TOGETHER_MAX;
    t->count = 0;
}

struct together_name *together_find(struct regtag *r, size_t index)
{
    struct together *t = &r->together;
    for (unsigned i = 0; i < t->count; i++)
        if (t->names[i].index == index)
            return &t->names[i];
    return NULL;
}

/* ---- Looking at all of them ------------------------------------------------------------------ */

static void begin_name(struct regtag *r, const struct together_name *n)
{
    r->result = (struct regtag_result){r->names[n->index], r->digest, n->previous, REGTAG_PENDING,
                                       REGTAG_OK,          "",        n->absent};
}

static enum regtag_event look_at_next(struct regtag *r)
{
    struct together *t = &r->together;
    begin_name(r, &t->names[t->at]);
    return operation_look(r, PHASE_GATHERED);
}

bool together_begin(struct regtag *r)
{
    struct together *t = &r->together;
    size_t index = r->index, size = DIGEST_SHA256_SIZE + REPOSITORY_MAX + 32;
    t->count = 0;
    t->at = 0;
    for (; index < r->count && t->count < t->limit; index = names_next(r, index + 1)) {
        size += strlen(r->names[index]) + 5;
        if (size > TOGETHER_TARGET_MAX)
            break;
        t->names[t->count] = (struct together_name){.index = index};
        t->count++;
    }
    if (t->count < 2) {
        t->count = 0;
        return false;
    }
    look_at_next(r);
    return true;
}

const char *together_following(const struct regtag *r)
{
    const struct together *t = &r->together;
    bool more = r->look.then == PHASE_GATHERED && t->at + 1 < t->count;
    return more ? r->names[t->names[t->at + 1].index] : NULL;
}

enum regtag_event phase_gathered(struct regtag *r)
{
    struct together *t = &r->together;
    struct together_name *n = &t->names[t->at++];
    const struct look *look = &r->look;
    unsigned wanted = 0;
    n->absent = look->sight == SIGHT_ABSENT;
    if (look->sight == SIGHT_DIGEST)
        memcpy(n->previous, look->digest, sizeof n->previous);
    n->state = slice_equal(slice_of(n->previous), slice_of(r->digest)) ? TOGETHER_UNCHANGED
                                                                       : TOGETHER_LOOKED_AT;
    if (t->at < t->count)
        return look_at_next(r);
    for (unsigned i = 0; i < t->count; i++)
        wanted += t->names[i].state == TOGETHER_LOOKED_AT;
    t->at = 0;
    return operation_go(r, wanted < 2 ? PHASE_NEXT : PHASE_ANNOUNCING);
}

/* ---- PUT ------------------------------------------------------------------------------------- */

enum regtag_event phase_announcing(struct regtag *r)
{
    struct together *t = &r->together;
    while (t->at < t->count) {
        struct together_name *n = &t->names[t->at++];
        if (n->state != TOGETHER_LOOKED_AT)
            continue;
        n->state = TOGETHER_ANNOUNCED;
        begin_name(r, n);
        return REGTAG_UPLOAD;
    }
    return operation_go(r, PHASE_TOGETHER);
}

/* As many as the registry takes. The request may have to be sent again, with a token or to elsewhere. */
static void begin_put(struct regtag *r)
{
    struct slice manifest = {r->manifest, r->manifest_size};
    struct together *t = &r->together;
    unsigned asked = 0;
    struct writer *w = &r->exchange.request;
    char reference[TOGETHER_TARGET_MAX];
    struct writer target = writer_to(reference, sizeof reference);
    const char *before = "?";

    write_text(&target, r->digest);
    for (unsigned i = 0; i < t->count && asked < t->limit; i++) {
        struct together_name *n = &t->names[i];
        if (n->state != TOGETHER_ANNOUNCED && n->state != TOGETHER_ASKED)
            continue;
        n->state = TOGETHER_ASKED;
        asked++;
        write_format(&target, "%stag=%s", before, r->names[n->index]);
        before = "&";
    }
    operation_manifest_request(r, "PUT", written(&target));
    write_field(w, "Content-Type", r->media_type->name);
    write_format(w, "Content-Length: %zu\r\n", manifest.size);
    operation_send(r, "PUT", manifest, operation_until(r, 2));
}

static void note_set(struct regtag *r, struct slice tags)
{
    struct together *t = &r->together;
    while (tags.data) {
        struct slice tag = slice_trim(slice_split(&tags, ','));
        for (unsigned i = 0; i < t->count; i++)
            if (t->names[i].state == TOGETHER_ASKED &&
                slice_equal(tag, slice_of(r->names[t->names[i].index])))
                t->names[i].state = TOGETHER_SET;
    }
}

static unsigned count_of(const struct together *t, enum together_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < t->count; i++)
        count += t->names[i].state == state;
    return count;
}

/* Those that were asked for and are not set become this. */
static void rest_becomes(struct together *t, enum together_state state)
{
    for (unsigned i = 0; i < t->count; i++)
        if (t->names[i].state == TOGETHER_ASKED)
            t->names[i].state = state;
}

/* Reads all OCI-Tag fields; returns how many names they confirm. */
static unsigned note_answer(struct regtag *r)
{
    struct slice section = http_response_fields(&r->exchange.response), name, value;
    unsigned before = count_of(&r->together, TOGETHER_SET);
    while (http_field_next(&section, &name, &value))
        if (slice_equal_nocase(name, SLICE("oci-tag")))
            note_set(r, value);
    return count_of(&r->together, TOGETHER_SET) - before;
}

/* How many the registry takes is remembered; what is left goes by further requests like this one, or else one
 * by one. */
static enum regtag_event put_answered(struct regtag *r)
{
    struct together *t = &r->together;
    unsigned status = r->exchange.response.status, asked = count_of(t, TOGETHER_ASKED), set;
    struct slice digest;
    bool well = answer_digest(&r->exchange.response, &digest) &&
                (digest.size == 0 || slice_equal(digest, slice_of(r->digest)));
    if (status == 414 || status == 431)
        t->limit = asked / 2;
    else if (status < 200 || status >= 300 || !well)
        t->limit = 0;
    else {
        set = note_answer(r);
        t->limit = set < asked ? set : t->limit;
        operation_tell(r, REGTAG_TRACE_NOTE, "%u tags were set by one request", set);
    }
    rest_becomes(t, TOGETHER_ANNOUNCED);
    if (t->limit < 2)
        t->limit = 0;
    return operation_go(r,
                        t->limit && count_of(t, TOGETHER_ANNOUNCED) > 1 ? PHASE_TOGETHER : PHASE_NEXT);
}

/* Nobody knows whether some of them are set: each is looked at again. What was not sent whole has set none. */
static enum regtag_event put_failed(struct regtag *r)
{
    struct together *t = &r->together;
    bool sent = r->exchange.sent_all || r->exchange.answered;
    rest_becomes(t, sent ? TOGETHER_UNSURE : TOGETHER_ANNOUNCED);
    t->limit = 0;
    return operation_go(r, PHASE_NEXT);
}

enum regtag_event phase_together(struct regtag *r)
{
    if (!r->begun)
        begin_put(r);
    switch (operation_answer(r)) {
    case EXCHANGE_WAIT: return REGTAG_WAIT;
    case EXCHANGE_MOVED: return GO_ON;
    case EXCHANGE_END: return r->exchange.response.status >= 500 ? put_failed(r) : put_answered(r);
    default: return put_failed(r);
    }
}
