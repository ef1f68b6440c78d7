/* Authentication: what the registry wants to know, and the token that it wants to see. */
#ifndef REGTAG_REGISTRY_AUTH_H
#define REGTAG_REGISTRY_AUTH_H

#include "base/sizes.h"
#include "http/response.h"
#include "http/url.h"
#include "oci/reference.h"
#include "registry/token.h"
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
    enum auth_scheme scheme; /* what is shown with every request to the registry */
    bool fresh;              /* for the request at hand it has been obtained already */
    bool pinged;
    bool by_get;         /* the token server does not know POST */
    const char *actions; /* what the scope asks for: "pull", "pull,push" ... */
    uint64_t expires;    /* when the token that is shown is good no longer; UINT64_MAX: never */
    bool secret;         /* there has been one in `answer` or `form`; else their pages stay untouched */
    char realm[URL_MAX + 1]; /* of the token server, absolute */
    char service[SERVICE_MAX + 1];
    struct token_answer answer; /* of the token server; its token is what is shown */
    char form[FORM_MAX];
};

/* Begins: a bearer token of the caller's is shown at once. */
void auth_init(struct auth *a, const struct regtag_credentials *credentials);

/* Forgets all secrets. */
void auth_wipe(struct auth *a);

/* Writes the Authorization field that goes to the registry, if there is one. Uses a->form. */
void auth_write(struct auth *a, const struct regtag_credentials *credentials, struct writer *w);

/* Writes that which goes to the token server. Uses a->form, unless all is in the body there. */
void auth_write_to_token_server(struct auth *a, const struct regtag_credentials *credentials,
                                struct writer *w);

/* Writes asterisks over all in a text that is one of our secrets, plain or as it is sent, or the beginning of
 * one. */
void auth_mask(const struct auth *a, const struct regtag_credentials *credentials, char *text,
               size_t size);

/* The same for a login of which only its Base64 is known. */
void auth_mask_encoded(struct slice basic, char *text, size_t size);

/* Decides about a 401 of the registry at `origin`. */
enum auth_step auth_challenged(struct auth *a, const struct regtag_config *config,
                               const struct regtag_origin *origin, const struct http_response *response,
                               struct error *e);

/* Whether a 401 is to be expected: there are credentials, but nothing to show yet. */
bool auth_expects_challenge(const struct auth *a, const struct regtag_credentials *credentials);

/* A token has come, which was asked for at this time. */
void auth_accept_token(struct auth *a, uint64_t asked);

/* Where the token server is: its origin and, in *target, path and query of the realm. */
void auth_token_server(const struct auth *a, struct regtag_origin *origin, struct slice *target);

/* Whether the token is asked for by POST, with the identity token in the body. */
bool auth_by_post(const struct auth *a, const struct regtag_credentials *credentials);

/* Writes the target of the GET (the realm's, with the query) or the body of the POST to a->form, for
 * access to this repository. Poisoned when it does not fit. */
struct writer auth_form(struct auth *a, const struct regtag_credentials *credentials,
                        const struct reference *reference, struct slice realm_target);

#endif
