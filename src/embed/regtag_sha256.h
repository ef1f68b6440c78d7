/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* SHA-256 for regtag.h by mbedTLS 3.6. */
#ifndef REGTAG_SHA256_H
#define REGTAG_SHA256_H

#include "regtag.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The state of a hash, in bytes that mean something to regtag_sha256.c alone, whatever library that uses. It may
 * be copied, and abandoned without cleanup: it owns nothing else. */
struct regtag_sha256_context {
    uint64_t opaque[32];
};

/* The hash over a context of the caller's, which must outlive it. */
struct regtag_hash regtag_sha256(struct regtag_sha256_context *context);

#ifdef __cplusplus
}
#endif

#endif
