/* For the certificate of a configuration. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include "net/tls_identity.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "base/wipe.h"
#include "net/file.h"
#include "net/tls_platform.h"
#include "net/tls_trust.h"

static struct {
    bool loaded;
    unsigned users; /* open sessions */
    uint64_t stamp; /* of both files, from before they were read */
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
} identity;

/* Reads a file, and adds a NUL, which mbedTLS needs after PEM. Returns the size with the NUL, or 0 and e
 * set. */
static size_t read_file(const char *path, char bytes[CLIENT_FILE_MAX], struct error *e)
{
    struct writer w = writer_to(bytes, CLIENT_FILE_MAX - 1);
    const char *problem = file_read(path, &w, 0);
    if (problem) {
        error_set(error_hint(e, REGTAG_HINT_CERTIFICATE), REGTAG_E_CREDENTIALS,
                  "the client's certificate or key cannot be read: %s: %s", path, problem);
        return 0;
    }
    bytes[w.used] = '\0';
    return w.used + 1;
}

static bool parse(const char *certificate, const char *key, struct error *e)
{
    static char bytes[CLIENT_FILE_MAX];
    const unsigned char *text = (const unsigned char *)bytes;
    size_t size = read_file(certificate, bytes, e);
    if (size && mbedtls_x509_crt_parse(&identity.chain, text, size) != 0)
        error_set(e, REGTAG_E_CREDENTIALS, "there is no certificate in %s", certificate);
    size = e->status ? 0 : read_file(key, bytes, e);
    if (size && mbedtls_pk_parse_key(&identity.key, text, size, NULL, 0, tls_platform_random, NULL) != 0)
        error_set(e, REGTAG_E_CREDENTIALS, "there is no key in %s that can be used without a password",
                  key);
    if (!e->status &&
        mbedtls_pk_check_pair(&identity.chain.pk, &identity.key, tls_platform_random, NULL) != 0)
        error_set(e, REGTAG_E_CREDENTIALS, "the key in %s is not that of the certificate in %s", key,
                  certificate);
    wipe(bytes, sizeof bytes);
    return e->status == 0;
}

static void forget(void)
{
    mbedtls_x509_crt_free(&identity.chain);
    mbedtls_pk_free(&identity.key);
}

static bool load(const char *certificate, const char *key, struct error *e)
{
    uint64_t stamp = 0;
    file_stamp(certificate, &stamp);
    file_stamp(key, &stamp);
    if (identity.loaded && (identity.users || identity.stamp == stamp))
        return true;
    forget();
    identity.stamp = stamp;
    identity.loaded = parse(certificate, key, e);
    if (!identity.loaded)
        forget();
    return identity.loaded;
}

bool tls_identity_use(mbedtls_ssl_config *config, const struct regtag_origin *origin,
                      const struct tls_settings *settings, struct error *e)
{
    char certificate[PATH_TEXT_MAX], key[PATH_TEXT_MAX];
    const char *certificate_path = settings->certificate;
    const char *key_path = settings->key ? settings->key : certificate_path;

    if (!certificate_path && tls_trust_client(origin, certificate, key)) {
        certificate_path = certificate;
        key_path = key;
    }
    if (!certificate_path)
        return true;
    if (!load(certificate_path, key_path, e) ||
        mbedtls_ssl_conf_own_cert(config, &identity.chain, &identity.key) != 0)
        return false;
    identity.users++;
    return true;
}

void tls_identity_release(const mbedtls_ssl_config *config)
{
    identity.users -= config->key_cert != NULL;
}
