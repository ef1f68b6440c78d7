/* What the options and the environment say about proxies. */
#ifndef REGTAG_CLI_PROXY_ENV_H
#define REGTAG_CLI_PROXY_ENV_H

#include "cli/options.h"
#include "net/proxy.h"

/* Variables are looked for in lower case, then in upper case; empty ones are as good as none. In a CGI
 * program HTTP_PROXY is what a client sent as "Proxy:", and is not looked at. */
struct proxy_settings proxy_settings(const struct options *o);

#endif
