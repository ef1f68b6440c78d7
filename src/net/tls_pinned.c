#include "net/tls_library.h"

#include <string.h>

#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

#include "net/random.h"
#include "net/tls_clock.h"

/* ---- Randomness ------------------------------------------------------------------------------ */

static bool random_failed;

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t output_size, size_t *output_length)
{
    (void)context;
    random_failed = !random_secret(output, output_size);
    *output_length = random_failed ? 0 : output_size;
    return random_failed ? PSA_ERROR_INSUFFICIENT_ENTROPY : PSA_SUCCESS;
}

bool tls_library_random_failed(void)
{
    return random_failed;
}

/* ---- The time -------------------------------------------------------------------------------- */

static mbedtls_time_t time_for_tls(mbedtls_time_t *result)
{
    bool floored;
    mbedtls_time_t now = (mbedtls_time_t)tls_clock_now(&floored);
    if (result)
        *result = now;
    return now;
}

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *time, struct tm *result)
{
    struct calendar c;
    calendar_of(*time, &c);
    memset(result, 0, sizeof *result);
    result->tm_year = (int)c.year - 1900;
    result->tm_mon = (int)c.month - 1;
    result->tm_mday = (int)c.day;
    result->tm_hour = (int)c.hour;
    result->tm_min = (int)c.minute;
    result->tm_sec = (int)c.second;
    return result;
}

void tls_library_start(void)
{
    mbedtls_platform_set_time(time_for_tls);
}

/* ---- Trust ----------------------------------------------------------------------------------- */

void tls_library_trust(struct regtag_mbedtls *tls, unsigned connection, mbedtls_ssl_config *config,
                       tls_library_find *find, void *context)
{
    (void)tls;
    (void)connection;
    mbedtls_ssl_conf_ca_cb(config, find, context);
}
