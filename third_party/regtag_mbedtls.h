/* What regtag uses of mbedTLS. Everything that isn't named here is left out; the files that are
 * compiled stand in the Makefile. */

/* The digest of a manifest, in every build. The compact form is 2 KB less code, but takes 76 instructions a byte instead
 * of 54: it is for programs that move no blobs. The others also use ARMv8's own instructions, where the processor has
 * them. No self-test is compiled: that would bring printf. */
#define MBEDTLS_SHA256_C
#ifndef REGTAG_FAST_SHA256
#define MBEDTLS_SHA256_SMALLER
#elif defined(__aarch64__)
#define MBEDTLS_SHA256_USE_ARMV8_A_CRYPTO_IF_PRESENT
#endif
