/* Authentication: the Authorization field, challenges, and the contents of token requests. No requests
 * are sent here; login.h does that. */
#ifndef REGTAG_CLIENT_AUTH_H
#define REGTAG_CLIENT_AUTH_H

#include "base/sizes.h"
#include "client/token.h"
#include "http/response.h"
#include "http/url.h"
#include "oci/reference.h"
#include "regtag.h"

enum auth_scheme { AUTH_UNKNOWN, AUTH_BASIC, AUTH_BEARER };

/* How to respond to a 401. */
enum auth_step {
    AUTH_REPEAT, /* resend the request, now with credentials */
    AUTH_TOKEN,  /* fetch a token */
    AUTH_PING,   /* no challenge was sent; try /v2/, which may send one (GCR) */
    AUTH_DENIED  /* give up; the error is set */
};

struct auth {
    const struct regtag_side *side;
    const struct regtag_credentials *credentials; /* of the side */
    enum auth_scheme scheme;                      /* used for every request to the registry */
    unsigned logins;                              /* so far */
    bool proven;                /* it has answered otherwise than by 401 since the last one */
    bool taken;                 /* the same of the current token */
    bool refused;               /* the password, while unproven */
    bool pinged;                /* /v2/ was already asked for a challenge, in vain so far */
    bool by_get;                /* the token server does not support POST */
    uint64_t expires;           /* when to stop using the token, in milliseconds; UINT64_MAX: never */
    bool secret;                /* `answer` has held a secret; if not, its pages need no wiping */
    struct token_answer answer; /* from the token server; holds the current token */
    char realm[URL_MAX + 1];    /* absolute URL of the token server */
    char service[SERVICE_MAX + 1];
};

/* A bearer token among the credentials is used from the first request on. The credentials are borrowed:
 * they must outlive *a. */
void auth_init(struct auth *a, const struct regtag_side *side);

/* For the same question once more: a password that was refused may be tried again, and a bearer token that was wiped is
 * there. */
void auth_again(struct auth *a);

/* Wipes the token. */
void auth_wipe(struct auth *a);

/* Writes the Authorization field for the registry, if any. */
void auth_write(const struct auth *a, struct writer *w);

/* Writes the Authorization field for the token server; nothing if the credentials go into the body. */
void auth_write_to_token_server(const struct auth *a, struct writer *w);

/* Overwrites our secrets in a text with asterisks, both in plain and as sent. */
void auth_mask(const struct auth *a, char *text, size_t size);

/* Chooses how to respond to a 401 from the registry at `origin`. `repeated`: the request was already
 * resent after a login that should have served, so this 401 is final. */
enum auth_step auth_challenged(struct auth *a, const struct regtag_origin *origin,
                               const struct http_response *response, bool repeated, struct error *e);

/* Sets the error after a 401: REGTAG_E_DENIED and the text; or why there are no credentials, if the caller
 * knows. */
void auth_denied(const struct auth *a, struct error *e, const char *text);

/* Whether to expect a 401: there are credentials, but no request has been answered, and so the scheme is not known
 * yet. */
bool auth_expects_challenge(const struct auth *a);

/* Whether a password is being tried out: many requests with a wrong one may lock the account. */
bool auth_is_unproven(const struct auth *a);

/* Sets e: the password was refused, and is not tried again. */
void auth_refuse(struct auth *a, struct error *e);

/* The registry has answered otherwise than by 401. */
void auth_note_taken(struct auth *a);

/* Whether the current token has expired; and whether that, or its use by others, may be why it is refused. */
bool auth_has_expired(const struct auth *a, uint64_t now);
bool auth_is_worn(const struct auth *a, uint64_t now);

/* Drops the current token and prepares a->answer for the response to a token request. */
void auth_begin_token(struct auth *a);

/* Starts to use the complete token in a->answer. Its lifetime counts from `asked`, the time of the
 * request. */
void auth_accept_token(struct auth *a, uint64_t asked);

/* The token server's origin and, in *target, the path and query of the realm. */
void auth_token_server(const struct auth *a, struct regtag_origin *origin, struct slice *target);

/* Whether the token is requested by POST, with the identity token in the body. */
bool auth_by_post(const struct auth *a);

/* Writes the target of the GET (the realm's, with a query) or the body of the POST that requests a token
 * for `actions` ("pull,push") on the reference's repository, and to pull from that of `also`, if it is not NULL. */
void auth_write_form(const struct auth *a, const struct reference *reference, const char *actions,
                     const struct reference *also, struct writer *w);

#endif
