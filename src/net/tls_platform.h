/* The start of TLS, and randomness for it. */
#ifndef REGTAG_NET_TLS_PLATFORM_H
#define REGTAG_NET_TLS_PLATFORM_H

#include <stddef.h>

#include "base/error.h"
#include "net/tls.h"

/* Prepares the process for TLS, once. False, and e set, if there is no randomness. */
bool tls_platform_start(const struct tls_settings *settings, struct error *e);

/* For mbedTLS's configurations; the context is not used. */
int tls_platform_random(void *context, unsigned char *bytes, size_t size);

#endif
