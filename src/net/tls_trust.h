/* Which certificates are trusted: files and directories, looked through each time an issuer is wanted, so
 * that memory does not grow with what is trusted. */
#ifndef REGTAG_NET_TLS_TRUST_H
#define REGTAG_NET_TLS_TRUST_H

#include "base/sizes.h"
#include "net/tls.h"
#include "net/tls_pem.h"

/* What to do with a certificate that was found; `own` says that the user named its file, rather than the
 * system. Returns whether to go on looking. */
typedef bool tls_trust_visit(void *context, struct slice der, bool own);

/* Looks through all that `settings` say is trusted where a server is `host`, on `port`, for certificates
 * with this subject (DER). */
void tls_trust_find(const struct tls_settings *settings, const struct regtag_origin *origin,
                    struct slice subject, tls_trust_visit *visit, void *context);

/* Whether there is anything at all to look through. Else where was looked is written to w. */
bool tls_trust_any(const struct tls_settings *settings, const struct regtag_origin *origin,
                   struct writer *w);

/* Finds a client's certificate and its key in the directories for a host: the first *.cert with a *.key.
 * Writes both paths, each with a NUL, to memory of PATH_TEXT_MAX. */
bool tls_trust_client(const struct regtag_origin *origin, char *certificate, char *key);

#endif
