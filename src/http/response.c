#include "http/response.h"

#include <string.h>

enum state { STATUS_LINE, FIELDS, BODY, COMPLETE };

void http_response_start(struct http_response *r, bool head_request, char head[HTTP_HEAD_MAX])
{
    *r = (struct http_response){.head_request = head_request, .head = head};
}

static enum http_event broken(struct http_response *r, const char *problem)
{
    r->problem = problem;
    return HTTP_BROKEN;
}

bool http_response_begun(const struct http_response *r)
{
    return r->head_size > 0;
}

bool http_response_is_tls(const struct http_response *r)
{
    return r->head_size > 0 && (r->head[0] == 0x15 || r->head[0] == 0x16);
}

struct slice http_response_status_line(const struct http_response *r)
{
    struct slice line = {r->head, r->fields_at};
    line = slice_split(&line, '\n');
    if (line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

struct slice http_response_fields(const struct http_response *r)
{
    return (struct slice){r->head + r->fields_at, r->head_size - r->fields_at};
}

bool http_response_field(const struct http_response *r, struct slice name, struct slice *value)
{
    struct slice section = http_response_fields(r), field, content;
    bool found = false;
    *value = SLICE("");
    while (http_field_next(&section, &field, &content)) {
        if (!slice_equal_nocase(field, name))
            continue;
        if (found && !slice_equal(content, *value))
            return false;
        *value = content;
        found = true;
    }
    return true;
}

/* ---- The status line ------------------------------------------------------------------------- */

/* Whether the bytes so far may begin a status line. Checked early, since a peer that does not speak HTTP
 * may never send a line end. */
static bool may_be_http(const struct http_response *r)
{
    size_t size = r->head_size < 7 ? r->head_size : 7;
    return memcmp(r->head, "HTTP/1.", size) == 0;
}

/* HTTP/1.x SP 3DIGIT [SP reason] */
static bool parse_status_line(struct http_response *r)
{
    struct slice line = http_response_status_line(r);
    uint64_t status;
    if (line.size < 12 || !is_digit(line.data[7]) || line.data[8] != ' ' ||
        (line.size > 12 && line.data[12] != ' ') || memchr(line.data, '\0', line.size) ||
        memchr(line.data, '\r', line.size))
        return false;
    if (!slice_number(slice_head(slice_from(line, 9), 3), 999, &status) || status < 100)
        return false;
    r->status = (unsigned)status;
    r->http_1_0 = line.data[7] == '0';
    return true;
}

/* Appends to the head. False if it gets too long. */
static bool keep(struct http_response *r, struct slice bytes)
{
    if (bytes.size > HTTP_HEAD_MAX - r->head_size)
        return false;
    memcpy(r->head + r->head_size, bytes.data, bytes.size);
    r->head_size += bytes.size;
    return true;
}

static enum http_event too_long(struct http_response *r)
{
    return broken(r, "its header is longer than 32 KiB");
}

static enum http_event take_status_line(struct http_response *r, struct slice *in)
{
    size_t lf = slice_find(*in, '\n');
    struct slice part = slice_head(*in, lf + 1);
    if (!keep(r, part))
        return too_long(r);
    *in = slice_from(*in, part.size);
    if (!may_be_http(r))
        return broken(r, http_response_is_tls(r) ? "it speaks TLS, not plain HTTP"
                                                 : "it does not speak HTTP/1.1");
    if (r->head[r->head_size - 1] != '\n')
        return HTTP_MORE;
    r->fields_at = r->head_size;
    if (!parse_status_line(r))
        return broken(r, "its status line is malformed");
    r->state = FIELDS;
    return HTTP_MORE;
}

/* ---- Framing: where the body ends (RFC 9112, 6.3) -------------------------------------------- */

struct framing_fields {
    bool has_length, has_coding;
    unsigned codings; /* the number of transfer codings */
    uint64_t length;
    bool close, keep_alive; /* options of Connection */
};

static bool collect_length(struct framing_fields *f, struct slice value)
{
    struct slice element;
    uint64_t length;
    bool any = false;
    while (http_list_next(&value, &element)) {
        if (!slice_number(element, INT64_MAX, &length) || (f->has_length && length != f->length))
            return false;
        f->has_length = any = true;
        f->length = length;
    }
    return any;
}

static bool collect_codings(struct framing_fields *f, struct slice value)
{
    struct slice element;
    f->has_coding = true;
    while (http_list_next(&value, &element)) {
        if (!slice_equal_nocase(element, SLICE("chunked")))
            return false;
        f->codings++;
    }
    return true;
}

static void collect_connection(struct framing_fields *f, struct slice value)
{
    struct slice element;
    while (http_list_next(&value, &element)) {
        if (slice_equal_nocase(element, SLICE("close")))
            f->close = true;
        else if (slice_equal_nocase(element, SLICE("keep-alive")))
            f->keep_alive = true;
    }
}

/* Reads all fields that have to do with framing. Returns what is wrong with them, or NULL. */
static const char *collect_framing(const struct http_response *r, struct framing_fields *f)
{
    struct slice section = http_response_fields(r), name, value;
    while (http_field_next(&section, &name, &value)) {
        if (slice_equal_nocase(name, SLICE("content-length"))) {
            if (!collect_length(f, value))
                return "its Content-Length is not a single number";
        } else if (slice_equal_nocase(name, SLICE("transfer-encoding"))) {
            if (!collect_codings(f, value))
                return "it uses a transfer coding other than chunked";
        } else if (slice_equal_nocase(name, SLICE("connection")))
            collect_connection(f, value);
    }
    if (f->has_coding && f->codings != 1)
        return "its Transfer-Encoding is not a single \"chunked\"";
    if (f->has_coding && f->has_length)
        return "it has both Content-Length and Transfer-Encoding";
    if (f->has_coding && r->http_1_0)
        return "it is HTTP/1.0 and has a Transfer-Encoding";
    return NULL;
}

static const char *decide_framing(struct http_response *r)
{
    struct framing_fields f = {.length = 0};
    /* Whatever a proxy says of its length (RFC 9110, 9.3.6). */
    bool tunnel = r->connect_request && r->status < 300;
    const char *problem = tunnel ? NULL : collect_framing(r, &f);
    if (problem)
        return problem;

    if (r->head_request || tunnel || r->status == 204 || r->status == 304)
        r->framing = HTTP_NO_BODY;
    else if (f.has_coding)
        r->framing = HTTP_CHUNKED;
    else if (f.has_length)
        r->framing = HTTP_LENGTH;
    else
        r->framing = HTTP_UNTIL_CLOSE;
    r->length = f.length;
    r->keep_alive = !f.close && (f.keep_alive || !r->http_1_0) && r->framing != HTTP_UNTIL_CLOSE;
    return NULL;
}

/* ---- Header and body ------------------------------------------------------------------------- */

static enum http_event on_head_end(struct http_response *r)
{
    if (r->status == 101)
        return broken(r, "it switches to another protocol");
    const char *problem = decide_framing(r);
    if (problem)
        return broken(r, problem);
    if (r->status < 200) {
        *r = (struct http_response){
            .head_request = r->head_request, .connect_request = r->connect_request, .head = r->head};
        return HTTP_MORE;
    }
    r->state = BODY;
    return HTTP_HEAD;
}

static enum http_event take_fields(struct http_response *r, struct slice *in)
{
    struct slice before = *in;
    enum fields_progress progress = http_fields_take(&r->fields, in);
    if (!keep(r, slice_head(before, before.size - in->size)))
        return too_long(r);
    if (progress == FIELDS_BROKEN)
        return broken(r, r->fields.problem);
    return progress == FIELDS_END ? on_head_end(r) : HTTP_MORE;
}

static enum http_event complete(struct http_response *r)
{
    r->state = COMPLETE;
    return HTTP_END;
}

static enum http_event take_chunked(struct http_response *r, struct slice *in, struct slice *body)
{
    switch (http_chunked_take(&r->chunked, in, body)) {
    case CHUNKED_DATA: return HTTP_BODY;
    case CHUNKED_END: return complete(r);
    case CHUNKED_BROKEN: return broken(r, r->chunked.problem);
    default: return HTTP_MORE;
    }
}

static enum http_event take_body(struct http_response *r, struct slice *in, struct slice *body)
{
    if (r->framing == HTTP_CHUNKED)
        return take_chunked(r, in, body);
    if (r->framing == HTTP_NO_BODY || (r->framing == HTTP_LENGTH && r->length == 0))
        return complete(r);
    if (in->size == 0)
        return HTTP_MORE;

    bool bounded = r->framing == HTTP_LENGTH && r->length < in->size;
    *body = slice_head(*in, bounded ? (size_t)r->length : in->size);
    *in = slice_from(*in, body->size);
    if (r->framing == HTTP_LENGTH)
        r->length -= body->size;
    return HTTP_BODY;
}

enum http_event http_response_take(struct http_response *r, struct slice *in, struct slice *body)
{
    enum http_event event = HTTP_MORE;
    if (r->problem)
        return HTTP_BROKEN;
    if (r->state == COMPLETE)
        return HTTP_END;
    if (r->state == BODY)
        return take_body(r, in, body);
    while (in->size && event == HTTP_MORE)
        event = r->state == STATUS_LINE ? take_status_line(r, in) : take_fields(r, in);
    return event;
}

enum http_event http_response_eof(struct http_response *r, bool cut)
{
    if (r->problem)
        return HTTP_BROKEN;
    if (r->state == COMPLETE || (r->state == BODY && r->framing == HTTP_UNTIL_CLOSE && !cut) ||
        (r->state == BODY && r->framing == HTTP_NO_BODY))
        return complete(r);
    return broken(r, "the answer was cut off");
}
