/* Whom to trust, and how to prove who we are. tls_peer.c and what it needs, or tls_none.c: the build links
 * one or the other. */
#ifndef REGTAG_NET_TLS_H
#define REGTAG_NET_TLS_H

#include "base/error.h"
#include "base/sizes.h"
#include "regtag_sockets.h"

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

/* The hooks for struct regtag_sockets; none in a build without TLS. settings[0] is for the registry, settings[1] for the
 * target's of a copy; they must stay valid. --pin, --cert, --key and --insecure apply only to the registry. */
struct regtag_tls tls_hooks(const struct tls_settings settings[2], unsigned connections);

/* Reads a file or directory of --cacert. Returns NULL, or what is wrong: it cannot be read in full, or there
 * is no certificate in it. A build without TLS does not look. */
const char *tls_check_authority(const char *path);

/* Adds all files that the settings name, and those for hosts and of the system, to *stamp, as file_stamp
 * does. */
void tls_stamp(const struct tls_settings *settings, uint64_t *stamp);

#endif
