#include "registry/signatures.h"

#include <string.h>

#include "oci/titles.h"
#include "registry/resolve.h"

#define MORE ((enum signatures_event)(-1))

static const struct meaning NO_MEANINGS[] = {{.text = NULL}};

/* ---- Findings -------------------------------------------------------------------------------- */

static void note_finding(struct signatures *s, enum signature_finding finding)
{
    s->best = finding > s->best ? finding : s->best;
}

/* Clears *e. */
static void note_failure(struct signatures *s, struct error *e)
{
    error_set(error_hint(&s->failure, e->hint), e->status, "cannot look for its signature: %s", e->text);
    error_clear(e);
}

/* Whether nothing else can be asked for, and `failure` says why. It may be another request that has failed to connect, a
 * lookup of a tag. */
static bool cannot_go_on(const struct regtag *r, struct signatures *s)
{
    const struct context *c = &r->source->context;
    bool late = c->now >= c->deadline;
    if (late)
        error_set(error_hint(&s->failure, REGTAG_HINT_TIMEOUT), REGTAG_E_TIMEOUT,
                  "cannot look for its signature: no time was left");
    return late || (c->unreachable && s->failure.status);
}

static enum signatures_event over(struct regtag *r, struct signatures *s, enum signatures_event event)
{
    for (unsigned i = 0; i < SIGNATURES_PLACES; i++)
        client_cancel(r->source, &s->place[i].exchange);
    ENTER("signatures", s->state, SIGNATURES_OVER);
    return event;
}

static enum signatures_event set_unsigned(struct regtag *r, struct signatures *s, struct error *e)
{
    if (candidate_unable(&s->check, e))
        return over(r, s, SIGNATURES_FAILED);
    error_set(e, REGTAG_E_UNSIGNED,
              "%s signed with a required key: %s; looked at the tag %s, and among the referrers%s%s",
              *s->index ? "neither it nor its index is" : "it is not", signature_text(s->best), s->tag,
              s->has_api ? "" : " at the tag without .sig, since the registry does not list them",
              s->check.cut ? ", but at no more than 32 of each" : "");
    return over(r, s, SIGNATURES_FAILED);
}

static enum signatures_event end(struct regtag *r, struct signatures *s, struct error *e)
{
    if (s->failure.status == 0)
        return set_unsigned(r, s, e);
    *e = s->failure;
    return over(r, s, SIGNATURES_FAILED);
}

/* ---- Documents ------------------------------------------------------------------------------- */

static bool read_manifest(struct regtag *r, struct download *from, const struct media_type **type,
                          struct document *d)
{
    return candidate_read(r, downloaded(from), &from->scan, type, d);
}

/* The first one in a list of referrers, or NO_VALUE. */
static int first_entry(struct regtag *r, struct download *list, struct document *d)
{
    const struct media_type *type;
    bool alike = false;
    if (!read_manifest(r, list, &type, d) || type->kind != MANIFEST_INDEX)
        return NO_VALUE;
    return document_first(d, document_member(d, 0, SLICE("manifests"), &alike));
}

/* ---- The three places ------------------------------------------------------------------------ */

static void ask(struct regtag *r, struct signatures *s, unsigned number, bool pipelined)
{
    char *memory = (char *)(s + 1);
    size_t room = (size_t)(r->manifest + r->manifest_max - memory) / SIGNATURES_PLACES;
    struct slice tag = slice_of(s->tag);
    struct request q = {.method = METHOD_GET,
                        .place = PLACE_MANIFESTS,
                        .target = tag,
                        .accepts_manifests = true,
                        .pipelined = pipelined,
                        .meanings = NO_MEANINGS};
    if (number == SIGNATURES_BY_INDEX)
        q.target = slice_head(tag, DIGEST_SHA256_SIZE);
    if (number == SIGNATURES_BY_API) {
        paging_begin_referrers(r, &s->paging, s->check.image.data, SLICE(SIGNATURE_BUNDLE));
        q.place = PLACE_ANY;
        q.target = paging_target(&s->paging);
        s->more = false;
    }
    s->answer[number] = LOOK_OPEN;
    download_begin(r, &s->place[number], &q, memory + number * room, room);
}

static void look_at(struct regtag *r, struct signatures *s, const char *image)
{
    const char *hex = image + sizeof "sha256:" - 1;
    struct writer tag = writer_to(s->tag, sizeof s->tag - 1);
    candidate_turn_to(&s->check, image);
    write_format(&tag, "sha256-%s.sig", hex);
    s->tag[tag.used] = '\0';
    s->type = NULL;
    s->layers = s->referrers = s->looked = 0;
    s->failed = s->failure.status != 0;
    ENTER("signatures", s->state, SIGNATURES_LOOK);
    for (unsigned i = 0; i < SIGNATURES_PLACES; i++)
        ask(r, s, i, true);
}

/* At once: the header is there only until the next answer comes. */
static void find_next_page(struct regtag *r, struct signatures *s, struct error *problem)
{
    struct download *page = &s->place[SIGNATURES_BY_API];
    struct document d;
    bool filled = first_entry(r, page, &d) != NO_VALUE;
    enum paging_event event = paging_next(&s->paging, page->exchange.response, filled, problem);
    s->more = event == PAGING_NEXT;
    if (event != PAGING_CUT)
        return;
    paging_tell(r, problem);
    error_clear(problem);
}

static bool is_absent(unsigned status)
{
    return status == 404 || status == 410;
}

/* Once there was a page, the registry has such a list. */
static bool is_empty(const struct signatures *s, unsigned number, unsigned status)
{
    if (number == SIGNATURES_BY_API)
        return s->paging.pages == 0 && referrers_are_unsupported(status);
    return is_absent(status);
}

static enum look on_answer(struct regtag *r, struct signatures *s, unsigned number,
                           struct error *problem)
{
    const struct download *d = &s->place[number];
    if (d->status == 200) {
        if (number == SIGNATURES_BY_API)
            find_next_page(r, s, problem);
        return LOOK_FILLED;
    }
    if (is_empty(s, number, d->status))
        return LOOK_EMPTY;
    exchange_explain(&d->exchange, problem);
    return LOOK_FAILED;
}

static void step_place(struct regtag *r, struct signatures *s, unsigned number)
{
    struct error *problem = verb_problem(r);
    switch (download_step(r, &s->place[number], problem)) {
    case DOWNLOAD_WAIT: return;
    case DOWNLOAD_END: s->answer[number] = on_answer(r, s, number, problem); break;
    default: s->answer[number] = LOOK_FAILED; /* DOWNLOAD_FAILED */
    }
    if (problem->status)
        note_failure(s, problem);
}

/* ---- What is there --------------------------------------------------------------------------- */

/* Whether its bytes have the digest that the answer states, if it states one. Nobody else may be using the hash. */
static bool is_whole(struct regtag *r, const struct download *d, char digest[DIGEST_SHA256_SIZE + 1])
{
    struct error *problem = verb_problem(r);
    bool whole = download_digest(r, d, "manifest", digest, problem);
    error_clear(problem);
    return whole;
}

static void add_referrer(struct signatures *s, struct slice digest)
{
    if (s->referrers == REFERRERS_LOOKED_MAX)
        s->check.cut = true;
    else
        memcpy(s->referrer[s->referrers++], digest.data, digest.size);
}

/* At the tag there may be the image itself: GitLab takes such a tag for a digest. */
static void add_referrers(struct regtag *r, struct signatures *s, struct download *from)
{
    char digest[DIGEST_SHA256_SIZE + 1];
    struct document d;
    if (!is_whole(r, from, digest)) {
        note_finding(s, SIGNATURE_MALFORMED);
        return;
    }
    if (strcmp(digest, s->check.image.data) == 0)
        return;
    int i = first_entry(r, from, &d);
    for (; i != NO_VALUE; i = document_next(&d, i))
        if (candidate_may_be_bundle(&d, i) && digest_is_sha256(descriptor_digest(&d, i)))
            add_referrer(s, descriptor_digest(&d, i));
}

/* There is one hash for all; whoever has begun with it goes on meanwhile. */
static bool waits_for_hash(const struct regtag *r)
{
    return r->hashing && exchange_is_in_flight(&r->hashing->exchange);
}

/* Whether the answers count: only when all that were sent together have come in step. */
static enum standing standing_of(const struct signatures *s)
{
    enum standing all = STANDING_FIRM;
    for (unsigned i = 0; i < SIGNATURES_PLACES && all != STANDING_VOID; i++) {
        enum standing one = exchange_standing(&s->place[i].exchange);
        all = one == STANDING_FIRM ? all : one;
    }
    return all;
}

static enum signatures_event on_places(struct regtag *r, struct signatures *s)
{
    struct download *tag = &s->place[SIGNATURES_AT_TAG];
    char digest[DIGEST_SHA256_SIZE + 1];
    struct document d;
    s->has_api = s->answer[SIGNATURES_BY_API] == LOOK_FILLED;
    if (s->answer[SIGNATURES_AT_TAG] == LOOK_FILLED &&
        (!is_whole(r, tag, digest) || !read_manifest(r, tag, &s->type, &d) ||
         s->type->kind != MANIFEST_IMAGE)) {
        s->type = NULL;
        note_finding(s, SIGNATURE_MALFORMED);
    }
    for (unsigned i = SIGNATURES_BY_API; i <= SIGNATURES_BY_INDEX; i++)
        if (s->answer[i] == LOOK_FILLED)
            add_referrers(r, s, &s->place[i]);
    ENTER("signatures", s->state, SIGNATURES_NEXT);
    return MORE;
}

static enum signatures_event step_look(struct regtag *r, struct signatures *s)
{
    bool open = false;
    for (unsigned i = 0; i < SIGNATURES_PLACES; i++) {
        if (s->answer[i] == LOOK_OPEN)
            step_place(r, s, i);
        open = open || s->answer[i] == LOOK_OPEN;
    }
    enum standing standing = open ? STANDING_OPEN : standing_of(s);
    r->source->context.queued = r->source->context.queued || (!open && standing == STANDING_OPEN);
    if (standing == STANDING_OPEN || waits_for_hash(r))
        return SIGNATURES_WAIT;
    if (standing == STANDING_FIRM)
        return on_places(r, s);
    if (!s->failed)
        error_clear(&s->failure); /* it may have been the answer to another request */
    for (unsigned i = 0; i < SIGNATURES_PLACES; i++)
        ask(r, s, i, false);
    return MORE;
}

/* ---- One by one ------------------------------------------------------------------------------ */

/* Behind the tag's manifest, or behind what is there already. */
static void get(struct regtag *r, struct download *d, enum place place, struct slice target,
                const struct download *before)
{
    char *memory = before->bytes + before->size;
    struct request q = {.method = METHOD_GET,
                        .place = place,
                        .target = target,
                        .accepts_manifests = place != PLACE_BLOBS,
                        .meanings = NO_MEANINGS};
    download_begin(r, d, &q, memory, (size_t)(r->manifest + r->manifest_max - memory));
}

static struct slice want(struct signatures *s, struct slice digest)
{
    memcpy(s->wanted, digest.data, digest.size);
    s->wanted[digest.size] = '\0';
    return slice_of(s->wanted);
}

/* The next layer of the tag's manifest that has a signature, or NO_VALUE. */
static int find_layer(struct signatures *s, const struct document *d)
{
    unsigned i = 0;
    int layer = document_first(d, layers_of(d));
    for (; layer != NO_VALUE; layer = document_next(d, layer)) {
        if (i++ < s->layers)
            continue;
        s->layers = i;
        enum signature_finding finding = signature_of_layer(d, layer, s->decoded, &s->signature);
        if (finding == SIGNATURE_GOOD)
            break;
        note_finding(s, finding);
    }
    return layer;
}

static bool next_layer(struct regtag *r, struct signatures *s)
{
    struct download *tag = &s->place[SIGNATURES_AT_TAG];
    struct document d;
    if (!s->type)
        return false;
    document_index_again(&d, downloaded(tag), &r->memory);
    int layer = find_layer(s, &d);
    if (layer == NO_VALUE)
        return false;
    if (s->check.left == 0) {
        s->check.cut = true;
        return false;
    }
    get(r, &s->place[SIGNATURES_BY_INDEX], PLACE_BLOBS, want(s, descriptor_digest(&d, layer)), tag);
    ENTER("signatures", s->state, SIGNATURES_PAYLOAD);
    return true;
}

static bool next_referrer(struct regtag *r, struct signatures *s)
{
    if (s->looked == s->referrers)
        return false;
    get(r, &s->place[SIGNATURES_BY_API], PLACE_MANIFESTS, want(s, slice_of(s->referrer[s->looked++])),
        &s->place[SIGNATURES_AT_TAG]);
    ENTER("signatures", s->state, SIGNATURES_REFERRER);
    return true;
}

static bool next_page(struct regtag *r, struct signatures *s)
{
    bool enough = s->referrers == REFERRERS_LOOKED_MAX || s->paging.pages == PAGES_LOOKED_MAX;
    s->check.cut = s->check.cut || (s->more && enough);
    if (!s->more || enough)
        return false;
    s->more = false;
    s->answer[SIGNATURES_BY_API] = LOOK_OPEN;
    get(r, &s->place[SIGNATURES_BY_API], PLACE_ANY, paging_target(&s->paging),
        &s->place[SIGNATURES_AT_TAG]);
    ENTER("signatures", s->state, SIGNATURES_PAGE);
    return true;
}

static enum signatures_event next(struct regtag *r, struct signatures *s, struct error *problem)
{
    if (cannot_go_on(r, s))
        return end(r, s, problem);
    if (next_layer(r, s) || next_referrer(r, s) || next_page(r, s))
        return MORE;
    if (!*s->index || s->check.image.data == s->image)
        return end(r, s, problem);
    look_at(r, s, s->image);
    return MORE;
}

static enum signatures_event on_finding(struct regtag *r, struct signatures *s, enum signature_finding f)
{
    if (f == SIGNATURE_GOOD)
        return over(r, s, SIGNATURES_GOOD);
    note_finding(s, f);
    ENTER("signatures", s->state, SIGNATURES_NEXT);
    return MORE;
}

/* Steps a download until it is there, with the wanted digest: SIGNATURES_GOOD. */
static enum signatures_event step_get(struct regtag *r, struct signatures *s, struct download *d)
{
    char digest[DIGEST_SHA256_SIZE + 1];
    struct error *problem = verb_problem(r);
    enum download_event event = download_step(r, d, problem);
    bool there = event == DOWNLOAD_END && d->status == 200;
    if (event == DOWNLOAD_WAIT || (there && waits_for_hash(r)))
        return SIGNATURES_WAIT;
    if (there && is_whole(r, d, digest) && strcmp(digest, s->wanted) == 0)
        return SIGNATURES_GOOD;
    if (event == DOWNLOAD_END && !there && !is_absent(d->status))
        exchange_explain(&d->exchange, problem);
    if (problem->status)
        note_failure(s, problem);
    return on_finding(r, s, SIGNATURE_MALFORMED);
}

static enum signatures_event step_payload(struct regtag *r, struct signatures *s)
{
    struct download *d = &s->place[SIGNATURES_BY_INDEX];
    enum signatures_event event = step_get(r, s, d);
    if (event != SIGNATURES_GOOD)
        return event;
    return on_finding(r, s, signature_check_payload(&s->check, downloaded(d), s->signature));
}

static enum signatures_event step_referrer(struct regtag *r, struct signatures *s)
{
    struct download *d = &s->place[SIGNATURES_BY_API];
    enum signatures_event event = step_get(r, s, d);
    const struct media_type *type;
    struct document document;
    int layer;
    if (event != SIGNATURES_GOOD)
        return event;
    if (!read_manifest(r, d, &type, &document))
        return on_finding(r, s, SIGNATURE_MALFORMED);
    enum signature_finding finding = signature_bundle_layer(&document, s->check.image, &layer);
    if (finding != SIGNATURE_GOOD)
        return on_finding(r, s, finding);
    get(r, &s->place[SIGNATURES_BY_INDEX], PLACE_BLOBS, want(s, descriptor_digest(&document, layer)), d);
    ENTER("signatures", s->state, SIGNATURES_BUNDLE);
    return MORE;
}

static enum signatures_event step_bundle(struct regtag *r, struct signatures *s)
{
    struct download *d = &s->place[SIGNATURES_BY_INDEX];
    enum signatures_event event = step_get(r, s, d);
    if (event != SIGNATURES_GOOD)
        return event;
    return on_finding(r, s, signature_check_bundle(&s->check, d->bytes, d->size));
}

static enum signatures_event step_page(struct regtag *r, struct signatures *s)
{
    enum look *answer = &s->answer[SIGNATURES_BY_API];
    if (*answer == LOOK_OPEN)
        step_place(r, s, SIGNATURES_BY_API);
    if (*answer == LOOK_OPEN || waits_for_hash(r))
        return SIGNATURES_WAIT;
    if (*answer == LOOK_FILLED)
        add_referrers(r, s, &s->place[SIGNATURES_BY_API]);
    ENTER("signatures", s->state, SIGNATURES_NEXT);
    return MORE;
}

/* ---- The machine -------------------------------------------------------------------------------- */

/* Behind the manifest, which may be of any size. */
static struct signatures *make_room(struct regtag *r, struct error *e)
{
    struct alignment_probe {
        char c;
        struct signatures s;
    };
    char *behind = r->manifest + r->manifest_size;
    size_t gap = -(uintptr_t)behind % offsetof(struct alignment_probe, s);
    if (r->manifest_max - r->manifest_size >= gap + sizeof(struct signatures))
        return (struct signatures *)(void *)(behind + gap);
    error_set(e, REGTAG_E_REFUSED,
              "the manifest is so large that no memory is left to look for its signature");
    return NULL;
}

struct signatures *signatures_begin(struct regtag *r, const char *image, const char *index,
                                    struct error *e)
{
    struct signatures *s = make_room(r, e);
    if (!s)
        return NULL;
    memset(s, 0, offsetof(struct signatures, decoded));
    error_clear(&s->failure);
    memcpy(s->image, image, strlen(image));
    memcpy(s->index, index, strlen(index));
    s->check = candidate_check(r);
    look_at(r, s, *s->index ? s->index : s->image);
    return s;
}

enum signatures_event signatures_step(struct regtag *r, struct signatures *s, struct error *problem)
{
    enum signatures_event event = MORE;
    while (event == MORE)
        switch (s->state) {
        case SIGNATURES_LOOK: event = step_look(r, s); break;
        case SIGNATURES_NEXT: event = next(r, s, problem); break;
        case SIGNATURES_PAYLOAD: event = step_payload(r, s); break;
        case SIGNATURES_REFERRER: event = step_referrer(r, s); break;
        case SIGNATURES_PAGE: event = step_page(r, s); break;
        default: event = step_bundle(r, s);
        }
    return event;
}
