/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */
#include "regtag_sha256.h"

#include <string.h>

#if defined(REGTAG_FAST_SHA256) && defined(__x86_64__) && defined(__GNUC__) &&                          \
    !defined(MBEDTLS_SHA256_ALT)
#include <cpuid.h>
#include <immintrin.h>

/* ---- The processor's own instructions, which mbedTLS does not use ------------------------------ */

static __m128i load(const void *from)
{
    return _mm_loadu_si128(from);
}

/* FIPS 180-4, 6.2.2. Four rounds at a time: `w` are the next 16 words of the schedule, the state is in two registers, ABEF
 * and CDGH. */
__attribute__((target("sha,sse4.1"))) static void add_block(__m128i *abef, __m128i *cdgh,
                                                            const unsigned char *block)
{
    static const uint32_t K[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i one = *abef, other = *cdgh, w[4];
    for (unsigned i = 0; i < 4; i++)
        w[i] = _mm_shuffle_epi8(load(block + 16 * i), big_endian);
    for (unsigned i = 0; i < 64; i += 4) {
        __m128i sum = _mm_add_epi32(w[0], load(K + i));
        __m128i next = _mm_add_epi32(_mm_sha256msg1_epu32(w[0], w[1]), _mm_alignr_epi8(w[3], w[2], 4));
        other = _mm_sha256rnds2_epu32(other, one, sum);
        one = _mm_sha256rnds2_epu32(one, other, _mm_shuffle_epi32(sum, 0x0e));
        next = _mm_sha256msg2_epu32(next, w[3]);
        w[0] = w[1];
        w[1] = w[2];
        w[2] = w[3];
        w[3] = next;
    }
    *abef = _mm_add_epi32(*abef, one);
    *cdgh = _mm_add_epi32(*cdgh, other);
}

__attribute__((target("sha,sse4.1"))) static void add_blocks(uint32_t state[8],
                                                             const unsigned char *from, size_t size)
{
    __m128i cdab = _mm_shuffle_epi32(load(state), 0xb1), efgh = _mm_shuffle_epi32(load(state + 4), 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
    for (size_t at = 0; at < size; at += 64)
        add_block(&abef, &cdgh, from + at);
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Whole blocks. Before and after them, mbedTLS keeps what is less. */
static size_t take(mbedtls_sha256_context *context, const unsigned char *from, size_t size)
{
    uint32_t *total = context->MBEDTLS_PRIVATE(total);
    size -= size % 64;
    if (total[0] % 64 || !size)
        return 0;
    add_blocks(context->MBEDTLS_PRIVATE(state), from, size);
    total[0] += (uint32_t)size;
    total[1] += total[0] < (uint32_t)size;
    return size;
}

/* What completes a block that was begun. */
static size_t missing(const mbedtls_sha256_context *context, size_t size)
{
    size_t least = (64 - context->MBEDTLS_PRIVATE(total)[0] % 64) % 64;
    return least < size ? least : size;
}

static int update_by_blocks(void *context, const void *bytes, size_t size)
{
    const unsigned char *from = bytes;
    size_t first = missing(context, size);
    int result = mbedtls_sha256_update(context, from, first);
    first += take(context, from + first, size - first);
    return result | mbedtls_sha256_update(context, from + first, size - first);
}

static void use_instructions(struct regtag_hash *hash)
{
    unsigned a, b = 0, c, d;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA)
        hash->update = update_by_blocks;
}
#else
#define use_instructions(hash) ((void)(hash))
#endif

/* ---- The hash ---------------------------------------------------------------------------------- */

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

struct regtag_hash regtag_sha256(mbedtls_sha256_context *context)
{
    struct regtag_hash hash;
    memset(&hash, 0, sizeof hash);
    hash.context = context;
    hash.start = start;
    hash.update = update;
    hash.finish = finish;
    use_instructions(&hash);
    return hash;
}
