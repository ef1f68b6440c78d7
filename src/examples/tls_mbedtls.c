/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* What belongs to the process stands here, in the program, and nowhere in the library: PSA's state, the
 * trusted CAs, and where randomness comes from. mbedTLS's allocator is chosen where mbedTLS is configured. */
#include "tls.h"

#include <fcntl.h>
#include <unistd.h>

#include <mbedtls/psa_util.h>
#include <psa/crypto.h>

#include "regtag_tls_mbedtls.h"

static mbedtls_ssl_config config;
static mbedtls_x509_crt trusted;
static struct regtag_mbedtls_session sessions[REGTAG_CONNECTIONS_MIN];
static struct regtag_mbedtls mbedtls = {.sessions = sessions, .count = REGTAG_CONNECTIONS_MIN};

/* Reads a whole file, with a NUL behind it, as mbedTLS wants PEM. Its size with the NUL; 0: it did not work. */
static size_t read_file(const char *path, unsigned char *bytes, size_t room)
{
    size_t size = 0;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && size + 1 < room && (n = read(fd, bytes + size, room - 1 - size)) > 0)
        size += (size_t)n;
    if (fd >= 0)
        close(fd);
    bytes[size] = '\0';
    return n == 0 ? size + 1 : 0;
}

const char *tls_set_up(struct regtag_tls *tls, const char *authorities)
{
    static unsigned char pem[8192];
    size_t size = read_file(authorities, pem, sizeof pem);
    if (size == 0)
        return "the file with the CAs cannot be read, or is larger than 8 KiB";
    if (psa_crypto_init() != PSA_SUCCESS)
        return "there is no randomness";
    mbedtls_x509_crt_init(&trusted);
    if (mbedtls_x509_crt_parse(&trusted, pem, size) != 0)
        return "there is something in the file with the CAs that is none";
    mbedtls_ssl_config_init(&config);
    if (mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return "there is not enough memory for TLS";
    mbedtls_ssl_conf_rng(&config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_ca_chain(&config, &trusted, NULL);
    mbedtls.config = &config;
    *tls = regtag_mbedtls_tls(&mbedtls);
    return NULL;
}
