#include "net/tls_library.h"

#include <mbedtls/platform.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/x509_crt.h>

#include "net/tls_arena.h"
#include "net/tls_clock.h"
#include "regtag_ciphersuites.h"

#define DATES ((uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE))

/* ---- Memory and randomness: the system's ----------------------------------------------------- */

void tls_arena_set_connections(unsigned connections)
{
    (void)connections;
}

size_t tls_arena_size(void)
{
    return 0;
}

bool tls_arena_exhausted(void)
{
    return false;
}

bool tls_library_random_failed(void)
{
    return false;
}

void tls_library_start(void)
{
}

/* ---- Dates ----------------------------------------------------------------------------------- */

struct inspection {
    int (*inspect)(void *session, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);
    void *session;
};

/* mbedTLS asks the clock, which may be behind what it must be at least. */
static int inspect(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    const struct inspection *i = context;
    struct calendar c;
    bool floored;
    calendar_of(tls_clock_now(&floored), &c);
    const mbedtls_x509_time now = {(int)c.year, (int)c.month,  (int)c.day,
                                   (int)c.hour, (int)c.minute, (int)c.second};
    *flags &= ~DATES;
    if (mbedtls_x509_time_cmp(&certificate->valid_to, &now) < 0)
        *flags |= MBEDTLS_X509_BADCERT_EXPIRED;
    if (mbedtls_x509_time_cmp(&certificate->valid_from, &now) > 0)
        *flags |= MBEDTLS_X509_BADCERT_FUTURE;
    return i->inspect(i->session, certificate, depth, flags);
}

/* ---- Trust ----------------------------------------------------------------------------------- */

static struct search {
    tls_library_find *find;
    void *context;
} searches[REGTAG_CONNECTIONS_MAX];

static void add_issuers(const struct search *s, const mbedtls_x509_crt *child, mbedtls_x509_crt **list)
{
    mbedtls_x509_crt *found = NULL, *last;
    if (s->find(s->context, child, &found) != 0 || !found)
        return;
    for (last = found; last->next; last = last->next)
        ;
    last->next = *list;
    *list = found;
}

/* With the trusted issuers of all that the server has sent; its own comes last, as the one that may be trusted by
 * itself. */
static int verify(void *context, unsigned connection, mbedtls_x509_crt *chain,
                  int (*with)(void *, mbedtls_x509_crt *, int, uint32_t *), void *session)
{
    struct inspection inspection = {with, session};
    mbedtls_x509_crt *trusted = NULL;
    uint32_t flags;
    (void)context;
    for (const mbedtls_x509_crt *child = chain->next; child; child = child->next)
        add_issuers(&searches[connection], child, &trusted);
    add_issuers(&searches[connection], chain, &trusted);
    int result = mbedtls_x509_crt_verify_with_profile(
        chain, trusted, NULL, &mbedtls_x509_crt_profile_default, NULL, &flags, inspect, &inspection);
    if (trusted)
        mbedtls_x509_crt_free(trusted);
    mbedtls_free(trusted);
    return result;
}

/* PKCS #1 comes before PSS, which mbedTLS 3.6.6 offers and then refuses in TLS 1.2. TLS 1.3 passes over it. */
static const uint16_t SIGNATURES[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
    MBEDTLS_TLS1_3_SIG_NONE,
};

void tls_library_trust(struct regtag_mbedtls *tls, unsigned connection, mbedtls_ssl_config *config,
                       tls_library_find *find, void *context)
{
    static const int SUITES[] = {REGTAG_CIPHERSUITES, 0};
    static mbedtls_x509_crt nobody; /* without any, mbedTLS would not verify */
    mbedtls_ssl_conf_ca_chain(config, &nobody, NULL);
    mbedtls_ssl_conf_ciphersuites(config, SUITES);
    mbedtls_ssl_conf_sig_algs(config, SIGNATURES);
    searches[connection] = (struct search){find, context};
    tls->verify = verify;
}
