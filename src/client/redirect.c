#include "client/redirect.h"

#include <string.h>

const char *redirect_follow(const struct http_response *response, unsigned before,
                            char location[URL_MAX + 1])
{
    char text[URL_MAX];
    struct writer w = writer_to(text, sizeof text);
    struct slice target, base = slice_of(location);
    struct url from, to;
    if (!http_response_field(response, SLICE("location"), &target) || target.size == 0 ||
        !url_resolve(base, target, &w))
        return "the registry redirects without saying where to";
    url_parse(&from, base);
    url_parse(&to, written(&w));
    if (from.tls && !to.tls)
        return "the registry redirects from TLS to plain HTTP";
    if (before == REDIRECTS_MAX)
        return "the registry redirects more often than 5 times";
    memcpy(location, text, w.used);
    location[w.used] = '\0';
    return NULL;
}
