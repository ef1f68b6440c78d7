#include "net/tls_platform.h"

#include <string.h>

#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>
#include <psa/crypto.h>

#include "net/random.h"
#include "net/tls_clock.h"

/* ---- Randomness ------------------------------------------------------------------------------ */

static bool random_failed;

static bool random_bytes_for_tls(unsigned char *bytes, size_t size)
{
    random_failed = !random_secret(bytes, size);
    return !random_failed;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *output, size_t output_size, size_t *output_length)
{
    (void)context;
    *output_length = random_bytes_for_tls(output, output_size) ? output_size : 0;
    return *output_length == output_size ? PSA_SUCCESS : PSA_ERROR_INSUFFICIENT_ENTROPY;
}

int tls_platform_random(void *context, unsigned char *bytes, size_t size)
{
    (void)context;
    return random_bytes_for_tls(bytes, size) ? 0 : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

bool tls_platform_random_failed(void)
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

/* ---- Once ------------------------------------------------------------------------------------ */

bool tls_platform_start(const struct tls_settings *settings, struct error *e)
{
    static bool started;
    bool floored;
    if (started)
        return true;
    mbedtls_platform_set_time(time_for_tls);
    tls_clock_floor(settings->time_floor);
    tls_clock_now(&floored);
    if (floored && settings->trace) {
        char text[128];
        struct writer w = writer_to(text, sizeof text);
        write_text(&w, "the clock is before the time floor; certificates are checked against ");
        write_moment(&w, tls_clock_now(&floored));
        settings->trace(settings->trace_context, REGTAG_TRACE_NOTE, text, w.used);
    }
    if (psa_crypto_init() != PSA_SUCCESS) {
        error_set(e, REGTAG_E_OTHER,
                  "TLS cannot be started: is there neither getrandom nor /dev/urandom?");
        return false;
    }
    started = true;
    return true;
}
