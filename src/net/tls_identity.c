#include "net/tls_identity.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "base/wipe.h"
#include "net/file.h"
#include "net/tls_platform.h"
#include "net/tls_trust.h"

static struct identity {
    bool loaded;
    unsigned users; /* open sessions */
    uint64_t stamp; /* of both files, from before they were read */
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
} identities[2]; /* of both sides of a copy: neither is shown to the other */

/* Reads a file, and adds a NUL, which mbedTLS needs after PEM. Returns the size with the NUL, or 0 and e
 * set. */
static size_t read_file(const char *path, char bytes[CLIENT_FILE_MAX], struct error *e)
{
    struct writer w = writer_to(bytes, CLIENT_FILE_MAX - 1);
    const char *problem = file_read(path, &w, 0);
    if (problem) {
        error_set(error_hint(e, REGTAG_HINT_CERTIFICATE), REGTAG_E_CREDENTIALS,
                  "cannot read the client certificate or key: %s: %s", path, problem);
        return 0;
    }
    bytes[w.used] = '\0';
    return w.used + 1;
}

static bool parse(struct identity *id, const char *certificate, const char *key, struct error *e)
{
    static char bytes[CLIENT_FILE_MAX];
    const unsigned char *text = (const unsigned char *)bytes;
    size_t size = read_file(certificate, bytes, e);
    if (size && mbedtls_x509_crt_parse(&id->chain, text, size) != 0)
        error_set(e, REGTAG_E_CREDENTIALS, "no client certificate in %s", certificate);
    size = e->status ? 0 : read_file(key, bytes, e);
    if (size && mbedtls_pk_parse_key(&id->key, text, size, NULL, 0, tls_platform_random, NULL) != 0)
        error_set(e, REGTAG_E_CREDENTIALS, "no usable key in %s; it must not be encrypted", key);
    if (!e->status && mbedtls_pk_check_pair(&id->chain.pk, &id->key, tls_platform_random, NULL) != 0)
        error_set(e, REGTAG_E_CREDENTIALS, "the key in %s does not match the certificate in %s", key,
                  certificate);
    wipe(bytes, sizeof bytes);
    return e->status == 0;
}

static void forget(struct identity *id)
{
    mbedtls_x509_crt_free(&id->chain);
    mbedtls_pk_free(&id->key);
}

static bool load(struct identity *id, const char *certificate, const char *key, struct error *e)
{
    uint64_t stamp = 0;
    file_stamp(certificate, &stamp);
    file_stamp(key, &stamp);
    if (id->loaded && (id->users || id->stamp == stamp))
        return true;
    forget(id);
    id->stamp = stamp;
    id->loaded = parse(id, certificate, key, e);
    if (!id->loaded)
        forget(id);
    return id->loaded;
}

bool tls_identity_use(mbedtls_ssl_config *config, const struct regtag_origin *origin,
                      const struct tls_settings *settings, bool *used, struct error *e)
{
    struct identity *id = &identities[origin->target];
    char certificate[PATH_TEXT_MAX], key[PATH_TEXT_MAX];
    const char *certificate_path = settings->certificate;
    const char *key_path = settings->key ? settings->key : certificate_path;

    if (!certificate_path && tls_trust_client(origin, certificate, key)) {
        certificate_path = certificate;
        key_path = key;
    }
    *used = certificate_path != NULL;
    if (!*used)
        return true;
    *used = load(id, certificate_path, key_path, e) &&
            mbedtls_ssl_conf_own_cert(config, &id->chain, &id->key) == 0;
    id->users += *used;
    return *used;
}

void tls_identity_release(const struct regtag_origin *origin)
{
    identities[origin->target].users--;
}
