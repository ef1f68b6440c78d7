/* What the options and the environment say about TLS. */
#ifndef REGTAG_CLI_TLS_OPTIONS_H
#define REGTAG_CLI_TLS_OPTIONS_H

#include "cli/options.h"
#include "net/tls.h"

/* Fills *t; its strings belong to the options and the environment. False, and e set with REGTAG_E_USAGE,
 * if an option is not valid or a file cannot be read. */
bool tls_options(struct tls_settings *t, const struct options *o, struct error *e);

#endif
