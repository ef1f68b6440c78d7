/* Servers, and proxies, may repeat what they were told. What they repeat of our secrets is overwritten with asterisks,
 * plain or as it was sent, and the beginning of one as well: the text may have been cut. */
#ifndef REGTAG_CLIENT_MASK_H
#define REGTAG_CLIENT_MASK_H

#include "base/slice.h"
#include "regtag.h"

void mask(struct slice secret, char *text, size_t size);

/* The credentials, plain and in Base64. */
void mask_credentials(const struct regtag_credentials *credentials, char *text, size_t size);

/* A login of which only the Base64 is known. */
void mask_encoded_login(struct slice basic, char *text, size_t size);

#endif
