/* TLS, implemented by tls_mbedtls.c or tls_none.c; the build links one of them. */
#ifndef REGTAG_NET_TLS_H
#define REGTAG_NET_TLS_H

#include "base/error.h"
#include "base/sizes.h"
#include "regtag.h"

/* The strings are the caller's, and must stay valid. */
struct tls_settings {
    /* --cacert: files or directories. If there are any, nothing else is trusted. */
    unsigned authorities;
    const char *authority[TLS_FILES_MAX];
    const char *env_file, *env_dir; /* SSL_CERT_FILE and SSL_CERT_DIR; NULL or "" where not set */
    const char *certificate, *key;  /* --cert and --key, of the client; or NULL */
    unsigned pins;
    unsigned char pin[TLS_PINS_MAX][32]; /* SHA-256 of a public key (SubjectPublicKeyInfo) */
    bool pin_only;                       /* trust any certificate with a pinned key, and nothing else */
    bool insecure;
    int64_t time_floor; /* seconds since 1970; 0: none */
    void (*trace)(void *context, enum regtag_trace kind, const char *text, size_t size); /* or NULL */
    void *trace_context;
};

enum tls_progress { TLS_DONE, TLS_READ, TLS_WRITE, TLS_FAILED };

/* NULL, or a message: this build cannot speak TLS. */
const char *tls_missing(void);

/* Begins a session over a connected socket; the settings must stay valid. --pin, --cert, --key and
 * --insecure apply only if the peer is the `registry`. False: e says why. */
bool tls_open(unsigned connection, int fd, const struct regtag_origin *origin,
              const struct tls_settings *settings, bool registry, struct error *e);

/* Continues the handshake. TLS_READ and TLS_WRITE say what the socket must be ready for. */
enum tls_progress tls_handshake(unsigned connection, struct error *e);

/* As in struct regtag_transport. With REGTAG_AGAIN, *wants says what the socket must be ready for. */
ptrdiff_t tls_read(unsigned connection, void *bytes, size_t size, enum tls_progress *wants,
                   struct error *e);
ptrdiff_t tls_write(unsigned connection, const void *bytes, size_t size, enum tls_progress *wants,
                    struct error *e);

/* Whether there are bytes to read that poll cannot see, since they were taken from the socket
 * already. */
bool tls_pending(unsigned connection);

/* Ends the session, if any; the socket stays open. */
void tls_close(unsigned connection);

#endif
