#include "registry/download.h"

#include <string.h>

#define MORE ((enum download_event)(-1))

void download_begin(struct regtag *r, struct download *d, const struct request *q, char *memory,
                    size_t room)
{
    struct request request = *q;
    request.content = true;
    request.attempts = &d->attempts;
    d->attempts.failed = 0;
    d->bytes = memory;
    d->size = d->status = 0;
    d->stated[0] = '\0';
    d->room = room;
    client_begin(r->source, &d->exchange, &request);
}

static enum download_event keep_part(struct regtag *r, struct download *d, struct slice part,
                                     struct error *e)
{
    if (part.size > d->room - d->size) {
        client_cancel(r->source, &d->exchange); /* don't read the rest */
        error_set(e, REGTAG_E_REFUSED, "an answer is larger than the %zu bytes that are left for it",
                  d->room);
        return DOWNLOAD_FAILED;
    }
    memcpy(d->bytes + d->size, part.data, part.size);
    d->size += part.size;
    if (document_scan_take(&d->scan, part, r->memory.tokens_max) ||
        !answer_is_long(d->exchange.response, d->size))
        return MORE;
    d->status = 200;
    d->stated[0] = '\0';
    client_cancel(r->source, &d->exchange);
    return DOWNLOAD_END;
}

/* Whether what the header states can be checked. The digest of a blob is known to whoever asks for it. */
static bool take_stated(struct download *d, struct error *e)
{
    struct slice stated;
    if (d->exchange.request.place == PLACE_BLOBS)
        return true;
    if (!answer_sha256(d->exchange.response, &stated, e))
        return false;
    if (stated.size)
        memcpy(d->stated, stated.data, stated.size);
    d->stated[stated.size] = '\0';
    return true;
}

static enum download_event on_head(struct regtag *r, struct download *d, struct error *e)
{
    d->size = 0; /* again after a retry: start over */
    d->scan = (struct document_scan){0};
    if (answer_is_plain(d->exchange.response, e) && take_stated(d, e))
        return MORE;
    client_cancel(r->source, &d->exchange);
    return DOWNLOAD_FAILED;
}

static enum download_event on_end(struct download *d)
{
    d->status = d->exchange.response->status;
    return DOWNLOAD_END;
}

enum download_event download_step(struct regtag *r, struct download *d, struct error *problem)
{
    enum download_event event = d->status ? DOWNLOAD_END : MORE;
    struct slice part;
    while (event == MORE)
        switch (client_step(r->source, &d->exchange, &part)) {
        case EXCHANGE_HEAD: event = on_head(r, d, problem); break;
        case EXCHANGE_BODY: event = keep_part(r, d, part, problem); break;
        case EXCHANGE_END: event = on_end(d); break;
        case EXCHANGE_FAILED:
            *problem = r->source->context.error;
            event = DOWNLOAD_FAILED;
            break;
        default: event = DOWNLOAD_WAIT;
        }
    return event;
}

struct slice downloaded(const struct download *d)
{
    return (struct slice){d->bytes, d->size};
}

bool download_digest(struct regtag *r, const struct download *d, const char *what,
                     char digest[DIGEST_SHA256_SIZE + 1], struct error *e)
{
    struct slice bytes = downloaded(d);
    if (digest_of(&r->config.hash, &bytes, 1, digest))
        return answer_digest_matches(slice_of(d->stated), slice_of(digest), what, e);
    error_set(e, REGTAG_E_OTHER, "SHA-256 failed");
    return false;
}
