/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* TLS for regtag_sockets.h by mbedTLS 3.6, as the program around it has set that up. Nothing is set up in
 * here: PSA, the allocator, randomness, the clock and the trusted certificates are the program's.
 *
 * A peer has to prove that it is the host that was asked for. Only the subject's alternative names count
 * (RFC 9525), the certificate has to be one for servers, and the CAs above it must be allowed to issue it.
 * A failed verification is a failed handshake: no byte is sent to a peer that is not trusted, whatever the
 * configuration's authmode. */
#ifndef REGTAG_TLS_MBEDTLS_H
#define REGTAG_TLS_MBEDTLS_H

#include <mbedtls/ssl.h>

#include "regtag_sockets.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In addition to MBEDTLS_X509_BADCERT_*: a CA's name constraints do not allow a name below it. */
#define REGTAG_BADCERT_CONSTRAINTS 0x40000000u

/* Which certificate has wrong dates, and so who can replace it. */
enum regtag_mbedtls_which { REGTAG_MBEDTLS_SERVER, REGTAG_MBEDTLS_BETWEEN, REGTAG_MBEDTLS_ROOT };

/* A session. For the hooks below: */
struct regtag_mbedtls_session {
    const struct regtag_origin *origin;
    uint32_t flags;             /* what is wrong with the certificates, MBEDTLS_X509_BADCERT_* */
    mbedtls_x509_time from, to; /* of the certificate with wrong dates that is nearest to the root */
    enum regtag_mbedtls_which dated; /* that one */

    /* Private. */
    mbedtls_ssl_context ssl;
    struct regtag_mbedtls *owner;
    unsigned number; /* of the connection */
    int fd, io_error;
    bool in_use;
    bool up;       /* the handshake is over */
    bool verified; /* the peer's certificate was looked at */
    unsigned reads_left;
    size_t waiting;       /* bytes of a write that is to be repeated; 0: none */
    unsigned seriousness; /* of what `text` says is wrong with the certificates; 0: nothing yet */
    unsigned count;       /* of `above` */
    /* While a chain is verified: from the root down. */
    const mbedtls_x509_crt *above[MBEDTLS_X509_MAX_INTERMEDIATE_CA + 2];
    char text[320]; /* of a failure that has no sentence of its own */
};

/* To begin, clear the whole struct and set what is the caller's. */
struct regtag_mbedtls {
    /* Memory for the sessions, cleared: one for each connection. */
    struct regtag_mbedtls_session *sessions;
    size_t count;

    /* For all connections: set up for a client over a stream, with randomness and CAs. A client
     * certificate in it is shown to any server that asks, token servers included; `configure` can do better. */
    const mbedtls_ssl_config *config;

    /* All hooks may be NULL. */
    void *context;
    /* Instead of `config`: the configuration for a connection to `origin`, valid until `release`. NULL:
     * there is none, and *f says why. */
    const mbedtls_ssl_config *(*configure)(void *context, unsigned connection,
                                           const struct regtag_origin *origin, struct regtag_failure *f);
    /* The session is over, and its configuration no longer in use. */
    void (*release)(void *context, unsigned connection);
    /* What remains of session->flags for the peer's certificate: 0 to trust it. For pinned keys. */
    uint32_t (*judge)(void *context, unsigned connection, const mbedtls_x509_crt *certificate);
    /* A failure that *f describes already, to be described better: an error of mbedTLS, or 0 and
     * session->flags. */
    void (*explain)(void *context, unsigned connection, int error, struct regtag_failure *f);
    /* Verifies the server's certificates in mbedTLS's place, which then needs no matching CA: for an mbedTLS without
     * MBEDTLS_X509_TRUSTED_CERTIFICATE_CALLBACK. Hands `inspect` and `session` to mbedtls_x509_crt_verify, as f_vrfy and
     * p_vrfy, and returns what that returns. The configuration must have some CA, no matter which. */
    int (*verify)(void *context, unsigned connection, mbedtls_x509_crt *chain,
                  int (*inspect)(void *, mbedtls_x509_crt *, int, uint32_t *), void *session);
};

/* What is wrong with a certificate that mbedTLS could not parse, as words that follow its name; NULL: the
 * error is not one of those. */
const char *regtag_mbedtls_unusable(int error);

/* What struct regtag_sockets wants as `tls`. *m must stay where it is as long as that is used. mbedTLS
 * allocates when a connection is opened, and frees when it is closed: regtag_sockets_close. */
struct regtag_tls regtag_mbedtls_tls(struct regtag_mbedtls *m);

#ifdef __cplusplus
}
#endif

#endif
