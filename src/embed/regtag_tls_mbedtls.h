/* TLS for regtag_sockets.h by mbedTLS 3.6, as the program around it has set that up. Nothing is set up in
 * here: PSA, the allocator, randomness, the clock and the trusted certificates are the program's. */
#ifndef REGTAG_TLS_MBEDTLS_H
#define REGTAG_TLS_MBEDTLS_H

#include <mbedtls/ssl.h>

#include "regtag_sockets.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Private. */
struct regtag_mbedtls_session {
    mbedtls_ssl_context ssl;
    int fd;
    bool in_use;
    unsigned reads_left;
    enum regtag_status status;
    const char *text;
    char number[48]; /* the text of an error that has no sentence of its own */
};

/* To begin, clear the whole struct and set the configurations. */
struct regtag_mbedtls {
    /* For connection 0, which leads to the registry, and for connection 1, to token servers and to the
     * targets of redirections: a client's certificate belongs to the first only. Both may be the same.
     * Made for a client over a stream, with randomness and CAs. NULL: there is no TLS for it. A peer
     * whose certificate is not verified, for its host name, is never spoken to, whatever the
     * configuration's authmode. */
    const mbedtls_ssl_config *config[REGTAG_CONNECTIONS];

    /* Private. */
    struct regtag_mbedtls_session sessions[REGTAG_CONNECTIONS];
};

/* What struct regtag_sockets wants as `tls`. *m must stay where it is as long as that is used. mbedTLS
 * allocates when a connection is opened, and frees when it is closed: regtag_sockets_close. */
struct regtag_tls regtag_mbedtls_tls(struct regtag_mbedtls *m);

#ifdef __cplusplus
}
#endif

#endif
