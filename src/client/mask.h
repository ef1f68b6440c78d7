/* Servers and proxies may echo what they were sent. Masking overwrites our secrets in such texts with
 * asterisks, in each form in which we send them, including truncated ones. */
#ifndef REGTAG_CLIENT_MASK_H
#define REGTAG_CLIENT_MASK_H

#include "base/slice.h"
#include "regtag.h"

/* Masks the secret, in plain and percent-encoded, with digits in either case. */
void mask(struct slice secret, char *text, size_t size);

/* Masks the credentials, and in Base64 as for Basic. */
void mask_credentials(const struct regtag_credentials *credentials, char *text, size_t size);

/* Masks Basic credentials given in Base64, and the password in them. */
void mask_encoded_login(struct slice basic, char *text, size_t size);

#endif
