/* A login: gets a challenge from /v2/ if the 401 had none, then a token from the token server. */
#ifndef REGTAG_CLIENT_LOGIN_H
#define REGTAG_CLIENT_LOGIN_H

#include "client/exchange.h"

enum login_event {
    LOGIN_WAIT,  /* nothing more to do in this step */
    LOGIN_DONE,  /* there are credentials to resend the request with */
    LOGIN_FAILED /* the error is in the context */
};

enum login_state { LOGIN_IDLE, LOGIN_PING, LOGIN_TOKEN };

struct login {
    enum login_state state;
    struct remote *remote;
    struct attempts *attempts;
    uint64_t asked; /* when the token was requested */
    size_t form_size;
    bool too_long; /* the form: percent-encoding can triple it */
    struct exchange exchange;
    struct regtag_origin server; /* the token server's */
    char form[FORM_MAX];         /* target or body of the token request */
};

void login_init(struct login *l);

/* Wipes the form, which may hold the identity token. */
void login_wipe(struct login *l);

/* Begins a login with a request for a challenge (LOGIN_PING) or, if the realm is known, for a token
 * (LOGIN_TOKEN). Retries count against `attempts`, those of the exchange that needs the login. */
void login_begin(struct login *l, enum login_state state, struct remote *remote,
                 struct attempts *attempts);

enum login_event login_step(struct login *l);

/* Cancels the login, if one is in progress. */
void login_cancel(struct login *l);

#endif
