/* Certificates in a file, one after the other, in memory that does not grow with the file: PEM (RFC 7468)
 * with whatever stands between the certificates, or one in DER. */
#ifndef REGTAG_NET_TLS_PEM_H
#define REGTAG_NET_TLS_PEM_H

#include "base/sizes.h"
#include "base/slice.h"

struct tls_pem {
    int fd;
    size_t used, size; /* of the buffer */
    size_t total;      /* of the file, so far */
    char buffer[TLS_READ_MAX];
    char line[TLS_LINE_MAX];
    char der[TLS_CERTIFICATE_MAX];
};

/* Opens the file. False: errno tells why. */
bool tls_pem_open(struct tls_pem *p, const char *path);

/* Goes on to the next certificate; *der points into *p. False at the end of the file. */
bool tls_pem_next(struct tls_pem *p, struct slice *der);

void tls_pem_close(struct tls_pem *p);

/* The DER of the subject's name of a certificate, as it stands there (RFC 5280, 4.1). Empty where the
 * bytes are no certificate. */
struct slice tls_certificate_subject(struct slice der);

#endif
