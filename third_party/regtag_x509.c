#include "regtag_x509.h"

#include <string.h>

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>

struct regtag_x509_skipped regtag_x509_skipped;

int regtag_x509_signature_algorithm(const mbedtls_asn1_buf *oid, mbedtls_md_type_t *hash,
                                    mbedtls_pk_type_t *key);

/* Replaces mbedtls_oid_get_sig_alg, so that a certificate with an unknown algorithm can be parsed: a root's own
 * signature means nothing (RFC 5280, 6.1.1). SHA-1 is not compiled in, so no signature with it ever verifies. */
int regtag_x509_signature_algorithm(const mbedtls_asn1_buf *oid, mbedtls_md_type_t *hash,
                                    mbedtls_pk_type_t *key)
{
    if (mbedtls_oid_get_sig_alg(oid, hash, key) != 0) {
        *hash = MBEDTLS_MD_SHA1;
        *key = MBEDTLS_PK_RSA;
    }
    return 0;
}

/* Accepts the critical extensions that OpenSSL accepts. All begin with 2.5.29, and all but name constraints, which
 * regtag_chain.c checks, matter only to those who ask for policies or revocation lists. */
static int accept_extension(void *context, const mbedtls_x509_crt *certificate,
                            const mbedtls_x509_buf *oid, int critical, const unsigned char *data,
                            const unsigned char *end)
{
    static const unsigned char KNOWN[] = {
        30, /* name constraints */
        31, /* CRL distribution points */
        32, /* certificate policies */
        33, /* policy mappings */
        36, /* policy constraints */
        54, /* inhibit anyPolicy */
    };
    (void)context, (void)certificate, (void)critical, (void)data, (void)end;
    if (oid->len == 3 && oid->p[0] == 0x55 && oid->p[1] == 29 && memchr(KNOWN, oid->p[2], sizeof KNOWN))
        return 0;
    return MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE;
}

int regtag_x509_parse(mbedtls_x509_crt *chain, const unsigned char *der, size_t size, int copy)
{
    return mbedtls_x509_crt_parse_der_with_ext_cb(chain, der, size, copy, accept_extension, NULL);
}

static int is_out_of_memory(int error)
{
    return error == MBEDTLS_ERR_X509_ALLOC_FAILED || (-error & 0x7f) == -MBEDTLS_ERR_ASN1_ALLOC_FAILED;
}

int regtag_x509_parse_peer(mbedtls_x509_crt *chain, const unsigned char *der, size_t size)
{
    struct regtag_x509_skipped *s = &regtag_x509_skipped;
    int first = chain->version == 0;
    int error = regtag_x509_parse(chain, der, size, 1);
    if (first)
        s->parsed = s->number = 0;
    s->parsed++;
    if (error && s->number == 0) {
        s->number = s->parsed;
        s->error = error;
    }
    return first || is_out_of_memory(error) ? error : 0;
}
