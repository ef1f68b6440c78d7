/* Authentication: what is shown to a registry, what its challenges ask for, and how a token is asked for. No
 * requests are made here; login.h does that. */
#ifndef REGTAG_CLIENT_AUTH_H
#define REGTAG_CLIENT_AUTH_H

#include "base/sizes.h"
#include "client/token.h"
#include "http/response.h"
#include "http/url.h"
#include "oci/reference.h"
#include "regtag.h"

enum auth_scheme { AUTH_UNKNOWN, AUTH_BASIC, AUTH_BEARER };

/* What to do about a 401. */
enum auth_step {
    AUTH_REPEAT, /* send the request again: there is something to show now */
    AUTH_TOKEN,  /* ask the token server */
    AUTH_PING,   /* there was no challenge: /v2/ may have one (GCR) */
    AUTH_DENIED  /* nothing can be done; the error is set */
};

struct auth {
    const struct regtag_credentials *credentials;
    enum auth_scheme scheme; /* what is shown with every request to the registry */
    bool pinged;
    bool by_get;             /* the token server does not know POST */
    uint64_t expires;        /* when the token that is shown is good no longer; UINT64_MAX: never */
    bool secret;             /* there has been one in `answer`; else its pages stay untouched */
    char realm[URL_MAX + 1]; /* of the token server, absolute */
    char service[SERVICE_MAX + 1];
    struct token_answer answer; /* of the token server; its token is what is shown */
};

/* Begins: a bearer token of the caller's is shown at once. The credentials are read, not copied. */
void auth_init(struct auth *a, const struct regtag_credentials *credentials);

/* Forgets all secrets. */
void auth_wipe(struct auth *a);

/* Writes the Authorization field that goes to the registry, if there is one. */
void auth_write(const struct auth *a, struct writer *w);

/* Writes that which goes to the token server; nothing when all is in the body there. */
void auth_write_to_token_server(const struct auth *a, struct writer *w);

/* Writes asterisks over whatever in a text is one of our secrets, plain or as it is sent. */
void auth_mask(const struct auth *a, char *text, size_t size);

/* Decides about a 401 of the registry at `origin`; `repeated` says that the request has been sent with what there is
 * to be shown. */
enum auth_step auth_challenged(struct auth *a, const struct regtag_config *config,
                               const struct regtag_origin *origin, const struct http_response *response,
                               bool repeated, struct error *e);

/* Whether a 401 is to be expected: there are credentials, but nothing to show yet. */
bool auth_expects_challenge(const struct auth *a);

/* Whether the token that is shown has expired. */
bool auth_has_expired(const struct auth *a, uint64_t now);

/* A token is asked for, and put into a->answer; there is none to be shown meanwhile. */
void auth_begin_token(struct auth *a);

/* It has come, whole and valid; it was asked for at this time. */
void auth_accept_token(struct auth *a, uint64_t asked);

/* Where the token server is: its origin and, in *target, path and query of the realm. */
void auth_token_server(const struct auth *a, struct regtag_origin *origin, struct slice *target);

/* Whether the token is asked for by POST, with the identity token in the body. */
bool auth_by_post(const struct auth *a);

/* Writes the target of the GET (the realm's, with the query) or the body of the POST, for these actions ("pull,push")
 * on the reference's repository. */
void auth_write_form(const struct auth *a, const struct reference *reference, const char *actions,
                     struct writer *w);

#endif
