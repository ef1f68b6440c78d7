/* Servers and proxies may echo what they were sent. Masking overwrites our secrets in such texts with
 * asterisks, in plain and as sent, including truncated ones. */
#ifndef REGTAG_CLIENT_MASK_H
#define REGTAG_CLIENT_MASK_H

#include "base/slice.h"
#include "regtag.h"

void mask(struct slice secret, char *text, size_t size);

/* Masks the credentials, in plain and in Base64. */
void mask_credentials(const struct regtag_credentials *credentials, char *text, size_t size);

/* Masks Basic credentials given in Base64, and the password in them. */
void mask_encoded_login(struct slice basic, char *text, size_t size);

#endif
