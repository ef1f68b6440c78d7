/* Certificates that mbedTLS 3.6 would reject although nobody needs what it cannot handle in them. The Makefile has
 * mbedTLS call these in place of its own functions. */
#ifndef REGTAG_X509_H
#define REGTAG_X509_H

#include <mbedtls/x509_crt.h>

/* Which certificates of the chain that was parsed last could not be used. */
struct regtag_x509_skipped {
    unsigned parsed; /* certificates so far, those that were skipped included */
    unsigned number; /* the first one that cannot be used, counted from 1; 0: none */
    int error;       /* why: an error of mbedTLS */
};
extern struct regtag_x509_skipped regtag_x509_skipped;

/* Replaces mbedtls_x509_crt_parse_der where a peer's chain is parsed. mbedTLS rejects a chain for any certificate in
 * it that it cannot parse. This skips all but the first, so that verification decides whether one is missing. */
int regtag_x509_parse_peer(mbedtls_x509_crt *chain, const unsigned char *der, size_t size);

/* For a CA's certificate; accepts the same critical extensions. */
int regtag_x509_parse(mbedtls_x509_crt *chain, const unsigned char *der, size_t size, int copy);

#endif
