/* SPDX-License-Identifier: MIT
 * Copyright (c) the regtag authors */

/* What mbedTLS 3.6 does not check in a chain of certificates. */
#ifndef REGTAG_CHAIN_H
#define REGTAG_CHAIN_H

#include <stdbool.h>

#include <mbedtls/x509_crt.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Parses a numeric address into 4 or 16 bytes, and returns how many; 0: it is a name. */
size_t regtag_chain_address(const char *host, unsigned char bytes[16]);

/* Whether one of the subject's alternative names is the host (RFC 9525): the common name does not count. A
 * wildcard stands for one label and needs two after it. */
bool regtag_chain_is_for_host(const mbedtls_x509_crt *certificate, const char *host);

/* Whether a certificate may be used by servers, or a CA's for issuing such certificates. */
bool regtag_chain_is_for_servers(const mbedtls_x509_crt *certificate, bool authority);

/* Whether the name constraints of a CA (RFC 5280, 4.2.1.10) allow the names of a certificate somewhere below
 * it. Names of hosts and addresses are compared as they should be; names of directories may only be
 * permitted, and are compared byte by byte; a constraint on any other kind of name that the certificate has
 * is a violation. */
bool regtag_chain_permits(const mbedtls_x509_crt *authority, const mbedtls_x509_crt *certificate);

#ifdef __cplusplus
}
#endif

#endif
