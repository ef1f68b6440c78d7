/* What the options and the environment say about proxies. */
#ifndef REGTAG_CLI_PROXY_ENV_H
#define REGTAG_CLI_PROXY_ENV_H

#include "cli/options.h"
#include "net/proxy.h"

/* Lower-case variables come before upper-case ones; an empty one counts as unset. HTTP_PROXY is ignored
 * in a CGI program, where it holds the "Proxy:" field of a client's request. */
struct proxy_settings proxy_settings(const struct options *o);

#endif
