#include "net/tunnel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/sizes.h"
#include "base/wipe.h"
#include "http/challenge.h"
#include "http/request.h"
#include "regtag_sockets.h"

#ifndef REGTAG_VERSION
#define REGTAG_VERSION "unknown"
#endif

/* ---- The request ----------------------------------------------------------------------------- */

static void write_connect(struct writer *w, const struct proxy *p, const struct regtag_origin *origin)
{
    char memory[HOST_PORT_MAX];
    struct writer target = writer_to(memory, sizeof memory);
    write_host_port(&target, origin);
    write_format(w, "CONNECT %.*s HTTP/1.1\r\n", SLICE_ARG(written(&target)));
    write_field(w, "Host", written(&target));
    write_field(w, "User-Agent", SLICE("regtag/" REGTAG_VERSION));
    if (p->authorization[0])
        write_field(w, "Proxy-Authorization", slice_of(p->authorization));
    write_fields_end(w);
}

void tunnel_begin(struct tunnel *t, const struct proxy *p, const struct regtag_origin *origin,
                  char memory[TUNNEL_MEMORY])
{
    t->proxy = p;
    t->memory = memory;
    t->request = writer_to(memory, TUNNEL_MEMORY);
    t->sent = 0;
    t->refused = false;
    t->until = UINT64_MAX;
    t->reason = writer_to(t->reason_memory, sizeof t->reason_memory);
    write_connect(&t->request, p, origin);
}

void tunnel_end(struct tunnel *t)
{
    wipe(t->memory, t->request.used);
    t->request.used = 0;
}

uint64_t tunnel_until(const struct tunnel *t)
{
    return t->until;
}

/* ---- Failing --------------------------------------------------------------------------------- */

static enum tunnel_progress fail(struct tunnel *t, struct error *e, int status, const char *what,
                                 const char *why)
{
    char name[HOST_PORT_MAX];
    struct writer w = writer_to(name, sizeof name);
    write_host_port(&w, &t->proxy->origin);
    error_set(e, status, "the proxy %.*s %s%s", SLICE_ARG(written(&w)), what, why);
    tunnel_end(t);
    return TUNNEL_FAILED;
}

static const char *refusal_text(const struct tunnel *t)
{
    if (t->response.status != 407)
        return "refuses to connect";
    if (proxy_lacks_basic(http_response_fields(&t->response)))
        return PROXY_LACKS_BASIC + sizeof "the proxy " - 1;
    return t->proxy->authorization[0] ? "rejects the user and password in its URL"
                                      : "requires a user and password (set http_proxy or https_proxy "
                                        "to http://USER:PASSWORD@HOST:PORT)";
}

/* Adds text from the proxy, unless it contains our secret. */
static void add_text(struct writer *w, const struct proxy *p, const char *before, struct slice text)
{
    text = slice_trim(text);
    if (text.size == 0 || proxy_secret_in(p, text))
        return;
    write_text(w, before);
    write_slice(w, slice_head(text, TUNNEL_REASON_MAX));
}

/* The answer is a refusal, with as much of the reason as has arrived. */
static enum tunnel_progress fail_refused(struct tunnel *t, struct error *e)
{
    char text[2 * TUNNEL_REASON_MAX + 32];
    struct writer w = writer_to(text, sizeof text - 1);
    write_text(&w, ": ");
    write_number(&w, t->response.status);
    add_text(&w, t->proxy, " ", slice_from(http_response_status_line(&t->response), 12));
    add_text(&w, t->proxy, ": ", written(&t->reason));
    text[w.used] = '\0';
    int status = t->response.status == 407 ? REGTAG_E_DENIED : REGTAG_E_NO_CONNECTION;
    return fail(t, e, status, refusal_text(t), text);
}

/* ---- The answer ------------------------------------------------------------------------------ */

static bool is_plain_text(const struct http_response *r)
{
    struct slice type;
    return http_response_field(r, SLICE("Content-Type"), &type) &&
           slice_equal_nocase(slice_trim(slice_split(&type, ';')), SLICE("text/plain"));
}

/* `rest`: bytes that follow the header. */
static enum tunnel_progress on_head(struct tunnel *t, struct slice rest, struct error *e)
{
    if (t->response.status >= 300) {
        if (!is_plain_text(&t->response))
            return fail_refused(t, e);
        t->refused = true;
        t->until = regtag_clock() + TUNNEL_REASON_TIMEOUT;
        return TUNNEL_READ;
    }
    if (rest.size)
        return fail(t, e, REGTAG_E_PROTOCOL, "sent something before the tunnel was open", "");
    tunnel_end(t);
    return TUNNEL_DONE;
}

/* Keeps the first line of the body that is not empty. Returns whether there is enough of it to show. */
static bool keep_reason(struct writer *w, struct slice body)
{
    for (size_t i = 0; i < body.size && !w->overflow; i++) {
        bool line_end = body.data[i] == '\r' || body.data[i] == '\n';
        if (line_end && w->used)
            return true;
        if (!line_end)
            write_char(w, body.data[i]);
    }
    return w->overflow;
}

static enum tunnel_progress take(struct tunnel *t, struct slice in, struct error *e)
{
    enum tunnel_progress progress = TUNNEL_READ;
    struct slice body;
    while (progress == TUNNEL_READ) {
        switch (http_response_take(&t->response, &in, &body)) {
        case HTTP_MORE: return TUNNEL_READ;
        case HTTP_HEAD: progress = on_head(t, in, e); break;
        case HTTP_BODY:
            progress = keep_reason(&t->reason, body) ? fail_refused(t, e) : TUNNEL_READ;
            break;
        case HTTP_END: return fail_refused(t, e);
        case HTTP_BROKEN:
            return t->response.status >= 300
                       ? fail_refused(t, e)
                       : fail(t, e, REGTAG_E_PROTOCOL,
                              "did not answer like a proxy: ", t->response.problem);
        }
    }
    return progress;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* The memory of the request is used for the answer. */
static enum tunnel_progress await_answer(struct tunnel *t)
{
    tunnel_end(t);
    http_response_start(&t->response, false, t->memory);
    t->response.connect_request = true;
    return TUNNEL_READ;
}

static enum tunnel_progress send_request(struct tunnel *t, int fd)
{
    struct slice rest = slice_from(written(&t->request), t->sent);
    ssize_t n = send(fd, rest.data, rest.size, MSG_NOSIGNAL);
    if (n < 0 && would_block())
        return TUNNEL_WRITE;
    t->sent += n > 0 ? (size_t)n : 0;
    /* If the proxy closes before it has read all of the request, its answer, which says why, can still
     * be read. */
    return n > 0 && t->sent < t->request.used ? TUNNEL_WRITE : await_answer(t);
}

static enum tunnel_progress read_answer(struct tunnel *t, int fd, struct error *e)
{
    char memory[TUNNEL_READ_MAX];
    if (regtag_clock() >= t->until)
        return fail_refused(t, e);
    ssize_t n = recv(fd, memory, sizeof memory, 0);
    if (n > 0)
        return take(t, (struct slice){memory, (size_t)n}, e);
    if (n < 0 && would_block())
        return TUNNEL_READ;
    if (t->refused)
        return fail_refused(t, e);
    return n == 0 ? fail(t, e, REGTAG_E_NO_CONNECTION, "closed the connection without a complete answer",
                         "")
                  : fail(t, e, REGTAG_E_NO_CONNECTION, "cannot be read from: ", strerror(errno));
}

enum tunnel_progress tunnel_step(struct tunnel *t, int fd, struct error *e)
{
    if (t->request.overflow)
        return fail(t, e, REGTAG_E_OTHER, "cannot be asked for so long a host name", "");
    return t->request.used ? send_request(t, fd) : read_answer(t, fd, e);
}
