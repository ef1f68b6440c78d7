/* SHA-256 by mbedTLS, as the library wants it. */
#ifndef REGTAG_NET_HASH_MBEDTLS_H
#define REGTAG_NET_HASH_MBEDTLS_H

#include <mbedtls/sha256.h>

#include "regtag.h"

/* The hash over a context of the caller's, which must outlive it. */
struct regtag_hash hash_mbedtls(mbedtls_sha256_context *context);

#endif
