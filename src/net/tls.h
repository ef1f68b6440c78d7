/* TLS, by whichever of tls_mbedtls.c and tls_none.c was chosen when the program was built. */
#ifndef REGTAG_NET_TLS_H
#define REGTAG_NET_TLS_H

#include "base/error.h"
#include "base/sizes.h"
#include "regtag.h"

/* What the user says about trust. The strings are the caller's and must stay. */
struct tls_settings {
    unsigned
        authorities; /* --cacert: files or directories; where there are any, nothing else is trusted */
    const char *authority[TLS_FILES_MAX];
    const char *env_file, *env_dir; /* SSL_CERT_FILE and SSL_CERT_DIR; NULL or "" where not set */
    const char *certificate, *key;  /* --cert and --key, of the client; or NULL */
    unsigned pins;
    unsigned char pin[TLS_PINS_MAX][32]; /* SHA-256 of a public key (SubjectPublicKeyInfo) */
    bool pin_only;                       /* the pin is all the trust there is */
    bool insecure;
    int64_t time_floor; /* seconds since 1970; 0: none */
    void (*trace)(void *context, enum regtag_trace kind, const char *text, size_t size); /* or NULL */
    void *trace_context;
};

enum tls_progress { TLS_DONE, TLS_READ, TLS_WRITE, TLS_FAILED };

/* NULL, or in one sentence why this build cannot speak TLS and what to do. */
const char *tls_missing(void);

/* Begins a session over a connected socket; the settings must stay. `registry` says that the peer is the
 * one that --pin, --cert, --key and --insecure are meant for. False: e says why. */
bool tls_open(unsigned connection, int fd, const struct regtag_origin *origin,
              const struct tls_settings *settings, bool registry, struct error *e);

/* Goes on with the handshake: TLS_READ and TLS_WRITE say what the socket must be ready for. */
enum tls_progress tls_handshake(unsigned connection, struct error *e);

/* As regtag_transport's; where they return REGTAG_AGAIN, *wants says what the socket must be ready for. */
ptrdiff_t tls_read(unsigned connection, void *bytes, size_t size, enum tls_progress *wants,
                   struct error *e);
ptrdiff_t tls_write(unsigned connection, const void *bytes, size_t size, enum tls_progress *wants,
                    struct error *e);

/* Bytes that have arrived and been decrypted, and that the socket knows nothing of any more. */
bool tls_pending(unsigned connection);

/* Ends the session, if there is one; the socket stays. */
void tls_close(unsigned connection);

#endif
