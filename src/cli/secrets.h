/* The only place for secrets, from the moment they are read until credentials_wipe. */
#ifndef REGTAG_CLI_SECRETS_H
#define REGTAG_CLI_SECRETS_H

#include "base/sizes.h"
#include "oci/document.h"
#include "regtag.h"

/* All are NUL-terminated; "" means that there is none. To begin, clear the whole struct. Wiping touches
 * only what was written, so that unused pages cost nothing. */
struct credentials {
    char source[SOURCE_MAX + 1];      /* where they come from, for messages */
    char unavailable[ERROR_TEXT_MAX]; /* why there are none, although there should be */
    char user[REGTAG_USER_MAX + 1];   /* no colon and no control characters in it */

    /* May be empty, and have line ends and other control characters. */
    char password[REGTAG_PASSWORD_MAX + 1];

    /* For a token server, a refresh token; and for the registry, a bearer token. ASCII without control
     * characters; spaces only in the former. */
    char identity_token[REGTAG_TOKEN_MAX + 1];
    char registry_token[REGTAG_TOKEN_MAX + 1];
};

void credentials_wipe(struct credentials *c);

/* Whether there is anything to log in with. */
bool credentials_any(const struct credentials *c);

enum secret { SECRET_USER, SECRET_PASSWORD, SECRET_IDENTITY_TOKEN, SECRET_REGISTRY_TOKEN };

/* For messages. */
const char *secret_name(enum secret which);

/* Wipes the secret, and returns a writer for a new one. */
struct writer secret_begin(struct credentials *c, enum secret which);

/* Checks what was written. Returns NULL, or what is wrong with it, to be put after its name; it is wiped
 * then. */
const char *secret_end(enum secret which, const struct writer *w);

/* Both, with a text, or with a string of a document. */
const char *secret_set(struct credentials *c, enum secret which, struct slice text);
const char *secret_read(struct credentials *c, enum secret which, const struct document *d, int value);

#endif
