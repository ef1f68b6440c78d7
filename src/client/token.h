/* A token server's response: {"token": …} or {"access_token": …}, and "expires_in". Parsed as it
 * arrives; nothing else is stored. */
#ifndef REGTAG_CLIENT_TOKEN_H
#define REGTAG_CLIENT_TOKEN_H

#include "base/sizes.h"
#include "oci/json.h"

/* Zero everything before `token` to begin. Holds a secret: wipe after use. */
struct token_answer {
    struct json json;
    const char *problem; /* what is wrong with the response, or NULL */
    bool found;          /* has a token; "token" wins over "access_token" */
    bool had_token, had_access_token;
    bool wanted;         /* the current value is the token */
    bool begun;          /* ... and some of its text was stored */
    bool in_expiry;      /* the next value is that of expires_in */
    bool in_number;      /* the current value is that of expires_in, and a number */
    uint32_t expires_in; /* seconds; 0: not given */
    size_t size;         /* of the token */
    size_t key_size;
    char key[16];
    char token[TOKEN_MAX + 1]; /* NUL-terminated by token_answer_end */
};

/* Parses the next part of the response. False if it is invalid; see `problem`. */
bool token_answer_take(struct token_answer *t, struct slice in);

/* To be called at the end of the response: whether it was complete, with a token that can be sent. */
bool token_answer_end(struct token_answer *t);

#endif
