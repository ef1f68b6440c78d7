/* Reads the certificates of a file one by one, in constant memory. The file is PEM (RFC 7468), with any
 * text between the certificates and lines of any length, or one certificate in DER. */
#ifndef REGTAG_NET_TLS_PEM_H
#define REGTAG_NET_TLS_PEM_H

#include "base/sizes.h"
#include "base/slice.h"

struct tls_pem {
    int fd;              /* -1: the data is what a pipe has given */
    const char *data;    /* that, or the buffer */
    size_t used, size;   /* of the data */
    size_t total;        /* of the file, so far */
    const char *problem; /* why the file was not read to its end, or NULL */
    char buffer[TLS_READ_MAX];
    char line[TLS_LINE_MAX];
    char der[TLS_CERTIFICATE_MAX];
};

/* False: errno says why. */
bool tls_pem_open(struct tls_pem *p, const char *path);

/* Reads the next certificate; *der points into *p. False at the end of the file. */
bool tls_pem_next(struct tls_pem *p, struct slice *der);

void tls_pem_close(struct tls_pem *p);

/* The subject of a certificate, in DER (RFC 5280, 4.1). Empty if it is not a certificate. */
struct slice tls_certificate_subject(struct slice der);

#endif
