/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */
#include "regtag_verify_mbedtls.h"

#include <string.h>

#include <mbedtls/asn1.h>
#include <mbedtls/base64.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/md.h>
#include <mbedtls/rsa.h>

#define SEQUENCE (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE)
#define FAILED (-1)

/* An error may be the sum of a module's and of one in what it calls: one of numbers has the last seven bits. */
static bool is_shortage(int error)
{
    int low = -error & 0x7f, high = -error - low;
    return low == -MBEDTLS_ERR_MPI_ALLOC_FAILED || high == -MBEDTLS_ERR_ECP_ALLOC_FAILED ||
           high == -MBEDTLS_ERR_MD_ALLOC_FAILED;
}

/* ---- Hashes ----------------------------------------------------------------------------------- */

static int hash(mbedtls_md_type_t type, const struct regtag_part *parts, size_t count,
                unsigned char *sum)
{
    mbedtls_md_context_t md;
    mbedtls_md_init(&md);
    int result = mbedtls_md_setup(&md, mbedtls_md_info_from_type(type), 0);
    if (result == 0)
        result = mbedtls_md_starts(&md);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = mbedtls_md_update(&md, parts[i].bytes, parts[i].size);
    if (result == 0)
        result = mbedtls_md_finish(&md, sum);
    mbedtls_md_free(&md);
    return result;
}

/* ---- Keys in DER ----------------------------------------------------------------------------- */

/* All of a key for ECDSA but its coordinates; AlgorithmIdentifier of one for RSA (RFC 5480, 3279). DER is unambiguous. */
static const unsigned char P256[] = {0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 2,    1,    6, 8, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 3,    1,    7, 3, 0x42, 0,    4};
static const unsigned char P384[] = {0x30, 0x76, 0x30, 0x10, 6,    7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2,
                                     1,    6,    5,    0x2b, 0x81, 4, 0,    0x22, 3,    0x62, 0,    4};
static const unsigned char RSA[] = {0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0};

static mbedtls_ecp_group_id curve_of(const struct regtag_verify_key *k)
{
    if (k->size == sizeof P256 + 64 && memcmp(k->der, P256, sizeof P256) == 0)
        return MBEDTLS_ECP_DP_SECP256R1;
    if (k->size == sizeof P384 + 96 && memcmp(k->der, P384, sizeof P384) == 0)
        return MBEDTLS_ECP_DP_SECP384R1;
    return MBEDTLS_ECP_DP_NONE;
}

/* The point follows the header, whose last byte is its first. */
static int load_point(mbedtls_ecp_group *group, mbedtls_ecp_point *point,
                      const struct regtag_verify_key *k)
{
    mbedtls_ecp_group_id curve = curve_of(k);
    size_t at = (curve == MBEDTLS_ECP_DP_SECP256R1 ? sizeof P256 : sizeof P384) - 1;
    int result = mbedtls_ecp_group_load(group, curve);
    if (result == 0)
        result = mbedtls_ecp_point_read_binary(group, point, k->der + at, k->size - at);
    return result ? result : mbedtls_ecp_check_pubkey(group, point);
}

/* Finds both numbers: SEQUENCE { AlgorithmIdentifier, BIT STRING { SEQUENCE { INTEGER n, INTEGER e } } }. */
static int load_rsa(mbedtls_rsa_context *rsa, const struct regtag_verify_key *k)
{
    unsigned char *at = (unsigned char *)k->der, *end = at + k->size, *n;
    size_t size, n_size;
    if (mbedtls_asn1_get_tag(&at, end, &size, SEQUENCE) != 0 || (size_t)(end - at) != size ||
        size < sizeof RSA || memcmp(at, RSA, sizeof RSA) != 0)
        return FAILED;
    at += sizeof RSA;
    if (mbedtls_asn1_get_bitstring_null(&at, end, &size) != 0 || (size_t)(end - at) != size ||
        mbedtls_asn1_get_tag(&at, end, &size, SEQUENCE) != 0 || (size_t)(end - at) != size ||
        mbedtls_asn1_get_tag(&at, end, &n_size, MBEDTLS_ASN1_INTEGER) != 0)
        return FAILED;
    n = at;
    at += n_size;
    if (mbedtls_asn1_get_tag(&at, end, &size, MBEDTLS_ASN1_INTEGER) != 0 || (size_t)(end - at) != size)
        return FAILED;
    int result = mbedtls_rsa_import_raw(rsa, n, n_size, NULL, 0, NULL, 0, NULL, 0, at, size);
    return result ? result : mbedtls_rsa_check_pubkey(rsa);
}

/* Returns 0 if the key is supported. */
static int check_key(const struct regtag_verify_key *k)
{
    mbedtls_ecp_group group;
    mbedtls_ecp_point point;
    mbedtls_rsa_context rsa;
    int result;
    mbedtls_ecp_group_init(&group);
    mbedtls_ecp_point_init(&point);
    mbedtls_rsa_init(&rsa);
    if (curve_of(k) != MBEDTLS_ECP_DP_NONE)
        result = load_point(&group, &point, k);
    else
        result = load_rsa(&rsa, k);
    size_t bits = mbedtls_rsa_get_bitlen(&rsa);
    if (result == 0 && bits && (bits < 2048 || bits > 4096))
        result = FAILED;
    mbedtls_rsa_free(&rsa);
    mbedtls_ecp_point_free(&point);
    mbedtls_ecp_group_free(&group);
    return result;
}

/* ---- Keys in PEM ----------------------------------------------------------------------------- */

struct text {
    const char *at;
    size_t size;
};

static bool starts(struct text t, const char *word)
{
    size_t size = strlen(word);
    return t.size >= size && memcmp(t.at, word, size) == 0;
}

/* What begins with the word, or nothing. */
static struct text find(struct text t, const char *word)
{
    while (t.size && !starts(t, word))
        t.at++, t.size--;
    return t;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct text trim(struct text t)
{
    while (t.size && is_space(t.at[t.size - 1]))
        t.size--;
    while (t.size && is_space(*t.at))
        t.at++, t.size--;
    return t;
}

/* What another file has that could be meant. */
static const char *other(struct text t)
{
    if (find(t, "PRIVATE KEY-----").size)
        return "it has a private key; only the public one is needed";
    if (find(t, "BEGIN CERTIFICATE-----").size)
        return "it has a certificate; only its public key is needed";
    return "it is not a public key in PEM";
}

static const char *decode(struct regtag_verify_key *k, struct text t)
{
    static const char BEGIN[] = "-----BEGIN PUBLIC KEY-----", END[] = "-----END PUBLIC KEY-----";
    struct text end = find(t, END);
    if (!starts(t, BEGIN) || !end.size)
        return other(t);
    if (end.size != sizeof END - 1)
        return "something follows the key; it must be alone";
    t.at += sizeof BEGIN - 1;
    int result = mbedtls_base64_decode(k->der, sizeof k->der, &k->size, (const unsigned char *)t.at,
                                       (size_t)(end.at - t.at));
    if (result != 0 && result != MBEDTLS_ERR_BASE64_BUFFER_TOO_SMALL)
        return "it is not valid PEM";
    if (result == 0)
        result = check_key(k);
    if (is_shortage(result))
        return "there is not enough memory for it";
    if (result != 0)
        return "it is not a key for ECDSA with P-256 or P-384, or RSA with 2048 to 4096 bits";
    return NULL;
}

static int print_sha256(struct regtag_verify_key *k)
{
    const struct regtag_part der = {k->der, k->size};
    unsigned char sum[32];
    char *out = k->sha256;
    int result = hash(MBEDTLS_MD_SHA256, &der, 1, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        *out++ = "0123456789abcdef"[sum[i] >> 4];
        *out++ = "0123456789abcdef"[sum[i] & 15];
    }
    *out = '\0';
    return result;
}

const char *regtag_verify_add(struct regtag_verify *v, const char *pem, size_t size)
{
    struct regtag_verify_key *k = &v->keys[v->count];
    if (v->count == REGTAG_VERIFY_KEYS_MAX)
        return "there are more than 8 keys";
    if (size > REGTAG_VERIFY_FILE_MAX)
        return "it is too large for a public key";
    const char *problem = decode(k, trim((struct text){pem, size}));
    if (!problem && print_sha256(k) != 0)
        problem = "SHA-256 failed";
    v->count += !problem;
    return problem;
}

/* ---- Signatures ------------------------------------------------------------------------------ */

static int verify_rsa(const struct regtag_verify_key *k, const unsigned char *sum,
                      const unsigned char *signature, size_t size)
{
    mbedtls_rsa_context rsa;
    bool pss = false;
    mbedtls_rsa_init(&rsa);
    int result = load_rsa(&rsa, k);
    if (result == 0 && size != mbedtls_rsa_get_len(&rsa))
        result = FAILED;
    if (result == 0) {
        result = mbedtls_rsa_rsassa_pkcs1_v15_verify(&rsa, MBEDTLS_MD_SHA256, 32, sum, signature);
        pss = result != 0 && !is_shortage(result);
    }
    if (pss)
        result = mbedtls_rsa_rsassa_pss_verify_ext(&rsa, MBEDTLS_MD_SHA256, 32, sum, MBEDTLS_MD_SHA256,
                                                   MBEDTLS_RSA_SALT_LEN_ANY, signature);
    mbedtls_rsa_free(&rsa);
    return result;
}

/* SEQUENCE { INTEGER r, INTEGER s } */
static int read_pair(mbedtls_mpi *r, mbedtls_mpi *s, const unsigned char *signature, size_t size)
{
    unsigned char *at = (unsigned char *)signature, *end = at + size;
    if (mbedtls_asn1_get_tag(&at, end, &size, SEQUENCE) != 0 || (size_t)(end - at) != size)
        return FAILED;
    int result = mbedtls_asn1_get_mpi(&at, end, r);
    if (result == 0)
        result = mbedtls_asn1_get_mpi(&at, end, s);
    return result == 0 && at != end ? FAILED : result;
}

static int verify_ecdsa(const struct regtag_verify_key *k, const unsigned char *sum, size_t sum_size,
                        const unsigned char *signature, size_t size)
{
    mbedtls_ecp_group group;
    mbedtls_ecp_point point;
    mbedtls_mpi r, s;
    mbedtls_ecp_group_init(&group);
    mbedtls_ecp_point_init(&point);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    int result = load_point(&group, &point, k);
    if (result == 0)
        result = read_pair(&r, &s, signature, size);
    if (result == 0)
        result = mbedtls_ecdsa_verify(&group, sum, sum_size, &point, &r, &s);
    mbedtls_mpi_free(&s);
    mbedtls_mpi_free(&r);
    mbedtls_ecp_point_free(&point);
    mbedtls_ecp_group_free(&group);
    return result;
}

int regtag_verify_mbedtls(void *context, unsigned key, const struct regtag_part *parts, size_t count,
                          const void *signature, size_t size)
{
    const struct regtag_verify *v = context;
    unsigned char sum[48];
    if (key >= v->count)
        return FAILED;
    const struct regtag_verify_key *k = &v->keys[key];
    mbedtls_ecp_group_id curve = curve_of(k);
    bool longer = curve == MBEDTLS_ECP_DP_SECP384R1;
    int result = hash(longer ? MBEDTLS_MD_SHA384 : MBEDTLS_MD_SHA256, parts, count, sum);
    if (result == 0 && curve == MBEDTLS_ECP_DP_NONE)
        result = verify_rsa(k, sum, signature, size);
    else if (result == 0)
        result = verify_ecdsa(k, sum, longer ? 48 : 32, signature, size);
    return is_shortage(result) ? REGTAG_VERIFY_UNABLE : result;
}
