/* A login: what it takes to answer a registry's challenge. Asks /v2/ for one where the registry gave none, then the
 * token server for a token. */
#ifndef REGTAG_CLIENT_LOGIN_H
#define REGTAG_CLIENT_LOGIN_H

#include "client/exchange.h"

enum login_event {
    LOGIN_WAIT,  /* nothing to do now */
    LOGIN_DONE,  /* there is something to show that the registry may take */
    LOGIN_FAILED /* there is not; the error is in the context */
};

enum login_state { LOGIN_IDLE, LOGIN_PING, LOGIN_TOKEN };

struct login {
    enum login_state state;
    struct remote *remote;
    struct attempts *attempts;
    struct exchange exchange;
    struct regtag_origin server; /* the token server's */
    uint64_t asked;              /* when the token was asked for */
    size_t form_size;
    char form[FORM_MAX]; /* target or body of the request for a token */
};

void login_init(struct login *l);

/* Forgets what may be secret. */
void login_wipe(struct login *l);

/* Begins one, with a request for a challenge, or, where the realm is known, for a token. What has to be tried again
 * counts as attempts of whoever needs the login. */
void login_begin(struct login *l, enum login_state state, struct remote *remote,
                 struct attempts *attempts);

enum login_event login_step(struct login *l);

/* Gives it up. */
void login_cancel(struct login *l);

#endif
