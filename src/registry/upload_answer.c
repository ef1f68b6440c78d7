#include "registry/upload_answer.h"

#include <string.h>

#include "base/sizes.h"
#include "http/url.h"

bool upload_location(const struct http_response *response, struct slice asked, struct slice digest,
                     char *location)
{
    char text[URL_MAX];
    struct writer w = writer_to(text, sizeof text);
    struct slice value;
    struct url from, to;
    if (!http_response_field(response, SLICE("location"), &value) || value.size == 0 ||
        !url_resolve(asked, value, &w))
        return false;
    url_parse(&from, asked);
    url_parse(&to, written(&w));
    bool fits = w.used + SLICE("?digest=").size + digest.size <= URL_MAX;
    if (!fits || (from.tls && !to.tls))
        return false;
    memcpy(location, text, w.used);
    location[w.used] = '\0';
    return true;
}

/* "0-LAST", or "bytes=0-LAST" of some registries. */
bool upload_size(const struct http_response *response, uint64_t *size)
{
    struct slice value;
    uint64_t first, last;
    if (!http_response_field(response, SLICE("range"), &value) || value.size == 0)
        return false;
    if (slice_starts(value, SLICE("bytes=")))
        value = slice_from(value, 6);
    struct slice from = slice_split(&value, '-');
    if (!slice_number(from, 0, &first) || !slice_number(value, INT64_MAX - 1, &last))
        return false;
    *size = last + 1;
    return true;
}
