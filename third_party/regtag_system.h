/* What is asked of a system's mbedTLS, with SYSTEM_MBEDTLS=1. Nothing includes this: the Makefile compiles it first, so
 * that one error says what is wrong instead of many. REGTAG_TLS and REGTAG_VERIFY are the Makefile's TLS and VERIFY. */

#if __has_include(<mbedtls/build_info.h>)
#include <mbedtls/build_info.h>
#elif __has_include(<mbedtls/version.h>)
#include <mbedtls/version.h> /* before 3.0 */
#else
#error SYSTEM_MBEDTLS=1: the compiler finds no mbedTLS. Install 3.6 with its headers (Debian 13: libmbedtls-dev), say where it is with CPPFLAGS and LDFLAGS, or build without SYSTEM_MBEDTLS
#endif

#ifdef MBEDTLS_VERSION_NUMBER
#if MBEDTLS_VERSION_NUMBER < 0x03060000
#pragma message("found mbedTLS " MBEDTLS_VERSION_STRING)
#error SYSTEM_MBEDTLS=1: this mbedTLS is older than 3.6. Install 3.6, or build without SYSTEM_MBEDTLS
#elif MBEDTLS_VERSION_NUMBER >= 0x04000000
#pragma message("found mbedTLS " MBEDTLS_VERSION_STRING)
#error SYSTEM_MBEDTLS=1: this mbedTLS is newer than 3.6, and has other functions: third_party/README.md. Install 3.6, or build without SYSTEM_MBEDTLS
#else
#if REGTAG_TLS && !defined(MBEDTLS_SSL_PROTO_TLS1_3)
#error SYSTEM_MBEDTLS=1: this mbedTLS has no TLS 1.3 (MBEDTLS_SSL_PROTO_TLS1_3). Have it configured with that, or build without SYSTEM_MBEDTLS, or with TLS=0
#endif
#if REGTAG_TLS && !(defined(MBEDTLS_SSL_CLI_C) && defined(MBEDTLS_SSL_PROTO_TLS1_2) &&                 \
                    defined(MBEDTLS_SSL_SERVER_NAME_INDICATION) &&                                     \
                    defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE) && defined(MBEDTLS_X509_CRT_PARSE_C) && \
                    defined(MBEDTLS_PEM_PARSE_C) && defined(MBEDTLS_HAVE_TIME_DATE))
#error SYSTEM_MBEDTLS=1: this mbedTLS is not configured for a client that verifies: third_party/regtag_system.h says what it needs. Build without SYSTEM_MBEDTLS, or with TLS=0
#endif
#if REGTAG_VERIFY && !(defined(MBEDTLS_BASE64_C) && defined(MBEDTLS_ECDSA_C) &&                        \
                       defined(MBEDTLS_ECP_DP_SECP256R1_ENABLED) && defined(MBEDTLS_RSA_C) &&          \
                       defined(MBEDTLS_PKCS1_V15) && defined(MBEDTLS_PKCS1_V21))
#error SYSTEM_MBEDTLS=1: this mbedTLS lacks ECDSA, P-256 or RSA. Have it configured with them, or build without SYSTEM_MBEDTLS, or with VERIFY=0 TLS=0
#endif
#ifndef MBEDTLS_SHA256_C
#error SYSTEM_MBEDTLS=1: this mbedTLS has no SHA-256. Have it configured with MBEDTLS_SHA256_C, or build without SYSTEM_MBEDTLS
#endif
#endif
#endif
