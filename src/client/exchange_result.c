#include "client/exchange.h"

#include "client/pipeline.h"
#include "http/date.h"

bool exchange_is_home(const struct exchange *x)
{
    struct regtag_origin memory;
    return remote_is_home(x->remote, request_origin(&x->request, x->remote, x->redirects > 0, &memory));
}

enum standing exchange_standing(const struct exchange *x)
{
    return x->transfer.last ? connection_standing(&x->transfer) : STANDING_FIRM;
}

bool exchange_may_have_acted(const struct exchange *x)
{
    return x->transfer.sent;
}

bool exchange_is_transient(const struct exchange *x)
{
    return failure_is_transient(x->remote->context, x->transfer.cut);
}

bool exchange_met_end(const struct exchange *x)
{
    return x->transfer.stale || (x->request.pipelined && pipeline_has_lost(&x->transfer));
}

uint64_t exchange_retry_after(const struct exchange *x)
{
    return x->transfer.answered ? http_retry_after(x->response) : 0;
}

bool exchange_retry_later(struct exchange *x, const struct error *problem, uint64_t least,
                          uint64_t *resume)
{
    if (!retry_later(x->remote, x->request.attempts, problem, least, resume))
        return false;
    x->remote->alone = x->remote->alone || !x->transfer.answered;
    return true;
}

/* After a redirect to another origin, name that server: the error is not the registry's. */
void exchange_explain(const struct exchange *x, struct error *e)
{
    char text[300];
    struct writer who = writer_to(text, sizeof text);
    if (x->redirects) {
        struct regtag_origin memory;
        const struct regtag_origin *o = request_origin(&x->request, x->remote, true, &memory);
        if (!o->registry) {
            write_authority(&who, o->tls, slice_of(o->host), o->port);
            write_text(&who, ": ");
        }
    }
    answer_error(x->request.meanings, x->response, x->words, written(&who), e);
}
