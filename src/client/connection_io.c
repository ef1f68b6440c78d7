#include "client/connection_io.h"

#include <string.h>

#include "base/debug.h"
#include "base/wipe.h"

/* Reads that may bring nothing but empty lines; beyond that, they count as unsolicited data. */
#define EMPTY_READS_MAX 4u

#define OUT_ENOUGH                                                                                      \
    4096u /* bytes of headers that are written ahead; memory that is not used costs nothing */

/* The headers have secrets in them. */
void connection_drop_headers(struct connection *c)
{
    wipe(c->out_memory, c->out.used);
    c->out.used = c->out_handed = c->out_traced = 0;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

void connection_open(struct connection *c)
{
    c->open = c->want_open = true;
    c->up = c->used = c->unsolicited = c->write_failed = c->cut_short = c->starved = false;
    c->answers = 0;
    c->draining = false;
    c->handed = 0;
    c->written = 0;
    connection_drop_headers(c);
}

/* Discard unparsed input: it must never be taken for the response to a later request. */
static void shut(struct connection *c)
{
    if (c->open && !c->want_open) /* with want_open, the caller has not opened it yet */
        c->want_close = true;
    c->open = c->want_open = false;
    c->input = SLICE("");
    c->answer_over = true;
}

void connection_make_room(const struct connection *c)
{
    if (c->context->queued)
        c->context->wake = c->context->now;
}

void connection_lose(struct in_flight *f)
{
    if (f->transfer)
        f->transfer->connection = NULL;
}

void connection_close(struct connection *c)
{
    c->cut_short = c->count > 0;
    for (unsigned i = 0; i < c->count; i++)
        connection_lose(&c->queue[i]);
    c->count = 0;
    connection_make_room(c);
    if (c->cut_short) /* those that were stepped before this do not know yet */
        c->context->wake = c->context->now;
    shut(c);
}

/* ---- Failing --------------------------------------------------------------------------------- */

static void explain(struct connection *c, int status, int hint, const char *problem, const char *more)
{
    char where[HOST_PORT_MAX];
    struct writer w = writer_to(where, sizeof where);
    struct context *context = c->context;
    write_host_port(&w, &c->origin);
    error_clear(&context->error);
    error_set(&context->error, status, "%.*s: %s%s", SLICE_ARG(written(&w)), problem, more);
    context->error.hint = hint;
    context->permanent = false;
    context->unreachable = !c->up;
}

/* Closes the connection and fails the request at the front. */
void connection_fail(struct connection *c, int status, int hint, const char *problem, const char *more)
{
    explain(c, status, hint, problem, more);
    if (c->count && c->queue[0].transfer)
        c->queue[0].transfer->failed = true;
    connection_close(c);
}

void connection_doubt(struct connection *c)
{
    if (c->joined)
        c->unsound = c->batch;
}

void connection_fail_protocol(struct connection *c, const char *problem)
{
    connection_doubt(c);
    connection_fail(c, REGTAG_E_PROTOCOL, 0, "the server broke the protocol: ", problem);
}

void connection_fail_transport(struct connection *c, int hint, const char *more)
{
    const struct regtag_transport *t = &c->context->config->transport;
    struct regtag_failure f = {.lasting = false};
    t->failure(t->context, c->number, &f);
    if (f.status == REGTAG_OK) /* left out: a failure must never pass for success */
        f.status = REGTAG_E_NO_CONNECTION;
    connection_fail(c, (int)f.status, f.hint ? (int)f.hint : hint, f.text, more);
    c->context->permanent = f.lasting;
}

static const char CLOSED[] = "the connection was closed before an answer came";

void connection_fail_closed(struct connection *c)
{
    connection_fail(c, REGTAG_E_NO_CONNECTION, 0, CLOSED, "");
}

void connection_explain_loss(struct connection *c)
{
    explain(c, REGTAG_E_NO_CONNECTION, 0, CLOSED, "");
}

/* ---- Reading --------------------------------------------------------------------------------- */

ptrdiff_t connection_read(struct connection *c)
{
    const struct regtag_transport *t = &c->context->config->transport;
    ptrdiff_t n = t->read(t->context, c->number, c->input_memory, sizeof c->input_memory);
    if (n <= 0)
        return n;
    c->up = true;
    c->traffic += (uint64_t)n;
    c->input = (struct slice){c->input_memory, (size_t)n};
    c->input_most = c->input.size > c->input_most ? c->input.size : c->input_most;
    c->input_from = c->handed;
    return n;
}

void connection_skip_empty_lines(struct connection *c)
{
    while (c->input.size && (*c->input.data == '\r' || *c->input.data == '\n'))
        c->input = slice_from(c->input, 1);
}

enum quiet connection_listen(struct connection *c)
{
    ptrdiff_t n = 1;
    connection_skip_empty_lines(c);
    for (unsigned reads = 0; n > 0 && c->input.size == 0; reads++) {
        n = connection_read(c);
        if (reads < EMPTY_READS_MAX)
            connection_skip_empty_lines(c);
    }
    if (c->input.size)
        return SPEAKS;
    return n == REGTAG_IO_AGAIN ? QUIET : n == REGTAG_IO_FAILED ? BROKEN : ENDED;
}

/* ---- Sending ------------------------------------------------------------------------------------ */

static void trace_line(const struct connection *c, struct slice line)
{
    struct slice name = slice_head(line, slice_find(line, ':'));
    line = slice_head(line, slice_find(line, '\r'));
    if (slice_equal(name, SLICE("Authorization")))
        line = SLICE("Authorization: ***");
    if (slice_equal(name, SLICE("Proxy-Authorization")))
        line = SLICE("Proxy-Authorization: ***");
    if (line.size)
        c->context->trace_request(c->context->remote, &c->origin, line);
}

/* Traces headers not traced yet; called once their first byte was handed over. */
static void trace_headers(struct connection *c)
{
    struct slice lines = slice_from(written(&c->out), c->out_traced);
    c->out_traced = c->out.used;
    while (c->context->config->trace_wire && lines.data)
        trace_line(c, slice_split(&lines, '\n'));
}

static bool has_body_left(const struct connection *c)
{
    const struct in_flight *last = c->queue + c->written;
    return c->written && last[-1].end > last[-1].header_end && c->handed < last[-1].end;
}

/* Appends the next header to the output. False if there is none, if a body must be sent first, or if the
 * header has to wait for space in the buffer. */
static bool write_next_header(struct connection *c)
{
    struct in_flight *f = &c->queue[c->written];
    size_t before = c->out.used;
    if (c->written == c->count || has_body_left(c) || before >= OUT_ENOUGH)
        return false;
    f->transfer->write_header(f->transfer->sender, &c->out);
    write_text(&c->out, "\r\n");
    if (c->out.overflow) {
        wipe(c->out_memory + before, c->out.used - before);
        c->out.used = before;
        c->out.overflow = false;
        if (before == 0) /* it will never fit; never send part of a header */
            connection_fail(c, REGTAG_E_OTHER, 0, "the request does not fit in its buffer", "");
        return false;
    }
    f->begin = c->handed + before - c->out_handed;
    f->header_end = f->begin + (c->out.used - before);
    f->end = f->header_end + f->transfer->body->size;
    c->written++;
    return true;
}

void connection_write_headers(struct connection *c)
{
    while (write_next_header(c))
        ;
}

/* The next bytes of the body that follows the last written header. */
static struct slice body_part(struct connection *c)
{
    const struct in_flight *last = &c->queue[c->written - 1];
    const struct body *body = last->transfer->body;
    uint64_t at = c->handed - last->header_end, left = last->end - c->handed;
    if (body->bytes)
        return (struct slice){body->bytes + at, (size_t)left};
    struct slice part = body->produce(body->context, at);
    c->starved = part.size == 0;
    REQUIRE(part.size <= left);
    return part;
}

/* The next bytes to hand over: all pending headers, or part of a body. */
static struct slice next_piece(struct connection *c)
{
    if (c->out_handed == c->out.used) {
        if (has_body_left(c))
            return body_part(c);
        connection_drop_headers(c);
    }
    connection_write_headers(c);
    return slice_from(written(&c->out), c->out_handed);
}

static void note_handed(struct connection *c, size_t size)
{
    c->up = true;
    c->handed += size;
    c->traffic += size;
    if (c->out_handed < c->out.used) {
        c->out_handed += size;
        if (c->out_handed > c->out_traced)
            trace_headers(c);
    }
    for (unsigned i = 0; i < c->written; i++)
        if (c->queue[i].transfer && c->handed >= c->queue[i].end)
            c->queue[i].transfer->sent = true;
}

/* Whether nothing in the queue has been sent yet. */
static bool is_unsent(const struct connection *c)
{
    REQUIRE(c->count > 0);
    return c->written == 0 || c->handed == c->queue[0].begin;
}

/* Whether the response began before the front request was fully sent; the rest need not be sent then. */
static bool is_answering_early(const struct connection *c)
{
    bool begun = c->input.size || (!c->answer_over && http_response_begun(&c->response));
    REQUIRE(!begun || c->written > 0);
    return begun && c->handed < c->queue[0].end;
}

/* Nobody needs answers to withdrawn requests that were not sent. */
static void drop_withdrawn(struct connection *c)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < c->count; i++)
        if (c->queue[i].transfer)
            c->queue[kept++] = c->queue[i];
    c->count = kept;
}

/* Replaces a connection on which nothing was sent yet by a new one. A fresh connection is replaced only
 * once: if the server does it again, read what it has to say. */
static bool replace(struct connection *c)
{
    bool used = c->used;
    if (!used && c->replaced)
        return false;
    drop_withdrawn(c);
    shut(c);
    connection_open(c);
    c->replaced = !used;
    return true;
}

/* Checks for unsolicited data before the first byte is sent. False if it must not be sent here, or not
 * yet. */
static bool may_begin(struct connection *c)
{
    enum quiet quiet = connection_listen(c);
    if (quiet == QUIET)
        return true;
    if (quiet == BROKEN && !c->used)
        connection_fail_transport(c, REGTAG_HINT_NONE, "");
    else if (!replace(c)) {
        c->unsolicited = quiet == SPEAKS;
        if (quiet == ENDED)
            connection_fail_closed(c);
    }
    return false;
}

void connection_send_pending(struct connection *c)
{
    const struct regtag_transport *t = &c->context->config->transport;
    while (!c->write_failed && !c->unsolicited) {
        if (is_unsent(c) ? !may_begin(c) : is_answering_early(c))
            return;
        struct slice piece = next_piece(c);
        if (piece.size == 0)
            return;
        ptrdiff_t n = t->write(t->context, c->number, piece.data, piece.size);
        if (n == REGTAG_IO_AGAIN)
            return;
        if (n > 0)
            note_handed(c, (size_t)n);
        else
            c->write_failed = true;
    }
}

bool connection_has_unsent(const struct connection *c)
{
    return !c->write_failed && !c->unsolicited && !c->starved && !is_answering_early(c) &&
           (c->out_handed < c->out.used || c->written < c->count || has_body_left(c));
}
