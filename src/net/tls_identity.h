/* The client's certificate and key, for servers that want one: of --cert and --key, or from the
 * directories for a host. They are read again when a file has changed, and one of them is never used
 * without the other. */
#ifndef REGTAG_NET_TLS_IDENTITY_H
#define REGTAG_NET_TLS_IDENTITY_H

#include <mbedtls/ssl.h>

#include "net/tls.h"

/* Lets a session with this configuration show the certificate, if there is one for the origin. False: e
 * says why it cannot be used. */
bool tls_identity_use(mbedtls_ssl_config *config, const struct regtag_origin *origin,
                      const struct tls_settings *settings, struct error *e);

/* Before the configuration is freed, whether or not it shows one. Sessions that are still open share the
 * certificate, so it is only replaced when there is none. */
void tls_identity_release(const mbedtls_ssl_config *config, const struct regtag_origin *origin);

#endif
