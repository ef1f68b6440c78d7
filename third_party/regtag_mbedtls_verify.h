/* What regtag uses of mbedTLS in a build without TLS that verifies signatures: public keys, as in regtag_mbedtls_tls.h, and
 * no more. */

#include "regtag_mbedtls.h" /* SHA-256 */

/* An arena instead of malloc (src/net/tls_arena.h). */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO tls_arena_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO tls_arena_free
#include <stddef.h>
void *tls_arena_calloc(size_t count, size_t size);
void tls_arena_free(void *memory);

#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C /* mbedTLS asks for it, for ECDSA; nothing calls it */
#define MBEDTLS_BASE64_C
#define MBEDTLS_OID_C
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_MPI_MAX_SIZE 512
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0
#define MBEDTLS_ECDSA_C
#define MBEDTLS_MD_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_SHA512_SMALLER
