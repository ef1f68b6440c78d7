#include "cli/proxy_env.h"

#include <stdlib.h>

/* The value of the first that is set, or NULL. */
static const char *either(const char *lower, const char *upper)
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
        .env_https = either("https_proxy", "HTTPS_PROXY"),
        .env_http = either("http_proxy", in_cgi ? NULL : "HTTP_PROXY"),
        .env_all = either("all_proxy", "ALL_PROXY"),
        .env_no_proxy = either("no_proxy", "NO_PROXY"),
    };
}
