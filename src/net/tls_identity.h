/* The client's certificate and key, for servers that want one: of --cert and --key, or from the
 * directories for a host. They are read again when a file has changed, and one of them is never used
 * without the other. */
#ifndef REGTAG_NET_TLS_IDENTITY_H
#define REGTAG_NET_TLS_IDENTITY_H

#include <mbedtls/ssl.h>

#include "net/tls.h"

/* Lets a session with this configuration show the certificate, if there is one for the origin; *used: there is. False: e
 * says why it cannot be used. */
bool tls_identity_use(mbedtls_ssl_config *config, const struct regtag_origin *origin,
                      const struct tls_settings *settings, bool *used, struct error *e);

/* Before a configuration is freed that uses it. Sessions that are still open share the certificate, so it is only
 * replaced when there is none. */
void tls_identity_release(const struct regtag_origin *origin);

#endif
