/* What the options and the environment say about TLS. */
#ifndef REGTAG_CLI_TLS_OPTIONS_H
#define REGTAG_CLI_TLS_OPTIONS_H

#include "cli/options.h"
#include "net/tls.h"

/* Fills *t for the registry on this side; its strings belong to the options and the environment. Reads what is a pipe, by the deadline,
 * of regtag_clock(). False, and e set with REGTAG_E_USAGE, if an option is not valid or a file cannot be read;
 * with REGTAG_E_CREDENTIALS if it is the client's. */
bool tls_options(struct tls_settings *t, const struct options *o, const struct side_options *side,
                 uint64_t deadline, struct error *e);

#endif
