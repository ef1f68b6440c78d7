/* What depends on whose mbedTLS it is: the one that third_party configures (tls_pinned.c), or the system's
 * (tls_system.c). The build links one or the other. */
#ifndef REGTAG_NET_TLS_LIBRARY_H
#define REGTAG_NET_TLS_LIBRARY_H

#include "regtag_tls_mbedtls.h"

/* Finds the certificates that may have signed this one: *found is a list for mbedtls_x509_crt_free and mbedtls_free, or
 * NULL. Not 0: an error. */
typedef int tls_library_find(void *context, mbedtls_x509_crt const *child, mbedtls_x509_crt **found);

/* Once, before anything else. */
void tls_library_start(void);

/* Trusts in a configuration what is found so, and verifies by it. */
void tls_library_trust(struct regtag_mbedtls *tls, unsigned connection, mbedtls_ssl_config *config,
                       tls_library_find *find, void *context);

/* Whether randomness was missing the last time. mbedTLS reports that under other errors. */
bool tls_library_random_failed(void);

#endif
