#include "client/redirect.h"

#include <string.h>

#include "regtag.h"

/* What is quoted may be a signed URL, which is as good as a password. */
static bool refuse(struct error *e, const char *problem, struct slice quoted, unsigned status)
{
    const char *quote = quoted.size ? "\"" : "";
    quoted = slice_head(quoted, slice_find(quoted, '?'));
    error_set(e, REGTAG_E_PROTOCOL, "the registry redirects %s%s%.*s%s (HTTP %u)", problem, quote,
              SLICE_ARG(slice_head(quoted, 200)), quote, status);
    return false;
}

bool redirect_follow(const struct http_response *response, unsigned before, char location[URL_MAX + 1],
                     struct error *e)
{
    char text[URL_MAX];
    struct writer w = writer_to(text, sizeof text);
    struct slice target, base = slice_of(location), none = SLICE("");
    unsigned status = response->status;
    struct url from, to;
    if (!http_response_field(response, SLICE("location"), &target) || target.size == 0)
        return refuse(e, "without saying where", none, status);
    if (!url_resolve(base, target, &w))
        return refuse(e, "to something that is not a URL: ", target, status);
    url_parse(&from, base);
    url_parse(&to, written(&w));
    if (from.tls && !to.tls)
        return refuse(e, "from TLS to plain HTTP", none, status);
    if (before == REDIRECTS_MAX)
        return refuse(e, "more than 5 times", none, status);
    memcpy(location, text, w.used);
    location[w.used] = '\0';
    return true;
}
