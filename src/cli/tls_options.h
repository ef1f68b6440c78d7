/* From the command line and the environment to what is trusted in TLS. */
#ifndef REGTAG_CLI_TLS_OPTIONS_H
#define REGTAG_CLI_TLS_OPTIONS_H

#include "cli/options.h"
#include "net/tls.h"

/* Fills *t, whose strings are those of the options and the environment. False, and e set with
 * REGTAG_USAGE, when an option makes no sense or a file cannot be read. */
bool tls_options(struct tls_settings *t, const struct options *o, struct error *e);

#endif
