/* What mbedTLS's table for RSA keys names, and nobody calls: a client of the key exchanges in regtag_mbedtls_tls.h
 * only signs and verifies. The Makefile has pk_wrap.c call these in place of mbedtls_rsa_pkcs1_encrypt and
 * mbedtls_rsa_pkcs1_decrypt, which take 2 KB. */
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

int regtag_rsa_no_encrypt(mbedtls_rsa_context *ctx, mbedtls_f_rng_t *f_rng, void *p_rng, size_t ilen,
                          const unsigned char *input, unsigned char *output);
int regtag_rsa_no_decrypt(mbedtls_rsa_context *ctx, mbedtls_f_rng_t *f_rng, void *p_rng, size_t *olen,
                          const unsigned char *input, unsigned char *output, size_t output_max_len);

int regtag_rsa_no_encrypt(mbedtls_rsa_context *ctx, mbedtls_f_rng_t *f_rng, void *p_rng, size_t ilen,
                          const unsigned char *input, unsigned char *output)
{
    (void)ctx, (void)f_rng, (void)p_rng, (void)ilen, (void)input, (void)output;
    return MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
}

int regtag_rsa_no_decrypt(mbedtls_rsa_context *ctx, mbedtls_f_rng_t *f_rng, void *p_rng, size_t *olen,
                          const unsigned char *input, unsigned char *output, size_t output_max_len)
{
    (void)ctx, (void)f_rng, (void)p_rng, (void)olen, (void)input, (void)output, (void)output_max_len;
    return MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
}
