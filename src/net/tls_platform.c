#include "net/tls_platform.h"

#include <mbedtls/ssl.h>
#include <psa/crypto.h>

#include "net/tls_clock.h"
#include "net/tls_library.h"

int tls_platform_random(void *context, unsigned char *bytes, size_t size)
{
    (void)context;
    return psa_generate_random(bytes, size) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

bool tls_platform_start(const struct tls_settings *settings, struct error *e)
{
    static bool started;
    bool floored;
    if (started)
        return true;
    tls_library_start();
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
