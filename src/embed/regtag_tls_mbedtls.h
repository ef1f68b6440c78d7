/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* TLS for regtag_sockets.h by mbedTLS 3.6, as the program around it has set that up. Nothing is set up in
 * here: PSA, the allocator, randomness, the clock and the trusted certificates are the program's.
 *
 * A peer has to prove that it is the host that was asked for. Only the subject's alternative names count
 * (RFC 9525), and the certificate has to be one for servers. A failed verification is a failed handshake:
 * no byte is sent to a peer that is not trusted, whatever the configuration's authmode. */
#ifndef REGTAG_TLS_MBEDTLS_H
#define REGTAG_TLS_MBEDTLS_H

#include <mbedtls/ssl.h>

#include "regtag_sockets.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A session. For the hooks below: */
struct regtag_mbedtls_session {
    const struct regtag_origin *origin;
    uint32_t flags;             /* what is wrong with the certificates, MBEDTLS_X509_BADCERT_* */
    mbedtls_x509_time from, to; /* of the certificate with wrong dates that is nearest to the root */

    /* Private. */
    mbedtls_ssl_context ssl;
    struct regtag_mbedtls *owner;
    unsigned number; /* of the connection */
    int fd, io_error;
    bool in_use;
    bool up;       /* the handshake is over */
    bool verified; /* the peer's certificate was looked at */
    unsigned reads_left;
    char text[320]; /* of a failure that has no sentence of its own */
};

/* To begin, clear the whole struct and set what is the caller's. */
struct regtag_mbedtls {
    /* Memory for the sessions, cleared: one for each connection. */
    struct regtag_mbedtls_session *sessions;
    size_t count;

    /* For all connections: made for a client over a stream, with randomness and CAs. A client's
     * certificate in it is shown to whoever asks, token servers included; `configure` can do better. */
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
};

/* What struct regtag_sockets wants as `tls`. *m must stay where it is as long as that is used. mbedTLS
 * allocates when a connection is opened, and frees when it is closed: regtag_sockets_close. */
struct regtag_tls regtag_mbedtls_tls(struct regtag_mbedtls *m);

#ifdef __cplusplus
}
#endif

#endif
