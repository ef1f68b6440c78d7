/* The client's certificate and key. */
#ifndef REGTAG_NET_TLS_IDENTITY_H
#define REGTAG_NET_TLS_IDENTITY_H
#include <mbedtls/ssl.h>
#include "net/tls.h"
bool tls_identity_use(mbedtls_ssl_config *config, const struct tls_settings *settings,
                      const struct regtag_origin *origin, struct error *e);
#endif
