#include "cli/proxy_env.h"

#include <stdlib.h>

static const char *first_set(const char *lower, const char *upper)
{
    const char *value = getenv(lower);
    if (value && *value)
        return value;
    return upper ? getenv(upper) : NULL;
}

struct proxy_settings proxy_settings(const struct options *o)
{
    bool in_cgi = getenv("REQUEST_METHOD") != NULL;
    return (struct proxy_settings){
        .proxy = o->proxy,
        .no_proxy = o->no_proxy,
        .env_https = first_set("https_proxy", "HTTPS_PROXY"),
        .env_http = first_set("http_proxy", in_cgi ? NULL : "HTTP_PROXY"),
        .env_all = first_set("all_proxy", "ALL_PROXY"),
        .env_no_proxy = first_set("no_proxy", "NO_PROXY"),
    };
}
