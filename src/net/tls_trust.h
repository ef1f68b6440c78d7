/* Finds trusted certificates. Searches files and directories each time mbedTLS needs an issuer, so that
 * memory does not grow with the number of CAs. */
#ifndef REGTAG_NET_TLS_TRUST_H
#define REGTAG_NET_TLS_TRUST_H

#include "base/sizes.h"
#include "net/tls.h"
#include "net/tls_pem.h"

/* Called for each match; `own`: it is from a file that the user chose, not from the system's. Returns
 * whether to go on. */
typedef bool tls_trust_visit(void *context, struct slice der, bool own);

/* A file or directory of --cacert that could not be read any more, and why; or NULL. */
struct tls_unread {
    const char *path, *problem;
};

/* Searches all that is trusted for this origin for certificates with this subject (DER). */
struct tls_unread tls_trust_find(const struct tls_settings *settings, const struct regtag_origin *origin,
                                 struct slice subject, tls_trust_visit *visit, void *context);

/* Whether there is any file or directory to search; writes the places that were tried to w. */
bool tls_trust_any(const struct tls_settings *settings, const struct regtag_origin *origin,
                   struct writer *w);

/* Finds a client certificate in the directories for a host: the first *.cert with a *.key beside it.
 * Writes both paths, with a NUL, to memory of PATH_TEXT_MAX bytes each. */
bool tls_trust_client(const struct regtag_origin *origin, char *certificate, char *key);

#endif
