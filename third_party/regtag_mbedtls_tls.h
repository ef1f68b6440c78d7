/* What regtag uses of mbedTLS in a build with TLS: a client of TLS 1.2 and 1.3, and no more. Everything
 * that isn't named here is left out; the files that are compiled stand in the Makefile. */

#include "regtag_mbedtls.h" /* SHA-256 */

/* The platform: Linux, with an arena instead of malloc (src/net/tls_arena.h), the kernel's randomness
 * instead of a generator in here, and a clock that may be corrected (src/net/tls_clock.h). */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO tls_arena_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO tls_arena_free
#define MBEDTLS_PLATFORM_TIME_ALT
#define MBEDTLS_PLATFORM_GMTIME_R_ALT /* glibc allocates memory for it */
#include <stddef.h>
void *tls_arena_calloc(size_t count, size_t size);
void tls_arena_free(void *memory);

/* TLS */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE /* boxes on the way that know TLS 1.2 only */
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE /* TLS 1.3 needs it */

/* A server's record may be of any size; what regtag writes is cut into small ones. 4 KiB is what a chain
 * of client certificates needs. Each connection has one of both. */
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384
#define MBEDTLS_SSL_OUT_CONTENT_LEN 4096

/* Certificates. The trusted ones are looked up in their file one by one. */
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
#define MBEDTLS_X509_TRUSTED_CERTIFICATE_CALLBACK
#define MBEDTLS_X509_REMOVE_INFO /* would bring snprintf */
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_PEM_PARSE_C /* of the client's own certificate and key */
#define MBEDTLS_BASE64_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C

/* Public keys: RSA up to 4096 bits, P-256, P-384, X25519. */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_MPI_MAX_SIZE 512
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0 /* 8 KB of tables less, a quarter more work in a handshake */
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C

/* Ciphers: authenticated ones only. */
#define MBEDTLS_CIPHER_C
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES   /* not built in memory at every start */
#define MBEDTLS_AES_FEWER_TABLES /* 6 KB less, a little slower; a manifest is small */
#define MBEDTLS_BLOCK_CIPHER_NO_DECRYPT /* GCM only encrypts blocks */
#define MBEDTLS_GCM_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#define MBEDTLS_SSL_CIPHERSUITES REGTAG_CIPHERSUITES
#include "regtag_ciphersuites.h"

/* Hashes */
#define MBEDTLS_MD_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_SHA512_SMALLER

/* TLS 1.3 is written on top of PSA, and nobody shares memory with us. A handshake holds its ephemeral key in a slot;
 * a few more are for one key schedule at a time. */
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_CRYPTO_CONFIG
#define MBEDTLS_PSA_CRYPTO_CONFIG_FILE "regtag_psa.h"
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#ifdef REGTAG_CONNECTIONS_MAX
#define MBEDTLS_PSA_KEY_SLOT_COUNT (REGTAG_CONNECTIONS_MAX + 6)
#else
#define MBEDTLS_PSA_KEY_SLOT_COUNT 24 /* for the 18 of regtag.h */
#endif
