/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* For an mbedTLS that is configured with MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG and MBEDTLS_PLATFORM_GMTIME_R_ALT, as
 * third_party/ has it: where PSA's randomness comes from, and what date it is. Other configurations bring what
 * they need and do without this. */
#define _DEFAULT_SOURCE /* getrandom, gmtime_r */

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *time, struct tm *result)
{
    return gmtime_r(time, result);
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t output_size, size_t *output_length)
{
    (void)context;
    *output_length = 0;
    while (*output_length < output_size) {
        ssize_t n = getrandom(output + *output_length, output_size - *output_length, 0);
        if (n > 0)
            *output_length += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return PSA_ERROR_INSUFFICIENT_ENTROPY;
    }
    return PSA_SUCCESS;
}
