/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* Verifies signatures with mbedTLS 3.6, for `verify` in struct regtag_config. The keys stay in memory of fixed size;
 * mbedTLS allocates what it needs while it verifies, up to 11 KB. */
#ifndef REGTAG_VERIFY_MBEDTLS_H
#define REGTAG_VERIFY_MBEDTLS_H

#include "regtag.h"

#ifdef __cplusplus
extern "C" {
#endif

#define REGTAG_VERIFY_KEYS_MAX 8
#define REGTAG_VERIFY_DER_MAX 560   /* bytes of a key in DER; RSA with 4096 bits takes 550 */
#define REGTAG_VERIFY_FILE_MAX 2048 /* bytes of a file with a key */

struct regtag_verify_key {
    size_t size;
    unsigned char der[REGTAG_VERIFY_DER_MAX]; /* SubjectPublicKeyInfo (RFC 5280, 4.1) */
    char sha256[2 * 32 + 1];                  /* of that, in hexadecimal */
};

/* To begin, clear the whole struct. */
struct regtag_verify {
    unsigned count;
    struct regtag_verify_key keys[REGTAG_VERIFY_KEYS_MAX];
};

/* Adds the public key in a PEM file ("-----BEGIN PUBLIC KEY-----"): ECDSA with P-256 or P-384, RSA with 2048 to
 * 4096 bits. Returns NULL, or what is wrong: "it has a private key", say. At most REGTAG_VERIFY_FILE_MAX bytes are
 * accepted, so a buffer of one more is enough to read into. */
const char *regtag_verify_add(struct regtag_verify *v, const char *pem, size_t size);

/* For `verify`; `verify_context` is a struct regtag_verify, and `keys` its count. ECDSA with P-256 uses SHA-256, with
 * P-384 SHA-384; RSA uses SHA-256, with PKCS #1 v1.5 or PSS; PSS with MGF1-SHA-256 and a salt of any length. */
int regtag_verify_mbedtls(void *context, unsigned key, const struct regtag_part *parts, size_t count,
                          const void *signature, size_t size);

#ifdef __cplusplus
}
#endif

#endif
