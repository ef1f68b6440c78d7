#include "registry/blob_push.h"

#include <string.h>

#include "registry/provider.h"
#include "registry/upload_answer.h"

static const struct slice BYTES_TYPE = SLICE_INIT("application/octet-stream");

/* Each returns whether the push is over or has to wait; false: step again. */

static void stop_source(struct regtag *r, struct blob_push *p)
{
    if (p->source.state == BLOB_HELD || p->source.state == BLOB_GET)
        blob_cancel(r, &p->source);
}

static bool over(struct regtag *r, struct blob_push *p, enum push_outcome outcome)
{
    p->outcome = outcome;
    stop_source(r, p);
    client_cancel(&r->client, &p->exchange);
    ENTER("blob_push", p->state, PUSH_OVER);
    return true;
}

/* For the reason in `problem`. Without one the image would pass for complete, and its tag would be set. */
static bool fail(struct regtag *r, struct blob_push *p)
{
    REQUIRE(p->problem.status);
    error_set(&p->problem, REGTAG_E_OTHER, "the upload has failed"); /* if there is none after all */
    return over(r, p, PUSH_FAILED);
}

static void explain(struct blob_push *p)
{
    error_clear(&p->problem);
    exchange_explain(&p->exchange, &p->problem);
}

static bool fail_with_answer(struct regtag *r, struct blob_push *p)
{
    explain(p);
    return fail(r, p);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void ask(struct regtag *r, struct blob_push *p, struct request *q)
{
    q->meanings = PUSH_MEANINGS;
    q->attempts = &p->attempts;
    q->alone = true;
    q->not_before = p->resume;
    p->resume = 0;
    client_begin(&r->client, &p->exchange, q);
}

static void ask_for_blob(struct regtag *r, struct blob_push *p)
{
    ask(r, p, &(struct request){.method = METHOD_HEAD, .place = PLACE_BLOBS, .target = p->digest});
}

/* A request about the upload, which may be on another server. */
static void ask_for_upload(struct regtag *r, struct blob_push *p, struct request *q)
{
    struct url u;
    url_parse(&u, slice_of(p->location));
    url_origin(&u, &p->origin);
    q->target = u.target;
    q->origin = &p->origin;
    ask(r, p, q);
}

/* From the beginning, with the whole blob. */
static void begin_source(struct regtag *r, struct blob_push *p)
{
    *p->moved -= p->at + p->part.size;
    r->provider->begin_blob(r, &p->source, p->digest, p->size, p->hash);
    p->done = false;
    p->at = 0;
    p->part = SLICE("");
}

/* The source is asked at the same time, unless a mount may make that needless. */
static void begin_mount(struct regtag *r, struct blob_push *p)
{
    const struct reference *from = r->client.remote.also;
    struct writer w = writer_to(p->location, sizeof p->location - 1);
    write_text(&w, "uploads/");
    if (from) {
        write_format(&w, "?mount=%.*s&from=", SLICE_ARG(p->digest));
        write_repository(&w, from);
        ENTER("blob_push", p->state, PUSH_MOUNT);
    } else {
        begin_source(r, p);
        ENTER("blob_push", p->state, PUSH_BEGIN);
    }
    ask(r, p,
        &(struct request){.method = METHOD_POST,
                          .place = PLACE_BLOBS,
                          .target = written(&w),
                          .resend = RESEND_FREELY});
}

/* The next bytes of the body, at this offset of it; see struct body. */
static struct slice produce(void *context, uint64_t at)
{
    struct blob_push *p = context;
    uint64_t offset = p->begins + at;
    if (offset < p->sent)
        p->out_of_reach = true;
    p->sent = offset;
    if (p->out_of_reach || offset - p->at >= p->part.size)
        return SLICE("");
    return slice_from(p->part, (size_t)(offset - p->at));
}

static void begin_stream(struct regtag *r, struct blob_push *p, uint64_t from)
{
    struct request q = {.method = METHOD_PATCH,
                        .content_type = &BYTES_TYPE,
                        .from = &p->begins,
                        .body = {.size = p->size - from, .produce = produce, .context = p}};
    p->begins = p->sent = from;
    p->out_of_reach = false;
    p->taken = from == p->size; /* there is nothing to send */
    ENTER("blob_push", p->state, PUSH_STREAM);
    if (!p->taken)
        ask_for_upload(r, p, &q);
}

static void begin_commit(struct regtag *r, struct blob_push *p)
{
    struct writer w = writer_to(p->location, sizeof p->location - 1);
    w.used = strlen(p->location);
    write_text(&w, slice_find(written(&w), '?') < w.used ? "&digest=" : "?digest=");
    write_slice(&w, p->digest);
    p->location[w.used] = '\0';
    ENTER("blob_push", p->state, PUSH_COMMIT);
    ask_for_upload(r, p, &(struct request){.method = METHOD_PUT, .content_type = &BYTES_TYPE});
}

static bool search(struct regtag *r, struct blob_push *p)
{
    ENTER("blob_push", p->state, PUSH_SEARCH);
    ask_for_blob(r, p);
    return false;
}

/* How far has the upload come? */
static bool look(struct regtag *r, struct blob_push *p)
{
    ENTER("blob_push", p->state, PUSH_LOOK);
    ask_for_upload(r, p, &(struct request){.method = METHOD_GET, .bodiless = true});
    return false;
}

/* The upload is of no use any more. */
static bool drop(struct regtag *r, struct blob_push *p)
{
    stop_source(r, p);
    ENTER("blob_push", p->state, PUSH_DROP);
    ask_for_upload(r, p,
                   &(struct request){.method = METHOD_DELETE, .resend = RESEND_NEVER, .optional = true});
    return false;
}

/* Fails for good. An upload that has begun is ended first, so that the registry need not keep it. */
static bool give_up(struct regtag *r, struct blob_push *p, const struct error *problem)
{
    bool begun = p->state == PUSH_STREAM || p->state == PUSH_LOOK || p->state == PUSH_COMMIT;
    if (problem != &p->problem)
        p->problem = *problem;
    p->given_up = true;
    return begun ? drop(r, p) : fail(r, p);
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* What a Location is relative to: the URL that was asked for. For a POST it is written to w. */
static struct slice base_of(const struct regtag *r, const struct blob_push *p, struct writer *w)
{
    const struct remote *remote = &r->client.remote;
    if (p->state != PUSH_MOUNT && p->state != PUSH_BEGIN)
        return slice_of(p->location);
    write_origin(w, &remote->origin);
    write_text(w, "/v2/");
    write_repository(w, remote->reference);
    write_text(w, "/blobs/uploads/");
    return written(w);
}

/* Where the upload goes on; false if that is not known. */
static bool keep_location(struct regtag *r, struct blob_push *p)
{
    char made[HOST_PORT_MAX + REPOSITORY_MAX + 32];
    struct writer w = writer_to(made, sizeof made);
    return upload_location(p->exchange.response, base_of(r, p, &w), p->digest, p->location);
}

static bool fail_without_location(struct regtag *r, struct blob_push *p)
{
    error_clear(&p->problem);
    error_set(&p->problem, REGTAG_E_PROTOCOL,
              "the registry does not say where to upload to, or leads from TLS to plain HTTP");
    return fail(r, p);
}

static bool is_there(const struct blob_push *p)
{
    return p->exchange.response->status == 200 && answer_fits(p->exchange.response, p->digest);
}

static bool on_head(struct regtag *r, struct blob_push *p)
{
    unsigned status = p->exchange.response->status;
    if (is_there(p))
        return over(r, p, PUSH_THERE);
    bool open = head_is_unsupported(status) || head_is_refused_elsewhere(&p->exchange);
    if (status != 404 && status != 200 && !open)
        return fail_with_answer(r, p);
    p->of_source = r->provider->has_blob && !r->provider->has_blob(r, p->digest, &p->problem);
    if (p->of_source)
        return fail(r, p);
    begin_mount(r, p);
    return false;
}

#define ANOTHER "the registry states another digest for the blob"

static void set_not_confirmed(struct blob_push *p, const char *problem)
{
    error_clear(&p->problem);
    error_set(&p->problem, REGTAG_E_NOT_CONFIRMED, "%s", problem);
}

static bool on_mounted(struct regtag *r, struct blob_push *p)
{
    if (answer_fits(p->exchange.response, p->digest))
        return over(r, p, PUSH_MOUNTED);
    set_not_confirmed(p, ANOTHER);
    return fail(r, p);
}

static bool on_begun(struct regtag *r, struct blob_push *p)
{
    unsigned status = p->exchange.response->status;
    if (status == 201 && p->state == PUSH_MOUNT)
        return on_mounted(r, p);
    bool begun = status == 202 && keep_location(r, p);
    if (p->given_up)
        return begun ? drop(r, p) : fail(r, p);
    if (!begun)
        return status == 202 ? fail_without_location(r, p) : fail_with_answer(r, p);
    if (p->state == PUSH_MOUNT)
        begin_source(r, p);
    begin_stream(r, p, 0);
    return false;
}

/* Counts a failure, `problem`; false if there have been too many. The next request waits a while. */
static bool may_try_again(struct blob_push *p)
{
    retry_note_progress(&p->attempts, &p->counted, p->at);
    return exchange_retry_later(&p->exchange, &p->problem, exchange_retry_after(&p->exchange),
                                &p->resume);
}

static bool restart(struct regtag *r, struct blob_push *p)
{
    if (p->given_up || !may_try_again(p))
        return fail(r, p);
    begin_mount(r, p);
    return false;
}

/* A store can be read again. */
static void rewind_to(struct regtag *r, struct blob_push *p, uint64_t at)
{
    if (at >= p->at || !r->provider->rewind_blob)
        return;
    *p->moved -= p->at + p->part.size - at;
    r->provider->rewind_blob(&p->source, at);
    p->done = false;
    p->at = at;
    p->part = SLICE("");
}

/* The upload goes on where the registry has it, if the bytes that follow are here still. */
static bool on_status(struct regtag *r, struct blob_push *p)
{
    unsigned status = p->exchange.response->status;
    uint64_t size;
    bool known = (status == 204 || status == 200) && upload_size(p->exchange.response, &size) &&
                 size > 1; /* "0-0" is what an empty upload has, too */
    if (known)
        rewind_to(r, p, size);
    if (!known || size < p->at || size > p->at + p->part.size || !keep_location(r, p))
        return drop(r, p);
    if (!may_try_again(p))
        return give_up(r, p, &p->problem);
    VERB_TELL(r, REGTAG_TRACE_NOTE, "the upload goes on at byte %llu", (unsigned long long)size);
    begin_stream(r, p, size);
    return false;
}

/* Also where the upload has come further than it said, or not so far, or where it got lost. */
static bool may_go_on(unsigned status)
{
    return status_is_transient(status) || status == 404 || status == 416;
}

static bool on_streamed(struct regtag *r, struct blob_push *p)
{
    const struct http_response *response = p->exchange.response;
    uint64_t size = p->size;
    if (response->status > 299) {
        explain(p);
        return may_go_on(response->status) ? look(r, p) : give_up(r, p, &p->problem);
    }
    upload_size(response, &size);
    error_clear(&p->problem);
    error_set(&p->problem, REGTAG_E_PROTOCOL, "the registry has not taken the whole upload");
    if (!exchange_may_have_acted(&p->exchange) || size != p->size)
        return look(r, p);
    keep_location(r, p);
    p->taken = true;
    return false;
}

static bool on_committed(struct regtag *r, struct blob_push *p)
{
    const struct http_response *response = p->exchange.response;
    unsigned status = response->status;
    bool fits = answer_fits(response, p->digest);
    if (status > 299) {
        explain(p);
        return status_is_transient(status) ? search(r, p) : give_up(r, p, &p->problem);
    }
    if (fits && status == 201)
        return over(r, p, PUSH_COPIED);
    /* Perhaps this answers the tag lookup that was pipelined behind the commit. */
    set_not_confirmed(p, fits ? "the registry does not confirm the blob" : ANOTHER);
    return search(r, p);
}

static bool on_found(struct regtag *r, struct blob_push *p)
{
    return is_there(p) ? over(r, p, PUSH_COPIED) : drop(r, p);
}

/* ---- Failures -------------------------------------------------------------------------------- */

/* An upload that was interrupted may go on; one that was committed may have been. */
static bool on_failure(struct regtag *r, struct blob_push *p)
{
    bool transient = exchange_is_transient(&p->exchange);
    if (p->state == PUSH_DROP)
        return restart(r, p);
    if (!p->given_up)
        p->problem = r->client.context.error;
    if (transient && p->state == PUSH_STREAM)
        return look(r, p);
    if (transient && p->state == PUSH_COMMIT)
        return search(r, p);
    return fail(r, p);
}

/* ---- Streaming ------------------------------------------------------------------------------- */

/* Whether the part has been handed over, so that the source's connection may be read again. Where it is the last one,
 * that would leave the connection to another blob, though the part may have to be sent again: after a 401. */
static bool is_used_up(const struct blob_push *p)
{
    uint64_t end = p->at + p->part.size;
    return p->taken || (end < p->size && p->sent >= end);
}

/* Gets the next part. Returns whether the source has to be waited for; *failed if there is no use in that. */
static bool read_source(struct regtag *r, struct blob_push *p, bool *failed)
{
    error_clear(&p->problem);
    switch (r->provider->step_blob(r, &p->source, &p->part, &p->at, &p->problem)) {
    case BLOB_BYTES: *p->moved += p->part.size; return false;
    case BLOB_DONE: p->done = true; return false;
    case BLOB_FAILED: *failed = true; return false;
    default: return true;
    }
}

/* An idle connection was closed after all, and nobody knows how much of the upload has arrived. */
static bool look_again(struct regtag *r, struct blob_push *p)
{
    error_clear(&p->problem);
    error_set(&p->problem, REGTAG_E_NO_CONNECTION, "the connection was closed during the upload");
    return look(r, p);
}

static bool step_request(struct regtag *r, struct blob_push *p);

static bool step_stream(struct regtag *r, struct blob_push *p)
{
    bool failed = false, waits = false;
    if (!p->done && is_used_up(p))
        waits = read_source(r, p, &failed);
    p->of_source = failed;
    if (failed)
        return give_up(r, p, &p->problem);
    if (p->taken && p->done)
        begin_commit(r, p);
    else if (p->taken)
        return waits;
    else if (p->out_of_reach)
        return look_again(r, p);
    else if (step_request(r, p))
        return !p->out_of_reach && (p->state != PUSH_STREAM || waits || !is_used_up(p));
    return false;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static bool on_answer(struct regtag *r, struct blob_push *p)
{
    switch (p->state) {
    case PUSH_HEAD: return on_head(r, p);
    case PUSH_MOUNT:
    case PUSH_BEGIN: return on_begun(r, p);
    case PUSH_STREAM: return on_streamed(r, p);
    case PUSH_LOOK: return on_status(r, p);
    case PUSH_COMMIT: return on_committed(r, p);
    case PUSH_SEARCH: return on_found(r, p);
    default: return restart(r, p);
    }
}

static bool step_request(struct regtag *r, struct blob_push *p)
{
    struct slice part;
    switch (client_step(&r->client, &p->exchange, &part)) {
    case EXCHANGE_END: return on_answer(r, p);
    case EXCHANGE_FAILED: return on_failure(r, p);
    default: return true;
    }
}

/* Meanwhile, the first part of the blob comes. If it fails, the upload has to be ended once it has begun. */
static bool step_begin(struct regtag *r, struct blob_push *p)
{
    bool waits = step_request(r, p);
    if (waits && p->state == PUSH_BEGIN && !p->given_up && !p->done && p->part.size == 0) {
        read_source(r, p, &p->given_up);
        p->of_source = p->given_up;
    }
    return waits;
}

void push_init(struct blob_push *p)
{
    memset(p, 0, offsetof(struct blob_push, problem));
}

bool push_is_under_way(const struct blob_push *p)
{
    return p->state != PUSH_START && p->state != PUSH_OVER;
}

void push_begin(struct regtag *r, struct blob_push *p, struct slice digest, uint64_t size,
                const struct regtag_hash *hash, uint64_t *moved)
{
    REQUIRE(!push_is_under_way(p));
    push_init(p);
    p->digest = digest;
    p->size = size;
    p->hash = hash;
    p->moved = moved;
    error_clear(&p->problem);
    ENTER("blob_push", p->state, PUSH_HEAD);
    ask_for_blob(r, p);
}

bool push_step(struct regtag *r, struct blob_push *p)
{
    bool waits = false;
    while (p->state != PUSH_OVER && !waits)
        waits = p->state == PUSH_STREAM ? step_stream(r, p) : step_begin(r, p);
    return p->state == PUSH_OVER;
}

void push_give_up(struct regtag *r, struct blob_push *p, const struct error *problem)
{
    bool begins =
        (p->state == PUSH_MOUNT || p->state == PUSH_BEGIN) && exchange_is_in_flight(&p->exchange);
    bool ends = p->state == PUSH_DROP || p->state == PUSH_COMMIT || p->state == PUSH_SEARCH;
    if (begins || ends) {
        p->problem = *problem;
        p->given_up = true;
    } else if (push_is_under_way(p))
        give_up(r, p, problem);
}
