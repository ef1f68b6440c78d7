/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* SHA-256 for regtag.h by mbedTLS 3.6. */
#ifndef REGTAG_SHA256_H
#define REGTAG_SHA256_H

#include <mbedtls/sha256.h>

#include "regtag.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The hash over a context of the caller's, which must outlive it. */
struct regtag_hash regtag_sha256(mbedtls_sha256_context *context);

#ifdef __cplusplus
}
#endif

#endif
