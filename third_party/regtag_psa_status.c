/* What PSA's elliptic curves and hashes say of a failure of mbedTLS's. The Makefile has them call this in place of
 * mbedtls_to_psa_error, which knows the errors of all of mbedTLS, and takes 1.1 KB. */
#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/md.h>
#include <psa/crypto.h>

psa_status_t regtag_psa_status(int error);

psa_status_t regtag_psa_status(int error)
{
    int low = -(-error & 0x7f); /* it may be one error on top of another; below is the cause */
    switch (low ? low : error) {
    case 0: return PSA_SUCCESS;
    case MBEDTLS_ERR_MPI_ALLOC_FAILED:
    case MBEDTLS_ERR_ECP_ALLOC_FAILED:
    case MBEDTLS_ERR_MD_ALLOC_FAILED: return PSA_ERROR_INSUFFICIENT_MEMORY;
    case MBEDTLS_ERR_ENTROPY_SOURCE_FAILED:
    case MBEDTLS_ERR_ECP_RANDOM_FAILED: return PSA_ERROR_INSUFFICIENT_ENTROPY;
    case MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE:
    case MBEDTLS_ERR_MD_FEATURE_UNAVAILABLE: return PSA_ERROR_NOT_SUPPORTED;
    default: return PSA_ERROR_INVALID_ARGUMENT;
    }
}
