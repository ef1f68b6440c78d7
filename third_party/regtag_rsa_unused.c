/* What mbedTLS names and nobody calls. A client of the key exchanges in regtag_mbedtls_tls.h only signs and verifies:
 * the Makefile has pk_wrap.c call these in place of mbedtls_rsa_pkcs1_encrypt and mbedtls_rsa_pkcs1_decrypt, which take
 * 2 KB. And a private key in PKCS #1 has all its numbers, or is refused: the Makefile has rsa.c call these in place of
 * mbedtls_rsa_deduce_primes, mbedtls_rsa_deduce_private_exponent and mbedtls_rsa_deduce_crt, which take 1.5 KB. */
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

int regtag_rsa_no_encrypt(mbedtls_rsa_context *ctx, mbedtls_f_rng_t *f_rng, void *p_rng, size_t ilen,
                          const unsigned char *input, unsigned char *output);
int regtag_rsa_no_decrypt(mbedtls_rsa_context *ctx, mbedtls_f_rng_t *f_rng, void *p_rng, size_t *olen,
                          const unsigned char *input, unsigned char *output, size_t output_max_len);
int regtag_rsa_no_primes(const mbedtls_mpi *N, const mbedtls_mpi *E, const mbedtls_mpi *D,
                         mbedtls_mpi *P, mbedtls_mpi *Q);
int regtag_rsa_no_exponent(const mbedtls_mpi *P, const mbedtls_mpi *Q, const mbedtls_mpi *E,
                           mbedtls_mpi *D);
int regtag_rsa_no_crt(const mbedtls_mpi *P, const mbedtls_mpi *Q, const mbedtls_mpi *D, mbedtls_mpi *DP,
                      mbedtls_mpi *DQ, mbedtls_mpi *QP);

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

int regtag_rsa_no_primes(const mbedtls_mpi *N, const mbedtls_mpi *E, const mbedtls_mpi *D,
                         mbedtls_mpi *P, mbedtls_mpi *Q)
{
    (void)N, (void)E, (void)D, (void)P, (void)Q;
    return MBEDTLS_ERR_RSA_BAD_INPUT_DATA;
}

int regtag_rsa_no_exponent(const mbedtls_mpi *P, const mbedtls_mpi *Q, const mbedtls_mpi *E,
                           mbedtls_mpi *D)
{
    (void)P, (void)Q, (void)E, (void)D;
    return MBEDTLS_ERR_RSA_BAD_INPUT_DATA;
}

int regtag_rsa_no_crt(const mbedtls_mpi *P, const mbedtls_mpi *Q, const mbedtls_mpi *D, mbedtls_mpi *DP,
                      mbedtls_mpi *DQ, mbedtls_mpi *QP)
{
    (void)P, (void)Q, (void)D, (void)DP, (void)DQ, (void)QP;
    return MBEDTLS_ERR_RSA_BAD_INPUT_DATA;
}
