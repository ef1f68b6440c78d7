/* The answer of a token server: {"token": …} or {"access_token": …}, and "expires_in", read while it
 * arrives, so that nothing else is kept. */
#ifndef REGTAG_CLIENT_TOKEN_H
#define REGTAG_CLIENT_TOKEN_H

#include "base/sizes.h"
#include "oci/json.h"

/* To begin, clear the whole struct. It holds a secret: wipe it at the end. */
struct token_answer {
    struct json json;
    const char *problem; /* NULL, or what is wrong with the answer */
    bool found;          /* a token was there; "token" wins over "access_token" */
    bool had_token, had_access_token;
    bool wanted;         /* the string at hand is one */
    bool in_expiry;      /* the value at hand is expires_in, */
    bool in_number;      /* and it is a number */
    uint32_t expires_in; /* seconds; 0: it does not say */
    size_t size;         /* of the token */
    size_t key_size;
    char key[16];
    char token[TOKEN_MAX + 1]; /* with a NUL, after token_answer_end */
};

/* Takes the next part of the answer. False when it is not one. */
bool token_answer_take(struct token_answer *t, struct slice in);

/* Whether the answer was whole and had a token that can be sent, now that it has ended. */
bool token_answer_end(struct token_answer *t);

#endif
