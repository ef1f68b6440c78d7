/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* TLS for the examples, by whichever of tls_mbedtls.c and tls_none.c they are linked with. */
#ifndef EXAMPLES_TLS_H
#define EXAMPLES_TLS_H

#include "regtag_sockets.h"

/* Sets up what TLS needs, once, and *tls. `authorities` is the path of a file with the trusted CAs, in PEM.
 * Returns NULL, or why that does not work. */
const char *tls_set_up(struct regtag_tls *tls, const char *authorities);

#endif
