#include "client/exchange_use.h"

#include "client/accept.h"

/* A value as it may be shown: a Location elsewhere may be a signed URL, which is as good as a password. */
static struct slice without_signature(const struct exchange *x, struct slice name, struct slice value)
{
    bool elsewhere = slice_contains(value, SLICE("//")) || !exchange_is_home(x);
    bool is_signed = elsewhere && slice_equal_nocase(name, SLICE("location"));
    return is_signed ? slice_head(value, slice_find(value, '?')) : value;
}

void exchange_trace_answer(const struct exchange *x)
{
    struct slice name, value, shown, section = http_response_fields(x->response);
    if (!x->remote->context->config->trace_wire)
        return;
    remote_tell(x->remote, REGTAG_TRACE_ANSWER, "%.*s",
                SLICE_ARG(http_response_status_line(x->response)));
    while (http_field_next(&section, &name, &value)) {
        shown = without_signature(x, name, value);
        remote_tell(x->remote, REGTAG_TRACE_ANSWER, "%.*s: %.*s%s", SLICE_ARG(name), SLICE_ARG(shown),
                    shown.size < value.size ? "?***" : "");
    }
}

/* Keeps in mind when lines are what it takes. */
static bool wants_lines(const struct exchange *x)
{
    const struct request *q = &x->request;
    bool misread = q->accepts_manifests && accept_is_misread(x->response);
    if (q->accept_lines && !misread && x->response->status == 200)
        x->remote->accept_lines = true;
    return misread && !q->accept_lines && !x->remote->accept_lines;
}

static bool is_content(const struct exchange *x, unsigned status)
{
    const struct request *q = &x->request;
    return q->content && (status == 200 || (status == 206 && request_has_range(q)));
}

bool exchange_answer_fits(const struct exchange *x)
{
    const struct request *q = &x->request;
    unsigned status = x->response->status;
    return !request_changes_nothing(q) || status <= 200 || status >= 300 || is_content(x, status) ||
           (status == 204 && q->bodiless);
}

enum answer_use exchange_use_of_answer(const struct exchange *x)
{
    const struct request *q = &x->request;
    unsigned status = x->response->status;
    bool tries_left = q->attempts->failed < x->remote->context->config->retries;
    if (request_follows(q, status))
        return USE_REDIRECT;
    if (wants_lines(x))
        return USE_LINES;
    if (request_resend(q) == RESEND_FREELY && status_is_transient(status) && tries_left)
        return USE_RETRY;
    return is_content(x, status) ? USE_CONTENT : USE_WORDS;
}
