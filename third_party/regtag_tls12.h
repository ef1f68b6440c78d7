/* For ssl_tls12_client.c. mbedTLS 3.6.6 offers RSA-PSS and then refuses it in TLS 1.2, where most servers with an RSA
 * key choose it; 3.6.7 takes it again. The check after this one, that it was offered, is enough. */
#include "ssl_misc.h"

#include <mbedtls/build_info.h>

#if MBEDTLS_VERSION_NUMBER == 0x03060600
#define mbedtls_ssl_sig_alg_is_supported(ssl, algorithm) 1
#endif
