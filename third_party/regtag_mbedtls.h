/* What regtag uses of mbedTLS. Everything that isn't named here is left out; the files that are
 * compiled stand in the Makefile. */

/* The digest of a manifest, in every build. The compact form: 2 KB less code, 71 instructions a byte
 * instead of 54. No self-test is compiled: that would bring printf. */
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA256_SMALLER
