#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/hash_mbedtls.h"
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
}

void wire_free(struct wire *w)
{
    for (size_t i = 0; i < w->tag_count; i++)
        drop(&w->tags[i].manifest);
    drop(&w->in);
    drop(&w->out);
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
    mbedtls_sha256_context context;
    struct regtag_hash hash = hash_mbedtls(&context);
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

void wire_push(struct wire *w, const char *tag, const char *type, const char *manifest, size_t size)
{
    struct wire_tag *t = room_for(w, tag);
    t->manifest.size = 0;
    add(&t->manifest, manifest, size);
    snprintf(t->type, sizeof t->type, "%s", type);
    wire_digest(manifest, size, t->digest);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void begin_answer(struct wire *w, unsigned status)
{
    if (w->manners.interim)
        add_text(&w->out, "HTTP/1.1 100 Continue\r\n\r\n");
    add_text(&w->out, "HTTP/1.1 %u Whatever\r\n", status);
    if (w->manners.close_after_each || w->manners.says_close)
        add_text(&w->out, "Connection: close\r\n");
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
        add_text(&w->out, "Transfer-Encoding: chunked\r\n");
    else if (!m->until_close && !m->endless)
        add_text(&w->out, "Content-Length: %zu\r\n", size);
    add_text(&w->out, "\r\n");
    if (w->head_request)
        return;
    if (chunked)
        add_chunks(&w->out, body, size);
    else
        add(&w->out, body, size);
    w->ended = w->ended || m->until_close;
}

static void answer_error(struct wire *w, unsigned status, const char *code)
{
    char body[256];
    int size =
        snprintf(body, sizeof body, "{\"errors\":[{\"code\":\"%s\",\"message\":\"no\"}]}\n", code);
    begin_answer(w, status);
    add_text(&w->out, "Content-Type: application/json\r\n");
    end_answer(w, body, (size_t)size);
}

static void answer_manifest(struct wire *w, const char *reference)
{
    const struct wire_manners *m = &w->manners;
    const struct wire_tag *t = wire_find(w, reference);
    if (!t) {
        answer_error(w, 404, "MANIFEST_UNKNOWN");
        return;
    }
    begin_answer(w, w->head_request && m->head_status ? m->head_status : 200);
    add_text(&w->out, "Content-Type: %s\r\n", t->type);
    if (w->head_request ? !m->no_head_digest : !m->no_digest)
        add_text(&w->out, "Docker-Content-Digest: %s\r\n", m->claim ? m->claim : t->digest);
    end_answer(w, t->manifest.data, t->manifest.size);
}

static void answer_put(struct wire *w, const char *reference, const char *type, const char *body,
                       size_t size)
{
    const struct wire_manners *m = &w->manners;
    char digest[72];
    const char *claim = m->claim_put ? m->claim_put : m->claim;
    unsigned status = m->put_status ? m->put_status : 201;
    wire_digest(body, size, digest);
    if (status < 300 || m->stores_anyway)
        wire_push(w, reference, type, body, size);
    if (m->put_unanswered) {
        w->ended = w->ended || m->hang_up_unanswered;
        return;
    }
    if (status >= 300) {
        answer_error(w, status, status == 400 ? "TAG_INVALID" : "UNKNOWN");
        return;
    }
    begin_answer(w, status);
    if (!m->no_digest)
        add_text(&w->out, "Docker-Content-Digest: %s\r\n", claim ? claim : digest);
    end_answer(w, "", 0);
}

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
        add_text(&w->out, "Link: </v2/a/tags/list?from=%zu>; rel=\"next\"\r\n", end);
    end_answer(w, body.data, body.size);
    drop(&body);
}

/* ---- Requests -------------------------------------------------------------------------------- */

struct request {
    char method[16];
    char target[512];
    char type[128];
    size_t head; /* bytes, the empty line included */
    size_t body;
};

static void read_field(struct request *q, const char *line)
{
    if (strncasecmp(line, "Content-Length:", 15) == 0)
        q->body = strtoul(line + 15, NULL, 10);
    else if (strncasecmp(line, "Content-Type: ", 14) == 0)
        sscanf(line + 14, "%127[^\r]", q->type);
}

/* Whether the header of a request is there. */
static bool read_request(struct wire *w, struct request *q)
{
    char *end = w->in.size ? strstr(w->in.data, "\r\n\r\n") : NULL;
    memset(q, 0, sizeof *q);
    if (!end)
        return false;
    q->head = (size_t)(end - w->in.data) + 4;
    if (sscanf(w->in.data, "%15s %511s HTTP/1.1\r\n", q->method, q->target) != 2)
        w->misuse = "what was sent is no request";
    for (char *line = w->in.data; line < end; line = strstr(line, "\r\n") + 2)
        read_field(q, line);
    return true;
}

/* Says the next part of what it was told to say. */
static void answer_raw(struct wire *w, struct wire_manners *m)
{
    const char *end = m->raw_size ? memchr(m->raw, '\xff', m->raw_size) : NULL;
    size_t size = end ? (size_t)(end - m->raw) : m->raw_size;
    add(&w->out, m->raw, size);
    m->raw += end ? size + 1 : size;
    m->raw_size -= end ? size + 1 : size;
    w->ended = w->ended || !end;
}

/* Whether nothing more is to be said. */
static bool answer_specially(struct wire *w)
{
    struct wire_manners *m = &w->manners;
    if (m->raw)
        answer_raw(w, m);
    else if (m->garbage)
        add_text(&w->out, "\x15\x03\x03\x01\x02\x02\x28 no HTTP");
    else if (w->head_request && m->head_unanswered)
        w->ended = w->ended || m->hang_up_unanswered;
    else
        return false;
    return true;
}

static void answer(struct wire *w, const struct request *q)
{
    const char *reference = strrchr(q->target, '/') + 1;
    w->head_request = strcmp(q->method, "HEAD") == 0;
    w->requests++;
    w->puts += strcmp(q->method, "PUT") == 0;
    w->gets += strcmp(q->method, "GET") == 0;
    w->heads += w->head_request;
    if (strcmp(q->method, "PUT") == 0) {
        memcpy(w->put_type, q->type, sizeof w->put_type);
        w->put_body.size = 0;
        add(&w->put_body, w->in.data + q->head, q->body);
    }
    w->speak_at = w->now + w->manners.delay;
    if (answer_specially(w))
        return;
    if (strncmp(q->target, "/v2/a/tags/list", 15) == 0)
        answer_list(w, q->target);
    else if (strcmp(q->method, "PUT") == 0)
        answer_put(w, reference, q->type, w->in.data + q->head, q->body);
    else
        answer_manifest(w, reference);
    w->ended = w->ended || w->manners.close_after_each || w->manners.close_silently;
    w->stale = w->manners.close_late;
}

/* The registry reads what has come. */
static void serve(struct wire *w)
{
    struct request q;
    while (!w->ended && read_request(w, &q)) {
        if (w->manners.refuses_early && q.body > 0) {
            w->requests++;
            w->puts++;
            w->ended = true;
            answer_error(w, 413, "TOO_LARGE");
            return;
        }
        if (w->in.size < q.head + q.body)
            return;
        answer(w, &q);
        take(&w->in, q.head + q.body);
    }
}

/* ---- The connection -------------------------------------------------------------------------- */

static bool is_usable(struct wire *w, unsigned connection, size_t size)
{
    if (connection != 0)
        w->misuse = "there is only connection 0";
    else if (size == 0)
        w->misuse = "nothing was asked for";
    else if (!w->open)
        w->misuse = "the connection is not open";
    else
        return true;
    return false;
}

/* What the fault says about this call, of `size` bytes that could be moved; 0: go on, with *size. */
static ptrdiff_t strike(struct wire *w, bool writing, uint64_t moved, size_t *size)
{
    struct wire_fault *f = &w->fault;
    if (w->dead)
        return REGTAG_FAILED;
    if (!f->armed || f->writing != writing)
        return 0;
    if (moved < f->at) {
        *size = *size < f->at - moved ? *size : (size_t)(f->at - moved);
        return 0;
    }
    f->armed = false;
    w->ended = true;
    w->dead = writing || !f->orderly;
    w->out_at = w->out.size;
    return f->orderly && !writing ? REGTAG_CLOSED : REGTAG_FAILED;
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
    size_t size = w->out.size - w->out_at;
    if (w->now < w->speak_at)
        return 0;
    if (w->manners.pace && size > 1)
        return 1;
    return size;
}

static ptrdiff_t wire_read(void *context, unsigned connection, void *bytes, size_t size)
{
    struct wire *w = context;
    if (!is_usable(w, connection, size))
        return REGTAG_FAILED;
    if (w->now < w->up_at)
        return w->up_at == WIRE_NEVER || !w->dead ? REGTAG_AGAIN : REGTAG_FAILED;
    if (w->manners.endless && w->out.size > 0 && w->out.size - w->out_at < 100)
        add(&w->out, "{\"x\":[{},{},{},{},{},{},{},{},", 32 - 2);
    size_t there = audible(w);
    if (there > size)
        there = size;
    ptrdiff_t struck = strike(w, false, w->received, &there);
    if (struck)
        return struck;
    if (there == 0)
        return w->ended && w->out_at == w->out.size ? REGTAG_CLOSED : REGTAG_AGAIN;
    there = portion(w, there);
    if (there == 0)
        return REGTAG_AGAIN;
    memcpy(bytes, w->out.data + w->out_at, there);
    w->out_at += there;
    w->received += there;
    if (w->manners.pace)
        w->speak_at = w->now + w->manners.pace;
    return (ptrdiff_t)there;
}

/* Whether the registry has stopped reading, so that nothing more can be sent. */
static bool is_deaf(const struct wire *w)
{
    return w->manners.refuses_early && w->ended;
}

static ptrdiff_t wire_write(void *context, unsigned connection, const void *bytes, size_t size)
{
    struct wire *w = context;
    if (!is_usable(w, connection, size))
        return REGTAG_FAILED;
    if (w->now < w->up_at)
        return w->up_at == WIRE_NEVER || !w->dead ? REGTAG_AGAIN : REGTAG_FAILED;
    if (is_deaf(w))
        return REGTAG_AGAIN;
    w->ended = w->ended || w->stale;
    if (w->ended)
        return w->dead ? REGTAG_FAILED : (ptrdiff_t)size; /* sent into the void */
    ptrdiff_t struck = strike(w, true, w->sent, &size);
    if (struck)
        return struck;
    size = portion(w, size);
    if (size == 0)
        return REGTAG_AGAIN;
    add(&w->in, bytes, size);
    add(&w->log, bytes, size);
    w->sent += size;
    serve(w);
    return (ptrdiff_t)size;
}

static enum regtag_status wire_failure(void *context, unsigned connection, const char **text,
                                       bool *lasting)
{
    (void)context;
    (void)connection;
    (void)lasting;
    *text = "the way is broken";
    return REGTAG_NO_CONNECTION;
}

struct regtag_transport wire_transport(struct wire *w)
{
    return (struct regtag_transport){
        .context = w, .read = wire_read, .write = wire_write, .failure = wire_failure};
}

static void connect_anew(struct wire *w)
{
    if (w->open)
        w->misuse = "opened twice";
    w->open = true;
    w->connections++;
    w->ended = false;
    w->stale = false;
    w->dead = w->fault.lasting && !w->fault.armed && w->connections > 1;
    if (w->refused > 0) {
        w->refused--;
        w->dead = true;
    }
    w->in.size = 0;
    w->out.size = 0;
    w->out_at = 0;
    w->speak_at = 0;
    w->up_at = w->connecting == WIRE_NEVER ? WIRE_NEVER : w->now + w->connecting;
}

void wire_obey(struct wire *w, const struct regtag_want *want)
{
    if (want->connection[0].close) {
        if (!w->open)
            w->misuse = "closed, but not open";
        w->open = false;
    }
    if (want->connection[0].open)
        connect_anew(w);
    if ((want->connection[0].read || want->connection[0].write) && !w->open)
        w->misuse = "waits for a connection that is not open";
}

uint64_t wire_ready(const struct wire *w, const struct regtag_want *want)
{
    bool read = want->connection[0].read, write = want->connection[0].write;
    bool silent = w->out_at == w->out.size && !w->ended && !w->manners.endless;
    if (!w->open || (!read && !write))
        return WIRE_NEVER;
    if (w->up_at > w->now)
        return w->up_at;
    if (w->dead || (write && !is_deaf(w)))
        return w->now;
    if (!read || silent)
        return WIRE_NEVER;
    return w->speak_at > w->now ? w->speak_at : w->now;
}
