#include "net/tls_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "base/wipe.h"
#include "net/tls_platform.h"
#include "net/tls_trust.h"

/* The client's certificate and key, read once. */
static struct {
    bool read;
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
} client;

/* Reads a file into memory of CLIENT_FILE_MAX bytes, and adds a NUL, which mbedTLS needs after PEM.
 * Returns the size with the NUL, or 0 and e set. */
static size_t read_file(const char *path, unsigned char *bytes, struct error *e)
{
    size_t size = 0;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && size < CLIENT_FILE_MAX - 1 &&
           (n = read(fd, bytes + size, CLIENT_FILE_MAX - 1 - size)) > 0)
        size += (size_t)n;
    int problem = errno;
    if (fd >= 0)
        close(fd);
    bytes[size] = '\0';
    if (n == 0)
        return size + 1;
    error_set(e, REGTAG_E_CREDENTIALS, "the client's certificate or key cannot be read: %s: %s", path,
              n < 0 ? strerror(problem) : "it is larger than 16 KiB");
    return 0;
}

static bool parse_client(const char *certificate, const char *key, struct error *e)
{
    static unsigned char bytes[CLIENT_FILE_MAX];
    size_t size = read_file(certificate, bytes, e);
    if (size && mbedtls_x509_crt_parse(&client.chain, bytes, size) != 0)
        error_set(e, REGTAG_E_CREDENTIALS, "there is no certificate in %s", certificate);
    size = e->status ? 0 : read_file(key, bytes, e);
    if (size && mbedtls_pk_parse_key(&client.key, bytes, size, NULL, 0, tls_platform_random, NULL) != 0)
        error_set(e, REGTAG_E_CREDENTIALS, "there is no key in %s that can be used without a password",
                  key);
    if (!e->status &&
        mbedtls_pk_check_pair(&client.chain.pk, &client.key, tls_platform_random, NULL) != 0)
        error_set(e, REGTAG_E_CREDENTIALS, "the key in %s is not that of the certificate in %s", key,
                  certificate);
    wipe(bytes, sizeof bytes);
    return e->status == 0;
}

/* Uses the certificate of --cert, or one from the directories for the host, if there is any. */
bool tls_identity_use(mbedtls_ssl_config *config, const struct tls_settings *t,
                      const struct regtag_origin *origin, struct error *e)
{
    char certificate[PATH_TEXT_MAX], key[PATH_TEXT_MAX];
    const char *certificate_path = t->certificate;
    const char *key_path = t->key ? t->key : t->certificate;

    if (!certificate_path && tls_trust_client(origin, certificate, key)) {
        certificate_path = certificate;
        key_path = key;
    }
    if (!certificate_path)
        return true;
    if (!client.read) {
        mbedtls_x509_crt_init(&client.chain);
        mbedtls_pk_init(&client.key);
        if (!parse_client(certificate_path, key_path, e))
            return false;
        client.read = true;
    }
    return mbedtls_ssl_conf_own_cert(config, &client.chain, &client.key) == 0;
}
