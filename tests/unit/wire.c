#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "regtag_sha256.h"
#include "oci/digest.h"

/* ---- Bytes ----------------------------------------------------------------------------------- */

static void add(struct wire_bytes *b, const char *data, size_t size)
{
    if (b->room - b->size < size + 1) {
        b->room = 2 * (b->size + size) + 256;
        b->data = realloc(b->data, b->room);
        if (!b->data)
            abort();
    }
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = '\0';
}

static void add_text(struct wire_bytes *b, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof text)
        abort();
    add(b, text, (size_t)size);
}

static void take(struct wire_bytes *b, size_t size)
{
    memmove(b->data, b->data + size, b->size - size);
    b->size -= size;
    b->data[b->size] = '\0';
}

static void drop(struct wire_bytes *b)
{
    free(b->data);
    *b = (struct wire_bytes){0};
}

void wire_init(struct wire *w)
{
    memset(w, 0, sizeof *w);
    w->c = w->line;
}

void wire_free(struct wire *w)
{
    for (size_t i = 0; i < w->tag_count; i++)
        drop(&w->tags[i].manifest);
    for (size_t i = 0; i < w->blob_count; i++)
        drop(&w->blobs[i].bytes);
    for (size_t i = 0; i < w->upload_count; i++)
        drop(&w->uploads[i].bytes);
    for (size_t i = 0; i < WIRE_LINES; i++) {
        drop(&w->line[i].in);
        drop(&w->line[i].out);
        drop(&w->line[i].log);
        drop(&w->line[i].held);
        drop(&w->line[i].echo);
        drop(&w->line[i].swapped);
    }
    drop(&w->asked);
    drop(&w->history);
    drop(&w->log);
    drop(&w->put_body);
}

/* xorshift64*: a number below `below`. */
static size_t chance(struct wire *w, size_t below)
{
    w->seed ^= w->seed >> 12;
    w->seed ^= w->seed << 25;
    w->seed ^= w->seed >> 27;
    return (size_t)((w->seed * 2685821657736338717u) >> 33) % below;
}

/* ---- What is stored -------------------------------------------------------------------------- */

void wire_digest(const char *bytes, size_t size, char digest[72])
{
    struct regtag_sha256_context context;
    struct regtag_hash hash = regtag_sha256(&context);
    struct slice part = {bytes, size};
    if (!digest_of(&hash, &part, 1, digest))
        abort();
}

const struct wire_tag *wire_find(const struct wire *w, const char *tag)
{
    for (size_t i = 0; i < w->tag_count; i++) {
        if (strcmp(w->tags[i].name, tag) == 0 || strcmp(w->tags[i].digest, tag) == 0)
            return &w->tags[i];
    }
    return NULL;
}

static struct wire_tag *room_for(struct wire *w, const char *tag)
{
    for (size_t i = 0; i < w->tag_count; i++) {
        if (strcmp(w->tags[i].name, tag) == 0)
            return &w->tags[i];
    }
    if (w->tag_count == WIRE_TAGS_MAX || strlen(tag) >= sizeof w->tags[0].name)
        abort();
    struct wire_tag *t = &w->tags[w->tag_count++];
    memcpy(t->name, tag, strlen(tag) + 1);
    return t;
}

void wire_delete(struct wire *w, const char *tag)
{
    for (size_t i = 0; i < w->tag_count; i++) {
        if (strcmp(w->tags[i].name, tag) != 0)
            continue;
        drop(&w->tags[i].manifest);
        w->tags[i] = w->tags[--w->tag_count];
        memset(&w->tags[w->tag_count], 0, sizeof w->tags[0]);
    }
}

void wire_push(struct wire *w, const char *tag, const char *type, const char *manifest, size_t size)
{
    struct wire_tag *t = room_for(w, tag);
    t->manifest.size = 0;
    add(&t->manifest, manifest, size);
    snprintf(t->type, sizeof t->type, "%s", type);
    wire_digest(manifest, size, t->digest);
}

const char *wire_push_blob(struct wire *w, const char *bytes, size_t size, const char *digest)
{
    if (w->blob_count == WIRE_BLOBS_MAX)
        abort();
    struct wire_blob *b = &w->blobs[w->blob_count++];
    add(&b->bytes, bytes, size);
    wire_digest(bytes, size, b->digest);
    if (digest)
        snprintf(b->digest, sizeof b->digest, "%s", digest);
    return b->digest;
}

static const struct wire_blob *find_blob(const struct wire *w, const char *digest)
{
    for (size_t i = 0; i < w->blob_count; i++)
        if (strcmp(w->blobs[i].digest, digest) == 0)
            return &w->blobs[i];
    return NULL;
}

/* A request that has come. */
struct request {
    char method[16];
    char target[9000];
    char type[128], condition[80], authorization[80], range[32];
    size_t head; /* bytes, the empty line included */
    size_t body;
    size_t first; /* Content-Range */
};

/* ---- Answers --------------------------------------------------------------------------------- */

static void begin_answer(struct wire *w, unsigned status)
{
    if (w->manners.interim)
        add_text(&w->c->out, "HTTP/1.1 100 Continue\r\n\r\n");
    add_text(&w->c->out, "HTTP/1.1 %u Whatever\r\n", status);
    if (w->manners.close_after_each || w->manners.says_close)
        add_text(&w->c->out, "Connection: close\r\n");
    if (w->manners.fields)
        add_text(&w->c->out, "%s", w->manners.fields);
    if (!w->manners.stranger)
        add_text(&w->c->out, "Docker-Distribution-Api-Version: registry/2.0\r\n");
}

static void add_chunks(struct wire_bytes *out, const char *body, size_t size)
{
    while (size > 0) {
        size_t part = size < 1000 ? size : 1000;
        add_text(out, "%zx;x=\"y\"\r\n", part);
        add(out, body, part);
        add_text(out, "\r\n");
        body += part;
        size -= part;
    }
    add_text(out, "0\r\nTrailer: x\r\n\r\n");
}

/* Ends the header and, unless the request was HEAD, adds the body. */
static void end_answer(struct wire *w, const char *body, size_t size)
{
    const struct wire_manners *m = &w->manners;
    bool chunked = m->chunked && !m->until_close;
    if (chunked)
        add_text(&w->c->out, "Transfer-Encoding: chunked\r\n");
    else if (!m->until_close && !m->endless)
        add_text(&w->c->out, "Content-Length: %zu\r\n", size);
    add_text(&w->c->out, "\r\n");
    if (w->c->head_request)
        return;
    if (chunked)
        add_chunks(&w->c->out, body, size);
    else
        add(&w->c->out, body, size);
    w->c->ended = w->c->ended || m->until_close;
}

/* Where the client has read so far, it knows that it has to wait. */
static void note_hold(struct wire *w, const char *fields)
{
    const char *field = fields ? strstr(fields, "Retry-After: ") : NULL;
    if (field && w->c->hold_at == SIZE_MAX) {
        w->c->hold_at = w->c->out.size;
        w->c->hold = 1000 * strtoul(field + 13, NULL, 10);
    }
}

static void answer_error_with(struct wire *w, unsigned status, const char *code, const char *fields)
{
    char body[256];
    int size =
        snprintf(body, sizeof body, "{\"errors\":[{\"code\":\"%s\",\"message\":\"no\"}]}\n", code);
    begin_answer(w, status);
    add_text(&w->c->out, "Content-Type: application/json\r\n%s", fields ? fields : "");
    end_answer(w, body, (size_t)size);
    note_hold(w, fields);
}

static void answer_error(struct wire *w, unsigned status, const char *code)
{
    answer_error_with(w, status, code, NULL);
}

/* Says nothing to this request, and so nothing to those behind it. */
static void answer_nothing(struct wire *w)
{
    w->c->mute = true;
    w->c->ended = w->c->ended || w->manners.hang_up_unanswered;
}

/* What is shown of the tag that is watched. */
static void note_shown(struct wire *w, const char *reference, const char *what)
{
    if (w->watched && strcmp(reference, w->watched) == 0)
        snprintf(w->shown, sizeof w->shown, "%s", what);
}

/* It is changed by request. */
static void note_change(struct wire *w, const char *reference)
{
    if (!w->watched || strcmp(reference, w->watched) != 0)
        return;
    if (w->changes == WIRE_LOOKED_MAX)
        abort();
    memcpy(w->upon[w->changes++], w->shown, sizeof w->shown);
}

/* The status for a tag that is there: 200, unless the manners say otherwise. */
static unsigned status_of(struct wire *w, const char *reference)
{
    struct wire_manners *m = &w->manners;
    bool concerned = !m->only_tag || strcmp(m->only_tag, reference) == 0;
    unsigned status = w->c->head_request ? m->head_status : m->get_status;
    if (!concerned || status == 0)
        return 200;
    if (!w->c->head_request || m->head_right == 0)
        return status;
    m->head_right--;
    return 200;
}

static void answer_absent(struct wire *w, const char *reference)
{
    const struct wire_manners *m = &w->manners;
    unsigned status = w->c->head_request ? m->absent_head : m->absent_get;
    note_shown(w, reference, "absent");
    answer_error(w, status ? status : 404, "MANIFEST_UNKNOWN");
}

static void answer_manifest(struct wire *w, const char *reference)
{
    const struct wire_manners *m = &w->manners;
    const struct wire_tag *t = wire_find(w, reference);
    unsigned status = status_of(w, reference);
    if (!t) {
        answer_absent(w, reference);
        return;
    }
    if (status == 200)
        note_shown(w, reference, t->digest);
    if (status >= 400) {
        answer_error(w, status, "UNKNOWN");
        return;
    }
    if (m->conditional && status == 200 && w->condition[0] == '"' &&
        strncmp(w->condition + 1, t->digest, strlen(t->digest)) == 0) {
        begin_answer(w, 304);
        add_text(&w->c->out, "Etag: %s\r\n\r\n", w->condition);
        return;
    }
    begin_answer(w, status);
    add_text(&w->c->out, "Content-Type: %s\r\n", t->type);
    if (w->c->head_request ? !m->no_head_digest : !m->no_digest)
        add_text(&w->c->out, "Docker-Content-Digest: %s\r\n", m->claim ? m->claim : t->digest);
    end_answer(w, t->manifest.data, t->manifest.size);
}

/* A query means nothing to this registry. */
static void store(struct wire *w, const char *target, const char *type, const char *body, size_t size)
{
    char reference[129];
    snprintf(reference, sizeof reference, "%.*s", (int)strcspn(target, "?"), target);
    note_change(w, reference);
    wire_push(w, reference, type, body, size);
}

static void confirm_put(struct wire *w, const char *digest)
{
    const struct wire_manners *m = &w->manners;
    const char *claim = m->claim_put ? m->claim_put : m->claim;
    begin_answer(w, m->put_status ? m->put_status : 201);
    if (!m->no_digest)
        add_text(&w->c->out, "Docker-Content-Digest: %s\r\n", claim ? claim : digest);
    if (m->put_fields)
        add_text(&w->c->out, "%s", m->put_fields);
    end_answer(w, "", 0);
}

static void answer_put(struct wire *w, const struct request *q, const char *reference)
{
    const struct wire_manners *m = &w->manners;
    unsigned status = m->put_status ? m->put_status : 201;
    const char *body = w->c->in.data + q->head;
    char digest[72];
    wire_digest(body, q->body, digest);
    if ((status < 300 || m->stores_anyway) && !m->stores_never)
        store(w, reference, q->type, body, q->body);
    if (m->put_unanswered)
        answer_nothing(w);
    else if (status >= 300)
        answer_error(w, status, status == 400 ? "TAG_INVALID" : "UNKNOWN");
    else
        confirm_put(w, digest);
}

/* A tag; or a manifest, by its digest, with all tags that point at it. */
static void remove_reference(struct wire *w, const char *reference)
{
    const struct wire_tag *t;
    char name[129];
    note_change(w, reference);
    while ((t = wire_find(w, reference))) {
        memcpy(name, t->name, sizeof name);
        wire_delete(w, name);
    }
}

static void answer_delete(struct wire *w, const char *reference)
{
    const struct wire_manners *m = &w->manners;
    bool alone = m->deletes_whole && !strchr(reference, ':');
    unsigned status = alone ? 405 : m->delete_status ? m->delete_status : 202;
    if (!wire_find(w, reference)) {
        answer_error(w, 404, "MANIFEST_UNKNOWN");
        return;
    }
    if ((status < 300 || m->deletes_anyway) && !m->deletes_never)
        remove_reference(w, reference);
    if (m->delete_unanswered && !alone)
        answer_nothing(w);
    else if (status >= 300)
        answer_error(w, status, "UNSUPPORTED");
    else {
        begin_answer(w, status);
        end_answer(w, "", 0);
    }
}

/* Whether it leads to the registry, not to any other server. */
static bool is_home(const struct wire *w)
{
    return w->c != &w->line[1] && strncmp(w->c->host, "storage.", 8) != 0;
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

static void refuse_token(struct wire *w)
{
    struct wire_manners *m = &w->manners;
    w->token_refused = true;
    if (m->refusals && --m->refusals == 0)
        m->tokens_max = 0;
    if (m->token_refusal == WIRE_GARBAGE) {
        begin_answer(w, 200);
        end_answer(w, "[]", 2);
    } else if (m->token_refusal == WIRE_CUT) {
        w->c->dead = true;
        w->c->ended = true;
    } else
        answer_error(w, m->token_refusal ? m->token_refusal : 403, "DENIED");
}

static void answer_token(struct wire *w)
{
    char body[256];
    if (w->manners.tokens_max && w->tokens >= w->manners.tokens_max) {
        refuse_token(w);
        return;
    }
    w->token_refused = false;
    w->token_since = w->now;
    w->token_used = 0;
    int size = snprintf(body, sizeof body, "{\"token\":\"t%u\"%s}", ++w->tokens,
                        w->manners.token_says ? w->manners.token_says : "");
    begin_answer(w, 200);
    end_answer(w, body, (size_t)size);
}

/* Whether the token that is shown is the last one that was given, and still good. */
static bool is_allowed(struct wire *w)
{
    char expected[80];
    uint64_t life = w->manners.token_life;
    unsigned uses = w->manners.token_uses;
    snprintf(expected, sizeof expected, "Bearer t%u", w->tokens);
    bool known = w->manners.tokens_stay ? strncmp(w->authorization, "Bearer t", 8) == 0
                                        : strcmp(w->authorization, expected) == 0;
    bool allowed =
        !w->manners.realm || (w->tokens && known && (life == 0 || w->now - w->token_since < life) &&
                              (uses == 0 || w->token_used < uses));
    w->token_used += allowed;
    return allowed;
}

static void answer_challenge(struct wire *w)
{
    char field[256];
    w->refused_tokens++;
    snprintf(field, sizeof field, "WWW-Authenticate: Bearer realm=\"%s\",service=\"s\"\r\n",
             w->manners.realm);
    answer_error_with(w, 401, "UNAUTHORIZED", field);
}

static void answer_redirection(struct wire *w)
{
    begin_answer(w, 307);
    add_text(&w->c->out, "Location: %s\r\n", w->manners.location);
    end_answer(w, "", 0);
}

/* ---- Blobs ----------------------------------------------------------------------------------- */

static void redirect_blob(struct wire *w, const char *digest)
{
    begin_answer(w, 307);
    add_text(&w->c->out, "Location: %s%s?signature=secret\r\n", w->ranges.location, digest);
    end_answer(w, "", 0);
}

/* The bytes of a blob, as they are sent. */
static struct wire_bytes blob_bytes(struct wire *w, const struct wire_blob *b)
{
    struct wire_ranges *ranges = &w->ranges;
    struct wire_bytes bytes = {0};
    if (ranges->instead)
        add(&bytes, ranges->instead, strlen(ranges->instead));
    else
        add(&bytes, b->bytes.data, b->bytes.size);
    if (ranges->changed && ranges->changed <= bytes.size)
        bytes.data[ranges->changed - 1] ^= 0x20;
    if (ranges->changed_times && --ranges->changed_times == 0)
        ranges->changed = 0;
    return bytes;
}

static void answer_part(struct wire *w, const struct wire_bytes *bytes, size_t first)
{
    const struct wire_ranges *ranges = &w->ranges;
    size_t rest = bytes->size - first;
    size_t size = ranges->most && ranges->most < rest ? ranges->most : rest;
    begin_answer(w, 206);
    if (ranges->content_range)
        add_text(&w->c->out, "%s", ranges->content_range);
    else
        add_text(&w->c->out, "Content-Range: bytes %zu-%zu/%zu\r\n", first, first + size - 1,
                 bytes->size);
    if (ranges->fields)
        add_text(&w->c->out, "%s", ranges->fields);
    end_answer(w, bytes->data + first, size);
}

static void answer_whole(struct wire *w, const struct wire_bytes *bytes)
{
    begin_answer(w, 200);
    if (w->ranges.fields)
        add_text(&w->c->out, "%s", w->ranges.fields);
    end_answer(w, bytes->data, bytes->size);
}

static void answer_range(struct wire *w, const struct request *q, const struct wire_blob *b)
{
    const struct wire_ranges *ranges = &w->ranges;
    struct wire_bytes bytes = blob_bytes(w, b);
    size_t first = 0;
    int end = 0;
    bool ranged = *q->range && !ranges->ignored;
    if (*q->range && (sscanf(q->range, "bytes=%zu-%n", &first, &end) != 1 || q->range[end]))
        w->misuse = "the Range makes no sense";
    if (ranged && (ranges->refused || first >= bytes.size))
        answer_error(w, 416, "RANGE_INVALID");
    else if (ranged)
        answer_part(w, &bytes, first);
    else
        answer_whole(w, &bytes);
    drop(&bytes);
}

static void answer_blob(struct wire *w, const struct request *q, const char *reference)
{
    char digest[136];
    snprintf(digest, sizeof digest, "%.*s", (int)strcspn(reference, "?"), reference);
    const struct wire_blob *b = find_blob(w, digest);
    if (is_home(w) && w->ranges.location && !w->c->head_request)
        redirect_blob(w, digest);
    else if (w->ranges.location && w->ranges.status)
        answer_error(w, w->ranges.status, "DENIED");
    else if (b && !(w->blobs_hidden && w->c->head_request))
        answer_range(w, q, b);
    else
        answer_error(w, 404, "BLOB_UNKNOWN");
}

/* ---- Uploads of blobs -------------------------------------------------------------------------- */

static struct wire_upload *find_upload(struct wire *w, const struct request *q)
{
    const char *number = strstr(q->target, "/uploads/");
    unsigned at = number ? (unsigned)strtoul(number + 9, NULL, 10) : 0;
    return at >= 1 && at <= w->upload_count && !w->uploads[at - 1].ended ? &w->uploads[at - 1] : NULL;
}

/* What has come of a PATCH so far, even if no more of it ever does; unless it does not go on where the upload is. */
static void keep_upload(struct wire *w, const struct request *q)
{
    struct wire_upload *u = strcmp(q->method, "PATCH") == 0 ? find_upload(w, q) : NULL;
    size_t come = w->c->in.size - q->head, lost = w->manners.upload_loses;
    if (!u)
        return;
    if (!w->c->uploading)
        w->c->upload_at = u->bytes.size;
    w->c->uploading = true;
    if (q->first != w->c->upload_at)
        return;
    u->bytes.size = q->first;
    if (come > q->body)
        come = q->body;
    if (come == q->body && (w->manners.fail == 0 || w->manners.fail_after))
        lost = 0;
    if (come > lost)
        add(&u->bytes, w->c->in.data + q->head, come - lost);
}

static void answer_upload_status(struct wire *w, const struct wire_upload *u, unsigned status)
{
    begin_answer(w, status);
    add_text(&w->c->out, "Location: /v2/a/blobs/uploads/%u\r\nRange: 0-%zu\r\n",
             (unsigned)(u - w->uploads) + 1, u->bytes.size ? u->bytes.size - 1 : 0);
    if (status == 204)
        add_text(&w->c->out, "\r\n");
    else
        end_answer(w, "", 0);
}

static void begin_upload(struct wire *w)
{
    if (w->upload_count == WIRE_UPLOADS_MAX)
        abort();
    answer_upload_status(w, &w->uploads[w->upload_count++], 202);
}

static void commit_upload(struct wire *w, const struct request *q, struct wire_upload *u)
{
    const char *stated = strstr(q->target, "digest=");
    char digest[72];
    wire_digest(u->bytes.data ? u->bytes.data : "", u->bytes.size, digest);
    if (!stated || strcmp(stated + 7, digest) != 0) {
        answer_error(w, 400, "DIGEST_INVALID");
        return;
    }
    u->ended = u->committed = true;
    w->blobs_hidden = false;
    if (!find_blob(w, digest))
        wire_push_blob(w, u->bytes.data ? u->bytes.data : "", u->bytes.size, NULL);
    begin_answer(w, 201);
    end_answer(w, "", 0);
}

static void answer_upload(struct wire *w, const struct request *q)
{
    struct wire_upload *u = find_upload(w, q);
    if (u && strcmp(q->method, "GET") == 0 && w->manners.forgets_uploads)
        u->ended = true;
    if (strcmp(q->method, "POST") == 0)
        begin_upload(w);
    else if (!u || u->ended)
        answer_error(w, 404, "BLOB_UPLOAD_UNKNOWN");
    else if (strcmp(q->method, "PATCH") == 0 && u->bytes.size != q->first + q->body)
        answer_error(w, 416, "RANGE_INVALID");
    else if (strcmp(q->method, "PATCH") == 0)
        answer_upload_status(w, u, 202);
    else if (strcmp(q->method, "PUT") == 0)
        commit_upload(w, q, u);
    else {
        u->ended = strcmp(q->method, "DELETE") == 0;
        answer_upload_status(w, u, 204);
    }
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static void answer_list(struct wire *w, const char *target)
{
    struct wire_bytes body = {0};
    const char *from = strstr(target, "from=");
    size_t first = from ? strtoul(from + 5, NULL, 10) : 0;
    size_t page = w->manners.page ? w->manners.page : w->tag_count;
    size_t end = page < w->tag_count - first ? first + page : w->tag_count;
    add_text(&body, "{\"name\":\"a\",\"tags\":[");
    for (size_t i = first; i < end; i++)
        add_text(&body, "%s\"%s\"", i > first ? "," : "", w->tags[i].name);
    add_text(&body, "]}\n");
    begin_answer(w, 200);
    if (end < w->tag_count)
        add_text(&w->c->out, "Link: </v2/a/tags/list?from=%zu>; rel=\"next\"\r\n", end);
    end_answer(w, body.data, body.size);
    drop(&body);
}

/* All that is asked for under other names than that of the first page is at the tag of that name. */
static void answer_referrers(struct wire *w, const char *reference)
{
    const char *fields = w->manners.fields;
    if (w->manners.referrers_status != 200) {
        answer_error(w, w->manners.referrers_status ? w->manners.referrers_status : 404, "UNKNOWN");
        return;
    }
    if (strncmp(reference, "sha256:", 7) == 0) {
        reference = "referrers";
        w->manners.fields = w->manners.referrers_fields;
    }
    answer_manifest(w, reference);
    w->manners.fields = fields;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void read_field(struct request *q, const char *line)
{
    if (strncasecmp(line, "Content-Length:", 15) == 0)
        q->body = strtoul(line + 15, NULL, 10);
    else if (strncasecmp(line, "Content-Type: ", 14) == 0)
        sscanf(line + 14, "%127[^\r]", q->type);
    else if (strncasecmp(line, "If-None-Match: ", 15) == 0)
        sscanf(line + 15, "%79[^\r]", q->condition);
    else if (strncasecmp(line, "Authorization: ", 15) == 0)
        sscanf(line + 15, "%79[^\r]", q->authorization);
    else if (strncasecmp(line, "Range: ", 7) == 0)
        sscanf(line + 7, "%31[^\r]", q->range);
    else if (strncasecmp(line, "Content-Range: ", 15) == 0)
        q->first = strtoul(line + 15, NULL, 10);
}

/* Whether the header of a request is there. */
static bool read_request(struct wire *w, struct request *q)
{
    char *end = w->c->in.size ? strstr(w->c->in.data, "\r\n\r\n") : NULL;
    memset(q, 0, sizeof *q);
    if (!end)
        return false;
    q->head = (size_t)(end - w->c->in.data) + 4;
    if (sscanf(w->c->in.data, "%15s %8999s HTTP/1.1\r\n", q->method, q->target) != 2)
        w->misuse = "what was sent is no request";
    for (char *line = w->c->in.data; line < end; line = strstr(line, "\r\n") + 2)
        read_field(q, line);
    return true;
}

/* Says the next part of what it was told to say. */
static void answer_raw(struct wire *w, struct wire_manners *m)
{
    const char *end = m->raw_size ? memchr(m->raw, '\xff', m->raw_size) : NULL;
    size_t size = end ? (size_t)(end - m->raw) : m->raw_size;
    add(&w->c->out, m->raw, size);
    m->raw += end ? size + 1 : size;
    m->raw_size -= end ? size + 1 : size;
    w->c->ended = w->c->ended || !end;
}

/* Whether it is one of the requests that are to fail. What it asks for is done nevertheless if the manners
 * say so. */
static bool answer_failure(struct wire *w, const struct request *q, const char *reference)
{
    struct wire_manners *m = &w->manners;
    if (m->fail == 0 || (m->fail_method && strcmp(m->fail_method, q->method) != 0))
        return false;
    if (m->fail_after > 0) {
        m->fail_after--;
        return false;
    }
    m->fail--;
    if (strcmp(q->method, "PUT") == 0 && m->stores_anyway)
        store(w, reference, q->type, w->c->in.data + q->head, q->body);
    if (strcmp(q->method, "DELETE") == 0 && m->deletes_anyway)
        remove_reference(w, reference);
    if (m->fail_status)
        answer_error_with(w, m->fail_status, "UNKNOWN", m->fail_fields);
    else {
        w->c->dead = true;
        w->c->ended = true;
    }
    return true;
}

/* Whether nothing more is to be said. */
static bool answer_specially(struct wire *w, const struct request *q, const char *reference)
{
    struct wire_manners *m = &w->manners;
    if (m->raw)
        answer_raw(w, m);
    else if (m->garbage)
        add_text(&w->c->out, "\x15\x03\x03\x01\x02\x02\x28 no HTTP");
    else if (w->c->head_request && m->head_unanswered)
        answer_nothing(w);
    else
        return answer_failure(w, q, reference);
    return true;
}

/* Before the answer to the last request has been read, they are in flight together. */
static void note_taken(struct wire *w, const struct request *q, const char *reference)
{
    struct wire_line *c = w->c;
    bool pipelined = c->last && c->out_at < c->out.size;
    if (w->taken_count == WIRE_ASKED_MAX)
        return;
    struct wire_asked *a = &w->taken[w->taken_count++];
    *a = (struct wire_asked){
        .connection = (unsigned)(c - w->line), .at = w->now, .first = !c->last, .pipelined = pipelined};
    snprintf(a->method, sizeof a->method, "%.7s", q->method);
    snprintf(a->reference, sizeof a->reference, "%.71s", reference);
    memcpy(a->range, q->range, sizeof a->range);
    memcpy(a->authorization, q->authorization, sizeof a->authorization);
    if (pipelined)
        w->taken[c->last - 1].followed = true;
    c->last = w->taken_count;
}

static void count(struct wire *w, const struct request *q, const char *reference)
{
    note_taken(w, q, reference);
    if (w->requests < WIRE_LOOKED_MAX)
        w->asked_at[w->requests] = w->now;
    add_text(&w->asked, "%s ", q->method);
    add(&w->asked, reference, strlen(reference));
    add_text(&w->asked, "\n");
    add_text(&w->history, "%s ", q->method);
    add(&w->history, reference, strlen(reference));
    add_text(&w->history, "\n");
    bool of_blob = strncmp(q->target, "/v2/a/blobs/", 12) == 0;
    w->requests++;
    w->puts += strcmp(q->method, "PUT") == 0 && !of_blob && !strchr(reference, ':');
    w->gets += strcmp(q->method, "GET") == 0;
    w->heads += strcmp(q->method, "HEAD") == 0;
    w->deletes += strcmp(q->method, "DELETE") == 0 && !of_blob;
    memcpy(w->condition, q->condition, sizeof w->condition);
    memcpy(w->authorization, q->authorization, sizeof w->authorization);
}

static void let_rival_act(struct wire *w)
{
    const struct wire_rival *rival = &w->rival;
    if (w->requests != rival->at)
        return;
    if (rival->manifest)
        wire_push(w, rival->tag, rival->type, rival->manifest, strlen(rival->manifest));
    else
        wire_delete(w, rival->tag);
}

/* ---- Answers that are not what was asked for --------------------------------------------------- */

/* The one for this request, or NULL. */
static struct wire_quirk *find_quirk(struct wire *w, const struct request *q, const char *reference)
{
    char request[9100];
    struct wire_quirk *found = NULL;
    snprintf(request, sizeof request, "%s %s", q->method, reference);
    for (size_t i = 0; i < WIRE_QUIRKS; i++) {
        struct wire_quirk *quirk = &w->quirk[i];
        unsigned times = quirk->times ? quirk->times : 1;
        if (quirk->connection && quirk->connection - 1 != (unsigned)(w->c - w->line))
            continue;
        if (!quirk->request || strncmp(request, quirk->request, strlen(quirk->request)) != 0)
            continue;
        quirk->seen++;
        if (!found && quirk->seen > quirk->after && quirk->seen - quirk->after <= times)
            found = quirk;
    }
    return found;
}

/* Whether it is neither an interim answer nor an empty line. */
static bool is_surplus(const char *text)
{
    text += strspn(text, "\r\n");
    return *text && strncmp(text, "HTTP/1.1 1", 10) != 0;
}

/* One part of what is said: the first one now, the others later if the quirk is late. */
static void say_part(struct wire_line *c, const struct wire_quirk *quirk, unsigned *parts,
                     const char *text, size_t size, bool surplus)
{
    bool now = !quirk->late || *parts == 0;
    if (surplus && now && c->surplus_at == SIZE_MAX)
        c->surplus_at = c->out.size;
    add(now ? &c->out : &c->held, text, size);
    ++*parts;
}

/* The answer has been written from `start` on; it becomes what the quirk makes of it. */
static void twist_answer(struct wire *w, const struct wire_quirk *quirk, size_t start)
{
    struct wire_line *c = w->c;
    struct wire_bytes own = {0};
    unsigned parts = 0;
    w->quirks++;
    add(&own, c->out.data + start, c->out.size - start);
    c->out.size = start;
    if (quirk->delay) {
        c->pause_at = start;
        c->pause_until = w->now + quirk->delay;
    }
    if (quirk->echo) {
        add(&c->echo, own.data, own.size);
        c->echo_behind = quirk->echo + 1;
    }
    if (quirk->swapped) {
        add(&c->swapped, own.data, own.size);
        drop(&own);
        return;
    }
    if (quirk->before)
        say_part(c, quirk, &parts, quirk->before, strlen(quirk->before), is_surplus(quirk->before));
    if (!quirk->instead)
        say_part(c, quirk, &parts, own.data, own.size, false);
    else if (*quirk->instead)
        say_part(c, quirk, &parts, quirk->instead, strlen(quirk->instead), true);
    if (quirk->twice)
        say_part(c, quirk, &parts, own.data, own.size, true);
    if (quirk->behind)
        say_part(c, quirk, &parts, quirk->behind, strlen(quirk->behind), is_surplus(quirk->behind));
    drop(&own);
    c->ended = c->ended || quirk->ending == WIRE_CLOSES || quirk->ending == WIRE_RESETS;
    c->stale = c->stale || quirk->ending == WIRE_LEAVES;
    c->dead = c->dead || quirk->ending == WIRE_RESETS;
}

/* What was held back comes now. */
static void say_held(struct wire_line *c)
{
    if (c->held.size == 0)
        return;
    if (c->surplus_at == SIZE_MAX)
        c->surplus_at = c->out.size;
    add(&c->out, c->held.data, c->held.size);
    c->held.size = 0;
}

void wire_say(struct wire *w, unsigned connection, const char *text)
{
    struct wire_line *c = &w->line[connection];
    if (!c->open)
        return;
    w->quirks++;
    if (is_surplus(text) && c->surplus_at == SIZE_MAX)
        c->surplus_at = c->out.size;
    add(&c->out, text, strlen(text));
}

/* Of any repository. */
static bool is_of_blob(const struct request *q)
{
    return strncmp(q->target, "/v2/", 4) == 0 && q->target[4] &&
           strncmp(q->target + 5, "/blobs/", 7) == 0;
}

static void answer_as_usual(struct wire *w, const struct request *q, const char *reference)
{
    if (answer_specially(w, q, reference))
        return;
    if (w->manners.realm && strcspn(q->target, "?") == 6 && strncmp(q->target, "/token", 6) == 0)
        answer_token(w);
    else if (is_home(w) && !is_allowed(w))
        answer_challenge(w);
    else if (is_home(w) && w->manners.location && strcmp(q->method, "GET") == 0 &&
             strcmp(reference, "base") == 0)
        answer_redirection(w);
    else if (strncmp(q->target, "/v2/a/blobs/uploads/", 20) == 0)
        answer_upload(w, q);
    else if (is_of_blob(q) || strncmp(q->target, "/storage/", 9) == 0)
        answer_blob(w, q, reference);
    else if (strncmp(q->target, "/v2/a/referrers/", 16) == 0)
        answer_referrers(w, reference);
    else if (strncmp(q->target, "/v2/a/tags/list", 15) == 0)
        answer_list(w, q->target);
    else if (strcmp(q->method, "PUT") == 0)
        answer_put(w, q, reference);
    else if (strcmp(q->method, "DELETE") == 0)
        answer_delete(w, reference);
    else
        answer_manifest(w, reference);
    w->c->ended = w->c->ended || w->manners.close_after_each || w->manners.close_silently ||
                  (w->c->first && w->manners.close_first);
    w->c->stale = w->manners.close_late;
}

static void say_again(struct wire_line *c)
{
    if (c->echo_behind && --c->echo_behind == 0) {
        if (c->surplus_at == SIZE_MAX)
            c->surplus_at = c->out.size;
        add(&c->out, c->echo.data, c->echo.size);
    }
}

static void say_swapped(struct wire_line *c)
{
    if (c->swapped.size)
        add(&c->out, c->swapped.data, c->swapped.size);
    c->swapped.size = 0;
}

static void note_pipelined(struct wire *w)
{
    w->pipelined = true;
    w->pipelined_at = w->now;
}

/* A request that comes before the answer to the last one has been read. False if it is answered as any
 * other. */
static bool answer_pipelined(struct wire *w)
{
    static const char refusal[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                                  "Content-Type: text/html\r\nContent-Length: 15\r\n\r\n"
                                  "<h1>Bad</h1>\r\n\n";
    const struct wire_manners *m = &w->manners;
    if (w->c->out_at == w->c->out.size)
        return false;
    note_pipelined(w);
    if (m->refuses_pipelined)
        add_text(&w->c->out, "%.*s", (int)sizeof refusal - 1, refusal);
    if (m->resets_pipelined) {
        w->c->out_at = w->c->out.size;
        w->c->dead = true;
    }
    w->c->ended = w->c->ended || m->refuses_pipelined || m->resets_pipelined || m->closes_pipelined;
    return m->ignores_pipelined || w->c->ended;
}

static void answer(struct wire *w, const struct request *q)
{
    const char *reference = strrchr(q->target, '/') + 1;
    size_t start = w->c->out.size;
    w->c->head_request = strcmp(q->method, "HEAD") == 0;
    count(w, q, reference);
    let_rival_act(w);
    if (strcmp(q->method, "PUT") == 0) {
        memcpy(w->put_type, q->type, sizeof w->put_type);
        w->put_body.size = 0;
        add(&w->put_body, w->c->in.data + q->head, q->body);
    }
    w->c->speak_at = w->now + w->manners.delay;
    struct wire_quirk *quirk = find_quirk(w, q, reference);
    if (!quirk || !quirk->instead || quirk->done)
        answer_as_usual(w, q, reference);
    if (w->record) {
        add(w->record, w->c->out.data + start, w->c->out.size - start);
        add(w->record, "\xff", 1);
    }
    bool waits = w->c->swapped.size > 0;
    if (quirk)
        twist_answer(w, quirk, start);
    if (waits || w->c->swapped.size == 0)
        say_swapped(w->c);
    say_again(w->c);
}

/* The registry reads what has come. */
static void serve(struct wire *w)
{
    struct request q;
    while (!w->c->ended && !w->c->mute && read_request(w, &q)) {
        if (w->manners.refuses_early && q.body > 0) {
            w->requests++;
            w->puts++;
            w->c->ended = true;
            answer_error(w, 413, "TOO_LARGE");
            return;
        }
        keep_upload(w, &q);
        if (w->c->in.size < q.head + q.body)
            return;
        if (!answer_pipelined(w))
            answer(w, &q);
        take(&w->c->in, q.head + q.body);
        w->c->uploading = false;
    }
    if (w->c->ended && w->c->in.size)
        note_pipelined(w);
    say_swapped(w->c);
}

/* ---- The connection -------------------------------------------------------------------------- */

static bool is_usable(struct wire *w, unsigned connection, size_t size)
{
    w->c = &w->line[connection < WIRE_LINES ? connection : 0];
    if (connection >= WIRE_LINES)
        w->misuse = "there is no such connection";
    else if (size == 0)
        w->misuse = "nothing was asked for";
    else if (!w->c->open)
        w->misuse = "the connection is not open";
    else
        return true;
    return false;
}

/* What the fault says about this call, of `size` bytes that could be moved; 0: go on, with *size. */
static ptrdiff_t strike(struct wire *w, bool writing, uint64_t moved, size_t *size)
{
    struct wire_fault *f = &w->fault;
    if (w->c->dead)
        return REGTAG_IO_FAILED;
    if (!f->armed || f->writing != writing ||
        (w->fault_on && w->fault_on - 1 != (unsigned)(w->c - w->line)))
        return 0;
    if (moved < f->at) {
        *size = *size < f->at - moved ? *size : (size_t)(f->at - moved);
        return 0;
    }
    f->armed = false;
    w->c->ended = true;
    w->c->dead = writing || !f->orderly;
    w->c->out_at = w->c->out.size;
    return f->orderly && !writing ? REGTAG_IO_CLOSED : REGTAG_IO_FAILED;
}

/* How many bytes this call moves of those it could; 0 for none now. */
static size_t portion(struct wire *w, size_t size)
{
    if (w->step && size > w->step)
        size = w->step;
    if (w->seed == 0 || size == 0)
        return size;
    if (chance(w, 4) == 0)
        return 0;
    return chance(w, 3) == 0 ? size : 1 + chance(w, size < 64 ? size : 64);
}

/* How many bytes of the answer are there by now. */
static size_t audible(const struct wire *w)
{
    size_t size = w->c->out.size - w->c->out_at;
    if (w->now < w->c->speak_at)
        return 0;
    if (w->now < w->c->pause_until && w->c->out.size > w->c->pause_at)
        size = w->c->pause_at > w->c->out_at ? w->c->pause_at - w->c->out_at : 0;
    if (w->manners.pace && size > 1)
        return 1;
    return size;
}

static ptrdiff_t wire_read(void *context, unsigned connection, void *bytes, size_t size)
{
    struct wire *w = context;
    if (!is_usable(w, connection, size))
        return REGTAG_IO_FAILED;
    if (w->now < w->c->up_at)
        return w->c->up_at == WIRE_NEVER || !w->c->dead ? REGTAG_IO_AGAIN : REGTAG_IO_FAILED;
    if (w->manners.endless && w->c->out.size > 0 && w->c->out.size - w->c->out_at < 100)
        add(&w->c->out, "{\"x\":[{},{},{},{},{},{},{},{},", 32 - 2);
    size_t there = audible(w);
    if (there > size)
        there = size;
    ptrdiff_t struck = strike(w, false, w->fault_on ? w->c->received : w->received, &there);
    if (struck)
        return struck;
    if (there == 0)
        return w->c->ended && w->c->out_at == w->c->out.size ? REGTAG_IO_CLOSED : REGTAG_IO_AGAIN;
    there = portion(w, there);
    if (there == 0)
        return REGTAG_IO_AGAIN;
    memcpy(bytes, w->c->out.data + w->c->out_at, there);
    w->c->out_at += there;
    w->c->blocked = w->c->blocked && w->c->out_at < w->c->out.size;
    w->received += there;
    w->c->received += there;
    if (w->c->out_at >= w->c->hold_at) {
        w->c->hold_at = SIZE_MAX;
        w->hold_until = w->now + w->c->hold;
    }
    if (w->manners.pace)
        w->c->speak_at = w->now + w->manners.pace;
    return (ptrdiff_t)there;
}

/* Whether the registry has stopped reading, so that nothing more can be sent. */
static bool is_deaf(const struct wire *w)
{
    return w->manners.refuses_early && w->c->ended;
}

/* Whether what is being sent is, as far as it is known, a request with this method. */
static bool begins_with(const struct wire_line *c, const char *bytes, size_t size, const char *method)
{
    size_t known = c->in.size + size;
    for (size_t i = 0; method[i] && i < known; i++)
        if ((i < c->in.size ? c->in.data[i] : bytes[i - c->in.size]) != method[i])
            return false;
    return true;
}

/* How much of it is taken before the early answer. */
static size_t before_early(const struct wire *w, const char *bytes, size_t size)
{
    const struct wire_early *e = &w->early;
    if (e->times == 0 || w->c->in.size >= e->at || !begins_with(w->c, bytes, size, e->method))
        return size;
    return size < e->at - w->c->in.size ? size : (size_t)(e->at - w->c->in.size);
}

static void answer_early(struct wire *w)
{
    struct wire_early *e = &w->early;
    const struct wire_tag *base = wire_find(w, "base");
    if (e->times == 0 || w->c->in.size != e->at || !begins_with(w->c, "", 0, e->method))
        return;
    e->times--;
    w->quirks++;
    w->c->blocked = true;
    w->c->hasty = true;
    w->c->surplus_at = w->c->out.size;
    add(&w->c->out, e->text, strlen(e->text));
    if (e->sets_new)
        wire_push(w, "new", base->type, base->manifest.data, base->manifest.size);
}

/* Notes a request that nobody reads. */
static void note_lost(struct wire *w, const char *bytes, size_t size)
{
    char line[256], method[16], target[200];
    int end = 0;
    snprintf(line, sizeof line, "%.*s", size < sizeof line ? (int)size : (int)sizeof line - 1, bytes);
    if (sscanf(line, "%15[A-Z] /%199s HTTP/1.1\r\n%n", method, target, &end) == 2 && end > 0 &&
        strchr(target, '/'))
        add_text(&w->history, "lost %s %s\n", method, strrchr(target, '/') + 1);
}

static ptrdiff_t write_some(struct wire *w, unsigned connection, const void *bytes, size_t size)
{
    if (!is_usable(w, connection, size))
        return REGTAG_IO_FAILED;
    if (w->now < w->c->up_at)
        return w->c->up_at == WIRE_NEVER || !w->c->dead ? REGTAG_IO_AGAIN : REGTAG_IO_FAILED;
    if (is_deaf(w) || w->c->blocked)
        return REGTAG_IO_AGAIN;
    w->spoiled += (w->c->in.size == 0 || w->c->hasty) && w->c->out_at > w->c->surplus_at;
    w->c->ended = w->c->ended || w->c->stale;
    if (w->c->ended && !w->c->dead)
        note_lost(w, bytes, size);
    if (w->c->ended)
        return w->c->dead ? REGTAG_IO_FAILED : (ptrdiff_t)size; /* sent into the void */
    ptrdiff_t struck = strike(w, true, w->fault_on ? w->c->sent : w->sent, &size);
    if (struck)
        return struck;
    size = portion(w, size);
    size = before_early(w, bytes, size);
    if (size == 0)
        return REGTAG_IO_AGAIN;
    say_held(w->c);
    add(&w->c->in, bytes, size);
    add(&w->log, bytes, size);
    add(&w->c->log, bytes, size);
    w->sent += size;
    w->c->sent += size;
    w->rushed += w->now < w->hold_until && is_home(w);
    answer_early(w);
    serve(w);
    return (ptrdiff_t)size;
}

/* What could not be written has to be offered again: over TLS it is in a record already. */
static void compare_offers(struct wire *w, const void *bytes, size_t size)
{
    const struct wire_line *c = w->c;
    size_t known = c->offered < sizeof c->offer ? c->offered : sizeof c->offer;
    if (size < c->offered || memcmp(bytes, c->offer, known) != 0)
        w->misuse = "what could not be written is not offered again";
}

static void note_offer(struct wire_line *c, const char *bytes, size_t size)
{
    c->offered = size;
    memcpy(c->offer, bytes, size < sizeof c->offer ? size : sizeof c->offer);
}

static ptrdiff_t wire_write(void *context, unsigned connection, const void *bytes, size_t size)
{
    struct wire *w = context;
    ptrdiff_t taken = write_some(w, connection, bytes, size);
    if (taken == REGTAG_IO_FAILED)
        return taken;
    compare_offers(w, bytes, size);
    size_t moved = taken > 0 ? (size_t)taken : 0;
    note_offer(w->c, (const char *)bytes + moved, size - moved);
    return taken;
}

static void wire_failure(void *context, unsigned connection, struct regtag_failure *f)
{
    const struct wire *w = context;
    (void)connection;
    f->status = w->failure.status ? w->failure.status : REGTAG_E_NO_CONNECTION;
    f->text = w->failure.text ? w->failure.text : "the way is broken";
    f->hint = w->failure.hint;
    f->lasting = w->failure.lasting;
}

struct regtag_transport wire_transport(struct wire *w)
{
    return (struct regtag_transport){
        .context = w, .read = wire_read, .write = wire_write, .failure = wire_failure};
}

static void greet(struct wire *w)
{
    struct wire_manners *m = &w->manners;
    if (!m->greeting || m->greet == 0)
        return;
    if (m->greet_after > 0) {
        m->greet_after--;
        return;
    }
    m->greet--;
    wire_say(w, (unsigned)(w->c - w->line), m->greeting);
    w->c->ended = m->ends_on_greeting;
}

static void connect_anew(struct wire *w, const struct regtag_origin *origin)
{
    if (w->c->open)
        w->misuse = "opened twice";
    w->c->open = true;
    w->c->first = w->connections == 0;
    w->connections++;
    w->c->ended = false;
    w->c->stale = false;
    w->c->mute = false;
    w->c->dead = w->fault.lasting && !w->fault.armed && w->connections > 1;
    if (w->refused > 0) {
        w->refused--;
        w->c->dead = true;
    }
    snprintf(w->c->host, sizeof w->c->host, "%s", origin->host);
    w->c->in.size = 0;
    w->c->out.size = 0;
    w->c->out_at = 0;
    w->c->speak_at = 0;
    w->c->up_at = w->connecting == WIRE_NEVER ? WIRE_NEVER : w->now + w->connecting;
    w->c->held.size = 0;
    w->c->offered = 0;
    w->c->blocked = false;
    w->c->hasty = false;
    w->c->surplus_at = SIZE_MAX;
    w->c->hold_at = SIZE_MAX;
    w->c->echo.size = w->c->swapped.size = 0;
    w->c->echo_behind = 0;
    w->c->pause_until = 0;
    w->c->last = 0;
    w->c->uploading = false;
    greet(w);
}

void wire_obey(struct wire *w, const struct regtag_want *want)
{
    for (size_t i = 0; i < WIRE_LINES; i++) {
        w->c = &w->line[i];
        if (want[i].close) {
            if (!w->c->open)
                w->misuse = "closed, but not open";
            w->c->open = false;
        }
        if (want[i].open)
            connect_anew(w, want[i].origin);
        if ((want[i].read || want[i].write) && !w->c->open)
            w->misuse = "waits for a connection that is not open";
    }
}

static uint64_t line_ready(const struct wire *w, const struct wire_line *c, bool read, bool write)
{
    bool silent = c->out_at == c->out.size && !c->ended && !w->manners.endless;
    bool deaf = w->manners.refuses_early && c->ended;
    if (!c->open || (!read && !write))
        return WIRE_NEVER;
    if (c->up_at > w->now)
        return c->up_at;
    if (c->dead || (write && !deaf && !c->blocked))
        return w->now;
    if (!read || silent)
        return WIRE_NEVER;
    uint64_t speaks =
        c->out_at == c->pause_at && c->pause_until > c->speak_at ? c->pause_until : c->speak_at;
    return speaks > w->now ? speaks : w->now;
}

uint64_t wire_ready(const struct wire *w, const struct regtag_want *want)
{
    uint64_t ready = WIRE_NEVER;
    for (size_t i = 0; i < WIRE_LINES; i++) {
        uint64_t line = line_ready(w, &w->line[i], want[i].read, want[i].write);
        ready = line < ready ? line : ready;
    }
    return ready;
}
