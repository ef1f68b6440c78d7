/* What one logs in with. Secrets lie in here and nowhere else, from the moment they are read until
 * credentials_wipe. */
#ifndef REGTAG_CLI_SECRETS_H
#define REGTAG_CLI_SECRETS_H

#include "base/sizes.h"
#include "oci/document.h"
#include "regtag.h"

/* All are NUL-terminated; an empty one is not there. To begin with, clear the whole struct; memory that no
 * secret was written to is not written to later either, and so costs nothing. */
struct credentials {
    char source[SOURCE_MAX + 1];    /* where they come from, for a person */
    char user[REGTAG_USER_MAX + 1]; /* no colon and no control characters in it */

    /* Of the user; may be empty. No control characters. */
    char password[REGTAG_PASSWORD_MAX + 1];

    /* For a token server, a refresh token; and for the registry, a bearer token. Visible ASCII only. */
    char identity_token[REGTAG_TOKEN_MAX + 1];
    char registry_token[REGTAG_TOKEN_MAX + 1];
};

/* Forgets all of it. */
void credentials_wipe(struct credentials *c);

/* Whether there is anything to log in with. */
bool credentials_any(const struct credentials *c);

enum secret { SECRET_USER, SECRET_PASSWORD, SECRET_IDENTITY_TOKEN, SECRET_REGISTRY_TOKEN };

/* What a secret is called. */
const char *secret_name(enum secret which);

/* Where a secret is to be written to; what was there is forgotten. */
struct writer secret_begin(struct credentials *c, enum secret which);

/* Ends that, and looks at what was written. Returns NULL, or what is wrong with it, to be put behind its
 * name; it is forgotten then. */
const char *secret_end(enum secret which, const struct writer *w);

/* Both, with this text; and with what a string of a document means. */
const char *secret_set(struct credentials *c, enum secret which, struct slice text);
const char *secret_read(struct credentials *c, enum secret which, const struct document *d, int value);

#endif
