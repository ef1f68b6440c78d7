/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */
#include "regtag_sha256.h"

#include <string.h>

#include <mbedtls/sha256.h>

/* There is room for mbedTLS's own in it, or this does not compile. */
typedef char
    context_has_room[sizeof(mbedtls_sha256_context) <= sizeof(struct regtag_sha256_context) ? 1 : -1];

static int start(void *context)
{
    mbedtls_sha256_init(context);
    return mbedtls_sha256_starts(context, 0);
}

static int update(void *context, const void *bytes, size_t size)
{
    return mbedtls_sha256_update(context, bytes, size);
}

static int finish(void *context, unsigned char sum[32])
{
    int result = mbedtls_sha256_finish(context, sum);
    mbedtls_sha256_free(context);
    return result;
}

struct regtag_hash regtag_sha256(struct regtag_sha256_context *context)
{
    struct regtag_hash hash;
    memset(&hash, 0, sizeof hash);
    hash.context = context;
    hash.start = start;
    hash.update = update;
    hash.finish = finish;
    return hash;
}
